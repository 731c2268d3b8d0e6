#include "csi/controller/reconcile_attachments.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "csi/controller/tell.h"
#include "metrics/registry.h"

/* start -> asking node -> asking pods -> fencing -> deleting -> asking node … -> done
 *
 * start:       not leading, or a list not current: nothing is done or counts as seen.
 * asking node, asking pods: it is there, or a pod refers to the claim: the next one.
 * fencing:     fails, as for a shared volume whose survivor goes on: the object stays.
 * deleting:    another UID, or gone: the next one.
 * An API server or a box that does not answer ends the round. */
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
	[ST_ASKING_NODE] =
		OP_BIT(ST_ASKING_NODE) | OP_BIT(ST_ASKING_PODS) | OP_BIT(ST_DONE),
	[ST_ASKING_PODS] = OP_BIT(ST_ASKING_NODE) | OP_BIT(ST_FENCING) | OP_BIT(ST_DONE),
	[ST_FENCING] = OP_BIT(ST_ASKING_NODE) | OP_BIT(ST_DELETING) | OP_BIT(ST_DONE),
	[ST_DELETING] = OP_BIT(ST_ASKING_NODE) | OP_BIT(ST_DONE),
};

static struct reconcile_lost *current(struct reconcile_attachments *a)
{
	return CONTAINER_OF(a->lost.next, struct reconcile_lost, list);
}

static void forget_first(struct reconcile_attachments *a)
{
	struct reconcile_lost *l = current(a);

	inflight_leave(&a->inflight);
	list_remove(&l->list);
	mem_free(l);
}

static void finish(struct reconcile_attachments *a)
{
	while (!list_is_empty(&a->lost))
		forget_first(a);
	op_move(&a->op, ST_DONE);
}

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
	       copy(l->node, sizeof(l->node), va->node) ||
	       copy(l->handle, sizeof(l->handle), pv->handle) ||
	       copy(l->claim_ns, sizeof(l->claim_ns), pv->claim_ns) ||
	       copy(l->claim, sizeof(l->claim), pv->claim_name);
}

static bool is_lost(const struct k8s *k, const struct k8s_object *va)
{
	const struct k8s_store *nodes = &k->stores[K8S_NODE];
	const char *node = K8S_VA_OF(va)->node;

	return !va->is_deleting && !k8s_store_find(nodes, node) &&
	       !k8s_store_is_unreadable(nodes, node);
}

static void keep(struct reconcile_attachments *a, const struct k8s_object *va)
{
	const struct k8s *k = a->shared->csi->k8s;
	const struct k8s_object *pv =
		k8s_store_find(&k->stores[K8S_PV], K8S_VA_OF(va)->pv);
	struct reconcile_lost *l;

	if (!pv)
		return;
	l = mem_alloc(sizeof(*l));
	if (!l)
		return;
	if (fill(l, K8S_VA_OF(va), K8S_PV_OF(pv))) {
		mem_free(l);
		return;
	}
	list_append(&a->lost, &l->list);
}

/* Counts those that were seen for long enough, and keeps the ones from the first on. */
static unsigned pass(struct reconcile_attachments *a, unsigned first, unsigned max)
{
	const struct k8s *k = a->shared->csi->k8s;
	const struct k8s_object *va = NULL;
	unsigned n = 0;
	size_t pos = 0;

	while ((va = k8s_store_next(&k->stores[K8S_VA], &pos, va))) {
		uint64_t age_ms;

		if (!is_lost(k, va))
			continue;
		age_ms = reconcile_seen_mark(a->seen, va->uid);
		if (age_ms == 0 || age_ms < a->shared->conf.attachment_interval_ms)
			continue;
		if (n >= first && n - first < max)
			keep(a, va);
		n++;
	}
	return n;
}

/* Each round begins at another one, so that those which cannot be cleared keep no other
 * waiting for ever. */
static void look(struct reconcile_attachments *a)
{
	const unsigned max = RECONCILE_MAX_ATTACHMENTS;
	unsigned n;

	reconcile_seen_begin(a->seen, clock_now_ms(a->op.loop),
			     RECONCILE_MAX_GAP * a->shared->conf.attachment_interval_ms);
	n = pass(a, 0, 0);
	if (n)
		(void)pass(a,
			   (unsigned)(a->seen->look * max % ((n + max - 1) / max * max)),
			   max);
	reconcile_seen_end(a->seen);
}

static void on_answer(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(req, struct reconcile_attachments, req)->op);
}

static void ask(struct reconcile_attachments *a, const struct k8s_request *req,
		unsigned state)
{
	a->req = *req;
	op_move(&a->op, state);
	op_ref(&a->op);
	k8s_request_start(a->shared->csi->k8s, &a->req, on_answer);
}

/* The first of those that are left, or the end. */
static void go_on(struct reconcile_attachments *a)
{
	if (op_failed(&a->op) || list_is_empty(&a->lost) ||
	    !reconcile_may_act(a->shared)) {
		finish(a);
		return;
	}
	a->is_referenced = false;
	ask(a,
	    &(struct k8s_request){
		    .verb = K8S_GET, .kind = K8S_NODE, .name = current(a)->node },
	    ST_ASKING_NODE);
}

static void skip(struct reconcile_attachments *a)
{
	forget_first(a);
	go_on(a);
}

/* A single object's trouble is its own; who does not answer is everybody's. */
static void trouble(struct reconcile_attachments *a, const struct err *err)
{
	a->shared->stats.errors++;
	if (err->code == ERR_UNAVAILABLE || err->code == ERR_DEADLINE)
		op_fail_err(&a->op, err);
	else if (a->n_troubles++ == 0)
		log_warn("reconcile", "a stale attachment could not be cleared",
			 KS("volume", current(a)->handle), KS("node", current(a)->node),
			 KS("error", err->msg));
	skip(a);
}

static void on_pod(struct k8s_request *req, const struct k8s_object *o)
{
	struct reconcile_attachments *a =
		CONTAINER_OF(req, struct reconcile_attachments, req);
	const struct k8s_pod *pod = K8S_POD_OF(o);

	a->is_referenced |= k8s_list_has(pod->claims, pod->n_claims, current(a)->claim);
}

/* 404 and nothing else says that it is gone. */
static void do_node(struct reconcile_attachments *a)
{
	const struct reconcile_lost *l = current(a);
	const struct err *err = &a->req.op.err;

	k8s_object_free(a->req.object);
	a->req.object = NULL;
	if (err->code == ERR_OK) {
		skip(a);
		return;
	}
	if (err->code != ERR_NOT_FOUND) {
		trouble(a, err);
		return;
	}
	(void)snprintf(a->query, sizeof(a->query), "fieldSelector=spec.nodeName%%3D%s",
		       l->node);
	ask(a,
	    &(struct k8s_request){ .verb = K8S_LIST,
				   .kind = K8S_POD,
				   .ns = l->claim_ns,
				   .query = a->query,
				   .each = on_pod },
	    ST_ASKING_PODS);
}

/* The stores say the same as when the object was first seen. */
static bool is_still_lost(const struct reconcile_attachments *a,
			  const struct reconcile_lost *l)
{
	const struct k8s *k = a->shared->csi->k8s;
	const struct k8s_object *va = k8s_store_find(&k->stores[K8S_VA], l->name);

	return reconcile_may_act(a->shared) && va && strcmp(va->uid, l->uid) == 0 &&
	       is_lost(k, va);
}

static void do_pods(struct reconcile_attachments *a)
{
	struct reconcile_lost *l = current(a);
	struct err busy;

	if (a->req.op.err.code != ERR_OK) {
		trouble(a, &a->req.op.err);
		return;
	}
	if (a->shared->conf.is_attachment_dry_run && !a->is_referenced) {
		a->shared->stats.would_have[RECONCILE_GIVE_WAY]++;
		log_warn("reconcile", "dry run: a stale attachment is not cleared",
			 KS("volume", l->handle), KS("node", l->node));
	}
	if (a->is_referenced || a->shared->conf.is_attachment_dry_run ||
	    !is_still_lost(a, l) ||
	    inflight_enter(&a->shared->csi->inflight, &a->inflight, l->handle,
			   "a background task", &busy)) {
		a->shared->stats.skipped++;
		skip(a);
		return;
	}
	id_record_node(l->node, a->node);
	a->change = (struct change){ .id = l->handle, .ask = { .node = a->node } };
	op_move(&a->op, ST_FENCING);
	change_start(&a->change, a->shared->csi, &a->op);
}

static void do_fenced(struct reconcile_attachments *a)
{
	const struct reconcile_lost *l = current(a);

	inflight_leave(&a->inflight);
	if (op_failed(&a->change.op)) {
		trouble(a, &a->change.op.err);
		return;
	}
	if (!reconcile_may_act(a->shared)) {
		skip(a);
		return;
	}
	(void)snprintf(a->body, sizeof(a->body), "{\"preconditions\":{\"uid\":\"%s\"}}",
		       l->uid);
	ask(a,
	    &(struct k8s_request){ .verb = K8S_DELETE,
				   .kind = K8S_VA,
				   .name = l->name,
				   .body = a->body },
	    ST_DELETING);
}

static void do_deleted(struct reconcile_attachments *a)
{
	const struct reconcile_lost *l = current(a);
	const struct err *err = &a->req.op.err;

	k8s_object_free(a->req.object);
	a->req.object = NULL;
	if (err->code != ERR_OK && err->code != ERR_NOT_FOUND &&
	    err->code != ERR_ABORTED) {
		trouble(a, err);
		return;
	}
	if (err->code == ERR_OK) {
		a->shared->stats.attachments_cleared++;
		log_info("reconcile", "stale attachment cleared", KS("volume", l->handle),
			 KS("node", l->node), KS("attachment", l->name));
		metric_count(METRIC_RECONCILES, METRIC_CLEAR_STALE, 0);
		metric_count(METRIC_STALE_CLEARED, 0, 0);
		tell(a->shared->csi, l->handle, TELL_STALE,
		     "Cleared stale attachment from deleted node %s", l->node);
	}
	skip(a);
}

static void do_start(struct reconcile_attachments *a)
{
	if (op_failed(&a->op) || !reconcile_may_act(a->shared)) {
		a->shared->stats.passed++;
		reconcile_seen_clear(a->seen);
		finish(a);
		return;
	}
	look(a);
	go_on(a);
}

static void step(struct op *op)
{
	struct reconcile_attachments *a =
		CONTAINER_OF(op, struct reconcile_attachments, op);

	if (op->state != ST_START && op_failed(op)) {
		k8s_object_free(a->req.object);
		a->req.object = NULL;
		finish(a);
		return;
	}
	switch (op->state) {
	case ST_START:
		do_start(a);
		return;
	case ST_ASKING_NODE:
		do_node(a);
		return;
	case ST_ASKING_PODS:
		do_pods(a);
		return;
	case ST_FENCING:
		do_fenced(a);
		return;
	case ST_DELETING:
		do_deleted(a);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct reconcile_attachments *a =
		CONTAINER_OF(op, struct reconcile_attachments, op);

	if (op->state == ST_FENCING)
		change_cancel(&a->change);
	else
		op_cancel(&a->req.op, op->err.code);
}

static const struct op_type type = {
	.name = "reconcile_attachments",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_done(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct reconcile_attachments, op)->parent);
}

void reconcile_attachments_start(struct reconcile_attachments *a,
				 struct reconcile_shared *shared,
				 struct reconcile_seen *seen, struct op *parent)
{
	*a = (struct reconcile_attachments){ .shared = shared,
					     .parent = parent,
					     .seen = seen };
	list_init(&a->lost);
	op_ref(parent);
	op_start(&a->op, &type, shared->csi->loop, on_done);
}
