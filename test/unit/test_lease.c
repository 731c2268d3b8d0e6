#include "support/t.h"

#include <string.h>

#include "fakes/fake_k8s.h"
#include "k8s/lease.h"

/* One or two candidates on one loop, over the fake API server, by a held clock. */
struct setup {
	struct t_loop l;
	struct fake_k8s k8s;
	struct lease a, b;
	unsigned n_done, n_changed;
	const struct lease *cut;     /* whose requests … */
	struct fake_k8s_fault fault; /* … meet this */
	enum k8s_verb verb;	     /* and only of this verb, unless is_any */
	bool is_any;
	unsigned n_faults; /* still to come */
};

static struct setup *current;

static void on_done(struct op *op)
{
	(void)op;
	current->n_done++;
}

static void on_changed(struct lease *l, bool is_leader)
{
	cr_assert_eq(is_leader, lease_is_leader(l));
	cr_assert_eq(l->n_gained - l->n_lost, is_leader ? 1 : 0);
	current->n_changed++;
}

static struct fake_k8s_fault choose(struct fake_k8s *f, const struct k8s_request *r)
{
	struct setup *s = f->arg;

	if (!s->cut || r != &s->cut->req || !s->n_faults ||
	    (!s->is_any && r->verb != s->verb))
		return (struct fake_k8s_fault){ .what = FAKE_K8S_FINE };
	s->n_faults--;
	return s->fault;
}

static void begin(struct setup *s, struct lease *l, const char *identity)
{
	memset(l, 0, sizeof(*l));
	l->conf = (struct lease_conf){ .k8s = &s->k8s.k8s,
				       .ns = "ns",
				       .name = "d-controller",
				       .identity = identity,
				       .terms = lease_usual_terms,
				       .changed = on_changed };
	lease_start(l, on_done);
}

static void open_setup(struct setup *s)
{
	memset(s, 0, sizeof(*s));
	current = s;
	t_loop_open(&s->l);
	clock_hold(&s->l.uv);
	fake_k8s_open(&s->k8s, &s->l.uv, "d.example");
	s->k8s.choose = choose;
	s->k8s.arg = s;
}

static void close_setup(struct setup *s)
{
	fake_k8s_close(&s->k8s);
	t_loop_close(&s->l);
	cr_assert_eq(mem_live(), 0);
}

static void turn(struct setup *s)
{
	for (int i = 0; i < 12; i++)
		(void)uv_run(&s->l.uv, UV_RUN_NOWAIT);
}

static void pass(struct setup *s, uint64_t ms)
{
	for (; ms; ms -= ms < 100 ? ms : 100) {
		turn(s);
		clock_advance(&s->l.uv, ms < 100 ? ms : 100);
	}
	turn(s);
}

static void stop(struct setup *s, struct lease *l)
{
	unsigned n = s->n_done;

	lease_stop(l);
	cr_assert(!lease_is_leader(l));
	for (int i = 0; i < 30 && s->n_done == n; i++)
		pass(s, 100);
	cr_assert_eq(s->n_done, n + 1);
	cr_assert_eq(l->n_gained, l->n_lost);
}

static const struct k8s_lease *record(struct setup *s)
{
	const struct k8s_object *o =
		fake_k8s_find(&s->k8s, K8S_LEASE, "ns", "d-controller");

	return o ? K8S_LEASE_OF(o) : NULL;
}

Test(lease, is_made_renewed_and_given_back)
{
	static struct setup s;

	open_setup(&s);
	begin(&s, &s.a, "a");
	cr_assert(!lease_is_leader(&s.a));
	turn(&s);
	cr_assert(lease_is_leader(&s.a) && s.n_changed == 1);
	cr_assert_str_eq(record(&s)->holder, "a");
	cr_assert_eq(record(&s)->duration_s, 17);
	pass(&s, 60000);
	cr_assert(lease_is_leader(&s.a) && s.n_changed == 1);
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_GET, K8S_LEASE), 1);
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_CREATE, K8S_LEASE), 1);
	/* One in 7 s, no more. */
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_UPDATE, K8S_LEASE), 8);
	stop(&s, &s.a);
	cr_assert_str_eq(record(&s)->holder, "");
	cr_assert_eq(record(&s)->duration_s, 1);
	cr_assert_eq(s.n_changed, 2);
	close_setup(&s);
}

Test(lease, the_next_takes_over_at_once_what_was_given_back)
{
	static struct setup s;

	open_setup(&s);
	begin(&s, &s.a, "a");
	turn(&s);
	begin(&s, &s.b, "b");
	pass(&s, 60000);
	cr_assert(lease_is_leader(&s.a) && !lease_is_leader(&s.b));
	stop(&s, &s.a);
	pass(&s, 2500);
	cr_assert(lease_is_leader(&s.b));
	cr_assert_eq(s.b.transitions, 1);
	cr_assert_str_eq(record(&s)->holder, "b");
	stop(&s, &s.b);
	close_setup(&s);
}

/* The old leader hears nothing of the API server any more: its term ends long before the
 * other takes over, and that is within 20 s. */
Test(lease, a_silent_leader_is_replaced)
{
	static struct setup s;
	uint64_t since, end = 0;

	open_setup(&s);
	begin(&s, &s.a, "a");
	turn(&s);
	begin(&s, &s.b, "b");
	pass(&s, 30000);
	s.cut = &s.a;
	s.is_any = true;
	s.n_faults = UINT32_MAX;
	s.fault.what = FAKE_K8S_HANG;
	since = clock_now_ms(&s.l.uv);
	while (!lease_is_leader(&s.b)) {
		pass(&s, 100);
		if (lease_is_leader(&s.a))
			end = clock_now_ms(&s.l.uv);
		cr_assert_leq(clock_now_ms(&s.l.uv) - since, 20000);
	}
	cr_assert_leq(end - since, 11000);
	cr_assert_geq(clock_now_ms(&s.l.uv) - end, 5000);
	cr_assert_eq(s.a.n_lost, 1);
	/* It comes back, and sees who leads. */
	s.n_faults = 0;
	pass(&s, 20000);
	cr_assert(!lease_is_leader(&s.a) && lease_is_leader(&s.b));
	stop(&s, &s.a);
	cr_assert_str_eq(record(&s)->holder, "b");
	stop(&s, &s.b);
	close_setup(&s);
}

/* Before anything else has run it knows; then it finds its Lease untouched, or taken. */
Test(lease, a_pause_ends_the_term_at_once)
{
	static struct setup s;

	open_setup(&s);
	begin(&s, &s.a, "a");
	turn(&s);
	clock_pause(&s.l.uv, 10999);
	cr_assert(lease_is_leader(&s.a));
	clock_pause(&s.l.uv, 1);
	cr_assert(!lease_is_leader(&s.a));
	cr_assert_eq(s.n_changed, 1);
	pass(&s, 7000);
	cr_assert(lease_is_leader(&s.a));
	cr_assert(s.n_changed == 3 && s.a.n_lost == 1);
	s.cut = &s.a;
	s.is_any = true;
	s.n_faults = 1;
	s.fault.what = FAKE_K8S_HANG;
	pass(&s, 7000); /* in the middle of a renewal */
	clock_pause(&s.l.uv, 60000);
	cr_assert(!lease_is_leader(&s.a));
	begin(&s, &s.b, "b");
	turn(&s); /* b looks for the first time: it waits all the same */
	cr_assert(!lease_is_leader(&s.b));
	pass(&s, 20000);
	cr_assert(lease_is_leader(&s.a) != lease_is_leader(&s.b));
	stop(&s, &s.a);
	stop(&s, &s.b);
	close_setup(&s);
}

Test(lease, a_deleted_lease_is_made_anew_by_its_holder)
{
	static struct setup s;

	open_setup(&s);
	begin(&s, &s.a, "a");
	turn(&s);
	begin(&s, &s.b, "b");
	pass(&s, 5000);
	fake_k8s_remove(&s.k8s, K8S_LEASE, "ns", "d-controller");
	for (int i = 0; i < 300; i++) {
		pass(&s, 100);
		cr_assert(!lease_is_leader(&s.b));
	}
	cr_assert(lease_is_leader(&s.a));
	stop(&s, &s.a);
	stop(&s, &s.b);
	close_setup(&s);
}

/* Somebody else writes the Lease by force: seen at the next renewal. */
Test(lease, a_lease_taken_by_force_is_lost)
{
	static struct setup s;
	struct k8s_lease l = {
		.o = { .kind = K8S_LEASE, .ns = "ns", .name = "d-controller" },
		.holder = "c",
		.duration_s = 15
	};

	open_setup(&s);
	begin(&s, &s.a, "a");
	pass(&s, 500);
	fake_k8s_put(&s.k8s, &l.o);
	pass(&s, 7000);
	cr_assert(!lease_is_leader(&s.a) && s.a.n_lost == 1);
	pass(&s, 12000);
	cr_assert(!lease_is_leader(&s.a));
	pass(&s, 5000);
	cr_assert(lease_is_leader(&s.a));
	cr_assert_eq(s.a.transitions, 1);
	stop(&s, &s.a);
	close_setup(&s);
}

/* Each request failing in each way, once and for a while, at the start and as leader: it
 * leads in the end, and gives back what it holds. */
static void meet(enum k8s_verb verb, struct fake_k8s_fault fault, unsigned n, bool early)
{
	static struct setup s;

	open_setup(&s);
	s.cut = &s.a;
	s.verb = verb;
	s.fault = fault;
	s.n_faults = early ? n : 0;
	begin(&s, &s.a, "a");
	turn(&s);
	s.n_faults = early ? s.n_faults : n;
	if (!early)
		cr_assert(lease_is_leader(&s.a));
	pass(&s, 40000);
	cr_assert(lease_is_leader(&s.a), "verb %u fault %u code %u x%u early %d", verb,
		  fault.what, fault.code, n, early);
	/* What is renewed in time is never lost. */
	if (!early && n == 1)
		cr_assert_eq(s.a.n_lost, 0, "verb %u fault %u code %u", verb, fault.what,
			     fault.code);
	stop(&s, &s.a);
	cr_assert_str_eq(record(&s)->holder, "");
	close_setup(&s);
}

Test(lease, an_api_server_that_misbehaves)
{
	static const enum k8s_verb verbs[] = { K8S_GET, K8S_CREATE, K8S_UPDATE };
	static const enum err_code codes[] = { ERR_UNAVAILABLE, ERR_ABORTED,
					       ERR_EXISTS,	ERR_PERMISSION,
					       ERR_NOT_FOUND,	ERR_EXHAUSTED };

	for (unsigned v = 0; v < 3; v++)
		for (unsigned i = 0; i < 4 * 6 * 2; i++) {
			struct fake_k8s_fault fault = {
				.what = FAKE_K8S_REFUSE + i / 2 % 3,
				.code = codes[i / 8],
			};

			meet(verbs[v], fault, i % 2 ? 1 : 3, true);
			meet(verbs[v], fault, i % 2 ? 1 : 3, false);
		}
}

/* Stopped while a write is under way that never answers: bounded, and nothing is left. */
Test(lease, a_stop_does_not_wait_for_an_api_server_that_hangs)
{
	static struct setup s;
	uint64_t since;

	open_setup(&s);
	begin(&s, &s.a, "a");
	pass(&s, 1900);
	s.cut = &s.a;
	s.is_any = true;
	s.n_faults = UINT32_MAX;
	s.fault.what = FAKE_K8S_HANG;
	pass(&s, 200);
	cr_assert(lease_is_leader(&s.a));
	since = clock_now_ms(&s.l.uv);
	lease_stop(&s.a);
	cr_assert(!lease_is_leader(&s.a));
	clock_advance(&s.l.uv, 0);
	cr_assert_eq(s.a.n_lost, 1); /* told before the write has ended */
	while (!s.n_done)
		pass(&s, 100);
	cr_assert_leq(clock_now_ms(&s.l.uv) - since, 3300);
	close_setup(&s);
}

Test(lease, stopped_after_any_number_of_turns)
{
	static struct setup s;

	for (int n = 0; n < 60; n++) {
		open_setup(&s);
		begin(&s, &s.a, "a");
		for (int i = 0; i < n; i++) {
			(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
			if (i > 12 && i % 2)
				clock_advance(&s.l.uv, 500);
		}
		stop(&s, &s.a);
		cr_assert_eq(s.n_done, 1);
		if (record(&s))
			cr_assert_str_eq(record(&s)->holder, "", "after %d turns", n);
		close_setup(&s);
	}
}

static void live_and_die(void)
{
	static struct setup s;

	open_setup(&s);
	begin(&s, &s.a, "a");
	pass(&s, 10000);
	cr_assert(lease_is_leader(&s.a));
	stop(&s, &s.a);
	close_setup(&s);
}

Test(lease, every_allocation_fails)
{
	T_EACH_ALLOC_FAILS(live_and_die());
}

Test(lease, identities)
{
	char x[LEASE_IDENTITY_MAX], y[LEASE_IDENTITY_MAX];

	lease_identity("pod-1", x);
	lease_identity("pod-1", y);
	cr_assert_eq(strncmp(x, "pod-1_", 6), 0);
	cr_assert_str_neq(x, y);
}
