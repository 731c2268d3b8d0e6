/* Unstage while the target is silent, since before it is noticed and since after; while
 * the store behind the target stands still; and the two ways out: the target comes back,
 * or it refuses the name for good. Until then the answer says "stuck" or that the target
 * does not answer, the record stays, and neighbours are served. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "e2e/child.h"
#include "vm/answer.h"
#include "vm/lab.h"
#include "vm/store.h"
#include "vm/wire.h"

/* A child in the kernel is given up after 100 s. */
enum { N_HELD = 4 }; /* live, late, fenced, slow: a child each, however often asked */
enum { FIRST = 64, STUCK_MS = 180000, BACK_MS = 120000, CALL_MS = 8000, PAUSE_MS = 500 };
static struct lab lab;

struct held {
	struct vol v;
	struct rpc_call call;
	char nqn[300];
	uint64_t synced;
	enum err_code code;
	char message[300];
};

static bool begin(struct held *h, const char *id, const char *address)
{
	struct track t;

	lab_vol(&lab, &h->v, id);
	h->v.parameters[0] = "nvmeAddress";
	h->v.parameters[1] = address;
	h->v.parameters[2] = "reconnectDelay";
	h->v.parameters[3] = "2";
	h->v.parameters[4] = "keepAliveTmo";
	h->v.parameters[5] = "10";
	if (!lab_up(&lab, &h->v))
		return false;
	(void)snprintf(h->nqn, sizeof(h->nqn), "%s", lab_nqn(&h->v));
	lab_track(&h->v, &t);
	h->synced = FIRST;
	return CHECK(track_write(&t, 0, FIRST), "%s: not written", t.path);
}

/* Not synced: it is what an unmount has to wait for. */
static void make_dirty(const struct held *h)
{
	char path[E2E_PATH + 10], zeroes[4096] = { 0 };
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/dirty", h->v.target);
	f = fopen(path, "we");
	for (int i = 0; f && i < 256; i++)
		(void)fwrite(zeroes, sizeof(zeroes), 1, f);
	CHECK(f && fclose(f) == 0, "%s: %s", path, strerror(errno));
}

/* A call of a client that does not wait for long. */
static void ask_unstage(struct held *h)
{
	Csi__V1__NodeUnstageVolumeRequest *m = rpc_request("NodeUnstageVolume");

	m->volume_id = rpc_text(h->v.id);
	m->staging_target_path = rpc_text(h->v.staging);
	rpc_start(&lab.driver, &h->call, "NodeUnstageVolume", m, CALL_MS);
	rpc_reset();
}

static bool answered(struct held *h)
{
	h->code = rpc_wait(&lab.driver, &h->call);
	(void)snprintf(h->message, sizeof(h->message), "%s", rpc_message());
	rpc_free(&h->call);
	return h->code == ERR_OK;
}

/* Never done without proof: what says OK has left nothing. */
static bool is_done(struct held *h)
{
	if (!answered(h))
		return false;
	lab_is_gone(&h->v, h->nqn);
	CHECK(!answer_is_recorded(&lab.driver, &h->v), "%s: the record stays", h->v.id);
	return true;
}

static bool says_why(const struct held *h)
{
	return answer_has(h->message, "stuck") || answer_has(h->message, "not answer");
}

/* Children of the driver that the kernel does not let go. */
static unsigned n_in_kernel(void)
{
	DIR *dir = opendir("/proc");
	const struct dirent *e;
	unsigned n = 0;

	while (dir && (e = readdir(dir))) {
		char path[300], text[512] = "", state = 0;
		const char *at = NULL;
		int parent = 0;
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = fopen(path, "re");
		if (f && fgets(text, sizeof(text), f))
			at = strrchr(text, ')');
		if (f)
			fclose(f);
		if (at && sscanf(at + 1, " %c %d", &state, &parent) == 2)
			n += state == 'D' && parent == (int)lab.driver.pid;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void must_be_held(struct held *h)
{
	if (!CHECK(!is_done(h), "%s: unstaged, though nothing answers", h->v.id))
		return;
	CHECK(vol_may_retry(h->code), "%s: %s is final", h->v.id, h->message);
	CHECK(answer_is_recorded(&lab.driver, &h->v), "%s: no record", h->v.id);
	CHECK(kern_sessions(h->nqn) == 1, "%s: no session", h->v.id);
	CHECK(n_in_kernel() <= N_HELD, "%s: %u children", h->v.id, n_in_kernel());
}

static void stays_held(struct held *h)
{
	ask_unstage(h);
	must_be_held(h);
}

/* Asked again and again until it is done. */
static bool must_come_off(struct held *h)
{
	uint64_t end = e2e_now_ms() + BACK_MS;

	for (ask_unstage(h); !is_done(h); ask_unstage(h)) {
		if (e2e_now_ms() >= end)
			return CHECK(false, "%s: still %s", h->v.id, h->message);
		e2e_sleep_ms(PAUSE_MS);
	}
	return true;
}

static void end(struct held *h)
{
	if (lab_steps(&lab, &h->v, VOL_UNPUBLISH, VOL_UNPUBLISH) &&
	    lab_data_right(&lab, &h->v, h->synced))
		lab_steps(&lab, &h->v, VOL_DELETE, VOL_DELETE);
}

static void must_end(struct held *h)
{
	if (must_come_off(h))
		end(h);
}

/* The pod of a neighbour writes as if nothing were. */
static void still_writes(struct held *h)
{
	struct track t;

	lab_track(&h->v, &t);
	CHECK(track_write(&t, h->synced, FIRST), "%s: %s", t.path, strerror(errno));
	h->synced += FIRST;
	health_is_good(&lab.driver, &h->v, BACK_MS);
}

/* Every call says so, soon enough, and no second child is piled upon the first. */
static void must_say_why(struct held *h)
{
	uint64_t end = e2e_now_ms() + STUCK_MS;

	do {
		e2e_sleep_ms(PAUSE_MS);
		stays_held(h);
	} while (!says_why(h) && !e2e_failed() && e2e_now_ms() < end);
	CHECK(says_why(h), "%s: %s", h->v.id, h->message);
	e2e_note("%s: %s", h->v.id, h->message);
}

static void is_served(const char *id)
{
	struct held h = { .synced = 0 };

	if (begin(&h, id, wire_address(1)) &&
	    lab_steps(&lab, &h.v, VOL_NODE_UNPUBLISH, VOL_NODE_UNPUBLISH))
		must_end(&h);
}

static bool unpublish(struct held *h)
{
	make_dirty(h);
	return lab_steps(&lab, &h->v, VOL_NODE_UNPUBLISH, VOL_NODE_UNPUBLISH);
}

/* The volume's blocks come from a store that can stand still. */
static bool begin_slow(struct held *h, struct store *store)
{
	char image[300];

	return begin(h, "pvc-slow", wire_address(1)) &&
	       lab_steps(&lab, &h->v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) &&
	       sim_image(&lab.sim, h->v.id, image, sizeof(image)) &&
	       store_open(store, image, 0) &&
	       store_serve(&lab.sim, h->v.id, "same", store->device) &&
	       lab_steps(&lab, &h->v, VOL_STAGE, VOL_NODE_PUBLISH);
}

/* A volume that is to be staged while the target is silent. */
static bool begin_new(struct held *h)
{
	lab_vol(&lab, &h->v, "pvc-new");
	h->v.parameters[0] = "nvmeAddress";
	h->v.parameters[1] = wire_address(0);
	return lab_steps(&lab, &h->v, VOL_CREATE, VOL_PUBLISH);
}

static void is_not_staged(struct held *h)
{
	enum err_code code = vol_do(&lab.driver, &h->v, VOL_STAGE);

	e2e_note("%s: %s", h->v.id, rpc_message());
	CHECK(code == ERR_UNAVAILABLE, "%s: %s", h->v.id, rpc_message());
	CHECK(kern_sessions(lab_nqn(&h->v)) == 0, "%s: a session", h->v.id);
}

static void must_store_end(struct held *h, struct store *store)
{
	if (!must_come_off(h) || !store_serve(&lab.sim, h->v.id, "same", ""))
		return;
	store_close(store);
	end(h);
}

/* A command may take longer than the kernel's 30 s, after which it begins the session
 * anew: a store that stands still is no silent target. Sessions take it from here. */
static void io_timeout(const char *seconds)
{
	CHECK(kern_put("/sys/module/nvme_core/parameters/io_timeout", seconds) == 0,
	      "the timeout stays");
}

static bool open_wire(void)
{
	lab = (struct lab){ .address = wire_box_address };
	io_timeout("900");
	kern_expect("blocked for more than");
	return CHECK(wire_open(), "no wire") && lab_open(&lab);
}

/* What is fsync'd is in the journal, and the next mount would replay it. */
static void must_end_fenced(struct held *h)
{
	char image[300];
	const char *const argv[] = { "/bin/e2fsck", "-p", image, NULL };

	if (!must_come_off(h) ||
	    !CHECK(sim_image(&lab.sim, h->v.id, image, sizeof(image)), "no image"))
		return;
	(void)child_run(argv, NULL, 0);
	end(h);
}

static struct held live, late, fenced, new, neighbour, slow;
static struct store store = { .name = "store" };

static bool begin_all(void)
{
	return begin(&live, "pvc-live", wire_address(0)) &&
	       begin(&late, "pvc-late", wire_address(0)) &&
	       begin(&fenced, "pvc-fenced", wire_address(0)) && begin_new(&new) &&
	       begin(&neighbour, "pvc-neighbour", wire_address(1)) &&
	       begin_slow(&slow, &store) && unpublish(&live) && unpublish(&late) &&
	       unpublish(&fenced) && unpublish(&slow);
}

/* Nothing is noticed yet when the first are asked for. The new neighbour comes before the
 * store stands still: nvmet can let a new session wait for its work on another's store
 * (6.1: the zeroing of a file sits in the queue that a connect flushes). */
static void fall_silent(void)
{
	wire_silence(0, true);
	ask_unstage(&live);
	ask_unstage(&fenced);
	CHECK(kern_live(live.nqn) == 1 && kern_live(fenced.nqn) == 1, "noticed already");
	is_served("pvc-beside");
	store_stop(&store, true);
	ask_unstage(&slow);
	is_not_staged(&new);
	must_be_held(&live);
	must_be_held(&fenced);
	must_be_held(&slow);
	CHECK(kern_until_lost(late.nqn, BACK_MS), "the silence is not noticed");
	must_say_why(&late);
	still_writes(&neighbour);
	must_say_why(&live);
	must_say_why(&fenced);
	must_say_why(&slow);
	still_writes(&neighbour);
}

static void come_back(void)
{
	store_stop(&store, false);
	answer_fence(&lab.sim, &fenced.v);
	wire_silence(0, false);
	must_end_fenced(&fenced);
	must_end(&live);
	must_end(&late);
	must_store_end(&slow, &store);
	lab_steps(&lab, &new.v, VOL_STAGE, VOL_DELETE);
	if (lab_down(&lab, &neighbour.v))
		lab_data_right(&lab, &neighbour.v, neighbour.synced);
	lab_steps(&lab, &neighbour.v, VOL_DELETE, VOL_DELETE);
}

static void silent(void)
{
	if (open_wire() && begin_all()) {
		fall_silent();
		come_back();
	}
	lab_close(&lab);
	store_close(&store);
	wire_close();
	io_timeout("30");
}

static const struct e2e_test tests[] = { { "silent", silent, true }, { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
