/* One controller after another on one box, killed and replaced at random, while three
 * nodes publish and unpublish volumes that one node at a time may hold. Judges: what a
 * container orchestrator was told, and the box's own history. The same run with a driver
 * built without the comparison of the record must fail, or this test proves nothing. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/child.h"
#include "e2e/e2e.h"
#include "e2e/judge.h"
#include "e2e/vol.h"

enum { N_VOLUMES = 4, N_NODES = 3, N_CALLS = 4 };
/* How late a script is, in which its controller dies and another one answers. */
#define LATE_MS "1500"
static const char *const nodes[N_NODES] = { "node-a", "node-b", "node-c" };

/* What the orchestrator knows of one node and one volume. A pod runs only where a publish
 * was answered with OK and no unpublish has begun since. */
enum claim { FREE, MAYBE, GRANTED };

struct attachment {
	enum claim claim;
	bool is_busy; /* a call is under way: the attacher makes one at a time */
	uint64_t not_before_ms; /* after a failure it waits for a while */
};

struct call {
	struct rpc_call rpc;
	bool is_used;
	unsigned volume, node;
	enum vol_step step;
};

struct world {
	struct sim sim;
	struct driver driver;
	struct vol volumes[N_VOLUMES];
	struct attachment at[N_VOLUMES][N_NODES];
	struct call calls[N_CALLS];
	long ops, granted, refused, retried, kills, cuts, lates;
	int torn; /* a volume that a call was under way for at the last kill; -1: none */
	unsigned violations; /* two nodes were told OK */
};

static void on_answer(struct world *w, struct call *c, enum err_code code)
{
	struct attachment *a = &w->at[c->volume][c->node];

	a->is_busy = false;
	w->retried += vol_may_retry(code);
	a->not_before_ms = e2e_now_ms() + (vol_may_retry(code) ? e2e_below(300) : 0);
	if (c->step == VOL_UNPUBLISH) {
		if (code == ERR_OK)
			a->claim = FREE;
		CHECK(code == ERR_OK || vol_may_retry(code), "unpublish: %s",
		      rpc_message());
		return;
	}
	if (code == ERR_PRECONDITION) { /* held by another, and nothing was changed */
		w->refused++;
		if (a->claim == GRANTED) {
			e2e_note("%s was told OK and is refused now: %s", nodes[c->node],
				 rpc_message());
			w->violations++;
		}
		return;
	}
	if (code != ERR_OK) {
		CHECK(vol_may_retry(code), "publish: %s", rpc_message());
		return;
	}
	a->claim = GRANTED;
	w->granted++;
	for (unsigned n = 0; n < N_NODES; n++)
		if (n != c->node && w->at[c->volume][n].claim == GRANTED) {
			if (w->violations++ < 3)
				e2e_note("%s: %s was told OK while %s holds it",
					 w->volumes[c->volume].id, nodes[c->node],
					 nodes[n]);
			w->at[c->volume][n].claim = MAYBE;
		}
}

static void collect(struct world *w)
{
	for (unsigned i = 0; i < N_CALLS; i++) {
		struct call *c = &w->calls[i];

		if (!c->is_used || !c->rpc.is_done)
			continue;
		c->is_used = false;
		on_answer(w, c,
			  vol_end(&w->driver, &w->volumes[c->volume], c->step, &c->rpc));
	}
}

static unsigned n_running(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_CALLS; i++)
		n += w->calls[i].is_used;
	return n;
}

static void drain(struct world *w)
{
	while (n_running(w)) {
		rpc_turn(&w->driver, 5);
		collect(w);
	}
}

static void start_step(struct world *w, unsigned v, unsigned n, enum vol_step step)
{
	struct attachment *a = &w->at[v][n];
	struct call *c = w->calls;

	while (c->is_used)
		c++;
	c->is_used = true;
	c->volume = v;
	c->node = n;
	c->step = step;
	if (step == VOL_UNPUBLISH || a->claim == FREE)
		a->claim = MAYBE;
	a->is_busy = true;
	w->volumes[v].node = nodes[n];
	vol_start(&w->driver, &w->volumes[v], step, &c->rpc);
	w->ops++;
}

/* Mostly the natural next step, at times the other one or a repetition. */
static void start_call(struct world *w, unsigned v, unsigned n)
{
	static const unsigned publish_of_20[] = {
		[FREE] = 18, [MAYBE] = 10, [GRANTED] = 5
	};

	start_step(w, v, n,
		   e2e_below(20) < publish_of_20[w->at[v][n].claim] ? VOL_PUBLISH
								    : VOL_UNPUBLISH);
}

/* Ends the controller at any moment and puts a new one in its place, which knows nothing.
 */
static bool replace(struct world *w)
{
	unsigned turns = e2e_below(12);

	while (turns-- && n_running(w))
		rpc_turn(&w->driver, 1 + e2e_below(6));
	for (unsigned i = 0; i < N_CALLS; i++)
		if (w->calls[i].is_used)
			w->torn = (int)w->calls[i].volume;
	driver_kill(&w->driver);
	w->kills++;
	drain(w);
	return driver_start(&w->driver);
}

/* The next exec's connection is cut somewhere between the request and the end of its
 * answer; its script runs on. */
static void cut(struct world *w)
{
	char fault[64];

	(void)snprintf(fault, sizeof(fault), "cut-after-%s=%u&run-on=on",
		       e2e_below(2) ? "in" : "out", e2e_below(1500));
	(void)sim_fault(&w->sim, fault);
	w->cuts++;
}

/* Until the box has been told what to do. */
static void turn_until_asked(struct world *w)
{
	while (n_running(w) && sim_stat(&w->sim, "execs_now") == 0) {
		rpc_turn(&w->driver, 5);
		collect(w);
	}
}

/* A script that has not begun when its controller dies: it runs when another node has
 * been told OK by the next controller. Only the comparison of the record can stop it
 * then. */
static bool late(struct world *w)
{
	unsigned v = e2e_below(N_VOLUMES), n = e2e_below(N_NODES),
		 other = (n + 1) % N_NODES;

	drain(w);
	for (unsigned i = 0; i < N_NODES; i++)
		if (w->at[v][i].claim != FREE || i == n) { /* n: for a warm belief */
			start_step(w, v, i, VOL_UNPUBLISH);
			drain(w);
		}
	(void)sim_fault(&w->sim, "latency-ms=" LATE_MS "&jitter-ms=0&run-on=on");
	start_step(w, v, n, VOL_PUBLISH);
	turn_until_asked(w);
	if (!n_running(w)) /* refused, or the box was not reached: nothing is late */
		return sim_clear(&w->sim);
	driver_kill(&w->driver);
	w->kills++;
	w->lates++;
	drain(w);
	(void)sim_clear(&w->sim);
	if (!driver_start(&w->driver))
		return false;
	start_step(w, v, other, VOL_PUBLISH);
	drain(w);
	while (sim_stat(&w->sim, "execs_now") > 0)
		e2e_sleep_ms(5);
	start_step(w, v, n, VOL_PUBLISH);
	drain(w);
	return true;
}

/* Everything has ended: what each node was told must be what the box says. */
static bool settle(struct world *w)
{
	drain(w);
	(void)sim_clear(&w->sim);
	for (unsigned v = 0; v < N_VOLUMES; v++)
		for (unsigned n = 0; n < N_NODES; n++) {
			json_t *d;
			char holder[64] = "";

			if (w->at[v][n].claim != GRANTED)
				continue;
			d = sim_disk(&w->sim, w->volumes[v].id);
			if (!judge_holder(sim_text(d, "comment"), holder) ||
			    strcmp(holder, nodes[n]) != 0 ||
			    !sim_is_on(d, "nvme-tcp-export")) {
				if (w->violations++ < 3)
					e2e_note("%s holds %s, but the box says: %s, "
						 "export %d",
						 nodes[n], w->volumes[v].id,
						 sim_text(d, "comment"),
						 sim_is_on(d, "nvme-tcp-export"));
			}
			json_decref(d);
		}
	return true;
}

static void one_op(struct world *w)
{
	unsigned v = e2e_below(N_VOLUMES), n = e2e_below(N_NODES);

	/* Where a script may still be on its way, somebody else asks next. */
	if (w->torn >= 0 && e2e_below(3))
		v = (unsigned)w->torn;
	if (e2e_below(12) == 0)
		w->torn = -1;

	if (n_running(w) < N_CALLS && !w->at[v][n].is_busy &&
	    e2e_now_ms() >= w->at[v][n].not_before_ms)
		start_call(w, v, n);
	if (e2e_below(3) == 0)
		rpc_turn(&w->driver, 2 + e2e_below(60));
	collect(w);
	rpc_turn(&w->driver, n_running(w) == N_CALLS ? 20 : 3);
	collect(w);
}

static bool run(struct world *w, long ops, bool stop_at_violation)
{
	while (w->ops < ops && !e2e_failed() && !(stop_at_violation && w->violations)) {
		one_op(w);
		if (e2e_below(50) == 0)
			cut(w);
		if (e2e_below(40) == 0 && !replace(w))
			return false;
		if (e2e_below(100) == 0 && !late(w))
			return false;
		if (e2e_below(100) == 0)
			settle(w);
	}
	return settle(w);
}

static bool open_world(struct world *w, const char *bin)
{
	static const char *const sim_args[] = {
		"--latency-ms",	      "1", "--jitter-ms", "25", "--interleave=on",
		"--run-on-after-cut", "2", NULL
	};

	memset(w, 0, sizeof(*w));
	e2e_path(w->sim.dir, "box");
	w->sim.args = sim_args;
	w->torn = -1;
	w->driver.bin = bin;
	w->driver.sim = &w->sim;
	w->driver.is_controller = true;
	w->driver.known_nodes = "node-a,node-b,node-c";
	if (!sim_start(&w->sim))
		return false;
	driver_open(&w->driver);
	if (!driver_start(&w->driver))
		return false;
	for (unsigned v = 0; v < N_VOLUMES; v++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "pvc-held-%u", v);
		vol_init(&w->volumes[v], id);
		if (!vol_must(&w->driver, &w->volumes[v], VOL_CREATE))
			return false;
	}
	return true;
}

static void close_world(struct world *w, struct judge *j)
{
	CHECK(judge_history(&w->sim, j), "no history");
	CHECK(j->lost == 0, "%u events are missing in the history", j->lost);
	e2e_note("%ld calls: %ld granted, %ld refused, %ld to be retried; %ld kills, %ld "
		 "cuts, %ld late scripts",
		 w->ops, w->granted, w->refused, w->retried, w->kills, w->cuts, w->lates);
	e2e_note("history: %u events, %u grants; export on with nobody in the record: %u",
		 j->events, j->grants, j->leaked);
	driver_close(&w->driver);
	sim_stop(&w->sim);
}

static void never_two_holders(void)
{
	static struct world w;
	struct judge j;

	if (!open_world(&w, NULL))
		return;
	(void)run(&w, e2e_ops(e2e_is_full() ? 5000 : 600), false);
	close_world(&w, &j);
	CHECK(w.violations == 0, "%u", w.violations);
	CHECK(j.two_holders == 0, "%u", j.two_holders);
	CHECK(j.takeovers == 0, "%u", j.takeovers);
	CHECK(w.granted > w.ops / 20 && w.refused > 0, "too little happened");
}

static void found_without_the_nonce(void)
{
	static struct world w;
	static char bin[E2E_PATH];
	const char *real = getenv("RDS_CSI"), *slash = real ? strrchr(real, '/') : NULL;
	struct judge j;

	if (!CHECK(slash != NULL, "RDS_CSI is not set"))
		return;
	(void)snprintf(bin, sizeof(bin), "%.*s/test/crash/rds-csi-no-nonce",
		       (int)(slash - real), real);
	if (!open_world(&w, bin))
		return;
	(void)run(&w, 1500, true);
	close_world(&w, &j);
	CHECK(w.violations + j.two_holders + j.takeovers > 0,
	      "a driver that does not compare the record was not found out in %ld calls",
	      w.ops);
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "never_two_holders", never_two_holders, false },
		{ "found_without_the_nonce", found_without_the_nonce, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
