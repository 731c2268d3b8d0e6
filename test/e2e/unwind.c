#include "e2e/unwind.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/left.h"

#define GIB (1LL << 30)

static void begin(struct life *l, const char *id)
{
	vol_init(&l->vol, id);
	l->vol.is_block = l->is_block;
	l->vol.fs = l->fs;
}

static void mark(struct life *l, struct states *s)
{
	for (uint32_t i = 0; i < l->crash->n_moves; i++)
		states_mark(s, l->crash, &l->crash->moves[i], STATES_MET);
}

static bool step(struct life *l, enum vol_step step)
{
	return vol_must(&l->driver, &l->vol, step);
}

static bool up_to(struct life *l, enum vol_step last)
{
	for (int s = VOL_CREATE; s <= (int)last; s++)
		if (!step(l, (enum vol_step)s))
			return false;
	return true;
}

static bool down(struct life *l)
{
	return step(l, VOL_NODE_UNPUBLISH) && step(l, VOL_UNSTAGE) &&
	       step(l, VOL_UNPUBLISH) && step(l, VOL_DELETE);
}

/* The same driver under another node's name, with other known nodes. */
static bool restart_as(struct life *l, const char *node_id, const char *known)
{
	driver_stop(&l->driver);
	l->driver.node_id = node_id;
	l->driver.known_nodes = known;
	return driver_start(&l->driver);
}

/* A holder whose node nobody knows any more is cut off by a fence; where the fence is cut
 * short, whoever comes next finishes it. */
static bool half_fence(struct life *l, const char *id, bool is_cut)
{
	struct crash_file *c = l->crash;
	struct rpc_call call;
	enum err_code code;

	begin(l, id);
	if (!restart_as(l, "node-a", "node-gone") || !step(l, VOL_CREATE))
		return false;
	l->vol.node = "node-gone";
	if (!step(l, VOL_PUBLISH) || !restart_as(l, "node-a", NULL))
		return false;
	c->fired = 0;
	c->how = is_cut ? CRASH_KILL : CRASH_OFF;
	for (c->type = 0; c->type < (int)c->n_types; c->type++)
		if (strcmp(c->types[c->type].name, "fence") == 0)
			break;
	c->from = 1; /* beginning -> settling */
	c->to = 2;
	c->nth = 1;
	vol_start(&l->driver, &l->vol, VOL_UNPUBLISH, &call);
	code = vol_end(&l->driver, &l->vol, VOL_UNPUBLISH, &call);
	c->how = CRASH_OFF;
	if (!is_cut)
		return CHECK(code == ERR_OK, "%s", rpc_message());
	return CHECK(c->fired, "no fence was met") &&
	       CHECK(driver_is_gone(&l->driver, 60000), "not killed") &&
	       driver_start(&l->driver);
}

static void fences(struct life *l)
{
	if (!half_fence(l, "pvc-fence-a", false) || !step(l, VOL_DELETE))
		return;
	/* The fence of a killed driver is finished by an unpublish, a publish, a delete.
	 */
	if (!half_fence(l, "pvc-fence-b", true) || !step(l, VOL_UNPUBLISH) ||
	    !step(l, VOL_DELETE))
		return;
	if (!half_fence(l, "pvc-fence-c", true))
		return;
	l->vol.node = NULL;
	if (!step(l, VOL_PUBLISH) || !step(l, VOL_UNPUBLISH) || !step(l, VOL_DELETE))
		return;
	if (half_fence(l, "pvc-fence-d", true))
		(void)step(l, VOL_DELETE);
}

/* Staged here, fenced meanwhile: what is staged hangs on an NQN that is no more. */
static void fenced_leftover(struct life *l)
{
	begin(l, "pvc-leftover");
	if (!up_to(l, VOL_NODE_PUBLISH) || !step(l, VOL_NODE_UNPUBLISH) ||
	    !restart_as(l, "node-x", NULL))
		return;
	if (step(l, VOL_UNPUBLISH) && restart_as(l, "node-a", NULL) &&
	    step(l, VOL_PUBLISH) && step(l, VOL_STAGE))
		(void)down(l);
}

/* The machine went down: what was staged is neither mounted nor attached any more. */
static void after_reboot(struct life *l)
{
	begin(l, "pvc-reboot");
	l->vol.fs = "ext4"; /* checked before it is mounted again */
	if (!up_to(l, VOL_NODE_PUBLISH))
		return;
	driver_kill(&l->driver);
	left_clean(e2e_dir());
	if (driver_start(&l->driver) && step(l, VOL_STAGE) && step(l, VOL_NODE_PUBLISH))
		(void)down(l);
}

/* Grown while it was nowhere staged. */
static void grown_offline(struct life *l)
{
	/* One is grown before it is mounted, the other after. */
	static const char *const fs[] = { "ext4", "xfs" };

	for (unsigned i = 0; i < 2; i++) {
		begin(l, i ? "pvc-offline-x" : "pvc-offline-e");
		l->vol.fs = fs[i];
		if (!up_to(l, VOL_STAGE) || !step(l, VOL_UNSTAGE))
			return;
		l->vol.want_bytes = 2 * GIB;
		if (!step(l, VOL_EXPAND) || !step(l, VOL_STAGE) || !down(l))
			return;
	}
}

static void refused_stage(struct life *l)
{
	begin(l, "pvc-refused");
	if (l->is_block || !up_to(l, VOL_PUBLISH) ||
	    !sim_image(&l->sim, l->vol.id, l->image, sizeof(l->image)))
		return;
	CHECK(left_write(l->image, 5000, "x"), "no write");
	CHECK(vol_do(&l->driver, &l->vol, VOL_STAGE) == ERR_PRECONDITION, "%s",
	      rpc_message());
	(void)down(l);
}

/* mkfs is cut short, mkfs hangs and hears no SIGTERM: the next stage does it again. */
static void broken_mkfs(struct life *l)
{
	static const char *const how[] = { "cut", "hang" };

	for (unsigned i = 0; i < 2 && !l->is_block; i++) {
		char path[E2E_PATH], id[32];
		struct rpc_call call;

		(void)snprintf(id, sizeof(id), "pvc-mkfs-%s", how[i]);
		begin(l, id);
		(void)left_write(e2e_path(path, "bin/mkfs.%s.%s", l->fs, how[i]), -1, "");
		if (!up_to(l, VOL_PUBLISH))
			return;
		vol_start(&l->driver, &l->vol, VOL_STAGE, &call);
		while (!call.is_done && (i == 0 || access(path, F_OK) == 0))
			rpc_turn(&l->driver, 5);
		if (i == 1)
			driver_stop(&l->driver);
		CHECK(vol_end(&l->driver, &l->vol, VOL_STAGE, &call) != ERR_OK, "staged");
		if ((i == 1 && !driver_start(&l->driver)) || !step(l, VOL_STAGE) ||
		    !down(l))
			return;
	}
}

/* The target cannot be had: something that is not ours stands there. */
static void refused_publish(struct life *l)
{
	begin(l, "pvc-target");
	if (!up_to(l, VOL_STAGE))
		return;
	if (l->is_block)
		(void)mkdir(l->vol.target, 0700);
	else
		(void)left_write(l->vol.target, -1, "a file");
	CHECK(vol_do(&l->driver, &l->vol, VOL_NODE_PUBLISH) != ERR_OK,
	      "published over it");
	if (l->is_block)
		(void)rmdir(l->vol.target);
	else
		(void)unlink(l->vol.target);
	(void)down(l);
}

/* Delete of a volume that somebody holds, of one that is not there, of one whose item
 * went before its file. */
static void refused_delete(struct life *l)
{
	begin(l, "pvc-held");
	if (!up_to(l, VOL_PUBLISH))
		return;
	CHECK(vol_do(&l->driver, &l->vol, VOL_DELETE) == ERR_PRECONDITION, "%s",
	      rpc_message());
	if (step(l, VOL_UNPUBLISH) && step(l, VOL_DELETE))
		(void)step(l, VOL_DELETE);
}

/* The faults of the box, under a create each, and the retry. */
static void box_faults(struct life *l)
{
	static const char *const faults[] = {
		"cut-after-in=40", "cut-after-out=40", "cut-after-out=40&run-on=on",
		"garbage=1",	   "no-space=1",       "script-error-at-statement=3",
		"refuse=1",	   "host-key=1",
	};

	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		char id[40];

		(void)snprintf(id, sizeof(id), "pvc-fault-%u", i);
		begin(l, id);
		if (i >= 6)
			(void)sim_fault(&l->sim, "reboot=0");
		(void)sim_fault(&l->sim, faults[i]);
		(void)vol_do(&l->driver, &l->vol, VOL_CREATE);
		(void)sim_clear(&l->sim);
		if (!step(l, VOL_CREATE) || !step(l, VOL_DELETE))
			return;
	}
}

/* The box given by a name that a resolver must turn into an address. */
static void by_name(struct life *l)
{
	begin(l, "pvc-name");
	l->driver.box_name = "127.1"; /* getaddrinfo reads it, inet_pton does not */
	if (restart_as(l, "node-a", NULL) && step(l, VOL_CREATE))
		(void)step(l, VOL_DELETE);
	l->driver.box_name = NULL;
	(void)restart_as(l, "node-a", NULL);
}

/* The end of the process while a call runs, and with sessions open. */
static void ends_busy(struct life *l)
{
	struct rpc_call call;

	begin(l, "pvc-end");
	(void)sim_fault(&l->sim, "latency-ms=100");
	vol_start(&l->driver, &l->vol, VOL_CREATE, &call);
	rpc_turn(&l->driver, 50);
	driver_stop(&l->driver);
	(void)vol_end(&l->driver, &l->vol, VOL_CREATE, &call);
	(void)sim_clear(&l->sim);
	if (driver_start(&l->driver) && step(l, VOL_CREATE))
		(void)step(l, VOL_DELETE);
}

void unwind_all(struct life *l, struct states *s)
{
	static const struct {
		const char *name;
		void (*run)(struct life *l);
	} all[] = {
		{ "fences", fences },
		{ "fenced leftover", fenced_leftover },
		{ "after a reboot", after_reboot },
		{ "grown offline", grown_offline },
		{ "refused stage", refused_stage },
		{ "broken mkfs", broken_mkfs },
		{ "refused publish", refused_publish },
		{ "refused delete", refused_delete },
		{ "faults of the box", box_faults },
		{ "by name", by_name },
		{ "ends while busy", ends_busy },
	};

	l->crash->n_moves = 0;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]) && !e2e_failed(); i++) {
		all[i].run(l);
		mark(l, s);
		if (e2e_failed())
			e2e_note("in: %s", all[i].name);
	}
}
