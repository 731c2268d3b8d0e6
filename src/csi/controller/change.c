#include "csi/controller/change.h"

#include <string.h>

#include "csi/controller/volume_check.h"
#include "csi/ids.h"

/* start -> reading -> (fencing) -> writing -> done
 *       -> writing (warm)
 *
 * reading: fails: nothing was changed.
 * writing: stale: judged anew by the row that came back. Fails: the outcome may be
 *          unknown; the belief is gone and the next call reads first.
 * fencing: a child of its own, which can be cut anywhere and is found by its record. */
enum { ST_START = OP_START, ST_READING, ST_WRITING, ST_FENCING, ST_DONE, ST_N };

enum { MAX_ROUNDS = 6 };

static const char *const names[ST_N] = {
	"start", "reading", "writing", "fencing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_READING) | OP_BIT(ST_WRITING) | OP_BIT(ST_DONE),
	[ST_READING] = OP_BIT(ST_WRITING) | OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
	[ST_WRITING] = OP_BIT(ST_WRITING) | OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
	[ST_FENCING] = OP_BIT(ST_WRITING) | OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
};

static enum attach_verdict decide(struct change *c, struct attach_view *view,
				  const char *nqn)
{
	const struct rds_record *r = view->record;
	struct err err = { .code = ERR_OK };
	enum attach_verdict verdict;

	view->may_adopt = c->csi->may_adopt_unmarked;
	view->cluster_id = c->csi->cluster_id;
	view->has_own_nqn = id_nqn_is_of(nqn, c->id, &view->nqn_generation);
	for (unsigned i = 0; i < r->n_holders; i++)
		view->standing[i] =
			attachments_standing(c->csi->attachments, r->holders[i].node);
	verdict = (c->is_publish ? attach_publish : attach_unpublish)(view, &c->ask,
								      &c->plan, &err);
	if (c->op.state != ST_START)
		op_fail_err(&c->op, &err);
	memcpy(c->nqn, nqn, strlen(nqn) + 1);
	return verdict;
}

/* A belief saves the read only where it leads to a write, which the box itself compares
 * with what is there; a refusal or a "done" must have been seen. */
static bool is_warm(struct change *c)
{
	struct attach_view view = { .record = &c->believed.record, .is_exported = true };

	if (!attachments_recall(c->csi->attachments, c->id, &c->believed)) {
		c->believed.record.kind = RDS_RECORD_NONE;
		return false;
	}
	view.is_sealed = c->believed.is_sealed;
	return !c->believed.is_doubtful &&
	       decide(c, &view, c->believed.nqn) == ATTACH_WRITE;
}

static void start_read(struct change *c)
{
	box_prepare(&c->box, RDS_GET, c->id);
	op_move(&c->op, ST_READING);
	box_start(&c->box, c->csi, &c->op);
}

static void start_write(struct change *c, const struct rds_record *from)
{
	static const enum rds_kind kinds[] = { RDS_UNPUBLISH, RDS_PUBLISH };

	memcpy(c->nonce, from->nonce, sizeof(c->nonce));
	box_prepare(&c->box, kinds[c->is_publish], c->id);
	c->box.req.expect_nonce = from->kind == RDS_RECORD_OURS ? c->nonce : NULL;
	c->box.req.record = &c->plan.record;
	c->box.req.nqn = c->nqn;
	c->box.req.switch_off = c->plan.switch_off;
	op_move(&c->op, ST_WRITING);
	box_start(&c->box, c->csi, &c->op);
}

static void start_fence(struct change *c)
{
	/* It cuts everybody off, those in dispute too. */
	c->believed.record.kind = RDS_RECORD_NONE;
	c->is_disputed = false;
	fence_prepare(&c->fence, c->id, &c->volume.record, &c->plan.record);
	op_move(&c->op, ST_FENCING);
	fence_start(&c->fence, c->csi, &c->op);
}

/* Nobody is admitted while the box lacks a holder that was believed in and that nobody
 * unpublished here: an old script may have run on over its record, and the node may still
 * have the volume. Its Unpublish, or its own Publish, settles it. */
static int check_missing(struct change *c)
{
	const struct rds_record *believed = &c->believed.record;
	const char *missing;

	if (believed->kind != RDS_RECORD_OURS)
		return 0;
	missing = attach_missing(believed, &c->volume.record, c->ask.node);
	c->is_disputed = missing != NULL;
	if (!missing || !c->is_publish)
		return 0;
	op_fail(&c->op, ERR_PRECONDITION,
		"the record on the box has lost node %s, which was never unpublished; "
		"unpublish it first",
		missing);
	return -1;
}

/* The end. What this call wrote must not make a dispute over another node be forgotten:
 * the belief goes back to those who held the volume before, less the one that left. */
static void end(struct change *c)
{
	struct rds_volume v = c->volume;
	struct rds_record *r = &v.record;

	op_move(&c->op, ST_DONE);
	if (!c->is_disputed || c->is_absent)
		return;
	r->n_holders = 0;
	for (unsigned i = 0; i < c->believed.record.n_holders; i++)
		if (strcmp(c->believed.record.holders[i].node, c->ask.node) != 0)
			r->holders[r->n_holders++] = c->believed.record.holders[i];
	attachments_accept(c->csi->attachments, &v);
	attachments_doubt(c->csi->attachments, c->id);
}

/* The volume as the box shows it now. */
static void judge(struct change *c, const struct box *from, bool is_nonce_new)
{
	struct attach_view view = { .record = &c->volume.record,
				    .is_nonce_new = is_nonce_new };
	struct err err = { .code = ERR_OK };

	c->volume = from->req.volume;
	view.is_exported = c->volume.is_exported;
	view.is_sealed =
		is_nonce_new ||
		(c->believed.record.kind == RDS_RECORD_OURS && c->believed.is_sealed &&
		 strcmp(c->believed.record.nonce, c->volume.record.nonce) == 0);
	if (volume_check_shape(&c->volume, &err) || (!is_nonce_new && check_missing(c))) {
		op_fail_err(&c->op, &err);
		end(c);
		return;
	}
	switch (decide(c, &view, c->volume.nqn)) {
	case ATTACH_WRITE:
		start_write(c, &c->volume.record);
		return;
	case ATTACH_FENCE:
		start_fence(c);
		return;
	case ATTACH_DONE:
		attachments_accept(c->csi->attachments, &c->volume);
		end(c);
		return;
	case ATTACH_REFUSED:
		end(c);
	}
}

static void do_result(struct change *c, const struct op *child, const struct box *from)
{
	op_fail_err(&c->op, &child->err);
	if (!op_failed(&c->op) && ++c->rounds > MAX_ROUNDS)
		op_fail(&c->op, ERR_ABORTED, "the record on the box keeps changing");
	if (!op_failed(&c->op) && from->req.outcome == RDS_ABSENT)
		c->is_absent = true;
	if (op_failed(&c->op) || c->is_absent)
		end(c);
	else
		judge(c, from, from->req.kind != RDS_GET && from->req.outcome == RDS_OK);
}

static void step(struct op *op)
{
	struct change *c = CONTAINER_OF(op, struct change, op);

	switch (op->state) {
	case ST_START:
		if (op_failed(op))
			op_move(op, ST_DONE);
		else if (is_warm(c))
			start_write(c, &c->believed.record);
		else
			start_read(c);
		return;
	case ST_READING:
	case ST_WRITING:
		do_result(c, &c->box.req.op, &c->box);
		return;
	case ST_FENCING:
		do_result(c, &c->fence.op, &c->fence.box);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct change *c = CONTAINER_OF(op, struct change, op);

	if (op->state == ST_FENCING)
		op_cancel(&c->fence.op, op->err.code);
	else
		box_cancel(&c->box);
}

static const struct op_type change_type = {
	.name = "change",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_changed(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct change, op)->parent);
}

void change_start(struct change *c, struct csi *csi, struct op *parent)
{
	c->csi = csi;
	c->parent = parent;
	c->ask.is_node_healthy =
		attachments_standing(csi->attachments, c->ask.node) == NODE_HEALTHY;
	op_ref(parent);
	op_start(&c->op, &change_type, csi->loop, on_changed);
	op_set_deadline(&c->op, parent->deadline_ms);
}

void change_cancel(struct change *c)
{
	op_cancel(&c->op, c->parent->err.code);
}
