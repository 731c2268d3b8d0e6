/* The box hangs, cuts at any byte, answers garbage, has no space, changes its key,
 * reboots: the code says "try again" where it must, no volume is doubled or lost, the
 * process lives and other calls go on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/e2e.h"
#include "e2e/vol.h"

static struct sim sim;
static struct driver driver;
static pid_t first_pid; /* the driver must be the same process at the end */

static bool open_box(const char *const *sim_args)
{
	memset(&sim, 0, sizeof(sim));
	memset(&driver, 0, sizeof(driver));
	e2e_path(sim.dir, "box");
	sim.args = sim_args;
	driver.sim = &sim;
	driver.is_controller = true;
	driver.known_nodes = "node-a,node-b";
	if (!sim_start(&sim))
		return false;
	driver_open(&driver);
	if (!driver_start(&driver))
		return false;
	first_pid = driver.pid;
	return true;
}

static void close_box(void)
{
	CHECK(!driver_is_gone(&driver, 0) && driver.pid == first_pid, "the driver died");
	CHECK(sim_stat(&sim, "unknown") == 0, "the box did not know a command");
	driver_close(&driver);
	sim_stop(&sim);
}

static bool is_one(const char *id)
{
	json_t *d = sim_disk(&sim, id);
	bool ok = CHECK(d != NULL, "%s is not on the box", id) &&
		  CHECK(sim_files(&sim, id) == 1, "%u files of %s", sim_files(&sim, id),
			id);

	json_decref(d);
	return ok;
}

static bool is_none(const char *id)
{
	json_t *d = sim_disk(&sim, id);
	bool gone = d == NULL;

	json_decref(d);
	return CHECK(gone, "%s is still on the box", id) &&
	       CHECK(sim_files(&sim, id) == 0, "a file of %s is left", id);
}

/* What is alive without the box. */
static bool others_go_on(void)
{
	return CHECK(rpc_probe(&driver), "Probe: %s", rpc_message()) &&
	       CHECK(rpc_do(&driver, "ControllerGetCapabilities",
			    rpc_request("ControllerGetCapabilities")) == ERR_OK,
		     "%s", rpc_message());
}

static bool life_goes_on(const char *id)
{
	struct vol v;

	vol_init(&v, id);
	return vol_must(&driver, &v, VOL_CREATE) && is_one(id) &&
	       vol_must(&driver, &v, VOL_PUBLISH) &&
	       vol_must(&driver, &v, VOL_UNPUBLISH) &&
	       vol_must(&driver, &v, VOL_DELETE) && is_none(id);
}

/* ---- cuts ---- */

static unsigned n_cut_id;

/* One create under the fault, its retry, its delete. Whether the cut took place. */
static bool one_cut(const char *fault, bool *ret_was_cut)
{
	struct vol v;
	char id[32];
	enum err_code code;
	long before;

	(void)snprintf(id, sizeof(id), "pvc-cut-%u", n_cut_id++);
	vol_init(&v, id);
	before = sim_stat(&sim, "connections");
	if (!sim_fault(&sim, fault))
		return false;
	code = vol_do(&driver, &v, VOL_CREATE);
	CHECK(code == ERR_OK || code == ERR_UNAVAILABLE || code == ERR_DEADLINE ||
		      code == ERR_ABORTED,
	      "%s: %s", fault, rpc_message());
	*ret_was_cut = code != ERR_OK || sim_stat(&sim, "connections") > before;
	(void)sim_clear(&sim);
	if (!*ret_was_cut) /* the count of this connection goes on: away with it */
		(void)sim_fault(&sim, "reboot=0");
	if (!vol_must(&driver, &v, VOL_CREATE) || !is_one(id)) {
		e2e_note("after %s", fault);
		return false;
	}
	return vol_must(&driver, &v, VOL_DELETE) && is_none(id);
}

static void cut_each_byte(const char *way, const char *more)
{
	unsigned n = 0, misses = 0, cuts = 0, step = 1;
	char fault[100];
	bool was_cut;

	for (n = 0; n < 20000 && misses < 3 && !e2e_failed(); n += step) {
		(void)snprintf(fault, sizeof(fault), "cut-after-%s=%u%s", way, n, more);
		if (!one_cut(fault, &was_cut))
			return;
		cuts += was_cut;
		misses = was_cut ? 0 : misses + 1;
		step = e2e_is_full() ? 1 : 1 + e2e_below(120);
	}
	e2e_note("cut-after-%s%s: %u cuts, up to byte %u", way, more, cuts, n);
	CHECK(cuts > 5, "cut %u times only", cuts);
}

/* From the idle session on: the channel, the request, what follows it. */
static void cut_requests(void)
{
	if (!open_box(NULL))
		return;
	cut_each_byte("in", "&from=now&times=4");
	cut_each_byte("in", "&from=now&times=4&run-on=on");
	close_box();
}

static void cut_answers(void)
{
	if (!open_box(NULL))
		return;
	cut_each_byte("out", "");
	cut_each_byte("out", "&run-on=on");
	close_box();
}

/* During the key exchange, both ways, every 64th byte of a new connection. */
static void cut_key_exchange(void)
{
	static const char *const ways[] = { "in", "out" };
	unsigned step = e2e_is_full() ? 64 : 640;
	char fault[100];
	bool was_cut = true;

	if (!open_box(NULL))
		return;
	for (unsigned w = 0; w < 2; w++)
		for (unsigned n = 0; n < 4096 && !e2e_failed(); n += step) {
			(void)sim_fault(&sim, "reboot=0");
			(void)snprintf(fault, sizeof(fault),
				       "cut-after-%s=%u&from=connect", ways[w], n);
			if (!one_cut(fault, &was_cut))
				break;
		}
	close_box();
}

/* ---- silence, noise, refusal ---- */

static void hangs(void)
{
	struct rpc_call c;
	struct vol v;
	enum err_code code;

	if (!open_box(NULL) || !life_goes_on("pvc-before"))
		return;
	vol_init(&v, "pvc-hang");
	(void)sim_fault(&sim, "hang=1000");
	vol_start(&driver, &v, VOL_CREATE, &c);
	for (unsigned i = 0; i < 5; i++)
		others_go_on();
	rpc_turn(&driver, 300);
	CHECK(!c.is_done, "the hanging box answered: %s", c.client.op.err.msg);
	/* The same volume again meets the work under way. */
	code = vol_do(&driver, &v, VOL_CREATE);
	CHECK(code == ERR_ABORTED, "%s", rpc_message());
	(void)sim_clear(&sim);
	(void)sim_fault(&sim, "reboot=0"); /* what hangs is cut; what comes is served */
	code = vol_end(&driver, &v, VOL_CREATE, &c);
	CHECK(code == ERR_OK || code == ERR_UNAVAILABLE, "%s", rpc_message());
	CHECK(vol_must(&driver, &v, VOL_CREATE) && is_one("pvc-hang"), "not made");
	CHECK(vol_must(&driver, &v, VOL_DELETE) && is_none("pvc-hang"), "not deleted");
	close_box();
}

/* The call ends at its deadline, the work does not. */
static void call_deadline(void)
{
	static const char *const args[] = { "--latency-ms", "600", NULL };
	struct rpc_call c;
	struct vol v;
	enum err_code code;

	if (!open_box(args))
		return;
	vol_init(&v, "pvc-slow");
	rpc_start(&driver, &c, "ListVolumes", rpc_request("ListVolumes"), 0);
	(void)rpc_wait(&driver, &c);
	rpc_free(&c);
	for (unsigned i = 0; i < 20; i++) {
		Csi__V1__CreateVolumeRequest *m = rpc_request("CreateVolume");

		m->name = rpc_text(v.id);
		m->capacity_range = vol_range(v.want_bytes, 0);
		m->n_volume_capabilities = 1;
		m->volume_capabilities = rpc_alloc(sizeof(void *));
		m->volume_capabilities[0] = vol_capability(&v);
		rpc_start(&driver, &c, "CreateVolume", m, 150);
		code = rpc_wait(&driver, &c);
		rpc_free(&c);
		rpc_reset();
		CHECK(code == ERR_DEADLINE || code == ERR_ABORTED ||
			      (code == ERR_OK && i),
		      "%s", rpc_message());
		if (code == ERR_OK)
			break;
	}
	CHECK(vol_must(&driver, &v, VOL_CREATE) && is_one(v.id), "not made");
	close_box();
}

static void garbage(void)
{
	struct vol v;
	enum err_code code;

	if (!open_box(NULL) || !life_goes_on("pvc-before"))
		return;
	for (unsigned i = 0; i < (e2e_is_full() ? 200u : 20u) && !e2e_failed(); i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "pvc-noise-%u", i);
		vol_init(&v, id);
		(void)sim_fault(&sim, i % 2 ? "garbage=1" : "garbage=3");
		code = vol_do(&driver, &v, VOL_CREATE);
		CHECK(code == ERR_OK || vol_may_retry(code), "%s", rpc_message());
		code = rpc_do(&driver, "ListVolumes", rpc_request("ListVolumes"));
		CHECK(code == ERR_OK || vol_may_retry(code), "%s", rpc_message());
		(void)sim_clear(&sim);
		CHECK(vol_must(&driver, &v, VOL_CREATE) && is_one(id), "not made");
		CHECK(vol_must(&driver, &v, VOL_DELETE) && is_none(id), "not deleted");
	}
	others_go_on();
	close_box();
}

static void no_space(void)
{
	struct vol v, w;

	if (!open_box(NULL))
		return;
	vol_init(&v, "pvc-there");
	vol_init(&w, "pvc-full");
	if (!vol_must(&driver, &v, VOL_CREATE))
		return;
	(void)sim_fault(&sim, "no-space=1");
	CHECK(vol_do(&driver, &w, VOL_CREATE) == ERR_EXHAUSTED, "%s", rpc_message());
	is_none("pvc-full");
	v.want_bytes = 2LL << 30;
	CHECK(vol_do(&driver, &v, VOL_EXPAND) == ERR_EXHAUSTED, "%s", rpc_message());
	is_one("pvc-there");
	vol_must(&driver, &v, VOL_PUBLISH); /* needs no space */
	vol_must(&driver, &v, VOL_UNPUBLISH);
	(void)sim_clear(&sim);
	vol_must(&driver, &v, VOL_EXPAND);
	CHECK(v.size_bytes == v.want_bytes, "%lld", v.size_bytes);
	vol_must(&driver, &v, VOL_DELETE);
	close_box();
}

static void host_key_changes(void)
{
	long execs;
	struct vol v;

	if (!open_box(NULL) || !life_goes_on("pvc-before"))
		return;
	vol_init(&v, "pvc-key");
	(void)sim_fault(&sim, "host-key=1");
	(void)sim_fault(&sim, "reboot=0");
	execs = sim_stat(&sim, "execs");
	for (unsigned i = 0; i < 5; i++)
		CHECK(vol_do(&driver, &v, VOL_CREATE) == ERR_UNAVAILABLE, "%s",
		      rpc_message());
	others_go_on();
	CHECK(sim_stat(&sim, "execs") == execs,
	      "a command went to a box with another key");
	CHECK(driver_said(&driver, "host_key_mismatch"), "no audit line");
	(void)sim_clear(&sim);
	CHECK(vol_must(&driver, &v, VOL_CREATE) && is_one("pvc-key"), "not made");
	close_box();
}

/* An unreachable box is neither an absent volume nor an empty list. */
static void box_is_down(void)
{
	struct vol v, w;

	if (!open_box(NULL))
		return;
	vol_init(&v, "pvc-down");
	vol_init(&w, "pvc-new");
	if (!vol_must(&driver, &v, VOL_CREATE))
		return;
	sim_kill(&sim);
	for (unsigned i = 0; i < 3; i++) {
		static const enum vol_step steps[] = { VOL_PUBLISH, VOL_UNPUBLISH,
						       VOL_EXPAND, VOL_DELETE };

		for (unsigned s = 0; s < 4; s++)
			CHECK(vol_do(&driver, &v, steps[s]) == ERR_UNAVAILABLE, "%s: %s",
			      vol_step_name(steps[s]), rpc_message());
		CHECK(vol_do(&driver, &w, VOL_CREATE) == ERR_UNAVAILABLE, "%s",
		      rpc_message());
		CHECK(rpc_do(&driver, "ListVolumes", rpc_request("ListVolumes")) ==
			      ERR_UNAVAILABLE,
		      "%s", rpc_message());
		others_go_on();
	}
	/* A driver that starts while the box is down is ready all the same. */
	driver_stop(&driver);
	if (!driver_start(&driver))
		return;
	first_pid = driver.pid;
	CHECK(vol_do(&driver, &v, VOL_DELETE) == ERR_UNAVAILABLE, "%s", rpc_message());
	if (!sim_start(&sim))
		return;
	is_one("pvc-down");
	CHECK(vol_must(&driver, &v, VOL_DELETE) && is_none("pvc-down"), "not deleted");
	close_box();
}

/* Reboots in the middle of a burst: each volume comes out once. */
static void reboots(void)
{
	enum { BURST = 24 };
	static const char *const args[] = { "--latency-ms", "15", "--op-ms", "add=10",
					    NULL };
	static struct vol v[BURST];
	static struct rpc_call c[BURST];

	if (!open_box(args))
		return;
	for (unsigned round = 0; round < (e2e_is_full() ? 20u : 3u) && !e2e_failed();
	     round++) {
		for (unsigned i = 0; i < BURST; i++) {
			char id[32];

			(void)snprintf(id, sizeof(id), "pvc-boot-%u-%u", round, i);
			vol_init(&v[i], id);
			vol_start(&driver, &v[i], VOL_CREATE, &c[i]);
		}
		for (unsigned i = e2e_below(40); i; i--)
			rpc_turn(&driver, 3);
		(void)sim_fault(&sim, round % 2 ? "reboot=50&run-on=on" : "reboot=50");
		for (unsigned i = 0; i < BURST; i++) {
			enum err_code code = vol_end(&driver, &v[i], VOL_CREATE, &c[i]);

			CHECK(code == ERR_OK || vol_may_retry(code), "%s: %s", v[i].id,
			      rpc_message());
		}
		for (unsigned i = 0; i < BURST; i++)
			CHECK(vol_must(&driver, &v[i], VOL_CREATE) && is_one(v[i].id),
			      "round %u", round);
		CHECK(sim_stat(&sim, "disks") == BURST && sim_files(&sim, NULL) == BURST,
		      "%ld disks, %u files", sim_stat(&sim, "disks"),
		      sim_files(&sim, NULL));
		for (unsigned i = 0; i < BURST; i++)
			vol_must(&driver, &v[i], VOL_DELETE);
		CHECK(sim_stat(&sim, "disks") == 0 && sim_files(&sim, NULL) == 0,
		      "%ld disks, %u files are left", sim_stat(&sim, "disks"),
		      sim_files(&sim, NULL));
	}
	close_box();
}

/* The answer is lost, the effect is there, for every controller RPC. */
static void lost_answers(void)
{
	static const enum vol_step steps[] = { VOL_CREATE, VOL_PUBLISH, VOL_EXPAND,
					       VOL_UNPUBLISH, VOL_DELETE };
	struct vol v;

	if (!open_box(NULL) || !life_goes_on("pvc-before"))
		return;
	vol_init(&v, "pvc-lost");
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct rpc_call c;
		enum err_code code;
		uint64_t end = e2e_now_ms() + 5000;

		if (steps[i] == VOL_EXPAND)
			v.want_bytes = 2LL << 30;
		(void)sim_fault(&sim, "hang-after=1");
		vol_start(&driver, &v, steps[i], &c);
		while (sim_stat(&sim, "execs_now") == 0 && !c.is_done &&
		       e2e_now_ms() < end)
			rpc_turn(&driver, 5);
		rpc_turn(&driver, 20);
		(void)sim_clear(&sim);
		(void)sim_fault(&sim, "reboot=0");
		code = vol_end(&driver, &v, steps[i], &c);
		CHECK(code == ERR_OK || vol_may_retry(code), "%s: %s",
		      vol_step_name(steps[i]), rpc_message());
		if (!vol_must(&driver, &v, steps[i]))
			return;
	}
	is_none("pvc-lost");
	close_box();
}

static void slow_drip(void)
{
	struct vol v;

	if (!open_box(NULL) || !life_goes_on("pvc-before"))
		return;
	vol_init(&v, "pvc-drip");
	(void)sim_fault(&sim, "slow-drip=1");
	CHECK(vol_must(&driver, &v, VOL_CREATE) && is_one("pvc-drip"), "not made");
	(void)sim_clear(&sim);
	vol_must(&driver, &v, VOL_DELETE);
	close_box();
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "cut_requests", cut_requests, false },
		{ "cut_answers", cut_answers, false },
		{ "cut_key_exchange", cut_key_exchange, false },
		{ "hangs", hangs, false },
		{ "call_deadline", call_deadline, false },
		{ "garbage", garbage, false },
		{ "no_space", no_space, false },
		{ "host_key_changes", host_key_changes, false },
		{ "box_is_down", box_is_down, false },
		{ "reboots", reboots, false },
		{ "lost_answers", lost_answers, false },
		{ "slow_drip", slow_drip, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
