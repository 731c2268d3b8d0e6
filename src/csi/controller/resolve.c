#include "csi/controller/resolve.h"

#include <string.h>

#include "csi/controller/attachments.h"
#include "csi/controller/watched.h"

/* start -> asking -> asking … -> done. Fails: UNAVAILABLE, nothing was concluded from
 * what could not be read. */
enum { ST_START = OP_START, ST_ASKING, ST_DONE, ST_N };

enum { MAX_READS = 256 }; /* more are a fault of ours or a broken cluster */

static const char *const names[ST_N] = { "start", "asking", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
};

static void on_read(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(req, struct resolve, req)->op);
}

static void ask(struct resolve *r)
{
	const char *pv = watched_unresolved(attachments_watched(r->csi->attachments));

	if (!op_failed(&r->op) && pv && r->n == MAX_READS)
		op_fail(&r->op, ERR_UNAVAILABLE, "too many PVs are not known");
	if (op_failed(&r->op) || !pv) {
		op_move(&r->op, ST_DONE);
		return;
	}
	r->n++;
	memset(r->pv, 0, sizeof(r->pv));
	memcpy(r->pv, pv, strnlen(pv, sizeof(r->pv) - 1));
	r->req = (struct k8s_request){ .verb = K8S_GET, .kind = K8S_PV, .name = r->pv };
	op_move(&r->op, ST_ASKING);
	op_ref(&r->op);
	k8s_request_start(r->csi->k8s, &r->req, on_read);
	op_set_deadline(&r->req.op, r->op.deadline_ms);
}

static void take(struct resolve *r)
{
	struct watched *w = attachments_watched(r->csi->attachments);
	const struct err *err = &r->req.op.err;
	const char *handle = r->pv;

	if (err->code == ERR_OK && r->req.object && *K8S_PV_OF(r->req.object)->handle)
		handle = K8S_PV_OF(r->req.object)->handle;
	if (err->code != ERR_OK && err->code != ERR_NOT_FOUND)
		op_fail(&r->op, ERR_UNAVAILABLE, "PV %s cannot be read: %.120s", r->pv,
			err->msg);
	else if (watched_resolve(w, r->pv, handle))
		op_fail(&r->op, ERR_UNAVAILABLE, "out of memory");
	k8s_object_free(r->req.object);
	r->req.object = NULL;
}

static void step(struct op *op)
{
	struct resolve *r = CONTAINER_OF(op, struct resolve, op);

	if (op->state == ST_ASKING)
		take(r);
	ask(r);
}

static void interrupt(struct op *op)
{
	struct resolve *r = CONTAINER_OF(op, struct resolve, op);

	if (op->state == ST_ASKING)
		op_cancel(&r->req.op, op->err.code);
}

static const struct op_type resolve_type = {
	.name = "resolve",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_resolved(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct resolve, op)->parent);
}

void resolve_start(struct resolve *r, struct csi *csi, struct op *parent)
{
	*r = (struct resolve){ .csi = csi, .parent = parent };
	op_ref(parent);
	op_start(&r->op, &resolve_type, csi->loop, on_resolved);
	op_set_deadline(&r->op, parent->deadline_ms);
}

void resolve_cancel(struct resolve *r)
{
	op_cancel(&r->op, r->parent->err.code);
}
