/* An API server that refuses again and again: 2,000 turns of half a second of each way to
 * refuse. No storm of requests, no memory that grows, nothing lost from the stores, and
 * current again soon after it has come to itself. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "support/api_lab.h"

static struct api_lab x;

enum { TURNS = 2000, TURN_MS = 500, FOREVER = 1000 * 1000 };

/* A pause grows to 30 s and is at least half of that; before, at most eight are shorter.
 */
enum { CYCLES = TURNS * TURN_MS / 15000 + 8 };

static void open_cluster(void)
{
	char name[32], pv[32];

	api_lab_open(&x);
	api_sim_node(&x.sim, "node-a", true);
	for (int i = 0; i < 600; i++) {
		snprintf(pv, sizeof(pv), "pv-%d", i % 10);
		snprintf(name, sizeof(name), "va-%d", i);
		if (i < 10)
			api_sim_pv(&x.sim, pv, pv);
		api_sim_va(&x.sim, name, "node-a", pv, true);
	}
	api_lab_start(&x);
	cr_assert(api_lab_settle(&x, 5000));
}

struct storm {
	const char *name;
	struct api_sim_fault fault;
	unsigned per_cycle; /* requests of a kind between two pauses */
};

static const struct storm storms[] = {
	{ "429", { .what = SIM_STATUS, .status = 429 }, 1 },
	{ "429 and 7 s", { .what = SIM_STATUS, .status = 429, .retry_after_s = 7 }, 1 },
	{ "500", { .what = SIM_STATUS, .status = 500 }, 1 },
	{ "503", { .what = SIM_STATUS, .status = 503 }, 1 },
	{ "403", { .what = SIM_STATUS, .status = 403 }, 1 },
	{ "401", { .what = SIM_STATUS, .status = 401 }, 1 },
	{ "closed", { .what = SIM_CLOSE }, 1 },
	{ "410 everywhere", { .what = SIM_STATUS, .status = 410 }, 1 },
	/* A list in two pages works, and then the watch does not. */
	{ "410 of watches", { .what = SIM_STATUS, .match = "?watch", .status = 410 }, 3 },
	{ "410 in watches", { .what = SIM_LINE, .match = "?watch", .status = 410 }, 3 },
	{ "500 in watches", { .what = SIM_LINE, .match = "?watch", .status = 500 }, 3 },
	{ "410 of second pages",
	  { .what = SIM_STATUS, .match = "continue", .status = 410 },
	  2 },
	{ "500 of second pages",
	  { .what = SIM_STATUS, .match = "continue", .status = 500 },
	  2 },
};

static void storm(const struct storm *s)
{
	struct api_sim_fault fault = s->fault;
	unsigned before, most = 0;
	size_t live = 0, bytes = 0;

	open_cluster();
	fault.times = FOREVER;
	api_sim_fault(&x.sim, fault);
	api_sim_compact(&x.sim);
	api_sim_cut_all(&x.sim);
	before = x.sim.n_requests;
	for (int i = 0; i < TURNS; i++) {
		unsigned at = x.sim.n_requests;

		api_lab_turn(&x, TURN_MS);
		if (x.sim.n_requests - at > most)
			most = x.sim.n_requests - at;
		if (i == TURNS / 10) {
			live = mem_live();
			/* The simulator keeps the last 64 lists that came in pages. */
			bytes = mallinfo2().uordblks;
		}
		if (i > TURNS / 10) {
			cr_assert_leq(mem_live(), live + 64, "%s: turn %d", s->name, i);
			cr_assert_leq(mallinfo2().uordblks, bytes + 2048 * 1024,
				      "%s: turn %d", s->name, i);
		}
		cr_assert_eq(x.k->stores[K8S_VA].objects.count, 600, "%s", s->name);
	}
	cr_assert_leq(x.sim.n_requests - before, K8S_WATCHED * s->per_cycle * CYCLES,
		      "%s: %u requests", s->name, x.sim.n_requests - before);
	cr_assert_leq(most, 3 * K8S_WATCHED, "%s: %u in half a second", s->name, most);
	memset(x.sim.faults, 0, sizeof(x.sim.faults));
	api_sim_va(&x.sim, "va-new", "node-a", "pv-1", true);
	api_lab_pass(&x, 65000);
	cr_assert(k8s_is_current(x.k), "%s", s->name);
	cr_assert(api_lab_is_same(&x), "%s", s->name);
	api_lab_close(&x);
}

Test(k8s_storm, refused_again_and_again, .timeout = 200)
{
	for (unsigned i = 0; i < sizeof(storms) / sizeof(storms[0]); i++)
		storm(&storms[i]);
}

/* A wait that it asks for and that nobody could live with is not waited. */
Test(k8s_storm, an_absurd_wait_is_not_obeyed)
{
	open_cluster();
	api_sim_fault(&x.sim, (struct api_sim_fault){ .what = SIM_STATUS,
						      .status = 429,
						      .retry_after_s = 1000 * 1000,
						      .times = 20 });
	api_sim_cut_all(&x.sim);
	api_lab_pass(&x, 10 * 60 * 1000);
	cr_assert(k8s_is_current(x.k));
	api_lab_close(&x);
}
