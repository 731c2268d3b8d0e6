/* SIGKILL of the driver at every move of every op of a volume's life (CSI: every RPC can
 * be cut anywhere and repeated), and of the box between two statements of one script. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/child.h"
#include "e2e/kill.h"
#include "e2e/states.h"
#include "e2e/unwind.h"

enum {
	MAX_POINTS = 8192,
	WAYS = 2, /* a mounted volume, a raw block one */
	MAX_TRIES = 5,
	LEAST_LIVES = 14,
};

struct point { /* where one kill happens: this RPC of the life, this move */
	unsigned index;
	struct crash_move move;
	enum crash_how how;
	uint32_t nth;
	bool is_cold; /* the driver has just started, and knows nothing */
	bool is_used;
	unsigned tries;
};

struct plan {
	struct point points[MAX_POINTS];
	unsigned n;
	unsigned fired, missed, twice;
	struct states states;
	bool is_cold; /* recording: the driver is started anew before each RPC */
};

/* ---- recording ---- */

static unsigned way_of(const struct life *l, unsigned index)
{
	return index + (l->is_block ? LIFE_MAX : 0);
}

static bool start_cold(struct life *l)
{
	driver_stop(&l->driver);
	return driver_start(&l->driver);
}

static bool record_rpc(struct life *l, unsigned index, enum vol_step step)
{
	struct plan *p = l->arg;

	if (p->is_cold && !start_cold(l))
		return false;
	l->crash->n_moves = 0;
	if (!vol_must(&l->driver, &l->vol, step))
		return false;
	for (uint32_t i = 0; i < l->crash->n_moves; i++) {
		const struct crash_move *m = &l->crash->moves[i];

		states_mark(&p->states, l->crash, m, STATES_SEEN);
		for (unsigned how = CRASH_KILL; how <= CRASH_STOP; how++)
			for (uint32_t nth = 1; nth <= m->count && p->n < MAX_POINTS;
			     nth += e2e_is_full() || m->count < 3 ? 1 : m->count - 1)
				p->points[p->n++] = (struct point){ way_of(l, index),
								    *m,
								    (enum crash_how)how,
								    nth,
								    p->is_cold,
								    false,
								    0 };
	}
	return true;
}

static void shuffle(struct plan *p)
{
	for (unsigned i = p->n; i > 1; i--) {
		unsigned j = e2e_below(i);
		struct point t = p->points[i - 1];

		p->points[i - 1] = p->points[j];
		p->points[j] = t;
	}
}

/* ---- killing ---- */

static void arm(struct life *l, const struct point *at)
{
	struct crash_file *c = l->crash;

	c->type = at->move.type;
	c->from = at->move.from;
	c->to = at->move.to;
	c->nth = at->nth;
	kill_arm(l, at->how);
}

/* A sample ends when each state that was seen was killed in, or no point is left that
 * could do it: some moves are made now and then only (a record found stale, a belief
 * still warm). */
static bool is_wanted(const struct plan *p, const struct point *at)
{
	return !at->is_used &&
	       (e2e_is_full() ||
		!(p->states.marks[at->move.type][at->move.to] & STATES_KILLED));
}

/* Of this RPC's points one that is wanted, or else any, that was tried the least. */
static struct point *next_point(struct plan *p, unsigned index)
{
	struct point *best = NULL;

	for (unsigned i = 0; i < p->n; i++) {
		struct point *at = &p->points[i];
		bool is_better = !best || at->tries < best->tries;

		if (at->index != index || at->is_used)
			continue;
		if (best && is_wanted(p, at) != is_wanted(p, best))
			is_better = is_wanted(p, at);
		if (is_better)
			best = at;
	}
	if (best)
		best->is_used = true;
	return best;
}

/* Not met this time, for RPCs do not always go the same way: once more, later. */
static void repeat(struct point *at)
{
	if (at->tries == MAX_TRIES)
		return;
	at->nth = 1;
	at->tries++;
	at->is_used = false;
}

static bool kill_rpc(struct life *l, unsigned index, enum vol_step step)
{
	struct plan *p = l->arg;
	enum err_code code = ERR_OK;
	struct point *at = next_point(p, way_of(l, index)), *again;
	bool ok;

	if (!at)
		return vol_must(&l->driver, &l->vol, step);
	if (at->is_cold && !start_cold(l))
		return false;
	arm(l, at);
	if (!kill_run(l, step, &code)) {
		p->missed++;
		repeat(at);
		return code == ERR_OK || vol_must(&l->driver, &l->vol, step);
	}
	p->fired++;
	states_mark(&p->states, l->crash, &at->move, STATES_KILLED);
	if (!kill_come_back(l) || !life_same_name(l))
		return false;
	/* Now and then the retry is killed too, wherever this RPC was seen to be. */
	if (e2e_below(4) == 0 && (again = next_point(p, way_of(l, index)))) {
		arm(l, again);
		if (kill_run(l, step, &code)) {
			p->fired++;
			p->twice++;
			states_mark(&p->states, l->crash, &again->move, STATES_KILLED);
			if (!kill_come_back(l))
				return false;
		} else {
			repeat(again);
		}
	}
	ok = vol_must(&l->driver, &l->vol, step) &&
	     CHECK(child_wait_orphans(60000), "a helper never ends") && life_same_name(l);
	for (uint32_t i = 0; i < l->crash->n_moves; i++)
		states_mark(&p->states, l->crash, &l->crash->moves[i], STATES_MET);
	if (!ok)
		e2e_note("killed by %s in %s: %s, %s -> %s (occurrence %u)",
			 at->how == CRASH_KILL ? "SIGKILL" : "SIGSTOP and SIGKILL",
			 vol_step_name(step), l->crash->types[at->move.type].name,
			 l->crash->types[at->move.type].states[at->move.from],
			 l->crash->types[at->move.type].states[at->move.to], at->nth);
	return ok;
}

static bool is_left(const struct plan *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (is_wanted(p, &p->points[i]))
			return true;
	return false;
}

static bool record_all(struct life *l)
{
	struct plan *p = l->arg;

	l->rpc = record_rpc;
	for (unsigned i = 0; i < 4; i++) {
		p->is_cold = i & 1;
		l->is_block = i & 2;
		if (!life_run(l))
			return false;
	}
	return true;
}

static void driver_killed(void)
{
	static struct plan plan;
	static struct life l;
	unsigned lives = 0;

	memset(&plan, 0, sizeof(plan));
	memset(&l, 0, sizeof(l));
	l.arg = &plan;
	if (!life_open(&l, true) || !record_all(&l))
		return;
	shuffle(&plan);
	l.rpc = kill_rpc;
	while ((is_left(&plan) || lives < LEAST_LIVES) && !e2e_failed() && life_run(&l)) {
		l.is_block = !l.is_block;
		lives++;
	}
	e2e_note("%u kill points, %u lives, %u kills (%u of them in a retry), %u not met "
		 "again",
		 plan.n, lives, plan.fired, plan.twice, plan.missed);
	for (unsigned i = 0; i < WAYS && !e2e_failed(); i++) {
		l.is_block = !l.is_block;
		unwind_all(&l, &plan.states);
	}
	if (!e2e_failed())
		states_check(&plan.states, l.crash);
	life_close(&l);
}

/* ---- the box dies between two statements ---- */

struct box_death {
	unsigned statement, deaths;
};

/* Takes the fault back; where nobody answers, the box has died of it. */
static bool revive(struct life *l, struct box_death *b)
{
	char *text = sim_post_quiet(&l->sim, "/fault/clear");
	bool is_alive = text != NULL;

	free(text);
	if (is_alive)
		return true;
	b->deaths++;
	return CHECK(sim_is_gone(&l->sim, 20000), "the box neither answers nor ends") &&
	       sim_start(&l->sim);
}

static bool die_rpc(struct life *l, unsigned index, enum vol_step step)
{
	struct box_death *b = l->arg;
	struct rpc_call call;
	enum err_code code;
	char fault[64];

	(void)index;
	(void)snprintf(fault, sizeof(fault), "die-at-statement=%u", b->statement);
	if (!sim_fault(&l->sim, fault))
		return false;
	vol_start(&l->driver, &l->vol, step, &call);
	while (!call.is_done && !sim_is_gone(&l->sim, 0))
		rpc_turn(&l->driver, 5);
	if (!revive(l, b))
		return false;
	code = vol_end(&l->driver, &l->vol, step, &call);
	if (!revive(l, b))
		return false;
	/* Now and then a new controller instead of one that waits to connect again. */
	if (code != ERR_OK && e2e_below(3)) {
		driver_kill(&l->driver);
		if (!driver_start(&l->driver))
			return false;
	}
	CHECK(code == ERR_OK || vol_may_retry(code), "%s: %s when the box died",
	      vol_step_name(step), rpc_message());
	return code == ERR_OK || vol_must(&l->driver, &l->vol, step);
}

static void box_dies(void)
{
	static struct life l;
	struct box_death b = { .statement = 1 };
	unsigned before;

	memset(&l, 0, sizeof(l));
	l.arg = &b;
	l.rpc = die_rpc;
	if (!life_open(&l, false))
		return;
	do {
		before = b.deaths;
		if (!life_run(&l))
			break;
		b.statement += e2e_is_full() ? 1 : 1 + e2e_below(8);
	} while (b.deaths > before && b.statement < 200);
	e2e_note("%u deaths, up to the one after statement %u", b.deaths,
		 b.statement - 1);
	CHECK(b.deaths > 10, "the box died %u times only", b.deaths);
	life_close(&l);
}

/* The life without any harm: what the other tests build on. */
static void whole_life(void)
{
	static struct life l;

	for (int block = 0; block < 2; block++) {
		memset(&l, 0, sizeof(l));
		l.is_block = block != 0;
		if (!life_open(&l, false))
			return;
		CHECK(life_run(&l), "the life failed");
		life_close(&l);
	}
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "whole_life", whole_life, true },
		{ "driver_killed", driver_killed, true },
		{ "box_dies", box_dies, true },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
