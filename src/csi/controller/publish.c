#include "csi/controller/publish.h"

#include "core/str.h"
#include "csi/caps.h"
#include "csi/controller/attachments.h"
#include "csi/controller/gate.h"
#include "csi/controller/message.h"

/* start (-> queued) -> changing -> done. Fails: as the change says; nothing is undone,
 * the record and the next call decide. */
enum { ST_START = OP_START, ST_QUEUED, ST_CHANGING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "queued", "changing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_QUEUED) | OP_BIT(ST_CHANGING) | OP_BIT(ST_DONE),
	[ST_QUEUED] = OP_BIT(ST_CHANGING) | OP_BIT(ST_DONE),
	[ST_CHANGING] = OP_BIT(ST_DONE),
};

typedef Csi__V1__ControllerPublishVolumeRequest request;

static const request *req_of(const struct rpc *rpc)
{
	return (const request *)rpc->req;
}

int ctl_publish_check(const struct rpc *rpc, struct err *err)
{
	const request *req = req_of(rpc);

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (!req->node_id[0])
		return err_set(err, ERR_INVALID, "node_id is missing");
	return caps_check(req->volume_capability, err);
}

const char *ctl_publish_volume(const struct rpc *rpc)
{
	return req_of(rpc)->volume_id;
}

static bool is_one_node(const Csi__V1__VolumeCapability *cap)
{
	int mode = (int)cap->access_mode->mode;

	return mode != CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY &&
	       mode != CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER;
}

static int check_node(struct ctl_publish *p, struct err *err)
{
	const char *node = req_of(&p->rpc)->node_id;

	if (!id_is_node(node))
		return err_set(err, ERR_NOT_FOUND, "node %.64s is not known", node);
	switch (attachments_standing(p->rpc.csi->attachments, node)) {
	case NODE_HEALTHY:
		return 0;
	case NODE_LOST:
	case NODE_OUT_OF_SERVICE:
		/* Whatever its VolumeAttachment says: the attacher syncs those of lost
		 * nodes too. */
		return err_set(err, ERR_PRECONDITION,
			       "node %.64s is lost: not ready, or out of service", node);
	default:
		return err_set(err, ERR_NOT_FOUND, "node %.64s is not known", node);
	}
}

static int check_names(struct ctl_publish *p, struct err *err)
{
	if (!id_is_volume(req_of(&p->rpc)->volume_id))
		return err_set(err, ERR_NOT_FOUND, "no such volume");
	return gate_check(p->rpc.csi, err) || check_node(p, err) ? -1 : 0;
}

static uint32_t migration_timeout_s(const request *req)
{
	const char *s = message_lookup(req->volume_context, req->n_volume_context,
				       "migrationTimeoutSeconds");
	uint64_t n = 0;

	return s && str_to_u64(s, &n) == 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static int begin(struct ctl_publish *p)
{
	const request *req = req_of(&p->rpc);
	struct err err = { .code = ERR_OK };

	if (op_failed(&p->rpc.op))
		return -1;
	if (check_names(p, &err)) {
		op_fail_err(&p->rpc.op, &err);
		return -1;
	}
	id_record_node(req->node_id, p->node);
	p->change.id = req->volume_id;
	p->change.is_publish = true;
	p->change.ask.node = p->node;
	p->change.ask.use = (char)caps_use(req->volume_capability, req->readonly);
	p->change.migration_timeout_s = migration_timeout_s(req);
	p->change.ask.is_one_node = is_one_node(req->volume_capability);
	return 0;
}

static const char *address_of(const struct ctl_publish *p)
{
	const request *req = req_of(&p->rpc);
	const char *s =
		message_lookup(req->volume_context, req->n_volume_context, "nvmeAddress");

	if (!s || !*s)
		s = message_lookup(req->volume_context, req->n_volume_context,
				   "rdsAddress");
	return s && *s ? s : p->rpc.csi->rds_address;
}

static void answer(struct ctl_publish *p)
{
	struct arena *a = &p->rpc.arena;
	const struct rds_volume *v = &p->change.volume;
	Csi__V1__ControllerPublishVolumeResponse *resp =
		message_new(a, p->rpc.method->response);
	struct message_pair pairs[] = {
		{ "nvme_address", address_of(p) },
		{ "nvme_port", arena_printf(a, "%u", v->port) },
		{ "nvme_nqn", v->nqn },
		{ "fs_type", caps_fs_type(req_of(&p->rpc)->volume_capability) },
		{ "rds_csi_ctx", "2" },
		{ "size_bytes",
		  arena_printf(a, "%llu", (unsigned long long)v->size_bytes) },
		{ "fence_gen", arena_printf(a, "%u", v->record.generation) },
		{ "readonly", p->change.ask.use == CAPS_READER ? "true" : "false" },
	};
	enum { N = sizeof(pairs) / sizeof(pairs[0]) };

	if (!resp)
		return;
	resp->publish_context = message_map(
		a,
		&csi__v1__controller_publish_volume_response__publish_context_entry__descriptor,
		pairs, N, &resp->n_publish_context);
	if (resp->publish_context && resp->n_publish_context == N)
		p->rpc.resp = &resp->base;
}

static void do_changed(struct ctl_publish *p)
{
	struct op *op = &p->rpc.op;

	op_fail_err(op, &p->change.op.err);
	if (!op_failed(op) && p->change.is_absent)
		op_fail(op, ERR_NOT_FOUND, "no such volume");
	if (op_failed(op))
		return;
	answer(p);
	if (!p->rpc.resp)
		op_fail(op, ERR_EXHAUSTED, "out of memory");
}

static void change(struct ctl_publish *p)
{
	op_move(&p->rpc.op, ST_CHANGING);
	change_start(&p->change, p->rpc.csi, &p->rpc.op);
}

static void do_start(struct ctl_publish *p)
{
	const request *req = req_of(&p->rpc);

	if (begin(p)) {
		op_move(&p->rpc.op, ST_DONE);
		return;
	}
	p->turn = vmi_turn_begin(p->rpc.csi->vmi, &p->rpc.arena, req->volume_id,
				 req->node_id, &p->rpc.op);
	if (p->turn)
		op_move(&p->rpc.op, ST_QUEUED);
	else
		change(p);
}

static void step(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_publish *p = CONTAINER_OF(rpc, struct ctl_publish, rpc);

	switch (op->state) {
	case ST_START:
		do_start(p);
		return;
	case ST_QUEUED:
		op_fail_err(op, &p->turn->op.err);
		if (!op_failed(op)) {
			change(p);
			return;
		}
		vmi_turn_leave(p->turn);
		op_move(op, ST_DONE);
		return;
	case ST_CHANGING:
		vmi_turn_leave(p->turn);
		do_changed(p);
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_publish *p = CONTAINER_OF(rpc, struct ctl_publish, rpc);

	if (op->state == ST_QUEUED)
		vmi_turn_cancel(p->turn);
	else
		change_cancel(&p->change);
}

const struct op_type ctl_publish_type = {
	.name = "controller_publish",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};
