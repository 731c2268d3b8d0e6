#include "csi/controller/reconcile_act.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "csi/controller/tell.h"
#include "metrics/registry.h"

/* start -> changing | writing | removing -> done
 *
 * start: not to be done any more, or not now: nothing was changed.
 * The rest: fails as its child does; the next round finds what was left. */
enum { ST_START = OP_START, ST_CHANGING, ST_WRITING, ST_REMOVING, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "changing", "writing", "removing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_CHANGING) | OP_BIT(ST_WRITING) | OP_BIT(ST_REMOVING) |
		     OP_BIT(ST_DONE),
	[ST_CHANGING] = OP_BIT(ST_DONE),
	[ST_WRITING] = OP_BIT(ST_DONE),
	[ST_REMOVING] = OP_BIT(ST_DONE),
};

enum { DEADLINE_MS = 2 * 60 * 1000 };

/* The stores, now, about this volume alone. */
static bool is_still_due(struct reconcile_act *a)
{
	struct reconcile_world world;
	const struct reconcile_world *worlds[2] = { &world, NULL };
	struct reconcile_view view;
	bool is_due = false;

	if (reconcile_world_open(&world, a->shared->csi->k8s, a->volume->id) == 0) {
		reconcile_see(a->shared, &view, a->volume, worlds);
		is_due = reconcile_judge(&view) == a->action;
		if (is_due && a->action == RECONCILE_GIVE_WAY)
			(void)snprintf(a->node, sizeof(a->node), "%s",
				       a->volume->record.holders[view.stale_holder].node);
	}
	reconcile_world_close(&world);
	return is_due;
}

static void start_change(struct reconcile_act *a)
{
	struct change *c = &a->u.change;

	*c = (struct change){ .id = a->volume->id };
	/* "Readers" are no node: all of them leave. */
	c->ask.node = strcmp(a->node, "ro") == 0 ? "" : a->node;
	c->ask.is_sweep = true;
	op_move(&a->op, ST_CHANGING);
	change_start(c, a->shared->csi, &a->op);
}

static void start_write(struct reconcile_act *a)
{
	bool is_mount = a->action == RECONCILE_NO_MOUNT || a->action == RECONCILE_UNMOUNT;
	struct rds_req *req = &a->u.box.req;

	box_prepare(&a->u.box, is_mount ? RDS_NO_MOUNT : RDS_UNPUBLISH, a->volume->id);
	req->may_unmount = a->action == RECONCILE_UNMOUNT;
	if (!is_mount) {
		a->record = a->volume->record;
		a->record.is_released = a->action == RECONCILE_RELEASE;
		a->record.released_at = a->record.is_released ? (uint32_t)time(NULL) : 0;
		if (a->action == RECONCILE_KEEP)
			a->record.is_deletable = false;
		req->record = &a->record;
		req->expect_nonce = a->volume->record.nonce;
		req->switch_off = a->action == RECONCILE_SWITCH_OFF ||
				  (a->action == RECONCILE_RELEASE &&
				   !a->shared->conf.is_export_kept);
	}
	op_move(&a->op, ST_WRITING);
	box_start(&a->u.box, a->shared->csi, &a->op);
}

static void do_start(struct reconcile_act *a)
{
	struct err busy;

	if (op_failed(&a->op) || !reconcile_may_act(a->shared) || !is_still_due(a) ||
	    inflight_enter(&a->shared->csi->inflight, &a->inflight, a->volume->id,
			   "a background task", &busy)) {
		op_move(&a->op, ST_DONE);
		return;
	}
	switch (a->action) {
	case RECONCILE_GIVE_WAY:
		start_change(a);
		return;
	case RECONCILE_REMOVE:
		op_move(&a->op, ST_REMOVING);
		reconcile_orphan_start(&a->u.orphan, a->shared, a->volume, &a->op);
		return;
	default:
		start_write(a);
	}
}

static void report(const struct reconcile_act *a)
{
	log_info("reconcile", "volume reconciled", KS("volume", a->volume->id),
		 KS("action", reconcile_name(a->action)), KS("node", a->node));
	if (a->action != RECONCILE_GIVE_WAY)
		return;
	metric_count(METRIC_STALE_CLEARED, 0, 0);
	tell(a->shared->csi, a->volume->id, TELL_STALE,
	     "Cleared stale attachment of node %s: it had no VolumeAttachment", a->node);
}

/* It stays as it was where somebody well has the volume too. */
static bool has_left(const struct reconcile_act *a)
{
	const struct rds_record *r = &a->u.change.volume.record;

	for (unsigned i = 0; !a->u.change.is_absent && i < r->n_holders; i++)
		if (strcmp(r->holders[i].node, a->node) == 0)
			return false;
	return true;
}

static void finish(struct reconcile_act *a, const struct err *err, bool is_done)
{
	op_fail_err(&a->op, err);
	a->is_done = is_done && !op_failed(&a->op);
	inflight_leave(&a->inflight);
	if (a->is_done)
		report(a);
	op_move(&a->op, ST_DONE);
}

static void step(struct op *op)
{
	struct reconcile_act *a = CONTAINER_OF(op, struct reconcile_act, op);

	switch (op->state) {
	case ST_START:
		do_start(a);
		return;
	case ST_CHANGING:
		finish(a, &a->u.change.op.err, has_left(a));
		return;
	case ST_WRITING:
		finish(a, &a->u.box.req.op.err, a->u.box.req.outcome == RDS_OK);
		return;
	case ST_REMOVING:
		finish(a, &a->u.orphan.op.err, a->u.orphan.is_removed);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct reconcile_act *a = CONTAINER_OF(op, struct reconcile_act, op);

	if (op->state == ST_CHANGING)
		change_cancel(&a->u.change);
	else if (op->state == ST_WRITING)
		box_cancel(&a->u.box);
	else
		op_cancel(&a->u.orphan.op, op->err.code);
}

static const struct op_type type = {
	.name = "reconcile_act",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_done(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct reconcile_act, op)->parent);
}

void reconcile_act_start(struct reconcile_act *a, struct reconcile_shared *shared,
			 struct op *parent)
{
	*a = (struct reconcile_act){ .shared = shared,
				     .parent = parent,
				     .action = a->action,
				     .volume = a->volume };
	op_ref(parent);
	op_start(&a->op, &type, shared->csi->loop, on_done);
	op_set_deadline(&a->op, clock_now_ms(shared->csi->loop) + DEADLINE_MS);
}
