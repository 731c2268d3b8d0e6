#include "csi/controller/reconcile_lost.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "csi/controller/tell.h"
#include "metrics/registry.h"

/* start -> asking node -> asking pods -> fencing -> deleting -> done
 *
 * start:       not leading, or a list not current: left alone.
 * asking node, asking pods: it is there, or a pod refers to the claim: left alone.
 * fencing:     fails, as where the box does not answer: the object stays.
 * deleting:    another UID, or gone: left alone. */
enum {
	ST_START = OP_START,
	ST_ASKING_NODE,
	ST_ASKING_PODS,
	ST_FENCING,
	ST_DELETING,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = {
	"start", "asking node", "asking pods", "fencing", "deleting", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING_NODE) | OP_BIT(ST_DONE),
	[ST_ASKING_NODE] = OP_BIT(ST_ASKING_PODS) | OP_BIT(ST_DONE),
	[ST_ASKING_PODS] = OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
	[ST_FENCING] = OP_BIT(ST_DELETING) | OP_BIT(ST_DONE),
	[ST_DELETING] = OP_BIT(ST_DONE),
};

/* -1: it does not fit, so it is none that this driver could have made. */
static int copy(char *to, size_t size, const char *from)
{
	size_t n = strlen(from);

	if (n >= size)
		return -1;
	memcpy(to, from, n + 1);
	return 0;
}

/* 0 when the object is one whose volume, node and claim are all known. */
static int fill(struct reconcile_lost *l, const struct k8s_va *va,
		const struct k8s_pv *pv)
{
	if (!id_is_node(va->node) || !id_is_volume(pv->handle) || !*pv->claim_name)
		return -1;
	return copy(l->name, sizeof(l->name), va->o.name) ||
	       copy(l->uid, sizeof(l->uid), va->o.uid) ||
	       copy(l->object_node, sizeof(l->object_node), va->node) ||
	       copy(l->handle, sizeof(l->handle), pv->handle) ||
	       copy(l->claim_ns, sizeof(l->claim_ns), pv->claim_ns) ||
	       copy(l->claim, sizeof(l->claim), pv->claim_name);
}

bool reconcile_is_lost(const struct k8s *k, const struct k8s_object *va)
{
	const struct k8s_store *nodes = &k->stores[K8S_NODE];
	const char *node = K8S_VA_OF(va)->node;

	return !va->is_deleting && !k8s_store_find(nodes, node) &&
	       !k8s_store_is_unreadable(nodes, node);
}

struct reconcile_lost *reconcile_lost_new(const struct k8s *k,
					  const struct k8s_object *va)
{
	const struct k8s_object *pv =
		k8s_store_find(&k->stores[K8S_PV], K8S_VA_OF(va)->pv);
	struct reconcile_lost *l = pv ? mem_calloc(1, sizeof(*l)) : NULL;

	if (l && fill(l, K8S_VA_OF(va), K8S_PV_OF(pv))) {
		mem_free(l);
		return NULL;
	}
	return l;
}

void reconcile_lost_free(struct reconcile_lost *l)
{
	list_remove(&l->list);
	mem_free(l);
}

static void finish(struct reconcile_lost *l)
{
	inflight_leave(&l->inflight);
	k8s_object_free(l->req.object);
	l->req.object = NULL;
	op_move(&l->op, ST_DONE);
}

static const char clear_stale[] = "clear_stale";

static void fail(struct reconcile_lost *l, const struct err *err)
{
	reconcile_count(clear_stale, METRIC_FAILED);
	op_fail_err(&l->op, err);
	finish(l);
}

static void on_answer(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(req, struct reconcile_lost, req)->op);
}

static void ask(struct reconcile_lost *l, const struct k8s_request *req, unsigned state)
{
	k8s_object_free(l->req.object);
	l->req = *req;
	op_move(&l->op, state);
	op_ref(&l->op);
	k8s_request_start(l->shared->csi->k8s, &l->req, on_answer);
}

static void do_start(struct reconcile_lost *l)
{
	if (op_failed(&l->op) || !reconcile_may_act(l->shared))
		finish(l);
	else
		ask(l,
		    &(struct k8s_request){
			    .verb = K8S_GET, .kind = K8S_NODE, .name = l->object_node },
		    ST_ASKING_NODE);
}

static void on_pod(struct k8s_request *req, const struct k8s_object *o)
{
	struct reconcile_lost *l = CONTAINER_OF(req, struct reconcile_lost, req);
	const struct k8s_pod *pod = K8S_POD_OF(o);

	l->is_referenced |= k8s_list_has(pod->claims, pod->n_claims, l->claim);
}

/* 404 and nothing else says that it is gone. */
static void do_node(struct reconcile_lost *l)
{
	const struct err *err = &l->req.op.err;

	if (err->code == ERR_OK) {
		finish(l);
		return;
	}
	if (err->code != ERR_NOT_FOUND) {
		fail(l, err);
		return;
	}
	(void)snprintf(l->query, sizeof(l->query), "fieldSelector=spec.nodeName%%3D%s",
		       l->object_node);
	ask(l,
	    &(struct k8s_request){ .verb = K8S_LIST,
				   .kind = K8S_POD,
				   .ns = l->claim_ns,
				   .query = l->query,
				   .each = on_pod },
	    ST_ASKING_PODS);
}

/* The stores say the same as when the object was first seen. */
static bool is_still_lost(const struct reconcile_lost *l)
{
	const struct k8s *k = l->shared->csi->k8s;
	const struct k8s_object *va = k8s_store_find(&k->stores[K8S_VA], l->name);

	return reconcile_may_act(l->shared) && va && strcmp(va->uid, l->uid) == 0 &&
	       reconcile_is_lost(k, va);
}

static void do_pods(struct reconcile_lost *l)
{
	struct err busy;

	if (l->req.op.err.code != ERR_OK) {
		fail(l, &l->req.op.err);
		return;
	}
	if (l->shared->conf.is_attachment_dry_run && !l->is_referenced) {
		reconcile_count(clear_stale, METRIC_TOLD);
		log_warn("reconcile", "dry run: a stale attachment is not cleared",
			 KS("volume", l->handle), KS("node", l->object_node));
	}
	if (l->is_referenced || l->shared->conf.is_attachment_dry_run ||
	    !is_still_lost(l) ||
	    inflight_enter(&l->shared->csi->inflight, &l->inflight, l->handle,
			   "a background task", &busy)) {
		if (!l->shared->conf.is_attachment_dry_run || l->is_referenced)
			reconcile_count(clear_stale, METRIC_SKIPPED);
		finish(l);
		return;
	}
	id_record_node(l->object_node, l->node);
	l->change = (struct change){ .id = l->handle, .ask = { .node = l->node } };
	op_move(&l->op, ST_FENCING);
	change_start(&l->change, l->shared->csi, &l->op);
}

static void do_fenced(struct reconcile_lost *l)
{
	inflight_leave(&l->inflight);
	if (op_failed(&l->change.op)) {
		fail(l, &l->change.op.err);
		return;
	}
	if (!reconcile_may_act(l->shared)) {
		finish(l);
		return;
	}
	(void)snprintf(l->body, sizeof(l->body), "{\"preconditions\":{\"uid\":\"%s\"}}",
		       l->uid);
	ask(l,
	    &(struct k8s_request){ .verb = K8S_DELETE,
				   .kind = K8S_VA,
				   .name = l->name,
				   .body = l->body },
	    ST_DELETING);
}

static void do_deleted(struct reconcile_lost *l)
{
	const struct err *err = &l->req.op.err;

	if (err->code != ERR_OK && err->code != ERR_NOT_FOUND &&
	    err->code != ERR_ABORTED) {
		fail(l, err);
		return;
	}
	if (err->code == ERR_OK) {
		reconcile_count(clear_stale, METRIC_DONE);
		log_info("reconcile", "stale attachment cleared", KS("volume", l->handle),
			 KS("node", l->object_node), KS("attachment", l->name));
		metric_count(METRIC_RECONCILES, METRIC_CLEAR_STALE, 0);
		metric_count(METRIC_STALE_CLEARED, 0, 0);
		tell(l->shared->csi, l->handle, TELL_STALE,
		     "Cleared stale attachment from deleted node %s", l->object_node);
	}
	finish(l);
}

static void step(struct op *op)
{
	struct reconcile_lost *l = CONTAINER_OF(op, struct reconcile_lost, op);

	if (op->state != ST_START && op->state != ST_DONE && op_failed(op)) {
		finish(l);
		return;
	}
	switch (op->state) {
	case ST_START:
		do_start(l);
		return;
	case ST_ASKING_NODE:
		do_node(l);
		return;
	case ST_ASKING_PODS:
		do_pods(l);
		return;
	case ST_FENCING:
		do_fenced(l);
		return;
	case ST_DELETING:
		do_deleted(l);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct reconcile_lost *l = CONTAINER_OF(op, struct reconcile_lost, op);

	if (op->state == ST_FENCING)
		change_cancel(&l->change);
	else
		op_cancel(&l->req.op, op->err.code);
}

static const struct op_type type = {
	.name = "reconcile_lost",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void reconcile_lost_start(struct reconcile_lost *l, struct reconcile_shared *shared,
			  void (*done)(struct op *op))
{
	l->shared = shared;
	op_start(&l->op, &type, shared->csi->loop, done);
}
