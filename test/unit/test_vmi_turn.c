#include "support/t.h"

#include <stdio.h>
#include <string.h>

#include "csi/controller/vmi_turn.h"
#include "fakes/fake_k8s.h"

/* Calls that take their turn, work until they are told to end, and leave. */
enum { ST_START, ST_ENTERING, ST_WORKING, ST_DONE, ST_N };
static const char *const names[ST_N] = { "start", "entering", "working", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ENTERING) | OP_BIT(ST_DONE),
	[ST_ENTERING] = OP_BIT(ST_WORKING) | OP_BIT(ST_DONE),
	[ST_WORKING] = OP_BIT(ST_DONE),
};

struct call {
	struct op op;
	struct vmi_turn turn;
	bool may_end, is_done;
};

struct setup {
	struct t_loop l;
	struct fake_k8s k8s;
	struct vmi vmi;
	struct call calls[8];
	struct fake_k8s_fault fault; /* of LIST, or of GET when is_get */
	bool is_get;
};

static struct setup *current;

static void step(struct op *op)
{
	struct call *c = CONTAINER_OF(op, struct call, op);

	if (op->state == ST_START && !op_failed(op)) {
		op_move(op, ST_ENTERING);
		vmi_turn_enter(&c->turn, &current->vmi, op);
		return;
	}
	if (op->state == ST_ENTERING) {
		op_fail_err(op, &c->turn.op.err);
		if (!op_failed(&c->turn.op))
			op_move(op, ST_WORKING);
	}
	if (!op_failed(op) && !c->may_end)
		return;
	if (op->state == ST_WORKING)
		vmi_turn_leave(&c->turn);
	op_move(op, ST_DONE);
}

static void interrupt(struct op *op)
{
	if (op->state == ST_ENTERING)
		vmi_turn_cancel(&CONTAINER_OF(op, struct call, op)->turn);
	else
		op_wake(op);
}

static const struct op_type type = { "call", names, next, ST_N, step, interrupt };

static void on_done(struct op *op)
{
	CONTAINER_OF(op, struct call, op)->is_done = true;
}

static struct fake_k8s_fault choose(struct fake_k8s *f, const struct k8s_request *r)
{
	struct setup *s = f->arg;

	if (r->verb == (s->is_get ? K8S_GET : K8S_LIST))
		return s->fault;
	return (struct fake_k8s_fault){ .what = FAKE_K8S_FINE };
}

/* Volumes pvc-1 … pvc-3 and pvc-x: of vm-1 by its launcher; of vm-1 by hot-plug; of vm-2;
 * of an ordinary pod. PVs bear other names than the volumes. */
static void open_setup(struct setup *s)
{
	struct k8s_pod plug = {
		.o = { .kind = K8S_POD, .ns = "default", .name = "hp-volume-1" },
		.node = "node-a",
		.phase = "Running",
		.owner_pod = "launcher-1",
		.n_claims = 1,
		.claims = "claim-pv-2"
	};

	memset(s, 0, sizeof(*s));
	current = s;
	t_loop_open(&s->l);
	clock_hold(&s->l.uv);
	fake_k8s_open(&s->k8s, &s->l.uv, "d.example");
	s->k8s.choose = choose;
	s->k8s.arg = s;
	vmi_init(&s->vmi, &s->k8s.k8s, 60000);
	fake_k8s_pv(&s->k8s, "pv-1", "pvc-1");
	fake_k8s_pv(&s->k8s, "pv-2", "pvc-2");
	fake_k8s_pv(&s->k8s, "pv-3", "pvc-3");
	fake_k8s_pv(&s->k8s, "pvc-x", "pvc-x");
	fake_k8s_node(&s->k8s, "node-a", true, false, NULL);
	fake_k8s_pod(&s->k8s, "default", "launcher-1", "node-a", "claim-pv-1", "vm-1");
	fake_k8s_put(&s->k8s, &plug.o);
	fake_k8s_pod(&s->k8s, "default", "launcher-2", "node-b", "claim-pv-3", "vm-2");
	fake_k8s_pod(&s->k8s, "default", "web", "node-a", "claim-pvc-x", "");
}

static void close_setup(struct setup *s)
{
	vmi_fini(&s->vmi);
	fake_k8s_close(&s->k8s);
	t_loop_close(&s->l);
	cr_assert_eq(mem_live(), 0);
}

static void pass(struct setup *s, uint64_t ms)
{
	for (int i = 0; i < 60; i++) {
		clock_advance(&s->l.uv, i ? 0 : ms);
		(void)uv_run(&s->l.uv, UV_RUN_NOWAIT);
	}
}

static struct call *begin(struct setup *s, unsigned i, const char *volume,
			  const char *node)
{
	struct call *c = &s->calls[i];

	memset(c, 0, sizeof(*c));
	c->turn.volume = volume;
	c->turn.node = node;
	op_start(&c->op, &type, &s->l.uv, on_done);
	op_set_deadline(&c->op, clock_now_ms(&s->l.uv) + 600000);
	return c;
}

static bool is_working(const struct call *c)
{
	return c->op.state == ST_WORKING;
}

static void end(struct setup *s, struct call *c)
{
	pass(s, 0);
	cr_assert(is_working(c));
	c->may_end = true;
	op_wake(&c->op);
	pass(s, 0);
	cr_assert(c->is_done);
}

Test(vmi_turn, one_machine_s_volumes_go_one_after_the_other)
{
	static struct setup s;
	struct call *a, *b, *c, *other, *plain, *unknown;

	open_setup(&s);
	a = begin(&s, 0, "pvc-1", "node-a");
	pass(&s, 0);
	b = begin(&s, 1, "pvc-2", "node-a");
	pass(&s, 0);
	c = begin(&s, 2, "pvc-1", "");
	other = begin(&s, 3, "pvc-3", NULL);
	plain = begin(&s, 4, "pvc-x", "node-a");
	unknown = begin(&s, 5, "pvc-none", "node-a");
	pass(&s, 0);
	cr_assert_str_eq(a->turn.key, "default/vm-1");
	cr_assert_str_eq(b->turn.key, "default/vm-1");
	cr_assert(is_working(a) && !is_working(b) && !is_working(c));
	cr_assert(is_working(other) && is_working(plain) && is_working(unknown));
	cr_assert_eq(s.vmi.n_without, 2);
	end(&s, a);
	cr_assert(is_working(b) && !is_working(c));
	end(&s, b);
	cr_assert(is_working(c));
	end(&s, c);
	end(&s, other);
	end(&s, plain);
	end(&s, unknown);
	cr_assert_eq(s.vmi.n_queued, 0);
	close_setup(&s);
}

Test(vmi_turn, what_was_found_out_is_not_asked_again_within_the_ttl)
{
	static struct setup s;

	open_setup(&s);
	for (unsigned i = 0; i < 3; i++) {
		end(&s, begin(&s, 0, "pvc-1", "node-a"));
		end(&s, begin(&s, 1, "pvc-x", "node-a"));
		cr_assert_eq(fake_k8s_count(&s.k8s, K8S_LIST, K8S_POD), 2);
	}
	pass(&s, 60000);
	end(&s, begin(&s, 0, "pvc-1", "node-a"));
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_LIST, K8S_POD), 3);
	/* Only what runs on the node was listed; without a node that is known, all. */
	cr_assert_str_eq(s.k8s.requests[0].query, "fieldSelector=spec.nodeName%3Dnode-a");
	end(&s, begin(&s, 0, "pvc-3", "node-z"));
	cr_assert_str_eq(s.k8s.requests[3].query, "");
	close_setup(&s);
}

/* An unpublish comes when the pods have gone. */
Test(vmi_turn, a_machine_that_is_gone_is_remembered)
{
	static struct setup s;
	struct call *c;

	open_setup(&s);
	end(&s, begin(&s, 0, "pvc-2", "node-a"));
	fake_k8s_remove(&s.k8s, K8S_POD, "default", "hp-volume-1");
	pass(&s, 3600000);
	c = begin(&s, 0, "pvc-2", "");
	pass(&s, 0);
	cr_assert_str_eq(c->turn.key, "default/vm-1");
	cr_assert_eq(fake_k8s_count(&s.k8s, K8S_LIST, K8S_POD), 2);
	end(&s, c);
	/* But an ordinary pod on the claim says that it is no machine's any more. */
	fake_k8s_pod(&s.k8s, "default", "new", "node-a", "claim-pv-2", "");
	pass(&s, 3600000);
	c = begin(&s, 0, "pvc-2", "");
	pass(&s, 0);
	cr_assert_str_eq(c->turn.key, "");
	end(&s, c);
	close_setup(&s);
}

/* Whatever goes wrong: no turn, no error, no longer than 10 s. */
Test(vmi_turn, an_api_server_that_misbehaves)
{
	static const enum err_code codes[] = { ERR_UNAVAILABLE, ERR_PERMISSION,
					       ERR_NOT_FOUND };
	static struct setup s;

	for (unsigned i = 0; i < 2 * 3 * 3; i++) {
		struct call *c;

		open_setup(&s);
		s.is_get = i % 2;
		s.fault.what = FAKE_K8S_REFUSE + i / 2 % 3;
		s.fault.code = codes[i / 6];
		c = begin(&s, 0, "pvc-2", "node-a");
		pass(&s, 0);
		pass(&s, 9999);
		pass(&s, 1);
		cr_assert(is_working(c), "case %u", i);
		cr_assert_null(c->turn.place.queue);
		/* An answer is soon asked for again. */
		s.fault.what = FAKE_K8S_FINE;
		end(&s, c);
		pass(&s, 10000);
		c = begin(&s, 0, "pvc-2", "node-a");
		pass(&s, 0);
		cr_assert_str_eq(c->turn.key, "default/vm-1", "case %u", i);
		end(&s, c);
		close_setup(&s);
	}
}

/* One works on for ever: those behind it end with their deadlines, each in time, and the
 * other machine's never notice. */
Test(vmi_turn, a_stuck_one_holds_its_own_machine_alone)
{
	static struct setup s;
	struct call *stuck, *b, *c;

	open_setup(&s);
	stuck = begin(&s, 0, "pvc-1", "node-a");
	pass(&s, 0);
	b = begin(&s, 1, "pvc-2", "node-a");
	op_set_deadline(&b->op, clock_now_ms(&s.l.uv) + 15000);
	pass(&s, 0);
	c = begin(&s, 2, "pvc-1", "node-a");
	for (int i = 0; i < 3; i++)
		end(&s, begin(&s, 3, "pvc-3", "node-b"));
	pass(&s, 15000);
	cr_assert(b->is_done);
	cr_assert_eq(b->op.err.code, ERR_DEADLINE);
	cr_assert(is_working(stuck) && c->op.state == ST_ENTERING);
	end(&s, stuck);
	cr_assert(is_working(c));
	end(&s, c);
	close_setup(&s);
}

Test(vmi_turn, a_whole_queue_is_cancelled_at_once)
{
	static struct setup s;

	open_setup(&s);
	for (unsigned i = 0; i < 8; i++)
		begin(&s, i, i % 2 ? "pvc-1" : "pvc-2", "node-a");
	pass(&s, 0);
	for (unsigned i = 8; i-- > 0;)
		op_cancel(&s.calls[i].op, ERR_CANCELLED);
	pass(&s, 0);
	for (unsigned i = 0; i < 8; i++)
		cr_assert(s.calls[i].is_done);
	cr_assert_eq(s.vmi.n_queued, 0);
	close_setup(&s);
}

Test(vmi_turn, cancelled_after_any_number_of_turns)
{
	static struct setup s;

	for (int n = 0; n < 24; n++) {
		open_setup(&s);
		begin(&s, 0, "pvc-2", "node-a");
		begin(&s, 1, "pvc-2", "node-a");
		for (int i = 0; i < n; i++)
			(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
		op_cancel(&s.calls[0].op, ERR_CANCELLED);
		pass(&s, 0);
		cr_assert(s.calls[0].is_done);
		cr_assert_eq(s.calls[0].op.err.code, ERR_CANCELLED);
		cr_assert(is_working(&s.calls[1]), "after %d turns", n);
		end(&s, &s.calls[1]);
		close_setup(&s);
	}
}

static void two_calls(void)
{
	static struct setup s;

	open_setup(&s);
	begin(&s, 0, "pvc-2", "node-a");
	begin(&s, 1, "pvc-1", "node-a");
	pass(&s, 0);
	/* pvc-1 is found sooner. */
	end(&s, &s.calls[is_working(&s.calls[1])]);
	end(&s, &s.calls[s.calls[0].is_done]);
	cr_assert(!op_failed(&s.calls[0].op) && !op_failed(&s.calls[1].op));
	close_setup(&s);
}

Test(vmi_turn, every_allocation_fails)
{
	T_EACH_ALLOC_FAILS(two_calls());
}
