#include "csi/controller/delete.h"

#include "csi.pb-c.h"
#include "csi/controller/attachments.h"
#include "csi/controller/gate.h"
#include "csi/controller/message.h"
#include "csi/controller/volume_check.h"
#include "csi/controller/watched.h"
#include "csi/ids.h"

/* start -> (resolving) -> (looking) -> deleting -> done
 *                                               -> asking -> fencing -> again -> done
 *
 * resolving: fails: a VolumeAttachment that cannot be placed may be this volume's.
 * looking:   at a disk that no PV names: without a record it is nobody's. Fails: nothing
 *            was changed.
 * deleting: fails: parts may be gone; the retry looks for each. FAILED_PRECONDITION:
 *           asking, nothing was changed.
 * asking:   names the holder, or finds a fence that was cut.
 * again:    as deleting, without a second look. */
enum {
	ST_START = OP_START,
	ST_RESOLVING,
	ST_LOOKING,
	ST_DELETING,
	ST_ASKING,
	ST_FENCING,
	ST_AGAIN,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = {
	"start", "resolving", "looking", "deleting", "asking", "fencing", "again", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RESOLVING) | OP_BIT(ST_LOOKING) | OP_BIT(ST_DELETING) |
		     OP_BIT(ST_DONE),
	[ST_RESOLVING] = OP_BIT(ST_LOOKING) | OP_BIT(ST_DELETING) | OP_BIT(ST_DONE),
	[ST_LOOKING] = OP_BIT(ST_DELETING) | OP_BIT(ST_DONE),
	[ST_DELETING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
	[ST_FENCING] = OP_BIT(ST_AGAIN) | OP_BIT(ST_DONE),
	[ST_AGAIN] = OP_BIT(ST_DONE),
};

static const Csi__V1__DeleteVolumeRequest *req_of(const struct rpc *rpc)
{
	return (const Csi__V1__DeleteVolumeRequest *)rpc->req;
}

int ctl_delete_check(const struct rpc *rpc, struct err *err)
{
	if (!req_of(rpc)->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	return 0;
}

const char *ctl_delete_volume(const struct rpc *rpc)
{
	return req_of(rpc)->volume_id;
}

static void ask_box(struct ctl_delete *d, enum rds_kind kind)
{
	box_prepare(&d->box, kind, req_of(&d->rpc)->volume_id);
	d->rpc.csi->capacity.is_known = false;
	box_start(&d->box, d->rpc.csi, &d->rpc.op);
}

static void finish(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;

	if (!op_failed(op)) {
		d->rpc.resp = message_new(&d->rpc.arena, d->rpc.method->response);
		if (!d->rpc.resp)
			op_fail(op, ERR_EXHAUSTED, "out of memory");
	}
	op_move(op, ST_DONE);
}

static void do_deleted(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;
	const struct err *err = &d->box.req.op.err;

	if (!op_failed(op) && err->code == ERR_PRECONDITION) {
		d->refusal = *err;
		op_move(op, ST_ASKING);
		ask_box(d, RDS_GET);
		return;
	}
	op_fail_err(op, err);
	if (d->box.req.outcome == RDS_STALE)
		op_fail(op, ERR_ABORTED, "the record changed meanwhile");
	finish(d);
}

/* A holder that nobody can let go any more: it was let go without being cut off, or it
 * has had no VolumeAttachment for two sightings. With all of them such, a fence is due.
 */
static bool is_left_over(struct ctl_delete *d, const struct rds_volume *v)
{
	static const struct node_check nobody;
	const struct holders_ask ask = { .id = req_of(&d->rpc)->volume_id,
					 .node = "",
					 .live = &nobody };
	struct holders *h = &d->holders;
	struct err err;

	if (!d->rpc.csi->k8s || !v->record.n_holders ||
	    holders_gather(h, d->rpc.csi, &ask, &v->record, &err))
		return false;
	for (unsigned i = 0; i < h->record.n_holders; i++)
		if (!h->facts[i].gives_way && h->record.holders[i].use != ATTACH_UNFENCED)
			return false;
	return true;
}

/* Only our own volume's unfinished fence is a reason to go on, or one that is due. */
static void do_asked(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;
	const struct rds_volume *v = box_volume(&d->box);
	struct err err = { .code = ERR_OK };

	op_fail_err(op, &d->box.req.op.err);
	if (!op_failed(op) && v && volume_check_ours(v, d->rpc.csi->k8s != NULL, &err))
		op_fail_err(op, &err);
	if (!op_failed(op) && v && (v->record.is_fencing || is_left_over(d, v))) {
		d->fencing = v->record;
		d->fencing.generation += !v->record.is_fencing;
		d->fencing.is_fencing = true;
		fence_prepare(&d->fence, req_of(&d->rpc)->volume_id, &v->record,
			      &d->fencing);
		op_move(op, ST_FENCING);
		fence_start(&d->fence, d->rpc.csi, op);
		return;
	}
	if (!op_failed(op) && v && v->record.n_holders)
		op_fail(op, ERR_PRECONDITION, "the volume is published to node %s",
			attachments_node_name(d->rpc.csi->attachments,
					      v->record.holders[0].node));
	if (!op_failed(op) && v)
		op_fail_err(op, &d->refusal);
	finish(d);
}

static void do_fenced(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;

	op_fail_err(op, &d->fence.op.err);
	if (!op_failed(op) && d->fence.box.req.outcome == RDS_STALE)
		op_fail(op, ERR_ABORTED, "the record changed meanwhile");
	if (op_failed(op)) {
		finish(d);
		return;
	}
	op_move(op, ST_AGAIN);
	ask_box(d, RDS_DELETE);
}

/* No VolumeAttachment may name the volume: whoever made it may be about to publish. */
static void do_free(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;
	const char *id = req_of(&d->rpc)->volume_id;
	struct watched *w = attachments_watched(d->rpc.csi->attachments);
	const struct watched_va *va = w ? watched_next(w, id, NULL) : NULL;

	if (w && d->rpc.csi->k8s->stores[K8S_VA].unreadable.count)
		op_fail(op, ERR_UNAVAILABLE,
			"a VolumeAttachment cannot be read; it may be the volume's");
	if (va)
		op_fail(op, ERR_PRECONDITION,
			"a VolumeAttachment of node %.64s names the volume", va->node);
	if (op_failed(op)) {
		finish(d);
		return;
	}
	if (!w || watched_pv(w, id) || d->rpc.csi->may_adopt_unmarked) {
		op_move(op, ST_DELETING);
		ask_box(d, RDS_DELETE);
		return;
	}
	op_move(op, ST_LOOKING);
	ask_box(d, RDS_GET);
}

static void do_looked(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;
	const struct rds_volume *v = box_volume(&d->box);

	op_fail_err(op, &d->box.req.op.err);
	if (!op_failed(op) && v && v->record.kind == RDS_RECORD_NONE)
		op_fail(op, ERR_PRECONDITION,
			"the disk bears no record of this driver, and no PV names it");
	if (op_failed(op)) {
		finish(d);
		return;
	}
	op_move(op, ST_DELETING);
	ask_box(d, RDS_DELETE);
}

static void do_start(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;
	struct csi *csi = d->rpc.csi;
	struct err err = { .code = ERR_OK };

	/* A malformed id names no volume, and never reaches the box. */
	if (op_failed(op) || !id_is_volume(req_of(&d->rpc)->volume_id)) {
		finish(d);
		return;
	}
	if (gate_check(csi, &err)) {
		op_fail_err(op, &err);
		finish(d);
		return;
	}
	if (csi->k8s && watched_unresolved(attachments_watched(csi->attachments))) {
		op_move(op, ST_RESOLVING);
		resolve_start(&d->resolve, csi, op);
		return;
	}
	do_free(d);
}

static void step(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_delete *d = CONTAINER_OF(rpc, struct ctl_delete, rpc);

	switch (op->state) {
	case ST_START:
		do_start(d);
		return;
	case ST_RESOLVING:
		op_fail_err(op, &d->resolve.op.err);
		do_free(d);
		return;
	case ST_LOOKING:
		do_looked(d);
		return;
	case ST_DELETING:
		do_deleted(d);
		return;
	case ST_ASKING:
		do_asked(d);
		return;
	case ST_FENCING:
		do_fenced(d);
		return;
	case ST_AGAIN:
		op_fail_err(op, &d->box.req.op.err);
		finish(d);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_delete *d = CONTAINER_OF(rpc, struct ctl_delete, rpc);

	if (op->state == ST_FENCING)
		op_cancel(&d->fence.op, op->err.code);
	else if (op->state == ST_RESOLVING)
		resolve_cancel(&d->resolve);
	else
		box_cancel(&d->box);
}

const struct op_type ctl_delete_type = {
	.name = "delete",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};
