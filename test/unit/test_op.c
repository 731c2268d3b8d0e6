#include "support/t.h"

#include <signal.h>
#include <string.h>

#include "core/op.h"

/* An op with a handle, a timer and perhaps a child, each of which must be given back. */
struct pair {
	struct op op;
	struct pair *child; /* started when not NULL; its parent is at it */
	struct op *parent;
	uv_async_t handle;
	struct clock_timer timer;
};

enum { ST_START, ST_WAITING, ST_CHILD, ST_CLOSING, ST_DONE, ST_N };
static const char *const states[ST_N] = { "start", "waiting", "child", "closing",
					  "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_WAITING) | OP_BIT(ST_DONE),
	[ST_WAITING] = OP_BIT(ST_CHILD) | OP_BIT(ST_CLOSING),
	[ST_CHILD] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};
static unsigned n_done, n_began;
static bool is_starting, is_early;

static void on_child(struct op *op)
{
	struct op *parent = CONTAINER_OF(op, struct pair, op)->parent;

	op_fail_err(parent, &op->err);
	op_unref_wake(parent);
}

static void on_timer(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct pair, timer)->op);
}

static const struct op_type pair_type;

static void begin(struct pair *p)
{
	n_began++;
	uv_async_init(p->op.loop, &p->handle, NULL);
	p->handle.data = &p->op;
	op_ref(&p->op);
	clock_timer_start(p->op.loop, &p->timer, 10, on_timer);
	op_move(&p->op, ST_WAITING);
}

static void begin_child(struct pair *p)
{
	op_ref(&p->op);
	p->child->parent = &p->op;
	op_start(&p->child->op, &pair_type, p->op.loop, on_child);
	op_set_deadline(&p->child->op, p->op.deadline_ms);
	op_move(&p->op, ST_CHILD);
}

static void close_pair(struct pair *p)
{
	clock_timer_stop(&p->timer);
	op_move(&p->op, ST_CLOSING);
	op_close_handle(&p->op, (uv_handle_t *)&p->handle);
}

static void step(struct op *op)
{
	struct pair *p = CONTAINER_OF(op, struct pair, op);

	switch (op->state) {
	case ST_START:
		if (op_failed(op))
			op_move(op, ST_DONE);
		else
			begin(p);
		return;
	case ST_WAITING:
		if (p->child && !op_failed(op))
			begin_child(p);
		else
			close_pair(p);
		return;
	case ST_CHILD:
		close_pair(p);
		return;
	case ST_CLOSING:
		op_move(op, ST_DONE);
		return;
	}
}

static void interrupt(struct op *op)
{
	struct pair *p = CONTAINER_OF(op, struct pair, op);

	if (op->state == ST_WAITING)
		clock_timer_start(op->loop, &p->timer, 0, on_timer);
	else if (op->state == ST_CHILD)
		op_cancel(&p->child->op, op->err.code);
}

static const struct op_type pair_type = { .name = "pair",
					  .states = states,
					  .next = next,
					  .n_states = ST_N,
					  .step = step,
					  .interrupt = interrupt };

static void on_done(struct op *op)
{
	(void)op;
	is_early |= is_starting;
	n_done++;
}

static void start(struct pair *p, struct t_loop *l)
{
	n_done = n_began = 0;
	is_starting = true;
	op_start(&p->op, &pair_type, &l->uv, on_done);
	is_starting = false;
}

Test(op, done_comes_once_from_the_loop)
{
	struct t_loop l;
	struct pair child = { .child = NULL }, p = { .child = &child };

	t_loop_open(&l);
	start(&p, &l);
	cr_assert_eq(n_done, 0);
	t_run_until(&l, n_done == 1);
	cr_assert(!is_early && !op_failed(&p.op) && op_is_done(&p.op));
	cr_assert_eq(n_began, 2);
	t_loop_close(&l);
	cr_assert_eq(n_done, 1);
	cr_assert_eq(mem_live(), 0);
}

Test(op, cancel_after_n_turns_ends_it_once_and_leaves_nothing)
{
	unsigned n_in_time = 0;

	for (int turns = 0; turns < 30; turns++) {
		struct t_loop l;
		struct pair child = { .child = NULL }, p = { .child = &child };

		t_loop_open(&l);
		clock_hold(&l.uv);
		start(&p, &l);
		for (int i = 0; i < turns; i++) {
			(void)uv_run(&l.uv, UV_RUN_NOWAIT);
			if (i % 3 == 2)
				clock_advance(&l.uv, 10);
		}
		op_cancel(&p.op, ERR_CANCELLED);
		op_cancel(&p.op, ERR_DEADLINE);
		if (turns == 0)
			cr_assert_eq(n_began, 0);
		t_run_until(&l, (clock_advance(&l.uv, 0), n_done == 1));
		cr_assert(p.op.err.code == ERR_CANCELLED || p.op.err.code == ERR_OK);
		n_in_time += p.op.err.code == ERR_CANCELLED;
		t_loop_close(&l);
		cr_assert_eq(n_done, 1);
		cr_assert_eq(mem_live(), 0);
	}
	cr_assert(n_in_time > 3 && n_in_time < 30, "%u", n_in_time);
}

Test(op, a_cancelled_op_does_not_start_its_work)
{
	struct t_loop l;
	struct pair p = { .child = NULL };

	t_loop_open(&l);
	start(&p, &l);
	op_cancel(&p.op, ERR_CANCELLED);
	t_run_until(&l, n_done == 1);
	cr_assert_eq(n_began, 0);
	cr_assert_str_eq(p.op.err.msg, "pair: cancelled while start");
	t_loop_close(&l);
}

Test(op, the_earlier_deadline_wins_and_reaches_the_child)
{
	struct t_loop l;
	struct pair child = { .child = NULL }, p = { .child = &child };
	uint64_t now;

	t_loop_open(&l);
	clock_hold(&l.uv);
	now = clock_now_ms(&l.uv);
	start(&p, &l);
	op_set_deadline(&p.op, now + 15);
	op_set_deadline(&p.op, now + 5000);
	op_set_deadline(&p.op, 0);
	cr_assert_eq(p.op.deadline_ms, now + 15);
	t_run_until(&l, n_began == 1);
	clock_advance(&l.uv, 10);
	t_run_until(&l, n_began == 2);
	clock_advance(&l.uv, 4);
	for (int i = 0; i < 20; i++)
		(void)uv_run(&l.uv, UV_RUN_NOWAIT);
	cr_assert_eq(n_done, 0);
	clock_advance(&l.uv, 1);
	t_run_until(&l, (clock_advance(&l.uv, 0), n_done == 1));
	cr_assert_eq(p.op.err.code, ERR_DEADLINE);
	cr_assert_eq(child.op.err.code, ERR_DEADLINE);
	t_loop_close(&l);
}

Test(op, the_first_error_wins)
{
	struct op op = { .type = &pair_type };
	struct err none = { .code = ERR_OK }, late = { .code = ERR_INTERNAL };

	op_fail_err(&op, &none);
	cr_assert(!op_failed(&op));
	op_fail(&op, ERR_NOT_FOUND, "no %s", "disk");
	op_fail(&op, ERR_INTERNAL, "later");
	op_fail_err(&op, &late);
	cr_assert_eq(op.err.code, ERR_NOT_FOUND);
	cr_assert_str_eq(op.err.msg, "no disk");
}

Test(op, a_move_outside_the_table_ends_the_process, .signal = SIGABRT)
{
	struct op op = { .type = &pair_type };

	op_move(&op, ST_CLOSING);
}

Test(op, dropping_a_reference_too_many_ends_the_process, .signal = SIGABRT)
{
	struct op op = { .type = &pair_type };

	op_unref_wake(&op);
}

static char trail[256];

static void trace(const struct op *op, unsigned from, unsigned to)
{
	size_t n = strlen(trail);

	snprintf(trail + n, sizeof(trail) - n, "%s>%s ", op->type->states[from],
		 op->type->states[to]);
}

Test(op, every_move_is_traced)
{
	struct t_loop l;
	struct pair p = { .child = NULL };

	t_loop_open(&l);
	op_trace = trace;
	start(&p, &l);
	t_run_until(&l, n_done == 1);
	op_trace = NULL;
	cr_assert_str_eq(trail,
			 "start>start start>waiting waiting>closing closing>done ");
	t_loop_close(&l);
}
