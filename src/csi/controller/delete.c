#include "csi/controller/delete.h"

#include <string.h>

#include "csi.pb-c.h"
#include "csi/controller/attachments.h"
#include "csi/controller/gate.h"
#include "csi/controller/message.h"
#include "csi/controller/volume_check.h"
#include "csi/controller/watched.h"
#include "csi/ids.h"

/* start -> (resolving) -> (looking) -> deleting -> done
 *                          looking  -> fencing -> deleting
 *                                      deleting -> deleting
 *
 * resolving: fails: a VolumeAttachment that cannot be placed may be this volume's.
 * looking:   at the disk that is to go: its nonce and its NQN, without which a script
 *            that the box holds up might take the volume that has the id by then; or that
 *            there is none. Not where both are believed in. Fails: nothing was changed.
 * fencing:   finishes one that was cut, or does one that is due; the record shows it.
 * deleting:  fails: parts may be gone; the retry looks for each. Stale: nothing was
 *            changed; judged anew by the row that came back. */
enum {
	ST_START = OP_START,
	ST_RESOLVING,
	ST_LOOKING,
	ST_DELETING,
	ST_FENCING,
	ST_DONE,
	ST_N
};

enum { MAX_ROUNDS = 4 };

static const char *const names[ST_N] = {
	"start", "resolving", "looking", "deleting", "fencing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RESOLVING) | OP_BIT(ST_LOOKING) | OP_BIT(ST_DELETING) |
		     OP_BIT(ST_DONE),
	[ST_RESOLVING] = OP_BIT(ST_LOOKING) | OP_BIT(ST_DELETING) | OP_BIT(ST_DONE),
	[ST_LOOKING] = OP_BIT(ST_DELETING) | OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
	[ST_DELETING] = OP_BIT(ST_DELETING) | OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
	[ST_FENCING] = OP_BIT(ST_DELETING) | OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
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

static const char *id_of(const struct ctl_delete *d)
{
	return req_of(&d->rpc)->volume_id;
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

static void start_look(struct ctl_delete *d)
{
	box_prepare(&d->box, RDS_GET, id_of(d));
	op_move(&d->rpc.op, ST_LOOKING);
	box_start(&d->box, d->rpc.csi, &d->rpc.op);
}

/* nonce NULL: no record; nqn NULL: no disk. */
static void start_delete(struct ctl_delete *d, const char *nonce, const char *nqn)
{
	box_prepare(&d->box, RDS_DELETE, id_of(d));
	if (nonce) {
		memcpy(d->nonce, nonce, sizeof(d->nonce));
		d->box.req.expect_nonce = d->nonce;
	}
	if (nqn) {
		memcpy(d->nqn, nqn, strlen(nqn) + 1);
		d->box.req.nqn = d->nqn;
	}
	d->rpc.csi->capacity.is_known = false;
	op_move(&d->rpc.op, ST_DELETING);
	box_start(&d->box, d->rpc.csi, &d->rpc.op);
}

/* A holder that nobody can let go any more: it was let go without being cut off, or it
 * has had no VolumeAttachment for two sightings. With all of them such, a fence is due.
 */
static bool is_left_over(struct ctl_delete *d, const struct rds_volume *v)
{
	static const struct node_check nobody;
	const struct holders_ask ask = { .id = id_of(d), .node = "", .live = &nobody };
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

static void start_fence(struct ctl_delete *d, const struct rds_record *from)
{
	d->fencing = *from;
	d->fencing.generation += !from->is_fencing;
	d->fencing.is_fencing = true;
	fence_prepare(&d->fence, id_of(d), from, &d->fencing);
	op_move(&d->rpc.op, ST_FENCING);
	fence_start(&d->fence, d->rpc.csi, &d->rpc.op);
}

/* A disk without a record is ours where we were told so, or where a PV names it. */
static bool may_adopt(const struct ctl_delete *d)
{
	const struct watched *w = attachments_watched(d->rpc.csi->attachments);

	return d->rpc.csi->may_adopt_unmarked || (w && watched_pv(w, id_of(d)));
}

/* The disk as the box shows it now. Only our own volume's unfinished fence is a reason to
 * go on, or one that is due. */
static void judge(struct ctl_delete *d, const struct rds_volume *from)
{
	struct op *op = &d->rpc.op;
	const struct rds_volume *v = &d->seen;
	struct err err = { .code = ERR_OK };

	d->seen = *from; /* which the next request overwrites */
	if (++d->rounds > MAX_ROUNDS)
		op_fail(op, ERR_ABORTED, "the record on the box keeps changing");
	if (!op_failed(op) && volume_check_ours(v, may_adopt(d), &err))
		op_fail_err(op, &err);
	if (!op_failed(op) && (v->record.is_fencing || is_left_over(d, v))) {
		start_fence(d, &v->record);
		return;
	}
	if (!op_failed(op) && v->record.n_holders)
		op_fail(op, ERR_PRECONDITION, "the volume is published to node %s",
			attachments_node_name(d->rpc.csi->attachments,
					      v->record.holders[0].node));
	if (op_failed(op))
		finish(d);
	else
		start_delete(d,
			     v->record.kind == RDS_RECORD_OURS ? v->record.nonce : NULL,
			     v->nqn);
}

static void do_looked(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;

	op_fail_err(op, &d->box.req.op.err);
	if (op_failed(op))
		finish(d);
	else if (box_volume(&d->box))
		judge(d, box_volume(&d->box));
	else
		start_delete(d, NULL, NULL);
}

static void do_deleted(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;

	op_fail_err(op, &d->box.req.op.err);
	if (op_failed(op) || d->box.req.outcome != RDS_STALE)
		finish(d);
	else
		judge(d, &d->box.req.volume);
}

static void do_fenced(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;

	op_fail_err(op, &d->fence.op.err);
	if (!op_failed(op) && d->fence.box.req.outcome == RDS_ABSENT)
		op_fail(op, ERR_ABORTED, "the disk went meanwhile");
	if (op_failed(op))
		finish(d);
	else
		judge(d, &d->fence.box.req.volume);
}

/* What the box compares with what is there, known without a look. A refusal must have
 * been seen. */
static bool is_believed_free(struct ctl_delete *d, struct attachments_belief *ret)
{
	return attachments_recall(d->rpc.csi->attachments, id_of(d), ret) &&
	       !ret->is_doubtful && !ret->record.n_holders && !ret->record.is_fencing;
}

/* No VolumeAttachment may name the volume: whoever made it may be about to publish. */
static void do_free(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;
	struct watched *w = attachments_watched(d->rpc.csi->attachments);
	const struct watched_va *va = w ? watched_next(w, id_of(d), NULL) : NULL;
	struct attachments_belief belief;

	if (w && d->rpc.csi->k8s->stores[K8S_VA].unreadable.count)
		op_fail(op, ERR_UNAVAILABLE,
			"a VolumeAttachment cannot be read; it may be the volume's");
	if (va)
		op_fail(op, ERR_PRECONDITION,
			"a VolumeAttachment of node %.64s names the volume", va->node);
	if (op_failed(op))
		finish(d);
	else if (is_believed_free(d, &belief))
		start_delete(d, belief.record.nonce, belief.nqn);
	else
		start_look(d);
}

static void do_start(struct ctl_delete *d)
{
	struct op *op = &d->rpc.op;
	struct csi *csi = d->rpc.csi;
	struct err err = { .code = ERR_OK };

	/* A malformed id names no volume, and never reaches the box. */
	if (op_failed(op) || !id_is_volume(id_of(d))) {
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
	case ST_FENCING:
		do_fenced(d);
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
