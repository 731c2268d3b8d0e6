#include "csi/controller/query.h"

#include "csi.pb-c.h"
#include "csi/caps.h"
#include "csi/controller/attach_rules.h"
#include "csi/controller/attachments.h"
#include "csi/controller/message.h"
#include "csi/controller/migrations.h"
#include "csi/controller/params.h"
#include "csi/controller/volume_check.h"
#include "csi/ids.h"

/* start -> reading -> done. Fails: nothing was changed. */
enum { ST_START = OP_START, ST_READING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "reading", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_READING) | OP_BIT(ST_DONE),
	[ST_READING] = OP_BIT(ST_DONE),
};

typedef Csi__V1__ValidateVolumeCapabilitiesRequest validate_request;

const char *ctl_get_volume_id(const struct rpc *rpc)
{
	return ((const Csi__V1__ControllerGetVolumeRequest *)rpc->req)->volume_id;
}

static const validate_request *validate_req(const struct rpc *rpc)
{
	return (const validate_request *)rpc->req;
}

const char *ctl_validate_id(const struct rpc *rpc)
{
	return validate_req(rpc)->volume_id;
}

int ctl_get_volume_check(const struct rpc *rpc, struct err *err)
{
	if (!ctl_get_volume_id(rpc)[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	return 0;
}

int ctl_validate_check(const struct rpc *rpc, struct err *err)
{
	const validate_request *req = validate_req(rpc);

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (req->n_volume_capabilities == 0)
		return err_set(err, ERR_INVALID, "volume_capabilities is missing");
	return 0;
}

unsigned query_nodes(const struct rds_record *record, const char *ret[RDS_MAX_HOLDERS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < record->n_holders; i++)
		if (record->holders[i].use != ATTACH_UNFENCED)
			ret[n++] = record->holders[i].node;
	return n;
}

int query_holders(struct rpc *rpc, const struct rds_record *record, size_t *ret_n,
		  char ***ret)
{
	const char *nodes[RDS_MAX_HOLDERS];
	unsigned n = query_nodes(record, nodes);
	char **list = arena_alloc(&rpc->arena, (n + 1) * sizeof(*list));

	if (!list)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		list[i] = arena_strdup(&rpc->arena,
				       attachments_node_name(rpc->csi->attachments,
							     nodes[i]));
		if (!list[i])
			return -1;
	}
	*ret_n = n;
	*ret = list;
	return 0;
}

Csi__V1__VolumeCondition *query_condition(struct rpc *rpc, const char *id)
{
	const struct migrations *m = attachments_migrations(rpc->csi->attachments);
	Csi__V1__VolumeCondition *c =
		message_new(&rpc->arena, &csi__v1__volume_condition__descriptor);

	if (!c)
		return NULL;
	c->abnormal = m && id && migrations_is_late(m, id);
	c->message = arena_strdup(&rpc->arena,
				  c->abnormal ? "a live migration takes too long; both "
						"nodes keep the volume"
					      : "nothing is known against it");
	return c->message ? c : NULL;
}

static ProtobufCMessage *answer_get(struct ctl_query *q)
{
	struct arena *a = &q->rpc.arena;
	const struct rds_volume *v = &q->box.req.volume;
	Csi__V1__ControllerGetVolumeResponse *resp =
		message_new(a, q->rpc.method->response);
	Csi__V1__Volume *vol = message_new(a, &csi__v1__volume__descriptor);
	Csi__V1__ControllerGetVolumeResponse__VolumeStatus *status = message_new(
		a, &csi__v1__controller_get_volume_response__volume_status__descriptor);

	if (!resp || !vol || !status ||
	    query_holders(&q->rpc, &v->record, &status->n_published_node_ids,
			  &status->published_node_ids))
		return NULL;
	vol->volume_id = arena_strdup(a, q->box.req.id);
	status->volume_condition = query_condition(&q->rpc, q->box.req.id);
	if (!vol->volume_id || !status->volume_condition)
		return NULL;
	vol->capacity_bytes = (int64_t)v->size_bytes;
	resp->volume = vol;
	resp->status = status;
	return &resp->base;
}

/* What is asked for is confirmed as a whole, or not at all and with the reason. The
 * answer borrows the request, which lives in the same arena. */
static ProtobufCMessage *answer_validate(struct ctl_query *q)
{
	struct arena *a = &q->rpc.arena;
	const validate_request *req = validate_req(&q->rpc);
	Csi__V1__ValidateVolumeCapabilitiesResponse *resp =
		message_new(a, q->rpc.method->response);
	Csi__V1__ValidateVolumeCapabilitiesResponse__Confirmed *yes = message_new(
		a,
		&csi__v1__validate_volume_capabilities_response__confirmed__descriptor);
	struct err err = { .code = ERR_OK };
	struct params params;
	size_t n;

	if (!resp || !yes)
		return NULL;
	if (caps_check_all(req->volume_capabilities, req->n_volume_capabilities, &err) ||
	    params_parse(req->parameters, req->n_parameters, &params, &err)) {
		resp->message = arena_strdup(a, err.msg);
		return resp->message ? &resp->base : NULL;
	}
	yes->n_volume_capabilities = req->n_volume_capabilities;
	yes->volume_capabilities = req->volume_capabilities;
	yes->volume_context = message_copy(
		a,
		&csi__v1__validate_volume_capabilities_response__confirmed__volume_context_entry__descriptor,
		req->volume_context, req->n_volume_context, &n);
	yes->n_volume_context = n;
	yes->parameters = message_copy(
		a,
		&csi__v1__validate_volume_capabilities_response__confirmed__parameters_entry__descriptor,
		req->parameters, req->n_parameters, &n);
	yes->n_parameters = n;
	resp->confirmed = yes;
	return yes->volume_context && yes->parameters ? &resp->base : NULL;
}

static void do_read(struct ctl_query *q)
{
	struct op *op = &q->rpc.op;
	const struct rds_volume *v = box_volume(&q->box);
	struct err err = { .code = ERR_OK };

	op_fail_err(op, &q->box.req.op.err);
	if (!op_failed(op) && !v)
		op_fail(op, ERR_NOT_FOUND, "no such volume");
	if (!op_failed(op) && volume_check_shape(v, &err))
		op_fail_err(op, &err);
	if (op_failed(op))
		return;
	q->rpc.resp = op->type == &ctl_validate_type ? answer_validate(q) : answer_get(q);
	if (!q->rpc.resp)
		op_fail(op, ERR_EXHAUSTED, "out of memory");
}

static void step(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_query *q = CONTAINER_OF(rpc, struct ctl_query, rpc);
	const char *id = rpc->method->volume_id(rpc);

	switch (op->state) {
	case ST_START:
		if (!id_is_volume(id))
			op_fail(op, ERR_NOT_FOUND, "no such volume");
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		box_prepare(&q->box, RDS_GET, id);
		op_move(op, ST_READING);
		box_start(&q->box, rpc->csi, op);
		return;
	case ST_READING:
		do_read(q);
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);

	box_cancel(&CONTAINER_OF(rpc, struct ctl_query, rpc)->box);
}

const struct op_type ctl_get_volume_type = {
	.name = "get_volume",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

const struct op_type ctl_validate_type = {
	.name = "validate",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};
