#include "csi/node/stage_impl.h"

/* The way back: unmount, detach, forget, each proven by a look. */

/* A mkfs that was begun must stay on record: only so may it be done again. */
static int forget(struct node_stage *s, struct err *err)
{
	struct nvme *nvme = s->w.rpc.csi->nvme;

	if (!s->w.has_record || s->w.record.stage == NVME_FORMATTING)
		return 0;
	s->w.has_record = false;
	return nvme->ops->record_forget(nvme, node_stage_id(s), err);
}

static void give_up(struct node_stage *s, const struct err *why)
{
	node_work_abort(&s->w, why);
	op_move(&s->w.rpc.op, NODE_STAGE_DONE);
}

/* A session that was there before this call, and is not by our record, is somebody's. */
static bool is_ours(const struct node_stage *s)
{
	return plan_has_session(&s->w.view) && !s->is_joined;
}

static void undo_attach(struct node_stage *s)
{
	bool has_device = s->w.view.device.path[0];

	(void)node_work_prepare(&s->w, has_device ? NVME_DETACH : NVME_CUT,
				node_stage_id(s));
	node_stage_go(s, NODE_STAGE_UNDOING_ATTACH);
}

void node_stage_undo(struct node_stage *s)
{
	struct op *op = &s->w.rpc.op;
	struct err err = { .code = ERR_OK };
	bool is_mounted;

	if (node_stage_look(s, s->want.nqn, &err)) {
		give_up(s, &err);
		return;
	}
	is_mounted = s->w.view.n_layers > s->w.view.n_foreign_layers;
	if (is_mounted && op->state != NODE_STAGE_UNDOING_MOUNT) {
		node_work_prepare(&s->w, NVME_UNMOUNT, node_stage_id(s))->path =
			s->w.path;
		node_stage_go(s, NODE_STAGE_UNDOING_MOUNT);
	} else if (is_mounted || (is_ours(s) && op->state == NODE_STAGE_UNDOING_ATTACH)) {
		(void)err_set(&err, ERR_ABORTED, "it is still there");
		give_up(s, &err);
	} else if (is_ours(s)) {
		undo_attach(s);
	} else if (forget(s, &err)) {
		give_up(s, &err);
	} else {
		op_move(op, NODE_STAGE_DONE);
	}
}

void node_stage_after_undoing(struct node_stage *s)
{
	if (op_failed(&s->w.req.op))
		give_up(s, &s->w.req.op.err);
	else
		node_stage_undo(s);
}
