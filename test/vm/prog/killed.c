/* SIGKILL of the node plugin at every state of stage, publish, expand, unpublish and
 * unstage, with real sessions: the retry converges, the data is right, nothing is
 * formatted twice, and each session that is left belongs to a record. */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/left.h"
#include "e2e/walk.h"
#include "vm/lab.h"

static const char prefix[] = "nqn.2000-02.com.mikrotik:";
static const char *const ops[] = { "stage",	     "node publish", "node expand",
				   "node unpublish", "unstage",	     NULL };

/* What killing and retrying on real sessions does not enter. */
static const struct states_beyond beyond[] = {
	{ "stage", "detaching_leftover",
	  "a back end without sessions, which cuts nothing: test/e2e/prog/crash" },
	{ "stage", "undoing_mount",
	  "the record cannot be written after the mount: test/flow/test_node_faults" },
	{ "node publish", "undoing",
	  "the bind is there and cannot be proven: test/flow/test_node_faults" },
	{ 0 },
};

static struct walk walk;
static struct life life;
/* One that knows the node, and one that does not: its unpublish is a fence. */
static struct driver controller = { .name = "controller",
				    .is_controller = true,
				    .known_nodes = "node-a,node-b" },
		     fencer = { .name = "fencer",
				.is_controller = true,
				.known_nodes = "node-b" };
static unsigned n_strays; /* sessions that no record has to name */

/* ---- what is true after a kill ---- */

/* The NQN that the volume's record names. */
static bool recorded(const struct life *l, char nqn[300])
{
	char path[E2E_PATH], line[4300];
	FILE *f = fopen(e2e_path(path, "driver.state/%.100s.stage", l->vol.id), "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "nqn=%299s", nqn) == 1;
	if (f)
		fclose(f);
	return found;
}

static unsigned n_unowned(const struct life *l)
{
	unsigned all = kern_sessions_under(prefix), owned;
	char nqn[300];

	owned = recorded(l, nqn) ? kern_sessions(nqn) : 0;
	return all > owned ? all - owned : 0;
}

/* A helper that still runs may end a session between two looks. */
static bool is_owned(struct life *l)
{
	return n_unowned(l) <= n_strays ||
	       (CHECK(child_wait_orphans(60000), "a helper never ends") &&
		CHECK(n_unowned(l) <= n_strays, "%u sessions belong to no record",
		      n_unowned(l)));
}

static bool nothing_left(struct life *l)
{
	char nqn[300];

	kern_drop_caches();
	return CHECK(kern_sessions_under(prefix) == 0, "a session is left") &&
	       CHECK(!recorded(l, nqn), "the record of %s is left", l->vol.id) &&
	       CHECK(left_mounts(e2e_dir()) == 0, "a mount is left");
}

/* ---- what happens to a volume between the RPCs ---- */

static bool fence(struct life *l)
{
	return vol_must(&fencer, &l->vol, VOL_UNPUBLISH) &&
	       CHECK(kern_until_lost(lab_nqn(&l->vol), 60000),
		     "the fence is not noticed");
}

/* The kernel gives the session up. */
static bool lose_device(struct life *l)
{
	(void)l;
	kern_end_under(prefix);
	return CHECK(kern_sessions_under(prefix) == 0, "a session is left");
}

/* A process of the pod that writes until it meets an error, as it does when the session
 * ends: before that it hangs in the kernel. */
static pid_t holder;

static bool is_held(const void *target)
{
	char path[E2E_PATH + 8];

	(void)snprintf(path, sizeof(path), "%s/held", (const char *)target);
	return access(path, F_OK) == 0;
}

static bool hold(struct life *l)
{
	static char script[E2E_PATH + 120];
	static const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct child_conf conf = { .argv = argv, .log = "/dev/null" };

	(void)snprintf(script, sizeof(script),
		       "exec 3>%s/held; while dd if=/dev/zero bs=4k count=1 conv=fsync "
		       "of=%s/held; do sleep 0.1; done",
		       l->vol.target, l->vol.target);
	holder = child_start(&conf);
	return CHECK(holder > 0 && kern_until(is_held, l->vol.target, 60000),
		     "nobody writes");
}

static bool holder_ends(struct life *l)
{
	return CHECK(child_wait(holder, 60000) != -1, "%s is still held", l->vol.target);
}

/* As on a machine that was installed anew, where something had attached the volume. */
static bool lose_record(struct life *l)
{
	char path[E2E_PATH];

	n_strays = 1;
	driver_stop(&l->driver);
	left_clean(l->vol.staging);
	(void)unlink(e2e_path(path, "driver.state/%.100s.stage", l->vol.id));
	return driver_start(&l->driver);
}

static bool no_strays(struct life *l)
{
	n_strays = 0;
	return is_owned(l);
}

static bool put_junk(struct life *l)
{
	return life_one_volume(l) && CHECK(left_write(l->image, 5000, "x"), "no write");
}

/* mkfs is cut short, and its stage fails. */
static bool half_format(struct life *l)
{
	char path[E2E_PATH];
	enum err_code code;

	(void)left_write(e2e_path(path, "bin/mkfs.%s.cut", l->fs), -1, "");
	code = vol_do(&l->driver, &l->vol, VOL_STAGE);
	return CHECK(code != ERR_OK, "staged after half a mkfs") && is_owned(l);
}

static bool has_grown(struct life *l)
{
	struct statvfs st = { 0 };

	long long bytes = 0;

	if (statvfs(l->vol.target, &st) == 0)
		bytes = (long long)(st.f_blocks * st.f_frsize);
	return CHECK(bytes > l->vol.want_bytes * 9 / 10, "%s: %lld bytes", l->vol.target,
		     bytes);
}

/* ---- the lives ---- */

#define DO LIFE_DO
#define SEE LIFE_SEE
#define UP DO(VOL_CREATE), DO(VOL_PUBLISH), DO(VOL_STAGE), DO(VOL_NODE_PUBLISH)
#define OFF DO(VOL_NODE_UNPUBLISH), DO(VOL_UNSTAGE), SEE(nothing_left)
#define DOWN OFF, DO(VOL_UNPUBLISH), SEE(life_on_box), DO(VOL_DELETE)

/* Fenced while a pod has it, and granted again. */
static const struct life_item leftover[] = {
	UP,
	SEE(life_write),
	SEE(fence),
	DO(VOL_PUBLISH),
	DO(VOL_STAGE),
	DO(VOL_NODE_PUBLISH),
	SEE(life_read),
	DOWN,
	SEE(life_is_gone),
	{ 0 },
};

/* Fenced, and taken off. */
static const struct life_item fenced[] = {
	UP,
	SEE(life_write),
	DO(VOL_NODE_UNPUBLISH),
	SEE(fence),
	DO(VOL_UNSTAGE),
	SEE(nothing_left),
	DO(VOL_PUBLISH),
	DO(VOL_STAGE),
	DO(VOL_NODE_PUBLISH),
	SEE(life_read),
	DOWN,
	SEE(life_is_gone),
	{ 0 },
};

/* Fenced while a process of the pod writes. */
static const struct life_item held[] = {
	UP,
	SEE(life_write),
	SEE(hold),
	SEE(fence),
	DO(VOL_NODE_UNPUBLISH),
	SEE(holder_ends),
	DO(VOL_UNSTAGE),
	SEE(nothing_left),
	DO(VOL_PUBLISH),
	DO(VOL_STAGE),
	DO(VOL_NODE_PUBLISH),
	SEE(life_read),
	DOWN,
	SEE(life_is_gone),
	{ 0 },
};

static const struct life_item refused[] = {
	DO(VOL_CREATE),	      DO(VOL_PUBLISH), SEE(put_junk),	  LIFE_REFUSED(VOL_STAGE),
	SEE(nothing_left),    DO(VOL_UNSTAGE), DO(VOL_UNPUBLISH), DO(VOL_DELETE),
	SEE(life_is_deleted), { 0 },
};

static const struct life_item cut_short[] = {
	DO(VOL_CREATE), DO(VOL_PUBLISH),      SEE(half_format),
	DO(VOL_STAGE),	DO(VOL_NODE_PUBLISH), SEE(life_write),
	DOWN,		SEE(life_is_gone),    { 0 },
};

static const struct life_item lost[] = {
	UP,
	SEE(life_write),
	SEE(lose_device),
	DO(VOL_STAGE),
	DO(VOL_NODE_PUBLISH),
	SEE(life_read),
	DOWN,
	SEE(life_is_gone),
	{ 0 },
};

static const struct life_item stray[] = {
	UP,
	SEE(life_write),
	DO(VOL_NODE_UNPUBLISH),
	SEE(lose_record),
	SEE(fence),
	DO(VOL_PUBLISH),
	DO(VOL_STAGE),
	SEE(no_strays),
	DO(VOL_NODE_PUBLISH),
	SEE(life_read),
	DOWN,
	SEE(life_is_gone),
	{ 0 },
};

/* Grown while it was nowhere staged. */
static const struct life_item grown[] = {
	UP,
	SEE(life_write),
	OFF,
	DO(VOL_EXPAND),
	DO(VOL_STAGE),
	DO(VOL_NODE_PUBLISH),
	SEE(has_grown),
	SEE(life_read),
	DOWN,
	SEE(life_is_gone),
	{ 0 },
};

/* Growing a mounted ext4 asks for it. From here on no driver has it. */
static bool drop_capability(void)
{
	driver_stop(&life.driver);
	return CHECK(prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE) == 0, "it stays") &&
	       driver_start(&life.driver);
}

static const struct {
	const char *name;
	const struct life_item *items; /* NULL: a whole life */
	bool is_block;
	bool (*before)(void);
} ways[] = {
	{ "mounted", NULL, false, NULL },
	{ "raw block", NULL, true, NULL },
	{ "a fenced leftover", leftover, false, NULL },
	{ "fenced", fenced, false, NULL },
	{ "fenced while held", held, false, NULL },
	{ "refused", refused, false, NULL },
	{ "mkfs cut short", cut_short, false, NULL },
	{ "device lost", lost, true, NULL },
	{ "a session without record", stray, false, NULL },
	{ "grown while off", grown, false, NULL },
	{ "grown while off, as fewer may", grown, false, drop_capability },
};
enum { N_WAYS = sizeof(ways) / sizeof(ways[0]) };
_Static_assert((size_t)N_WAYS *LIFE_MAX <= (size_t)WALK_PLACES, "more ways than places");

/* ---- the lab ---- */

static bool open_controller(struct driver *d)
{
	d->sim = &life.sim;
	driver_open(d);
	return driver_start(d);
}

/* Another export keeps the port open when the volume's own is off. */
static bool open_neighbour(struct vol *v)
{
	vol_init(v, "pvc-neighbour");
	v->node = "node-b";
	return vol_must(&controller, v, VOL_CREATE) &&
	       vol_must(&controller, v, VOL_PUBLISH);
}

static bool close_neighbour(struct vol *v)
{
	return vol_must(&controller, v, VOL_UNPUBLISH) &&
	       vol_must(&controller, v, VOL_DELETE);
}

static void live_all(void)
{
	uint64_t began;
	unsigned kills, lives;

	for (unsigned i = 0; i < N_WAYS; i++) {
		began = e2e_now_ms();
		kills = walk.kills;
		lives = life.n;
		walk.way = i;
		life.items = ways[i].items;
		life.is_block = ways[i].is_block;
		if ((ways[i].before && !ways[i].before()) || !walk_way(&walk, &life)) {
			e2e_note("in: %s", ways[i].name);
			return;
		}
		e2e_note("%s: %u kills, %u lives, %.1f s", ways[i].name,
			 walk.kills - kills, life.n - lives,
			 (double)(e2e_now_ms() - began) / 1000);
	}
	walk_check(&walk, &life, beyond);
}

static void driver_killed(void)
{
	/* What is fenced stays unconnected, as long as a life lasts: no kernel gives it
	 * up meanwhile. */
	static const char *const parameters[] = { "reconnectDelay", "300", NULL };
	static const char *const sim_args[] = { "--export", "nvmet", "--nvmet-address",
						"127.0.0.1", NULL };
	struct vol neighbour;

	life.sim.args = sim_args;
	life.driver.is_nvme = true;
	life.controller = &controller;
	life.parameters = parameters;
	life.nothing_left = nothing_left;
	walk.ops = ops;
	walk.after_kill = is_owned;
	if (!life_open(&life, true) || !open_controller(&controller) ||
	    !open_controller(&fencer))
		return;
	if (walk_open(&walk, &life) && open_neighbour(&neighbour)) {
		live_all();
		if (!e2e_failed())
			close_neighbour(&neighbour);
	}
	driver_close(&fencer);
	driver_close(&controller);
	driver_close(&life.driver);
	left_clean(e2e_dir());
	kern_end_under(prefix);
	sim_stop(&life.sim);
}

static const struct e2e_test tests[] = { { "driver_killed", driver_killed, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
