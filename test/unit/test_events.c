#include "support/t.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "fakes/fake_k8s.h"
#include "k8s/events.h"

struct setup {
	struct t_loop l;
	struct fake_k8s k8s;
	struct events e;
	unsigned n_done, n_posted;
	struct fake_k8s_fault fault; /* of every request of this kind and verb */
	enum k8s_kind kind;
	enum k8s_verb verb;
};

static struct setup *current;

static void on_done(struct op *op)
{
	(void)op;
	current->n_done++;
}

static void on_posted(const char *reason)
{
	(void)reason;
	current->n_posted++;
}

static struct fake_k8s_fault choose(struct fake_k8s *f, const struct k8s_request *r)
{
	struct setup *s = f->arg;

	if (r->kind != s->kind || r->verb != s->verb)
		return (struct fake_k8s_fault){ .what = FAKE_K8S_FINE };
	return s->fault;
}

static void open_setup(struct setup *s)
{
	struct k8s_pvc claim = {
		.o = { .kind = K8S_PVC, .ns = "ns", .name = "c", .uid = "uid-c" }
	};

	memset(s, 0, sizeof(*s));
	current = s;
	t_loop_open(&s->l);
	clock_hold(&s->l.uv);
	fake_k8s_open(&s->k8s, &s->l.uv, "d.example");
	s->k8s.choose = choose;
	s->k8s.arg = s;
	fake_k8s_put(&s->k8s, &claim.o);
	s->e.conf = (struct events_conf){ .k8s = &s->k8s.k8s,
					  .source = { "rds-csi-controller", "pod-1" },
					  .posted = on_posted };
	events_start(&s->e, on_done);
}

static void close_setup(struct setup *s)
{
	fake_k8s_close(&s->k8s);
	t_loop_close(&s->l);
	cr_assert_eq(mem_live(), 0);
}

static void pass(struct setup *s, uint64_t ms)
{
	clock_advance(&s->l.uv, 0); /* what was emitted begins */
	for (uint64_t end = clock_now_ms(&s->l.uv) + ms;;) {
		for (int i = 0; i < 16; i++)
			(void)uv_run(&s->l.uv, UV_RUN_NOWAIT);
		if (clock_now_ms(&s->l.uv) >= end)
			return;
		clock_advance(&s->l.uv, ms < 100 ? ms : 100);
	}
}

static void stop(struct setup *s)
{
	events_stop(&s->e);
	clock_advance(&s->l.uv, 0);
	t_run_until(&s->l, s->n_done == 1);
}

static void emit(struct setup *s, const char *claim, const char *uid, const char *message)
{
	struct k8s_event e = { .ns = "ns",
			       .claim = claim,
			       .uid = uid,
			       .reason = "VolumeAttached",
			       .message = message };

	events_emit(&s->e, &e);
}

static const struct fake_k8s_request *last_of(struct setup *s, enum k8s_verb verb)
{
	for (unsigned i = s->k8s.n_requests; i-- > 0;)
		if (s->k8s.requests[i].verb == verb)
			return &s->k8s.requests[i];
	cr_assert_fail("no such request");
	return NULL;
}

Test(events, are_posted_and_counted)
{
	static struct setup s;
	const struct fake_k8s_request *r;

	open_setup(&s);
	emit(&s, "c", "", "m"); /* before the first turn: it waits */
	pass(&s, 0);
	cr_assert_eq(s.n_posted, 1);
	r = last_of(&s, K8S_CREATE);
	cr_assert_str_eq(r->ns, "ns");
	cr_assert_not_null(strstr(r->body, "\"uid\":\"uid-c\""), "%s", r->body);
	for (int i = 0; i < 3; i++)
		emit(&s, "c", "", "m");
	pass(&s, 0);
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_CREATE, K8S_EVENT), 1);
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_PATCH, K8S_EVENT), 1);
	cr_assert_not_null(strstr(last_of(&s, K8S_PATCH)->body, "\"count\":4,"));
	/* The uid is known: nothing is looked up. */
	emit(&s, "other", "uid-o", "m");
	pass(&s, 0);
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_GET, K8S_PVC), 1);
	cr_assert_eq(s.n_posted, 3);
	stop(&s);
	close_setup(&s);
}

/* In each way, and never more than a line in the log; the next one is posted. */
Test(events, an_api_server_that_misbehaves)
{
	static const enum err_code codes[] = { ERR_UNAVAILABLE, ERR_PERMISSION,
					       ERR_NOT_FOUND, ERR_INVALID };
	static const struct {
		enum k8s_kind kind;
		enum k8s_verb verb;
	} at[] = { { K8S_PVC, K8S_GET }, { K8S_EVENT, K8S_CREATE } };
	static struct setup s;

	for (unsigned i = 0; i < 2 * 4 * 3; i++) {
		open_setup(&s);
		s.kind = at[i % 2].kind;
		s.verb = at[i % 2].verb;
		s.fault.what = FAKE_K8S_REFUSE + i / 2 % 3;
		s.fault.code = codes[i / 6];
		emit(&s, "c", "", "m");
		pass(&s, 6000);
		cr_assert_eq(s.e.n_failed, 1, "case %u", i);
		cr_assert_eq(s.n_posted, 0);
		s.fault.what = FAKE_K8S_FINE;
		emit(&s, "c", "", "m");
		pass(&s, 100);
		cr_assert_eq(s.n_posted, 1, "case %u", i);
		stop(&s);
		close_setup(&s);
	}
}

/* A patch of an Event that has gone makes a new one; one that fails otherwise is told by
 * the next. */
Test(events, patches_that_fail)
{
	static struct setup s;

	open_setup(&s);
	emit(&s, "c", "u", "m");
	pass(&s, 0);
	s.kind = K8S_EVENT;
	s.verb = K8S_PATCH;
	s.fault = (struct fake_k8s_fault){ FAKE_K8S_REFUSE, ERR_NOT_FOUND };
	emit(&s, "c", "u", "m");
	pass(&s, 0);
	cr_assert_eq(s.n_posted, 2);
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_CREATE, K8S_EVENT), 2);
	cr_assert_not_null(strstr(last_of(&s, K8S_CREATE)->body, "\"count\":2,"));
	s.fault = (struct fake_k8s_fault){ FAKE_K8S_REFUSE, ERR_UNAVAILABLE };
	emit(&s, "c", "u", "m");
	pass(&s, 0);
	cr_assert_eq(s.e.n_failed, 1);
	s.fault.what = FAKE_K8S_FINE;
	emit(&s, "c", "u", "m");
	pass(&s, 0);
	cr_assert_eq(s.n_posted, 3);
	cr_assert_not_null(strstr(last_of(&s, K8S_PATCH)->body, "\"count\":4,"));
	stop(&s);
	close_setup(&s);
}

/* Requests that never come back hold the queue, not those who emit; it is bounded. */
Test(events, an_api_server_that_never_answers)
{
	static struct setup s;
	char claim[32];

	open_setup(&s);
	s.kind = K8S_EVENT;
	s.verb = K8S_CREATE;
	s.fault.what = FAKE_K8S_HANG;
	for (int i = 0; i < 1000; i++) {
		snprintf(claim, sizeof(claim), "c%d", i);
		emit(&s, claim, "u", "m");
	}
	pass(&s, 21000);
	cr_assert_eq(s.e.n_failed, 4);
	cr_assert_eq(s.e.book.n_dropped, 1000 - EVENT_WAITING_MAX);
	stop(&s);
	cr_assert_eq(s.n_posted, 0);
	emit(&s, "late", "u", "m");
	close_setup(&s);
}

Test(events, all_together_have_a_rate)
{
	static struct setup s;
	char claim[32];
	unsigned n;

	open_setup(&s);
	for (int i = 0; i < 200; i++) {
		snprintf(claim, sizeof(claim), "c%d", i);
		emit(&s, claim, "u", "m");
	}
	for (n = 0; n < 200; n++)
		pass(&s, 0);
	cr_assert_eq(s.n_posted, event_rate_all.burst);
	pass(&s, 1000);
	cr_assert_eq(s.n_posted, event_rate_all.burst + 10);
	pass(&s, 10000);
	cr_assert_eq(s.n_posted, 200);
	stop(&s);
	close_setup(&s);
}

Test(events, stopped_after_any_number_of_turns)
{
	static struct setup s;

	for (int n = 0; n < 40; n++) {
		open_setup(&s);
		for (int i = 0; i < n; i++) {
			if (i % 3 == 1)
				emit(&s, i % 2 ? "c" : "gone", i % 4 ? "" : "u", "m");
			(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
			clock_advance(&s.l.uv, 1);
		}
		stop(&s);
		close_setup(&s);
	}
}

static void post_some(void)
{
	static struct setup s;

	open_setup(&s);
	emit(&s, "c", "", "m");
	pass(&s, 0);
	emit(&s, "c", "", "m");
	emit(&s, "c", "u", "m2");
	pass(&s, 0);
	/* The one that met the failure may be lost, nothing else. */
	cr_assert_geq(s.n_posted, 2);
	stop(&s);
	close_setup(&s);
}

Test(events, every_allocation_fails)
{
	T_EACH_ALLOC_FAILS(post_some());
}
