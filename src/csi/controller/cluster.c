#include "csi/controller/cluster.h"

#include <string.h>

#include "core/log.h"
#include "core/rand.h"
#include "csi/ids.h"

/* start -> asking -> done
 *            ^ |
 *            | v
 *          waiting
 *
 * asking:  fails: logged, and asked again later. Cancelled: the request ends.
 * waiting: cancelled: ends at once. */
enum { ST_START = OP_START, ST_ASKING, ST_WAITING, ST_DONE, ST_N };

enum { WAIT_MS = 500, WAIT_MAX_MS = 30 * 1000 };

static const char *const names[ST_N] = { "start", "asking", "waiting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_WAITING) | OP_BIT(ST_DONE),
	[ST_WAITING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
};

static void on_answer(struct op *op)
{
	struct k8s_request *r = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(r, struct cluster, req)->op);
}

static void ask(struct cluster *c)
{
	c->req = (struct k8s_request){
		.verb = K8S_GET,
		.kind = K8S_NAMESPACE,
		.name = "kube-system",
	};
	op_move(&c->op, ST_ASKING);
	op_ref(&c->op);
	k8s_request_start(c->k8s, &c->req, on_answer);
}

static void on_wait(struct clock_timer *t)
{
	op_unref_wake(&CONTAINER_OF(t, struct cluster, wait)->op);
}

/* The record on the box holds letters, digits and hyphens only. */
static bool is_id(const char *s)
{
	size_t n = strlen(s);

	return n && n <= RDS_CLUSTER_MAX &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789-") == n;
}

static void do_answer(struct cluster *c)
{
	const struct err *err = &c->req.op.err;
	const char *uid = c->req.object ? c->req.object->uid : "";

	if (err->code == ERR_OK && is_id(uid)) {
		memcpy(c->ret_id, uid, strlen(uid) + 1);
		log_info("csi", "cluster known", KS("cluster", c->ret_id));
		op_move(&c->op, ST_DONE);
	} else if (op_failed(&c->op)) {
		op_move(&c->op, ST_DONE);
	} else {
		log_warn("csi", "the cluster's id is not known yet",
			 KS("why",
			    err->code == ERR_OK ? "namespace without a UID" : err->msg));
		op_ref(&c->op);
		clock_timer_start(c->op.loop, &c->wait,
				  backoff_next_ms(&c->backoff, rand_below(UINT32_MAX)),
				  on_wait);
		op_move(&c->op, ST_WAITING);
	}
	k8s_object_free(c->req.object);
	c->req.object = NULL;
}

static void step(struct op *op)
{
	struct cluster *c = CONTAINER_OF(op, struct cluster, op);

	switch (op->state) {
	case ST_START:
	case ST_WAITING:
		if (op_failed(op))
			op_move(op, ST_DONE);
		else
			ask(c);
		return;
	case ST_ASKING:
		do_answer(c);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct cluster *c = CONTAINER_OF(op, struct cluster, op);

	if (op->state == ST_ASKING) {
		op_cancel(&c->req.op, op->err.code);
	} else if (op->state == ST_WAITING) {
		clock_timer_stop(&c->wait);
		op_unref_wake(op);
	}
}

static const struct op_type cluster_type = {
	.name = "cluster",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void cluster_start(struct cluster *c, struct k8s *k8s, char *ret_id,
		   void (*done)(struct op *op))
{
	*c = (struct cluster){ .k8s = k8s, .ret_id = ret_id };
	ret_id[0] = '\0';
	backoff_init(&c->backoff, WAIT_MS, WAIT_MAX_MS);
	op_start(&c->op, &cluster_type, k8s->loop, done);
}
