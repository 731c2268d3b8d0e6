#include "csi/controller/leader_look.h"

#include <stdio.h>
#include <string.h>

/* start -> asking -> done
 *            ^ |
 *            | v
 *          resting
 *
 * asking:  fails: the op fails.     resting: cancelled: ends at once. */
enum { ST_START = OP_START, ST_ASKING, ST_RESTING, ST_DONE, ST_N };

enum { REST_MS = 2000, MARGIN_MS = 1000 };

static const char *const names[ST_N] = { "start", "asking", "resting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_RESTING) | OP_BIT(ST_DONE),
	[ST_RESTING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
};

static void on_answer(struct op *op)
{
	struct k8s_request *r = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(r, struct leader_look, req)->op);
}

static void on_rested(struct clock_timer *t)
{
	op_unref_wake(&CONTAINER_OF(t, struct leader_look, rest)->op);
}

static void ask(struct leader_look *l)
{
	l->req = (struct k8s_request){
		.verb = K8S_GET,
		.kind = K8S_LEASE,
		.ns = l->ns,
		.name = l->name,
	};
	op_move(&l->op, ST_ASKING);
	op_ref(&l->op);
	k8s_request_start(l->k8s, &l->req, on_answer);
}

/* True when another look is needed. */
static bool is_open(struct leader_look *l, const struct k8s_lease *lease)
{
	uint64_t now = clock_now_ms(l->op.loop);
	bool is_new = strncmp(l->renewed, lease->renew_time, sizeof(l->renewed) - 1) != 0;

	if (!*lease->holder)
		return false;
	(void)snprintf(l->holder, sizeof(l->holder), "%.120s", lease->holder);
	if (l->has_looked && is_new) {
		l->is_led = true;
		return false;
	}
	if (!l->has_looked)
		l->since_ms = now;
	l->has_looked = true;
	(void)snprintf(l->renewed, sizeof(l->renewed), "%.63s", lease->renew_time);
	return now - l->since_ms <= (uint64_t)lease->duration_s * 1000 + MARGIN_MS;
}

static void do_answer(struct leader_look *l)
{
	struct k8s_object *o = l->req.object;
	const struct err *err = &l->req.op.err;

	l->req.object = NULL;
	if (err->code != ERR_OK && err->code != ERR_NOT_FOUND)
		op_fail_err(&l->op, err);
	if (op_failed(&l->op) || !o || !is_open(l, K8S_LEASE_OF(o))) {
		op_move(&l->op, ST_DONE);
	} else {
		op_move(&l->op, ST_RESTING);
		op_ref(&l->op);
		clock_timer_start(l->op.loop, &l->rest, REST_MS, on_rested);
	}
	k8s_object_free(o);
}

static void step(struct op *op)
{
	struct leader_look *l = CONTAINER_OF(op, struct leader_look, op);

	switch (op->state) {
	case ST_START:
	case ST_RESTING:
		if (op_failed(op))
			op_move(op, ST_DONE);
		else
			ask(l);
		return;
	case ST_ASKING:
		do_answer(l);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct leader_look *l = CONTAINER_OF(op, struct leader_look, op);

	if (op->state == ST_ASKING)
		op_cancel(&l->req.op, op->err.code);
	if (op->state != ST_RESTING)
		return;
	clock_timer_stop(&l->rest);
	op_unref_wake(op);
}

static const struct op_type leader_look_type = {
	.name = "leader-look",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void leader_look_start(struct leader_look *l, void (*done)(struct op *op))
{
	op_start(&l->op, &leader_look_type, l->k8s->loop, done);
}
