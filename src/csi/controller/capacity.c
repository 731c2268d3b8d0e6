#include "csi/controller/capacity.h"

#include <stdio.h>
#include <string.h>

#include "csi.pb-c.h"
#include "csi/caps.h"
#include "csi/controller/message.h"
#include "csi/controller/sizes.h"

/* start -> reading -> done
 *       -> done (cached). Fails: the cache stays as it was. */
enum { ST_START = OP_START, ST_READING, ST_DONE, ST_N };

enum { CACHE_MS = 10000 };

static const char *const names[ST_N] = { "start", "reading", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_READING) | OP_BIT(ST_DONE),
	[ST_READING] = OP_BIT(ST_DONE),
};

typedef Csi__V1__GetCapacityRequest request;

static const request *req_of(const struct rpc *rpc)
{
	return (const request *)rpc->req;
}

int ctl_capacity_check(const struct rpc *rpc, struct err *err)
{
	const request *req = req_of(rpc);
	struct params params;

	return params_parse(req->parameters, req->n_parameters, &params, err);
}

/* For volumes that cannot be, there is no room. */
static bool is_supported(const request *req)
{
	struct err err;

	return req->n_volume_capabilities == 0 ||
	       caps_check_all(req->volume_capabilities, req->n_volume_capabilities,
			      &err) == 0;
}

static Csi__V1__Int64Value *int64_new(struct arena *a, uint64_t value)
{
	Csi__V1__Int64Value *v = message_new(a, &csi__v1__int64_value__descriptor);

	if (v)
		v->value = (int64_t)value;
	return v;
}

static void answer(struct ctl_capacity *c)
{
	struct arena *a = &c->rpc.arena;
	uint64_t room =
		is_supported(req_of(&c->rpc)) ? c->rpc.csi->capacity.free_bytes : 0;
	uint64_t max = room < SIZES_MAX ? room & ~(SIZES_STEP - 1) : SIZES_MAX;
	Csi__V1__GetCapacityResponse *resp = message_new(a, c->rpc.method->response);

	if (resp) {
		resp->available_capacity = (int64_t)(room < INT64_MAX ? room : INT64_MAX);
		resp->maximum_volume_size = int64_new(a, max < SIZES_MIN ? 0 : max);
		resp->minimum_volume_size = int64_new(a, SIZES_MIN);
	}
	if (resp && resp->maximum_volume_size && resp->minimum_volume_size)
		c->rpc.resp = &resp->base;
	else
		op_fail(&c->rpc.op, ERR_EXHAUSTED, "out of memory");
}

static const char *base_of(const struct ctl_capacity *c)
{
	return c->params.volume_path ? c->params.volume_path : "";
}

static bool is_cached(const struct ctl_capacity *c)
{
	const struct csi_capacity *known = &c->rpc.csi->capacity;

	return known->is_known && strcmp(known->base, base_of(c)) == 0 &&
	       clock_now_ms(c->rpc.op.loop) - known->read_ms < CACHE_MS;
}

/* 0 when the answer is there already. */
static int begin(struct ctl_capacity *c)
{
	const request *req = req_of(&c->rpc);
	struct err err = { .code = ERR_OK };

	if (params_parse(req->parameters, req->n_parameters, &c->params, &err))
		op_fail_err(&c->rpc.op, &err);
	if (op_failed(&c->rpc.op))
		return 0;
	if (is_cached(c)) {
		answer(c);
		return 0;
	}
	box_prepare(&c->box, RDS_CAPACITY, NULL);
	c->box.req.base = c->params.volume_path;
	return -1;
}

static void do_read(struct ctl_capacity *c)
{
	struct csi_capacity *known = &c->rpc.csi->capacity;
	const struct rds_req *req = &c->box.req;

	op_fail_err(&c->rpc.op, &req->op.err);
	if (op_failed(&c->rpc.op))
		return;
	*known = (struct csi_capacity){ .is_known = true,
					.read_ms = clock_now_ms(c->rpc.op.loop),
					.free_bytes = req->free_bytes,
					.total_bytes = req->total_bytes };
	(void)snprintf(known->base, sizeof(known->base), "%s", base_of(c));
	answer(c);
}

static void step(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_capacity *c = CONTAINER_OF(rpc, struct ctl_capacity, rpc);

	switch (op->state) {
	case ST_START:
		if (begin(c) == 0) {
			op_move(op, ST_DONE);
			return;
		}
		op_move(op, ST_READING);
		box_start(&c->box, rpc->csi, op);
		return;
	case ST_READING:
		do_read(c);
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);

	box_cancel(&CONTAINER_OF(rpc, struct ctl_capacity, rpc)->box);
}

const struct op_type ctl_capacity_type = {
	.name = "get_capacity",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};
