#include "csi/node/unpublish.h"

#include "csi/ids.h"

/*   start ─▶ unmounting ─▶ done
 *     └─(malformed id, or refused)─▶ done
 *
 * Failures: something else is mounted at the target; busy; what is left there is not
 * ours; a child's deadline. */
enum { ST_START, ST_UNMOUNTING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "unmounting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_UNMOUNTING) | OP_BIT(ST_DONE),
	[ST_UNMOUNTING] = OP_BIT(ST_DONE),
};

static const Csi__V1__NodeUnpublishVolumeRequest *request(const struct rpc *rpc)
{
	return (const void *)rpc->req;
}

static const char *id_of(const struct node_work *w)
{
	return request(&w->rpc)->volume_id;
}

const char *node_unpublish_volume(const struct rpc *rpc)
{
	return request(rpc)->volume_id;
}

int node_unpublish_check(const struct rpc *rpc, struct err *err)
{
	const Csi__V1__NodeUnpublishVolumeRequest *req = request(rpc);

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (!req->target_path[0])
		return err_set(err, ERR_INVALID, "target_path is missing");
	return node_path_check(req->target_path, "target_path", err);
}

static int look(struct node_work *w, struct err *err)
{
	struct node_place at = { .id = id_of(w), .path = w->path };

	if (node_work_look(w, &at, err))
		return -1;
	if (w->view.n_foreign_layers)
		return err_set(err, ERR_PRECONDITION,
			       "what is mounted at the target path is not this volume");
	return 0;
}

static void do_start(struct node_work *w)
{
	struct op *op = &w->rpc.op;
	struct err err = { .code = ERR_OK };

	w->rpc.resp = op_failed(op) ? NULL : rpc_new_response(&w->rpc);
	if (!w->rpc.resp)
		op_fail(op, ERR_EXHAUSTED, "out of memory");
	if (op_failed(op) || !id_is_volume(id_of(w))) {
		op_move(op, ST_DONE);
		return;
	}
	node_path_canonical(request(&w->rpc)->target_path, w->path);
	if (node_work_read_record(w, id_of(w), &err) || look(w, &err)) {
		op_fail_err(op, &err);
		op_move(op, ST_DONE);
		return;
	}
	node_work_prepare(w, NVME_UNMOUNT, id_of(w))->path = w->path;
	w->req.is_target = true;
	op_move(op, ST_UNMOUNTING);
	node_work_go(w);
}

static void after_unmounting(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (!node_work_failed(w)) {
		if (!look(w, &err) && w->view.n_layers)
			(void)err_set(&err, ERR_ABORTED, "the target is still mounted");
		op_fail_err(&w->rpc.op, &err);
	}
	op_move(&w->rpc.op, ST_DONE);
}

static void step(struct op *op)
{
	struct node_work *w = node_work_of(op);

	if (op->state == ST_START)
		do_start(w);
	else if (op->state == ST_UNMOUNTING)
		after_unmounting(w);
}

const struct op_type node_unpublish_op = {
	.name = "node unpublish",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
