#include "e2e/walk.h"

#include <stdio.h>
#include <string.h>

#include "e2e/child.h"

enum {
	SEEN = 1,
	SPAWNED = 128,
	BEFORE = 1 << CRASH_KILL,
	DURING = 1 << CRASH_KILL_SPAWNED,
	AFTER = 1 << CRASH_STOP_SPAWNED,
	MAX_LIVES = 100,
};

static unsigned n_ops(const struct walk *w)
{
	unsigned n = 0;

	while (w->ops[n])
		n++;
	return n;
}

/* A raw block volume takes the same states another way. */
static unsigned place_of(const struct life *l, unsigned index)
{
	const struct walk *w = l->arg;

	return e2e_is_full() ? w->way * LIFE_MAX + index : l->is_block;
}

/* The kills of a seen state that are still wanting. */
static unsigned missing(unsigned marks)
{
	unsigned all = BEFORE;

	if (marks & SPAWNED)
		all |= e2e_is_full() ? DURING | AFTER : AFTER;
	return marks & SEEN ? all & ~marks : 0;
}

/* One of them; where no child was seen yet, first the kill that needs none. */
static unsigned pick(unsigned marks)
{
	unsigned left = missing(marks | SEEN | SPAWNED);

	if (left & BEFORE && (!(marks & SPAWNED) || left == BEFORE || e2e_below(2)))
		return BEFORE;
	if (left & AFTER && !(marks & DURING) && !e2e_below(3))
		return DURING;
	return left & AFTER ? AFTER : left & DURING;
}

static void want(struct walk *w, struct life *l, unsigned place)
{
	struct crash_file *c = l->crash;

	c->n_moves = 0;
	for (unsigned op = 0; w->ops[op]; op++)
		for (unsigned s = 0; s < CRASH_STATES; s++) {
			c->types[op].wanted[s] = (uint8_t)pick(w->marks[place][op][s]);
			c->types[op].spawned[s] = 0;
		}
	kill_arm(l, CRASH_WANTED);
}

static void note(struct walk *w, const struct life *l, unsigned place)
{
	const struct crash_file *c = l->crash;

	for (uint32_t i = 0; i < c->n_moves; i++)
		if (c->moves[i].type < n_ops(w))
			w->marks[place][c->moves[i].type][c->moves[i].to] |= SEEN;
	for (unsigned op = 0; w->ops[op]; op++)
		for (unsigned s = 0; s < CRASH_STATES; s++)
			if (c->types[op].spawned[s])
				w->marks[place][op][s] |= SPAWNED;
}

static void note_kill(struct walk *w, const struct life *l, unsigned place)
{
	const struct crash_file *c = l->crash;

	w->marks[place][c->type][c->to] |= (unsigned char)(1U << c->fired);
	w->kills++;
}

static const char *how_name(unsigned bit)
{
	return bit == BEFORE   ? "before its effect"
	       : bit == DURING ? "beside its effect"
			       : "after its effect";
}

static bool kill_rpc(struct life *l, unsigned index, enum vol_step step)
{
	struct walk *w = l->arg;
	unsigned place = place_of(l, index);
	enum err_code code = ERR_OK;
	bool is_first = true, ok = true, is_hit;
	struct crash_file *c = l->crash;

	if (!vol_is_node_step(step))
		return life_rpc(l, index, step);
	do {
		want(w, l, place);
		is_hit = kill_run(l, step, &code);
		note(w, l, place);
		if (!is_hit)
			break;
		note_kill(w, l, place);
		w->chained += !is_first;
		is_first = false;
		ok = kill_come_back(l) && (!w->after_kill || w->after_kill(l));
	} while (ok && e2e_below(4));
	ok = ok && ((!is_hit && code == l->want) || life_rpc(l, index, step)) &&
	     CHECK(child_wait_orphans(60000), "a helper never ends");
	note(w, l, place);
	if (!is_first && !ok)
		e2e_note("the last kill: %s of %s, %s", c->types[c->type].name,
			 c->types[c->type].states[c->to], how_name(1U << c->fired));
	return ok;
}

bool walk_open(struct walk *w, struct life *l)
{
	struct crash_file *c = l->crash;

	driver_stop(&l->driver);
	memset(c, 0, sizeof(*c));
	for (c->n_types = 0; w->ops[c->n_types]; c->n_types++)
		(void)snprintf(c->types[c->n_types].name, CRASH_NAME, "%s",
			       w->ops[c->n_types]);
	l->arg = w;
	l->rpc = kill_rpc;
	return driver_start(&l->driver);
}

bool walk_way(struct walk *w, struct life *l)
{
	unsigned before;

	for (unsigned lives = 1; lives <= MAX_LIVES; lives++) {
		before = w->kills;
		if (!life_run(l))
			return false;
		if (w->kills == before)
			return true;
	}
	return CHECK(false, "kills without end");
}

/* ---- the verdict ---- */

static unsigned all_marks(const struct walk *w, unsigned op, unsigned state)
{
	unsigned marks = 0;

	for (unsigned p = 0; p < WALK_PLACES; p++)
		marks |= w->marks[p][op][state];
	return marks;
}

static void check_state(const struct walk *w, const struct life *l, unsigned op,
			unsigned state)
{
	static const unsigned bits[] = { BEFORE, DURING, AFTER };
	const char *name = l->crash->types[op].states[state];
	unsigned left = missing(all_marks(w, op, state));

	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		CHECK(!(left & bits[i]), "%s was never killed in %s %s", w->ops[op], name,
		      how_name(bits[i]));
}

void walk_check(const struct walk *w, const struct life *l,
		const struct states_beyond *table)
{
	const struct crash_file *c = l->crash;
	unsigned seen = 0, all = 0;

	states_check_table(table, c);
	for (unsigned op = 0; w->ops[op]; op++) {
		CHECK(c->types[op].n_states, "there is no op %s", w->ops[op]);
		for (unsigned s = 0; s < c->types[op].n_states; s++) {
			const char *name = c->types[op].states[s];
			bool is_seen = all_marks(w, op, s) & SEEN;

			all++;
			seen += is_seen;
			CHECK(is_seen || states_is_beyond(table, w->ops[op], name),
			      "%s was never killed in %s, and no other test is named",
			      w->ops[op], name);
			check_state(w, l, op, s);
		}
	}
	e2e_note("%u kills, %u of them of a retry; in %u of the %u states", w->kills,
		 w->chained, seen, all);
}
