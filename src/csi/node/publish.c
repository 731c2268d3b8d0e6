#include "csi/node/publish.h"

#include "csi/caps.h"
#include "csi/ids.h"
#include "csi/node/contexts.h"
#include "csi/node/event.h"
#include "csi/node/plan.h"

/*   start ─┬─(published already, or refused)──────▶ done
 *          ├─(dead)─▶ clearing ─(looked at anew)─┐
 *          └─▶ binding ◀─────────────────────────┘
 *                 ├────────────────────────────────▶ done
 *                 └─(failed)─▶ undoing ────────────▶ done
 *
 * Failures: not staged, or under another NQN; the target is something else's or not
 * empty; published elsewhere where the access mode allows one; bind refused; deadline. */
enum { ST_START, ST_CLEARING, ST_BINDING, ST_UNDOING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "clearing", "binding", "undoing",
					 "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_CLEARING) | OP_BIT(ST_BINDING) | OP_BIT(ST_DONE),
	[ST_CLEARING] = OP_BIT(ST_BINDING) | OP_BIT(ST_DONE),
	[ST_BINDING] = OP_BIT(ST_UNDOING) | OP_BIT(ST_DONE),
	[ST_UNDOING] = OP_BIT(ST_DONE),
};

static const Csi__V1__NodePublishVolumeRequest *request(const struct rpc *rpc)
{
	return (const void *)rpc->req;
}

static const char *id_of(const struct node_work *w)
{
	return request(&w->rpc)->volume_id;
}

const char *node_publish_volume(const struct rpc *rpc)
{
	return request(rpc)->volume_id;
}

/* The spec fixes FAILED_PRECONDITION for a missing staging path (NodePublishVolume
 * errors), and INVALID_ARGUMENT for the rest. */
int node_publish_check(const struct rpc *rpc, struct err *err)
{
	const Csi__V1__NodePublishVolumeRequest *req = request(rpc);

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (!req->target_path[0])
		return err_set(err, ERR_INVALID, "target_path is missing");
	if (caps_check(req->volume_capability, err))
		return -1;
	if (!req->staging_target_path[0])
		return err_set(err, ERR_PRECONDITION, "staging_target_path is missing");
	if (node_path_check(req->staging_target_path, "staging_target_path", err))
		return -1;
	return node_path_check(req->target_path, "target_path", err);
}

static void finish(struct node_work *w, const struct err *err)
{
	op_fail_err(&w->rpc.op, err);
	op_move(&w->rpc.op, ST_DONE);
}

static int read_want(struct node_work *w, struct plan_publish *want, struct err *err)
{
	const Csi__V1__NodePublishVolumeRequest *req = request(&w->rpc);
	struct node_contexts c = { .values = { NULL } };
	struct node_target target;
	bool is_reader;

	for (size_t i = 0; i < req->n_publish_context; i++)
		node_contexts_publish(&c, req->publish_context[i]->key,
				      req->publish_context[i]->value);
	for (size_t i = 0; i < req->n_volume_context; i++)
		node_contexts_volume(&c, req->volume_context[i]->key,
				     req->volume_context[i]->value);
	if (node_contexts_target(&c, w->rpc.csi->nqn_prefix, &target, err))
		return -1;
	is_reader = target.is_readonly ||
		    caps_use(req->volume_capability, false) == CAPS_READER;
	*want = (struct plan_publish){
		.nqn = target.nqn,
		.is_block = caps_is_block(req->volume_capability),
		.readonly = is_reader || req->readonly,
		.is_single_writer = caps_is_single_writer(req->volume_capability),
		.is_reader = is_reader,
	};
	return 0;
}

/* Two looks; the second stays in w->view. */
static int plan(struct node_work *w, struct plan_publish *want, enum plan_target *ret,
		struct err *err)
{
	struct node_place staging = {
		.id = id_of(w), .nqn = want->nqn, .path = w->staging, .is_staging = true
	};
	struct node_place target = {
		.id = id_of(w), .nqn = want->nqn, .path = w->path, .besides = w->staging
	};
	struct nvme_view *first = arena_alloc(&w->rpc.arena, sizeof(*first));
	struct plan_facts facts = { .staging = first,
				    .target = &w->view,
				    .rec = w->has_record ? &w->record : NULL };

	if (!first)
		return err_nomem(err);
	if (node_work_look(w, &staging, err))
		return -1;
	*first = w->view;
	if (node_work_look(w, &target, err))
		return -1;
	facts.has_node = !w->view.n_layers &&
			 node_file_at(w->path, &first->device) == NODE_FILE_SAME;
	return plan_publish(want, &facts, ret, err);
}

static int prepare(struct node_work *w, struct plan_publish *want, enum plan_target *ret,
		   struct err *err)
{
	const Csi__V1__NodePublishVolumeRequest *req = request(&w->rpc);

	if (!id_is_volume(req->volume_id))
		return err_set(err, ERR_NOT_FOUND, "there is no such volume");
	w->rpc.resp = rpc_new_response(&w->rpc);
	if (!w->rpc.resp)
		return err_nomem(err);
	node_path_canonical(req->staging_target_path, w->staging);
	node_path_canonical(req->target_path, w->path);
	if (read_want(w, want, err) || node_work_read_record(w, req->volume_id, err))
		return -1;
	return plan(w, want, ret, err);
}

static void bind_target(struct node_work *w, const struct plan_publish *want)
{
	struct nvme_req *req = node_work_prepare(w, NVME_BIND, id_of(w));

	req->from = want->is_block ? NULL : w->staging;
	req->path = w->path;
	req->readonly = want->readonly;
	op_move(&w->rpc.op, ST_BINDING);
	node_work_go(w);
}

static void clear(struct node_work *w)
{
	node_event(id_of(w), NODE_EVENT_DEVICE_GONE, w->path);
	node_work_prepare(w, NVME_UNMOUNT, id_of(w))->path = w->path;
	w->req.is_target = true;
	op_move(&w->rpc.op, ST_CLEARING);
	node_work_go(w);
}

static void carry_out(struct node_work *w, const struct plan_publish *want,
		      enum plan_target target)
{
	struct err err = { .code = ERR_OK };

	if (target == PLAN_BIND) {
		bind_target(w, want);
	} else if (target == PLAN_REPLACE && w->rpc.op.state == ST_START) {
		clear(w);
	} else {
		if (target == PLAN_REPLACE)
			(void)err_set(&err, ERR_ABORTED, "the target is still mounted");
		finish(w, &err);
	}
}

static void do_start(struct node_work *w)
{
	struct err err = { .code = ERR_OK };
	struct plan_publish want;
	enum plan_target target;

	if (op_failed(&w->rpc.op) || prepare(w, &want, &target, &err))
		finish(w, &err);
	else
		carry_out(w, &want, target);
}

static void after_clearing(struct node_work *w)
{
	struct err err = { .code = ERR_OK };
	struct plan_publish want;
	enum plan_target target;

	if (node_work_failed(w) || read_want(w, &want, &err) ||
	    plan(w, &want, &target, &err))
		finish(w, &err);
	else
		carry_out(w, &want, target);
}

static int look_at_target(struct node_work *w, struct err *err)
{
	struct node_place at = { .id = id_of(w), .path = w->path, .besides = w->staging };

	return node_work_look(w, &at, err);
}

static void give_up(struct node_work *w, const struct err *why)
{
	node_work_abort(w, why);
	op_move(&w->rpc.op, ST_DONE);
}

/* The child may have bound it before it was cut off. */
static void after_failure(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (look_at_target(w, &err)) {
		give_up(w, &err);
		return;
	}
	if (w->view.top != NVME_TOP_OURS) {
		op_move(&w->rpc.op, ST_DONE);
		return;
	}
	node_work_prepare(w, NVME_UNMOUNT, id_of(w))->path = w->path;
	w->req.is_target = true;
	op_move(&w->rpc.op, ST_UNDOING);
	node_work_go(w);
}

static void after_binding(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (!node_work_failed(w) && !look_at_target(w, &err) &&
	    w->view.top == NVME_TOP_OURS) {
		op_move(&w->rpc.op, ST_DONE);
		return;
	}
	op_fail_err(&w->rpc.op, &err);
	op_fail(&w->rpc.op, ERR_ABORTED, "bound, but mountinfo shows it not");
	after_failure(w);
}

static void after_undoing(struct node_work *w)
{
	if (op_failed(&w->req.op))
		give_up(w, &w->req.op.err);
	else
		op_move(&w->rpc.op, ST_DONE);
}

static void step(struct op *op)
{
	struct node_work *w = node_work_of(op);

	if (op->state == ST_START)
		do_start(w);
	else if (op->state == ST_CLEARING)
		after_clearing(w);
	else if (op->state == ST_BINDING)
		after_binding(w);
	else if (op->state == ST_UNDOING)
		after_undoing(w);
}

const struct op_type node_publish_op = {
	.name = "node publish",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
