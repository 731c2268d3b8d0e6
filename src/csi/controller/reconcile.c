#include "csi/controller/reconcile.h"

#include "core/log.h"
#include "metrics/registry.h"

/* start -> waiting -> attachments -> box -> waiting …
 *          any -> done, by the cancel alone
 *
 * A round that breaks off is logged once, and the next one comes at its time. */
enum { ST_START = OP_START, ST_WAITING, ST_ATTACHMENTS, ST_BOX, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "waiting", "attachments", "box", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_WAITING) | OP_BIT(ST_DONE),
	[ST_WAITING] = OP_BIT(ST_ATTACHMENTS) | OP_BIT(ST_DONE),
	[ST_ATTACHMENTS] = OP_BIT(ST_BOX) | OP_BIT(ST_DONE),
	[ST_BOX] = OP_BIT(ST_WAITING) | OP_BIT(ST_DONE),
};

enum {
	ATTACHMENT_INTERVAL_MS = 5 * 60 * 1000,
	ORPHAN_INTERVAL_MS = 3600 * 1000,
	PASSED_MS = 15 * 1000,
};

static void on_due(struct clock_timer *t)
{
	op_unref_wake(&CONTAINER_OF(t, struct reconcile, timer)->op);
}

static void arm(struct reconcile *r)
{
	uint64_t now_ms = clock_now_ms(r->op.loop);

	clock_timer_start(r->op.loop, &r->timer,
			  r->round_ms > now_ms ? r->round_ms - now_ms : 0, on_due);
}

/* One that does not lead yet, or has no whole lists yet, looks again soon: that costs
 * nothing, and the first of two sightings comes the earlier. */
static void wait(struct reconcile *r)
{
	uint64_t soon_ms = clock_now_ms(r->op.loop) + PASSED_MS;

	if (!reconcile_may_act(&r->shared) && soon_ms < r->round_ms)
		r->round_ms = soon_ms;
	op_move(&r->op, ST_WAITING);
	op_ref(&r->op);
	arm(r);
}

/* Brings the next round forward; false: it comes soon anyway. */
static bool hurry(struct reconcile *r)
{
	uint64_t soon_ms = clock_now_ms(r->op.loop) + RECONCILE_HURRY_MS;

	if (soon_ms >= r->round_ms)
		return false;
	r->round_ms = soon_ms;
	if (r->op.state == ST_WAITING && clock_timer_is_running(&r->timer))
		arm(r);
	return true;
}

static void on_node(struct k8s_listener *l, const struct k8s_object *before,
		    const struct k8s_object *after)
{
	if (!after && before && hurry(CONTAINER_OF(l, struct reconcile, nodes)))
		metric_count(METRIC_RECONCILES, METRIC_NODE_TRIGGER, 0);
}

/* Records are to know of Retain before its PV goes, or this process. */
static void on_pv(struct k8s_listener *l, const struct k8s_object *before,
		  const struct k8s_object *after)
{
	bool was_retained = before && K8S_PV_OF(before)->is_retained;

	if (after ? K8S_PV_OF(after)->is_retained && !was_retained && before
		  : was_retained)
		(void)hurry(CONTAINER_OF(l, struct reconcile, pvs));
}

static void end(struct reconcile *r)
{
	list_remove(&r->nodes.node);
	list_remove(&r->pvs.node);
	reconcile_witness_close(&r->shared.witness);
	reconcile_seen_clear(&r->attachments_seen);
	reconcile_seen_clear(&r->box_seen);
	op_move(&r->op, ST_DONE);
}

static void note(struct reconcile *r, const char *round, const struct err *err)
{
	if (err->code == ERR_OK || op_failed(&r->op))
		return;
	r->shared.stats.errors++;
	log_warn("reconcile", "a round broke off", KS("round", round),
		 KS("error", err->msg));
}

static void end_attachments(struct reconcile *r)
{
	uint64_t took_ms = clock_now_ms(r->op.loop) - r->started_ms;
	uint64_t ripe_ms = r->started_ms + RECONCILE_LOST_MS;

	metric_observe(METRIC_ATTACH_SECONDS, METRIC_RECONCILE, took_ms * 1000);
	if (r->attachments.has_unripe && ripe_ms < r->round_ms)
		r->round_ms = ripe_ms;
	note(r, "attachments", &r->attachments.op.err);
}

static void start_attachments(struct reconcile *r)
{
	/* Before it begins: a node that goes meanwhile brings the next one forward. */
	r->started_ms = clock_now_ms(r->op.loop);
	r->round_ms = r->started_ms + r->shared.conf.attachment_interval_ms;
	r->shared.stats.rounds++;
	op_move(&r->op, ST_ATTACHMENTS);
	reconcile_attachments_start(&r->attachments, &r->shared, &r->attachments_seen,
				    &r->op);
}

static void start_box(struct reconcile *r)
{
	uint64_t now_ms = clock_now_ms(r->op.loop);
	bool may_remove = now_ms >= r->remove_ms;

	if (may_remove)
		r->remove_ms = now_ms + r->shared.conf.orphan_interval_ms;
	op_move(&r->op, ST_BOX);
	reconcile_box_start(&r->box, &r->shared, &r->box_seen, may_remove, &r->op);
}

static void step(struct op *op)
{
	struct reconcile *r = CONTAINER_OF(op, struct reconcile, op);

	if (op->state == ST_ATTACHMENTS)
		end_attachments(r);
	if (op->state == ST_BOX)
		note(r, "box", &r->box.op.err);
	if (op_failed(op)) {
		end(r);
		return;
	}
	switch (op->state) {
	case ST_START:
	case ST_BOX:
		wait(r);
		return;
	case ST_WAITING:
		start_attachments(r);
		return;
	case ST_ATTACHMENTS:
		start_box(r);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct reconcile *r = CONTAINER_OF(op, struct reconcile, op);

	if (op->state == ST_WAITING)
		clock_timer_start(op->loop, &r->timer, 0, on_due);
	else if (op->state == ST_ATTACHMENTS)
		op_cancel(&r->attachments.op, op->err.code);
	else
		op_cancel(&r->box.op, op->err.code);
}

static const struct op_type type = {
	.name = "reconcile",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void reconcile_start(struct reconcile *r, struct csi *csi,
		     const struct reconcile_conf *conf, void (*done)(struct op *op))
{
	struct reconcile_conf *c = &r->shared.conf;

	*r = (struct reconcile){ .shared = { .csi = csi, .conf = *conf },
				 .nodes = { .changed = on_node },
				 .pvs = { .changed = on_pv } };
	if (!c->attachment_interval_ms)
		c->attachment_interval_ms = ATTACHMENT_INTERVAL_MS;
	if (!c->orphan_interval_ms)
		c->orphan_interval_ms = ORPHAN_INTERVAL_MS;
	reconcile_seen_init(&r->attachments_seen);
	reconcile_seen_init(&r->box_seen);
	reconcile_witness_open(&r->shared.witness, csi->k8s);
	k8s_store_listen(&csi->k8s->stores[K8S_NODE], &r->nodes);
	k8s_store_listen(&csi->k8s->stores[K8S_PV], &r->pvs);
	op_start(&r->op, &type, csi->loop, done);
	/* The first look soon: what it sees is done at the second. */
	r->round_ms = clock_now_ms(csi->loop) + RECONCILE_HURRY_MS;
}

void reconcile_stop(struct reconcile *r)
{
	op_cancel(&r->op, ERR_CANCELLED);
}

const struct reconcile_stats *reconcile_stats(const struct reconcile *r)
{
	return &r->shared.stats;
}
