/* A lost node is cut off. VM A is node-a; VM B is the box, the controller and node-b. A
 * writes numbered blocks without pause; node-a counts as lost from some moment on, so its
 * ControllerUnpublish is a fence; once that has been answered no block of A may reach the
 * file any more, whatever A does, and B writes there. Drivers that do not wait, or keep
 * the name, must show blocks of A in the same play: else this proves nothing. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "vm/lost.h"
#include "vm/peer.h"

enum {
	PAUSE_MS = 60000, /* of A before the fence */
	WAIT_MS = LOST_WAIT_MS,
	B_BASE = 64 << 20, /* of node-b's track on a raw device */
	B_SLOTS = 256,
	B_BATCH = 64,
	B_PAUSE_MS = 500, /* of its writers: the VM has one CPU for all */
	OVER_SLOTS = 128, /* of A's that node-b writes over */
	DIRTY_LEFT = (64 << 20) / TRACK_BLOCK, /* of them not written at the fence */
};

/* One volume that A held. */
struct held {
	const struct lost_part *part;
	struct vol vol;
	char nqn[300]; /* A's */
	struct track a, b, over;
	struct writer writer; /* node-b's */
	struct scan early;
	char image[300];
};

struct run {
	struct lab lab;
	struct held held[LOST_MAX];
	unsigned n;
	struct vol bystander;
	struct writer bystander_writer;
};

static void cast(struct run *r, const struct lost_part *parts)
{
	memset(r, 0, sizeof(*r));
	for (; parts->id; parts++)
		r->held[r->n++].part = parts;
}

static void tracks_of(struct held *h)
{
	lab_track(&h->vol, &h->a);
	h->b = h->over = h->a;
	h->b.seed ^= 1;
	h->over.seed ^= 2;
	h->over.slots = OVER_SLOTS;
	if (h->vol.is_block)
		h->b.base = B_BASE;
	else
		(void)snprintf(h->b.path, sizeof(h->b.path), "%.240s/node-b",
			       h->vol.target);
	h->b.slots = B_SLOTS;
}

/* ---- VM B: the box, the controller, the next node ---- */

/* Beside the directory of the programs. */
static const char *crippled_bin(const char *name)
{
	static char path[E2E_PATH];
	const char *prog = getenv("T_PROG"), *slash = prog ? strrchr(prog, '/') : NULL;

	if (!name)
		return NULL;
	(void)snprintf(path, sizeof(path), "%.*s/crash/rds-csi-%.50s",
		       slash ? (int)(slash - prog) : 0, prog ? prog : "", name);
	return path;
}

static bool b_makes(struct run *r)
{
	for (struct held *h = r->held; h < r->held + r->n; h++) {
		lab_vol(&r->lab, &h->vol, h->part->id);
		h->vol.is_block = !h->part->has_fs;
		h->vol.parameters[2] = "reconnectDelay";
		h->vol.parameters[3] = "2";
		if (!lab_steps(&r->lab, &h->vol, VOL_CREATE, VOL_PUBLISH) ||
		    !peer_say_vol(&h->vol))
			return false;
	}
	return true;
}

/* With this one on the same port the target answers instead of closing the port. */
static bool b_has_another(struct run *r)
{
	struct track t;

	lab_vol(&r->lab, &r->bystander, "pvc-fence-other");
	r->bystander.is_block = true;
	r->bystander.node = "node-b";
	if (!lab_up(&r->lab, &r->bystander))
		return false;
	lab_track(&r->bystander, &t);
	r->bystander_writer.pause_ms = B_PAUSE_MS;
	return writer_start(&r->bystander_writer, &t, B_BATCH);
}

static bool b_begins(struct run *r)
{
	return lab_open(&r->lab) && peer_open() && b_makes(r) && b_has_another(r) &&
	       peer_await("writing", LOST_HEAR_MS);
}

/* That driver goes on, and to it node-a is lost. */
static bool b_has_driver(struct run *r, const char *crippled)
{
	driver_stop(&r->lab.driver);
	r->lab.driver.known_nodes = NULL;
	r->lab.driver.bin = crippled_bin(crippled);
	return driver_start(&r->lab.driver);
}

static unsigned dirty_in(const struct scan *s)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < s->n; i++)
		n += s->numbers[i] > LOST_DIRTY_FROM;
	return n;
}

/* The fence has been answered: what the file has of A now. */
static bool b_has_proof(struct held *h)
{
	uint64_t proof = scan_clock_ms();
	struct scan *s = &h->early;

	tracks_of(h);
	if (!scan_take(s, h->image, h->a.seed) ||
	    !CHECK(s->found >= LOST_BEGUN, "%llu blocks of A",
		   (unsigned long long)s->found))
		return false;
	e2e_note("%s: %llu blocks of A, the last written %lld ms before the proof",
		 h->vol.id, (unsigned long long)s->found,
		 (long long)proof - (long long)s->written_ms);
	if (h->part->has_fs && !CHECK(LOST_DIRTY - dirty_in(s) >= DIRTY_LEFT,
				      "%u dirty blocks were written", dirty_in(s)))
		return false;
	return h->part->crippled ||
	       CHECK(s->written_ms <= proof, "%s: written to after the proof", h->vol.id);
}

static bool b_begins_fence(struct run *r, struct held *h, struct rpc_call *c)
{
	(void)snprintf(h->nqn, sizeof(h->nqn), "%.299s", lab_nqn(&h->vol));
	h->vol.node = "node-a";
	if (!CHECK(sim_image(&r->lab.sim, h->vol.id, h->image, sizeof(h->image)),
		   "no image"))
		return false;
	vol_start(&r->lab.driver, &h->vol, VOL_UNPUBLISH, c);
	return true;
}

static bool b_ends_fence(struct run *r, struct held *h, struct rpc_call *c)
{
	enum err_code code = vol_end(&r->lab.driver, &h->vol, VOL_UNPUBLISH, c);

	return CHECK(code == ERR_OK, "%s", rpc_message()) && b_has_proof(h);
}

static bool b_takes(struct run *r, struct held *h)
{
	h->vol.node = "node-b";
	if (!lab_steps(&r->lab, &h->vol, VOL_PUBLISH, VOL_NODE_PUBLISH))
		return false;
	if (!CHECK(h->part->keeps_name == (strcmp(lab_nqn(&h->vol), h->nqn) == 0),
		   "%s is now %s", h->nqn, lab_nqn(&h->vol)))
		return false;
	if (h->vol.is_block &&
	    !CHECK(track_write(&h->over, 0, OVER_SLOTS), "node-b cannot write"))
		return false;
	h->writer.pause_ms = B_PAUSE_MS;
	return writer_start(&h->writer, &h->b, B_BATCH) &&
	       CHECK(writer_advances(&h->writer, LOST_BEGUN, WAIT_MS),
		     "node-b cannot write");
}

static bool b_fences(struct run *r, struct held *h)
{
	struct rpc_call c;

	return b_begins_fence(r, h, &c) && b_ends_fence(r, h, &c) && b_takes(r, h);
}

static bool b_has_no_errors(struct writer *w)
{
	return CHECK(writer_advances(w, B_BATCH, WAIT_MS) && writer_end(w, WAIT_MS),
		     "a writer of node-b stands still") &&
	       CHECK(w->shared->errors == 0, "%llu errors on node-b, the last %d",
		     (unsigned long long)w->shared->errors, w->shared->last_errno);
}

/* From the file itself, all that was ever told to be on disk. */
static bool b_data_right(struct run *r, struct held *h, uint64_t synced_a)
{
	const char *const fsck[] = { "/sbin/e2fsck", "-fn", h->image, NULL };
	bool ok;

	kern_drop_caches();
	if (h->vol.is_block) {
		memcpy(h->b.path, h->image, sizeof(h->b.path));
		memcpy(h->over.path, h->image, sizeof(h->over.path));
		return track_check(&h->b, h->writer.shared->synced) &&
		       track_check(&h->over, OVER_SLOTS);
	}
	if (!CHECK(child_run(fsck, NULL, 0) == 0, "%s is damaged", h->vol.id) ||
	    !lab_mount_image(&r->lab, &h->vol))
		return false;
	e2e_path(h->a.path, "box-mount/track");
	e2e_path(h->b.path, "box-mount/node-b");
	ok = track_check(&h->a, synced_a);
	ok = track_check(&h->b, h->writer.shared->synced) && ok;
	return lab_umount_image() && ok;
}

/* Blocks of A that arrived since the proof. */
static uint64_t arrived(const struct held *h)
{
	struct scan late = { 0 };
	uint64_t n = 0;

	kern_drop_caches();
	if (scan_take(&late, h->image, h->a.seed))
		n = scan_arrived(&h->early, &late);
	scan_free(&late);
	return n;
}

static bool b_judges(struct run *r, struct held *h)
{
	char line[PEER_LINE];
	uint64_t synced, n;

	if (!peer_hear(line, LOST_HEAR_MS) || !b_has_no_errors(&h->writer) ||
	    !lab_steps(&r->lab, &h->vol, VOL_NODE_UNPUBLISH, VOL_UNSTAGE))
		return false;
	synced = strtoull(line, NULL, 10);
	n = arrived(h);
	e2e_note("%s: A synced %llu; %llu blocks of A after the proof", h->vol.id,
		 (unsigned long long)synced, (unsigned long long)n);
	if (h->part->crippled)
		return CHECK(n > 0, "%s was not found out", h->part->crippled);
	return CHECK(n == 0, "%s: the fence leaks", h->vol.id) &&
	       (!h->vol.is_block || CHECK(scan_lost(&h->early, &h->a, synced) == 0,
					  "blocks that A synced are lost")) &&
	       b_data_right(r, h, synced);
}

static bool b_ends(struct run *r)
{
	bool ok = peer_say("fenced");

	for (struct held *h = r->held; ok && h < r->held + r->n; h++)
		ok = b_judges(r, h) &&
		     lab_steps(&r->lab, &h->vol, VOL_UNPUBLISH, VOL_DELETE);
	ok = ok && b_has_no_errors(&r->bystander_writer) &&
	     lab_steps(&r->lab, &r->bystander, VOL_NODE_UNPUBLISH, VOL_DELETE);
	return ok && peer_say("done");
}

static void box_and_next_node(struct run *r, bool (*fences)(struct run *r))
{
	r->lab.address = peer_own_address();
	r->lab.known_nodes = "node-a";
	r->lab.driver.node_id = "node-b";
	(void)(b_begins(r) && fences(r) && b_ends(r));
	for (unsigned i = 0; i < r->n; i++) {
		writer_free(&r->held[i].writer);
		scan_free(&r->held[i].early);
	}
	writer_free(&r->bystander_writer);
	lab_close(&r->lab);
	peer_close();
}

/* ---- a box whose export off is a barrier ---- */

enum { RUNNING, PAUSED, UNWRITTEN, NAME_KEPT };
static const struct lost_part barrier_parts[] = {
	[RUNNING] = { .id = "pvc-fence-running" },
	[PAUSED] = { .id = "pvc-fence-paused" },
	[UNWRITTEN] = { .id = "pvc-fence-unwritten", .has_fs = true },
	[NAME_KEPT] = { .id = "pvc-fence-name-kept",
			.crippled = "no-rotation",
			.keeps_name = true },
	{ 0 }
};

/* What the crippled driver does is done while the time passes. */
static bool fence_while_paused(struct run *r)
{
	uint64_t end = e2e_now_ms() + PAUSE_MS, now;

	peer_pause_other();
	if (!b_has_driver(r, "no-rotation") || !b_fences(r, &r->held[NAME_KEPT]) ||
	    !b_has_driver(r, NULL))
		return false;
	now = e2e_now_ms();
	if (now < end)
		e2e_sleep_ms((unsigned)(end - now));
	return b_fences(r, &r->held[PAUSED]) && b_fences(r, &r->held[UNWRITTEN]);
}

static bool fence_by_barrier(struct run *r)
{
	bool ok = b_has_driver(r, NULL) && b_fences(r, &r->held[RUNNING]);

	if (ok) {
		ok = fence_while_paused(r);
		peer_resume_other();
	}
	return ok;
}

/* The namespaces keep their UUIDs, so that A's kernel knows its device again where it is
 * let in again. */
static void running_or_paused(void)
{
	static const char *const stable[] = { "--ns-uuid", "stable", NULL };
	static const char *const as_shipped[] = { "--fence-settle=2s", NULL };
	static struct run r;

	cast(&r, barrier_parts);
	r.lab.sim_args = stable;
	r.lab.driver_args = as_shipped;
	if (peer_is_a())
		lost_node(barrier_parts);
	else
		box_and_next_node(&r, fence_by_barrier);
}

/* ---- a box whose sessions live on for a while after export off ---- */

enum { WAITED_FOR, TOO_EARLY };
static const struct lost_part lingering_parts[] = {
	[WAITED_FOR] = { .id = "pvc-fence-waited-for" },
	[TOO_EARLY] = { .id = "pvc-fence-too-early", .crippled = "no-settle" },
	{ 0 }
};

/* Ends them, and what is still on its way: link and namespace. */
static bool end_sessions(const char *nqn)
{
	static const char ports[] = "/sys/kernel/config/nvmet/ports";
	char path[600];
	DIR *dir = opendir(ports);
	struct dirent *e;
	unsigned n = 0;

	while (dir && (e = readdir(dir))) {
		(void)snprintf(path, sizeof(path), "%s/%.20s/subsystems/%.299s", ports,
			       e->d_name, nqn);
		n += unlink(path) == 0;
	}
	if (dir)
		closedir(dir);
	(void)snprintf(path, sizeof(path),
		       "/sys/kernel/config/nvmet/subsystems/%.299s/namespaces/1/enable",
		       nqn);
	return CHECK(n == 1 && kern_put(path, "0") == 0, "%s cannot be ended", nqn);
}

static uint64_t written_ms(const struct held *h)
{
	struct stat st;

	if (stat(h->image, &st))
		return 0;
	return (uint64_t)st.st_mtim.tv_sec * 1000 +
	       (uint64_t)st.st_mtim.tv_nsec / 1000000;
}

struct fencing {
	struct run *r;
	struct held *h;
	struct rpc_call call;
	uint64_t off_ms;
};

static bool is_off(const void *arg)
{
	const struct fencing *f = arg;
	json_t *disk;
	bool is_on;

	rpc_turn(&f->r->lab.driver, 1);
	disk = sim_disk(&f->r->lab.sim, f->h->vol.id);
	is_on = !disk || sim_is_on(disk, "nvme-tcp-export");
	json_decref(disk);
	return !is_on;
}

static bool is_written_on(const void *arg)
{
	const struct fencing *f = arg;

	return written_ms(f->h) > f->off_ms;
}

static bool has_arrived(const void *arg)
{
	return arrived(arg) > 0;
}

/* The sessions end within the settle time. */
static bool fence_with_patience(struct run *r, struct held *h)
{
	struct fencing f = { .r = r, .h = h };
	bool ok;

	if (!b_begins_fence(r, h, &f.call))
		return false;
	ok = CHECK(kern_until(is_off, &f, WAIT_MS), "the export stays on");
	f.off_ms = scan_clock_ms();
	ok = ok &&
	     CHECK(kern_until(is_written_on, &f, WAIT_MS), "A is cut off already") &&
	     end_sessions(h->nqn);
	rpc_turn(&r->lab.driver, 1);
	ok = CHECK(!f.call.is_done, "the driver does not wait") && ok;
	return b_ends_fence(r, h, &f.call) && ok && b_takes(r, h);
}

static bool fence_with_sessions_left(struct run *r)
{
	struct held *early = &r->held[TOO_EARLY];

	return b_has_driver(r, NULL) && fence_with_patience(r, &r->held[WAITED_FOR]) &&
	       b_has_driver(r, "no-settle") && b_fences(r, early) &&
	       CHECK(kern_until(has_arrived, early, WAIT_MS), "%s was not found out",
		     early->part->crippled) &&
	       end_sessions(early->nqn) && b_has_driver(r, NULL);
}

static void sessions_live_on(void)
{
	static const char *const lingering[] = { "--nvmet-off", "keep-sessions", NULL };
	static const char *const patient[] = { "--fence-settle=20s", NULL };
	static struct run r;

	cast(&r, lingering_parts);
	r.lab.sim_args = lingering;
	r.lab.driver_args = patient;
	if (peer_is_a())
		lost_node(lingering_parts);
	else
		box_and_next_node(&r, fence_with_sessions_left);
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "running_or_paused", running_or_paused, true },
		{ "sessions_live_on", sessions_live_on, true },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
