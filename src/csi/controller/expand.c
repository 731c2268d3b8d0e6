#include "csi/controller/expand.h"

#include "core/mem.h"
#include "csi/caps.h"
#include "csi/controller/message.h"
#include "csi/controller/sizes.h"
#include "csi/ids.h"

/* start -> growing -> done. Fails: the volume has its old or its new size, nothing
 * between. */
enum { ST_START = OP_START, ST_GROWING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "growing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_GROWING) | OP_BIT(ST_DONE),
	[ST_GROWING] = OP_BIT(ST_DONE),
};

typedef Csi__V1__ControllerExpandVolumeRequest request;

static const request *req_of(const struct rpc *rpc)
{
	return (const request *)rpc->req;
}

int ctl_expand_check(const struct rpc *rpc, struct err *err)
{
	const request *req = req_of(rpc);
	uint64_t bytes;

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (!req->capacity_range)
		return err_set(err, ERR_INVALID, "capacity_range is missing");
	if (sizes_pick(req->capacity_range, &bytes, err))
		return -1;
	return req->volume_capability ? caps_check(req->volume_capability, err) : 0;
}

const char *ctl_expand_volume(const struct rpc *rpc)
{
	return req_of(rpc)->volume_id;
}

static void start_grow(struct ctl_expand *e)
{
	const request *req = req_of(&e->rpc);
	struct err err = { .code = ERR_OK };
	uint64_t bytes = 0;

	bug_on(sizes_pick(req->capacity_range, &bytes, &err)); /* check() has passed */
	box_prepare(&e->box, RDS_GROW, req->volume_id);
	e->box.req.size_bytes = bytes;
	e->rpc.csi->capacity.is_known = false;
	op_move(&e->rpc.op, ST_GROWING);
	box_start(&e->box, e->rpc.csi, &e->rpc.op);
}

static void do_grown(struct ctl_expand *e)
{
	struct op *op = &e->rpc.op;
	const struct rds_volume *v = box_volume(&e->box);
	Csi__V1__ControllerExpandVolumeResponse *resp;

	op_fail_err(op, &e->box.req.op.err);
	if (!op_failed(op) && !v)
		op_fail(op, ERR_NOT_FOUND, "no such volume");
	if (op_failed(op))
		return;
	if (e->box.req.outcome != RDS_OK || v->size_bytes < e->box.req.size_bytes) {
		op_fail(op, ERR_ABORTED, "the volume has not grown");
		return;
	}
	if (!sizes_fit(req_of(&e->rpc)->capacity_range, v->size_bytes)) {
		op_fail(op, ERR_RANGE,
			"the volume has %llu bytes already, more than limit_bytes",
			(unsigned long long)v->size_bytes);
		return;
	}
	resp = message_new(&e->rpc.arena, e->rpc.method->response);
	if (!resp) {
		op_fail(op, ERR_EXHAUSTED, "out of memory");
		return;
	}
	resp->capacity_bytes = (int64_t)v->size_bytes;
	/* For block volumes too: the node's kernel sees the new size when it is told to
	 * look again (6.1, 6.12). */
	resp->node_expansion_required = true;
	e->rpc.resp = &resp->base;
}

static void step(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_expand *e = CONTAINER_OF(rpc, struct ctl_expand, rpc);

	switch (op->state) {
	case ST_START:
		if (!id_is_volume(req_of(rpc)->volume_id))
			op_fail(op, ERR_NOT_FOUND, "no such volume");
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		start_grow(e);
		return;
	case ST_GROWING:
		do_grown(e);
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);

	box_cancel(&CONTAINER_OF(rpc, struct ctl_expand, rpc)->box);
}

const struct op_type ctl_expand_type = {
	.name = "controller_expand",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};
