#include "support/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "k8s/lease_rules.h"

/* Two candidates against one Lease, each with a clock of its own: another origin, another
 * speed, and pauses (SIGSTOP, suspend) in which nothing of it runs while its clock goes
 * on. Requests take their effect late, answer late or never, and may still take it after
 * the candidate was told that they failed. Whatever comes: never two that believe to
 * lead. The times are milliseconds. */
enum { N = 2, STEPS = 10000, LATE_MAX = 8 };

struct record {
	bool is_there;
	unsigned version, transitions, duration_s;
	char holder[16];
};

struct request {
	enum lease_act what;
	unsigned version; /* that it replaces */
	char holder[16];
	uint64_t effect_at, answer_at;
	bool is_sent, has_run, is_ok, is_lost;
	struct record answer;
};

struct candidate {
	char identity[16];
	struct lease_self self;
	struct k8s_lease seen[2];
	char version[2][16], holder[2][16];
	unsigned which;
	double speed;
	uint64_t origin, paused_until, rest_until, began_ms;
	struct request req;
};

static struct {
	uint64_t now;
	struct record lease;
	struct candidate c[N];
	struct request late[LATE_MAX]; /* told as failed, not run yet */
	unsigned n_late, n_names, n_led[N], n_handed_over;
	int last_leader;
} world;
static unsigned n_handed_over;

static uint64_t up_to(uint64_t n)
{
	return (uint64_t)rand() % n;
}

static bool one_in(unsigned n)
{
	return up_to(n) == 0;
}

static uint64_t clock_of(const struct candidate *c)
{
	return c->origin + (uint64_t)((double)world.now * c->speed);
}

static void begin(struct candidate *c)
{
	*c = (struct candidate){ .origin = up_to(1000000000),
				 .speed = 0.85 + (double)up_to(301) / 1000 };
	snprintf(c->identity, sizeof(c->identity), "c%u", world.n_names++);
	c->self = (struct lease_self){ .identity = c->identity,
				       .ns = "ns",
				       .name = "d",
				       .terms = lease_usual_terms };
}

/* ---- the API server ---- */

static void run(struct request *q)
{
	struct record *l = &world.lease;
	bool is_create = q->what == LEASE_CREATE;

	q->has_run = true;
	q->is_ok = q->what == LEASE_LOOK ||
		   (is_create ? !l->is_there : l->is_there && l->version == q->version);
	if (q->is_ok && q->what != LEASE_LOOK) {
		l->transitions += strcmp(l->holder, q->holder) != 0;
		l->is_there = true;
		l->version++;
		l->duration_s = 15;
		snprintf(l->holder, sizeof(l->holder), "%s", q->holder);
	}
	q->answer = *l;
}

/* ---- a candidate, as the op does it ---- */

static void ask(struct candidate *c, enum lease_act what)
{
	uint64_t delay = one_in(10) ? 6000 : 300;

	c->began_ms = clock_of(c);
	c->req = (struct request){ .what = what,
				   .is_sent = true,
				   .effect_at = world.now + up_to(delay),
				   .is_lost = one_in(12) };
	c->req.answer_at = c->req.effect_at + up_to(delay);
	if (c->req.is_lost)
		c->req.answer_at = world.now + up_to(5000);
	if (c->self.seen)
		c->req.version = (unsigned)atoi(c->self.seen->o.version);
	snprintf(c->req.holder, sizeof(c->req.holder), "%s", c->identity);
}

static const struct k8s_lease *decode(struct candidate *c, const struct record *r)
{
	unsigned i = c->which = !c->which;

	if (!r->is_there)
		return NULL;
	snprintf(c->version[i], sizeof(c->version[i]), "%u", r->version);
	snprintf(c->holder[i], sizeof(c->holder[i]), "%s", r->holder);
	c->seen[i] = (struct k8s_lease){
		.o = { .kind = K8S_LEASE, .uid = "u", .version = c->version[i] },
		.holder = c->holder[i],
		.renew_time = "",
		.duration_s = r->duration_s
	};
	return &c->seen[i];
}

static void rest(struct candidate *c, bool has_failed)
{
	uint32_t ms = lease_rest_ms(&c->self, clock_of(c), has_failed, (uint32_t)rand());

	c->rest_until = clock_of(c) + ms;
}

static void take_answer(struct candidate *c)
{
	struct request q = c->req;
	enum lease_act act;

	c->req.is_sent = false;
	if (q.is_lost || !q.is_ok) {
		if (q.is_lost && !q.has_run && world.n_late < LATE_MAX) {
			q.effect_at = world.now + up_to(60000);
			world.late[world.n_late++] = q;
		}
		if (q.what != LEASE_LOOK)
			lease_doubt(&c->self);
		if (q.is_lost || q.what == LEASE_LOOK)
			rest(c, true);
		else
			ask(c, LEASE_LOOK);
		return;
	}
	if (q.what != LEASE_LOOK) {
		lease_wrote(&c->self, decode(c, &q.answer), c->began_ms, clock_of(c));
		rest(c, false);
		return;
	}
	lease_saw(&c->self, decode(c, &q.answer), clock_of(c));
	act = lease_after_look(&c->self, clock_of(c));
	if (act == LEASE_REST)
		rest(c, false);
	else
		ask(c, act);
}

static void move(struct candidate *c)
{
	if (c->req.is_sent && !c->req.has_run && c->req.effect_at <= world.now &&
	    !c->req.is_lost)
		run(&c->req);
	if (c->paused_until > world.now)
		return;
	if (c->req.is_sent && c->req.answer_at <= world.now &&
	    (c->req.has_run || c->req.is_lost))
		take_answer(c);
	else if (!c->req.is_sent && clock_of(c) >= c->rest_until)
		ask(c, lease_after_rest(&c->self));
}

static void check(unsigned seed, unsigned step)
{
	int leader = -1;

	for (int i = 0; i < N; i++) {
		struct candidate *c = &world.c[i];

		if (!lease_end_ms(&c->self, clock_of(c)))
			continue;
		cr_assert_eq(leader, -1, "two leaders: seed %u, step %u, at %llu ms",
			     seed, step, (unsigned long long)world.now);
		leader = i;
		world.n_led[i]++;
	}
	if (leader >= 0 && world.last_leader >= 0)
		world.n_handed_over += leader != world.last_leader;
	world.last_leader = leader >= 0 ? leader : world.last_leader;
}

static void step(bool may_restart, bool may_delete)
{
	world.now += one_in(50) ? up_to(5000) : up_to(200);
	for (unsigned i = 0; i < world.n_late; i++) {
		if (world.late[i].effect_at > world.now)
			continue;
		run(&world.late[i]);
		world.late[i--] = world.late[--world.n_late];
	}
	for (unsigned k = 0, i = (unsigned)up_to(N); k < N; k++, i = (i + 1) % N)
		move(&world.c[i]);
	if (one_in(300))
		world.c[up_to(N)].paused_until = world.now + up_to(60000);
	if (may_restart && one_in(400))
		begin(&world.c[up_to(N)]);
	if (may_delete && one_in(400) && world.c[0].self.last_ms &&
	    world.c[1].self.last_ms)
		world.lease.is_there = false;
}

static void play(unsigned seed, bool may_restart, bool may_delete)
{
	srand(seed);
	memset(&world, 0, sizeof(world));
	world.last_leader = -1;
	for (int i = 0; i < N; i++)
		begin(&world.c[i]);
	for (unsigned i = 0; i < STEPS; i++) {
		step(may_restart, may_delete);
		check(seed, i);
	}
	cr_assert(world.n_led[0] + world.n_led[1] > STEPS / 4, "seed %u: led %u + %u",
		  seed, world.n_led[0], world.n_led[1]);
	n_handed_over += world.n_handed_over;
}

/* It was no standstill: it went to and fro. */
static void play_all(bool may_restart, bool may_delete)
{
	n_handed_over = 0;
	for (unsigned seed = 1; seed <= 30; seed++)
		play(seed, may_restart, may_delete);
	cr_assert_gt(n_handed_over, 50);
}

Test(lease_model, never_two_leaders)
{
	play_all(false, false);
}

Test(lease_model, never_two_leaders_with_restarts)
{
	play_all(true, false);
}

/* Deleted under candidates that have seen it; none of them is new. */
Test(lease_model, never_two_leaders_with_a_lease_that_is_deleted)
{
	play_all(false, true);
}
