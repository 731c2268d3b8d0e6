#include "csi/node/unpublish.h"

#include "csi/ids.h"
#include "csi/node/event.h"

/*   start ─▶ unmounting ─▶ done
 *     │         └─(busy, session lost)─▶ asking ─▶ cutting ─▶ unmounting_freed ─▶ done
 *     └─(malformed id, or refused)─▶ done
 *
 * A process of the pod that waits for a target which never comes back cannot be killed,
 * and keeps the mount busy (kernel 6.1 tries for ever): the end of the session frees it.
 *
 * Failures: something else is mounted at the target; busy; what is left there is not
 * ours; a child's deadline. */
enum {
	ST_START,
	ST_UNMOUNTING,
	ST_ASKING,
	ST_CUTTING,
	ST_UNMOUNTING_FREED,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = { "start",   "unmounting",	"asking",
					 "cutting", "unmounting_freed", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_UNMOUNTING) | OP_BIT(ST_DONE),
	[ST_UNMOUNTING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_CUTTING) | OP_BIT(ST_DONE),
	[ST_CUTTING] = OP_BIT(ST_UNMOUNTING_FREED) | OP_BIT(ST_DONE),
	[ST_UNMOUNTING_FREED] = OP_BIT(ST_DONE),
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

static void go(struct node_work *w, enum nvme_kind kind, unsigned state)
{
	node_work_prepare(w, kind, id_of(w));
	op_move(&w->rpc.op, state);
	node_work_go(w);
}

static void unmount(struct node_work *w, unsigned state)
{
	node_work_prepare(w, NVME_UNMOUNT, id_of(w))->path = w->path;
	w->req.is_target = true;
	op_move(&w->rpc.op, state);
	node_work_go(w);
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
	unmount(w, ST_UNMOUNTING);
}

static void after_last_unmount(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (!node_work_failed(w)) {
		if (!look(w, &err) && w->view.n_layers)
			(void)err_set(&err, ERR_ABORTED, "the target is still mounted");
		op_fail_err(&w->rpc.op, &err);
	}
	op_move(&w->rpc.op, ST_DONE);
}

/* Busy, or behind a child that is stuck, over a session that may never come back. */
static bool may_wait_for_target(const struct node_work *w)
{
	return !op_failed(&w->rpc.op) && w->req.op.err.code == ERR_ABORTED &&
	       w->view.state == NVME_RECOVERING;
}

static void after_unmounting(struct node_work *w)
{
	if (may_wait_for_target(w))
		go(w, NVME_ASK, ST_ASKING);
	else
		after_last_unmount(w);
}

static void after_asking(struct node_work *w)
{
	struct err err = w->req.op.err;

	if (err.code != ERR_OK) {
		(void)err_wrap(&err, "the target path is in use, and the target does not "
				     "answer");
	} else if (w->req.is_refused) {
		node_event(id_of(w), NODE_EVENT_FENCED, w->view.nqn);
		go(w, NVME_CUT, ST_CUTTING);
		return;
	} else if (node_work_check_stuck(w, id_of(w), &err) == 0) {
		(void)err_set(&err, ERR_ABORTED,
			      "the target path is in use, by a process that may wait for "
			      "the target");
	}
	op_fail_err(&w->rpc.op, &err);
	op_move(&w->rpc.op, ST_DONE);
}

static void after_cutting(struct node_work *w)
{
	if (node_work_failed(w))
		op_move(&w->rpc.op, ST_DONE);
	else
		unmount(w, ST_UNMOUNTING_FREED);
}

static void step(struct op *op)
{
	static void (*const after[ST_N])(struct node_work *) = {
		[ST_START] = do_start,
		[ST_UNMOUNTING] = after_unmounting,
		[ST_ASKING] = after_asking,
		[ST_CUTTING] = after_cutting,
		[ST_UNMOUNTING_FREED] = after_last_unmount,
	};

	if (after[op->state])
		after[op->state](node_work_of(op));
}

const struct op_type node_unpublish_op = {
	.name = "node unpublish",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
