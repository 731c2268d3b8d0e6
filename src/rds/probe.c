#include "rds/probe.h"

#include <string.h>

#include "core/log.h"
#include "rds/ros_impl.h"
#include "rds/volume.h"

/* start -> asking -> done; asking fails as the pool does, by deadline or cancel, or when
 * the box lacks what we need. */
enum { ST_START, ST_ASKING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "asking", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_DONE),
};

static struct ros *ros_of(struct probe *p)
{
	return CONTAINER_OF(p, struct ros, probe);
}

static void on_event(struct pool_item *it, const struct ros_event *ev)
{
	features_note(&CONTAINER_OF(it, struct probe, item)->seen, ev);
}

static void on_sent(struct pool_item *it)
{
	(void)it;
}

static void on_ended(struct pool_item *it, const struct err *err, bool is_sent)
{
	struct probe *p = CONTAINER_OF(it, struct probe, item);

	(void)is_sent;
	p->end = *err;
	op_unref_wake(&p->op);
}

static const struct pool_item_ops item_ops = {
	.sent = on_sent,
	.event = on_event,
	.ended = on_ended,
};

static void do_start(struct probe *p)
{
	struct ros *r = ros_of(p);

	op_set_deadline(&p->op, clock_now_ms(r->loop) + PROBE_MS);
	p->item = (struct pool_item){
		.lane = { .lane = LANE_FAST },
		.ops = &item_ops,
		.step = ROS_PROBE,
		.deadline_ms = p->op.deadline_ms,
	};
	op_move(&p->op, ST_ASKING);
	op_ref(&p->op);
	pool_submit(&r->pool, &p->item);
}

/* On a box without the package the script breaks off at the Btrfs menu, after it has
 * told enough to say so. */
static void do_answer(struct probe *p)
{
	struct ros *r = ros_of(p);
	struct rds_features f = r->features;
	struct err err;

	if (p->end.code != ERR_OK &&
	    (p->end.code != ERR_PRECONDITION || !p->seen.version[0])) {
		op_fail_err(&p->op, &p->end);
		return;
	}
	if (features_decide(&p->seen, &r->site, &f, &err)) {
		op_fail_err(&p->op, &err);
		if (err.code == ERR_PRECONDITION)
			log_error("rds", "the box cannot be used", KS("error", err.msg));
		return;
	}
	r->probed = r->pool.generation;
	if (memcmp(&f, &r->features, sizeof(f)) == 0)
		return;
	r->features = f;
	log_info("rds", "features of the box", KS("version", f.version),
		 KS("pool", r->site.pool_slot), KS("fs", p->seen.fs),
		 KS("label", r->site.label), KB("subvolumes", f.has_subvolumes));
}

static void step(struct op *op)
{
	struct probe *p = CONTAINER_OF(op, struct probe, op);

	if (op->state == ST_START && !op_failed(op)) {
		do_start(p);
		return;
	}
	if (op->state == ST_ASKING && !op_failed(op))
		do_answer(p);
	op_move(op, ST_DONE);
}

static void interrupt(struct op *op)
{
	struct probe *p = CONTAINER_OF(op, struct probe, op);

	pool_forget(&ros_of(p)->pool, &p->item);
	op_unref_wake(op);
}

static const struct op_type probe_type = {
	.name = "probe",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_done(struct op *op)
{
	struct ros *r = ros_of(CONTAINER_OF(op, struct probe, op));
	struct err why = op->err;

	r->is_probing = false;
	while (!list_is_empty(&r->waiting)) {
		struct list *first = r->waiting.next;

		list_remove(first);
		volume_probed(first, &why);
	}
	ros_settle(r);
}

bool probe_is_fresh(struct ros *r)
{
	if (r->probed && r->probed == r->pool.generation)
		return true;
	if (r->is_probing)
		return false;
	r->is_probing = true;
	r->probe.seen = (struct features_seen){ .n_pools = 0 };
	op_start(&r->probe.op, &probe_type, r->loop, on_done);
	return false;
}

void probe_stop(struct ros *r)
{
	if (r->is_probing)
		op_cancel(&r->probe.op, ERR_CANCELLED);
}
