#include "rds/poll.h"

#include "core/log.h"
#include "metrics/registry.h"
#include "rds/pool.h"

/*   start ─► asking ─► resting ─► asking …      all but start ─► done, by a cancel alone
 *
 * A round that fails (the box is away, too much else waits, an answer cut short) leaves
 * what was read before as it is, until that is too old. What the box could not tell in an
 * else good answer is unknown from then on. */
enum { ST_START, ST_ASKING, ST_RESTING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "asking", "resting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_RESTING) | OP_BIT(ST_DONE),
	[ST_RESTING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
};

static void on_sent(struct pool_item *it)
{
	(void)it;
}

static void on_event(struct pool_item *it, const struct ros_event *ev)
{
	figures_note(&CONTAINER_OF(it, struct poll, item)->seen, ev);
}

static void on_ended(struct pool_item *it, const struct err *err, bool is_sent)
{
	struct poll *p = CONTAINER_OF(it, struct poll, item);

	(void)is_sent;
	clock_timer_stop(&p->timer);
	p->end = *err;
	op_unref_wake(&p->op);
}

static const struct pool_item_ops item_ops = {
	.sent = on_sent,
	.event = on_event,
	.ended = on_ended,
};

/* Too much else goes before it: this round is left out. One that runs has a deadline of
 * its own, which ends the session too. */
static void on_patience(struct clock_timer *t)
{
	struct poll *p = CONTAINER_OF(t, struct poll, timer);

	if (p->item.batch) {
		clock_timer_start(p->op.loop, t, POLL_QUEUE_MS, on_patience);
		return;
	}
	pool_forget(p->pool, &p->item);
	(void)err_set(&p->end, ERR_DEADLINE, "other requests went before it");
	op_unref_wake(&p->op);
}

static void on_rested(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct poll, timer)->op);
}

static void do_ask(struct poll *p)
{
	uv_loop_t *loop = p->op.loop;

	if (p->begins)
		p->begins(p);
	figures_init(&p->seen);
	p->item = (struct pool_item){
		.lane = { .lane = LANE_IDLE },
		.ops = &item_ops,
		.step = ROS_FIGURES,
		.deadline_ms = clock_now_ms(loop) + POLL_EXEC_MS,
	};
	op_move(&p->op, ST_ASKING);
	op_ref(&p->op);
	clock_timer_start(loop, &p->timer, POLL_QUEUE_MS, on_patience);
	pool_submit(p->pool, &p->item);
}

/* A version of RouterOS that does not know the last statements breaks off there, after it
 * has told of the disks. A box whose pool is gone still has drives and sensors to tell
 * of, and never more reason to. */
static bool is_good(const struct poll *p)
{
	return p->end.code == ERR_OK ||
	       (p->end.code == ERR_PRECONDITION && p->seen.n_disks);
}

static void note_round(struct poll *p)
{
	bool has_failed = !is_good(p);

	metric_count(METRIC_POLLS, has_failed ? METRIC_FAILURE : METRIC_SUCCESS, 0);
	if (!has_failed) {
		p->last = p->seen;
		p->last_ms = clock_now_ms(p->op.loop);
		p->last_wall_us = clock_wall_us();
	}
	if (has_failed && !p->has_failed)
		log_warn("rds", "the box's figures cannot be read",
			 KS("error", p->end.msg));
	else if (!has_failed && p->has_failed)
		log_info("rds", "the box's figures can be read again");
	p->has_failed = has_failed;
}

static void do_rest(struct poll *p)
{
	note_round(p);
	op_move(&p->op, ST_RESTING);
	clock_timer_start(p->op.loop, &p->timer, p->interval_ms, on_rested);
}

static void step(struct op *op)
{
	struct poll *p = CONTAINER_OF(op, struct poll, op);

	if (op_failed(op)) {
		op_move(op, ST_DONE);
	} else if (op->state == ST_ASKING) {
		if (!op->refs)
			do_rest(p);
	} else if (!clock_timer_is_running(&p->timer)) {
		do_ask(p);
	}
}

static void interrupt(struct op *op)
{
	struct poll *p = CONTAINER_OF(op, struct poll, op);

	clock_timer_stop(&p->timer);
	if (op->state == ST_ASKING && op->refs) {
		pool_forget(p->pool, &p->item);
		op_unref_wake(op);
	} else {
		op_wake(op);
	}
}

static const struct op_type poll_type = {
	.name = "poll",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void poll_start(struct poll *p, uv_loop_t *loop, void (*done)(struct op *op))
{
	p->timer = (struct clock_timer){ .due_ms = 0 };
	p->last_ms = p->last_wall_us = 0;
	p->has_failed = false;
	op_start(&p->op, &poll_type, loop, done);
}

const struct figures *poll_figures(const struct poll *p)
{
	uint64_t age_ms = p->last_ms ? clock_now_ms(p->op.loop) - p->last_ms : UINT64_MAX;

	return age_ms <= POLL_KEEP * p->interval_ms ? &p->last : NULL;
}
