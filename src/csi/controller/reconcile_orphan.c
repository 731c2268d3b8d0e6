#include "csi/controller/reconcile_orphan.h"

#include <string.h>

/* start -> listing -> naming -> claiming -> removing -> done
 *                     naming -> removing (the record names no claim)
 *
 * Any state but removing: fails, or finds it named: nothing was changed.
 * removing: fails: parts may be gone; the record, if it is still there, brings the next
 *           round to it, and the script looks for each part. */
enum {
	ST_START = OP_START,
	ST_LISTING,
	ST_NAMING,
	ST_CLAIMING,
	ST_REMOVING,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = {
	"start", "listing", "naming", "claiming", "removing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LISTING) | OP_BIT(ST_DONE),
	[ST_LISTING] = OP_BIT(ST_NAMING) | OP_BIT(ST_DONE),
	[ST_NAMING] = OP_BIT(ST_CLAIMING) | OP_BIT(ST_REMOVING) | OP_BIT(ST_DONE),
	[ST_CLAIMING] = OP_BIT(ST_REMOVING) | OP_BIT(ST_DONE),
	[ST_REMOVING] = OP_BIT(ST_DONE),
};

static void on_answer(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);
	struct reconcile_orphan *o = CONTAINER_OF(req, struct reconcile_orphan, req);

	op_unref_wake(&o->op);
}

static void ask(struct reconcile_orphan *o, const struct k8s_request *req, unsigned state)
{
	o->req = *req;
	op_move(&o->op, state);
	op_ref(&o->op);
	k8s_request_start(o->shared->csi->k8s, &o->req, on_answer);
	op_set_deadline(&o->req.op, o->op.deadline_ms);
}

static void on_pv(struct k8s_request *req, const struct k8s_object *pv)
{
	struct reconcile_orphan *o = CONTAINER_OF(req, struct reconcile_orphan, req);

	o->is_named |= strcmp(K8S_PV_OF(pv)->handle, o->volume->id) == 0;
}

/* The answer of a GET: 0 when the object is not there, 1 when it is, in *ret, which the
 * caller frees; -1 when it is not known. */
static int found(struct reconcile_orphan *o, struct k8s_object **ret)
{
	*ret = o->req.object;
	o->req.object = NULL;
	if (o->req.op.err.code == ERR_NOT_FOUND)
		return o->req.is_foreign;
	op_fail_err(&o->op, &o->req.op.err);
	return op_failed(&o->op) ? -1 : 1;
}

static void start_removing(struct reconcile_orphan *o)
{
	if (!reconcile_may_act(o->shared)) {
		op_move(&o->op, ST_DONE);
		return;
	}
	box_prepare(&o->box, RDS_DELETE, o->volume->id);
	o->box.req.base = o->volume->path;
	o->box.req.expect_nonce = o->volume->record.nonce;
	o->box.req.nqn = o->volume->nqn;
	o->shared->csi->capacity.is_known = false;
	op_move(&o->op, ST_REMOVING);
	box_start(&o->box, o->shared->csi, &o->op);
}

static void do_listed(struct reconcile_orphan *o)
{
	op_fail_err(&o->op, &o->req.op.err);
	if (op_failed(&o->op) || o->is_named) {
		op_move(&o->op, ST_DONE);
		return;
	}
	ask(o,
	    &(struct k8s_request){
		    .verb = K8S_GET, .kind = K8S_PV, .name = o->volume->id },
	    ST_NAMING);
}

/* A claim cut for its length names no object, or another one: then it is not asked. */
static const char *claim_of(struct reconcile_orphan *o)
{
	const char *claim = o->volume->record.claim, *slash = strchr(claim, '/');
	size_t n = slash ? (size_t)(slash - claim) : 0;

	if (n == 0 || !slash[1] || strlen(claim) >= RDS_CLAIM_MAX)
		return NULL;
	memcpy(o->ns, claim, n);
	o->ns[n] = '\0';
	return slash + 1;
}

/* By this name there must be none at all, of whatever driver and handle. */
static void do_named(struct reconcile_orphan *o)
{
	const char *claim = claim_of(o);
	struct k8s_object *pv;
	int n = found(o, &pv);

	k8s_object_free(pv);
	if (n != 0) {
		op_move(&o->op, ST_DONE);
		return;
	}
	if (!claim) {
		start_removing(o);
		return;
	}
	ask(o,
	    &(struct k8s_request){
		    .verb = K8S_GET, .kind = K8S_PVC, .ns = o->ns, .name = claim },
	    ST_CLAIMING);
}

/* A claim that has lost its PV still means this volume. */
static void do_claimed(struct reconcile_orphan *o)
{
	struct k8s_object *pvc;
	int n = found(o, &pvc);
	const char *volume = n > 0 && pvc ? K8S_PVC_OF(pvc)->volume : "";

	o->is_named = *volume && strcmp(volume, o->volume->id) == 0;
	k8s_object_free(pvc);
	if (n < 0 || o->is_named)
		op_move(&o->op, ST_DONE);
	else
		start_removing(o);
}

static void step(struct op *op)
{
	struct reconcile_orphan *o = CONTAINER_OF(op, struct reconcile_orphan, op);

	if (op->state != ST_REMOVING && op_failed(op)) {
		k8s_object_free(o->req.object);
		o->req.object = NULL;
		op_move(op, ST_DONE);
		return;
	}
	switch (op->state) {
	case ST_START:
		ask(o,
		    &(struct k8s_request){
			    .verb = K8S_LIST, .kind = K8S_PV, .each = on_pv },
		    ST_LISTING);
		return;
	case ST_LISTING:
		do_listed(o);
		return;
	case ST_NAMING:
		do_named(o);
		return;
	case ST_CLAIMING:
		do_claimed(o);
		return;
	case ST_REMOVING:
		op_fail_err(op, &o->box.req.op.err);
		o->is_removed = !op_failed(op) && o->box.req.outcome == RDS_OK;
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct reconcile_orphan *o = CONTAINER_OF(op, struct reconcile_orphan, op);

	if (op->state == ST_REMOVING)
		box_cancel(&o->box);
	else
		op_cancel(&o->req.op, op->err.code);
}

static const struct op_type type = {
	.name = "reconcile_orphan",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_done(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct reconcile_orphan, op)->parent);
}

void reconcile_orphan_start(struct reconcile_orphan *o, struct reconcile_shared *shared,
			    const struct rds_volume *volume, struct op *parent)
{
	*o = (struct reconcile_orphan){ .shared = shared,
					.volume = volume,
					.parent = parent };
	op_ref(parent);
	op_start(&o->op, &type, shared->csi->loop, on_done);
	op_set_deadline(&o->op, parent->deadline_ms);
}
