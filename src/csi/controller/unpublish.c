#include "csi/controller/unpublish.h"

#include <string.h>

#include "csi.pb-c.h"
#include "csi/controller/message.h"

/* start (-> queued) -> changing -> done. Fails: as the change says; the retry goes on
 * from the record. */
enum { ST_START = OP_START, ST_QUEUED, ST_CHANGING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "queued", "changing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_QUEUED) | OP_BIT(ST_CHANGING) | OP_BIT(ST_DONE),
	[ST_QUEUED] = OP_BIT(ST_CHANGING) | OP_BIT(ST_DONE),
	[ST_CHANGING] = OP_BIT(ST_DONE),
};

enum { NODE_ID_MAX = 256 }; /* spec.md, "Size Limits" */

typedef Csi__V1__ControllerUnpublishVolumeRequest request;

static const request *req_of(const struct rpc *rpc)
{
	return (const request *)rpc->req;
}

int ctl_unpublish_check(const struct rpc *rpc, struct err *err)
{
	const request *req = req_of(rpc);

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (strlen(req->node_id) > NODE_ID_MAX)
		return err_set(err, ERR_INVALID, "node_id is too long");
	return 0;
}

const char *ctl_unpublish_volume(const struct rpc *rpc)
{
	return req_of(rpc)->volume_id;
}

static void finish(struct ctl_unpublish *u)
{
	struct op *op = &u->rpc.op;

	if (!op_failed(op)) {
		u->rpc.resp = message_new(&u->rpc.arena, u->rpc.method->response);
		if (!u->rpc.resp)
			op_fail(op, ERR_EXHAUSTED, "out of memory");
	}
	op_move(op, ST_DONE);
}

static void change(struct ctl_unpublish *u)
{
	op_move(&u->rpc.op, ST_CHANGING);
	change_start(&u->change, u->rpc.csi, &u->rpc.op);
}

static void do_start(struct ctl_unpublish *u)
{
	const request *req = req_of(&u->rpc);

	/* A malformed id names no volume, and never reaches the box. */
	if (op_failed(&u->rpc.op) || !id_is_volume(req->volume_id)) {
		finish(u);
		return;
	}
	id_record_node(req->node_id, u->node);
	u->change.id = req->volume_id;
	u->change.ask.node = u->node;
	u->turn = vmi_turn_begin(u->rpc.csi->vmi, &u->rpc.arena, req->volume_id,
				 req->node_id, &u->rpc.op);
	if (u->turn)
		op_move(&u->rpc.op, ST_QUEUED);
	else
		change(u);
}

static void step(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_unpublish *u = CONTAINER_OF(rpc, struct ctl_unpublish, rpc);

	switch (op->state) {
	case ST_START:
		do_start(u);
		return;
	case ST_QUEUED:
		op_fail_err(op, &u->turn->op.err);
		if (!op_failed(op)) {
			change(u);
			return;
		}
		vmi_turn_leave(u->turn);
		finish(u);
		return;
	case ST_CHANGING:
		vmi_turn_leave(u->turn);
		op_fail_err(op, &u->change.op.err);
		finish(u);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_unpublish *u = CONTAINER_OF(rpc, struct ctl_unpublish, rpc);

	if (op->state == ST_QUEUED)
		vmi_turn_cancel(u->turn);
	else
		change_cancel(&u->change);
}

const struct op_type ctl_unpublish_type = {
	.name = "controller_unpublish",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};
