#include "csi/controller/vmi_turn.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"

/*   start ─┬─▶ listing ─▶ asking ─┬─▶ queued ─▶ done
 *          └──(known)─────────────┤
 *                 └──(no machine)─┴──────────────▲
 *
 * Failure modes: the API server is slow or fails, no memory, too many in the queues: done
 * without a turn. Cancelled: done, in no queue. */
enum { ST_START, ST_LISTING, ST_ASKING, ST_QUEUED, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "listing", "asking", "queued", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LISTING) | OP_BIT(ST_QUEUED) | OP_BIT(ST_DONE),
	[ST_LISTING] = OP_BIT(ST_ASKING) | OP_BIT(ST_QUEUED) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_QUEUED) | OP_BIT(ST_DONE),
	[ST_QUEUED] = OP_BIT(ST_DONE),
};

/* An API server that fails is asked again sooner than one that has answered. */
enum { FIND_MS = 10 * 1000, FAILED_TTL_MS = 10 * 1000, WARN_MS = 10 * 60 * 1000 };

static uint64_t now_ms(const struct vmi_turn *t)
{
	return clock_now_ms(t->op.loop);
}

static void on_nudge(struct clock_timer *timer)
{
	op_wake(&CONTAINER_OF(timer, struct vmi_turn, nudge)->op);
}

static void on_answer(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(req, struct vmi_turn, req)->op);
}

static void ask(struct vmi_turn *t, unsigned state)
{
	op_move(&t->op, state);
	op_ref(&t->op);
	k8s_request_start(t->vmi->k8s, &t->req, on_answer);
	op_set_deadline(&t->req.op, now_ms(t) + FIND_MS);
	op_set_deadline(&t->req.op, t->op.deadline_ms);
}

/* ---- from the volume to its pods ----------------------------------------------------
 */

/* Mostly the PV bears the volume's name; a static one need not. */
static const struct k8s_pv *find_pv(const struct k8s_store *pvs, const char *volume)
{
	const struct k8s_object *o = k8s_store_find(pvs, volume);
	size_t pos = 0;

	if (o && strcmp(K8S_PV_OF(o)->handle, volume) == 0)
		return K8S_PV_OF(o);
	for (o = k8s_store_next(pvs, &pos, NULL); o; o = k8s_store_next(pvs, &pos, o))
		if (strcmp(K8S_PV_OF(o)->handle, volume) == 0)
			return K8S_PV_OF(o);
	return NULL;
}

/* A node's id need not be its name: only what is one goes into the query. A name needs no
 * escapes. */
static const char *query_of(struct vmi_turn *t)
{
	if (!t->node || !*t->node ||
	    !k8s_store_find(&t->vmi->k8s->stores[K8S_NODE], t->node))
		return NULL;
	(void)snprintf(t->query, sizeof(t->query), "fieldSelector=spec.nodeName%%3D%s",
		       t->node);
	return t->query;
}

static void set_key(struct vmi_turn *t, const char *vmi)
{
	(void)snprintf(t->key, sizeof(t->key), "%s/%s", t->ns, vmi);
}

/* The first that leads to a machine counts. A pod that has ended holds nothing. */
static void on_pod(struct k8s_request *r, const struct k8s_object *o)
{
	struct vmi_turn *t = CONTAINER_OF(r, struct vmi_turn, req);
	const struct k8s_pod *pod = K8S_POD_OF(o);

	if (*t->key || strcmp(pod->phase, "Succeeded") == 0 ||
	    strcmp(pod->phase, "Failed") == 0 ||
	    !k8s_list_has(pod->claims, pod->n_claims, t->claim))
		return;
	t->is_used = true;
	if (*pod->vmi)
		set_key(t, pod->vmi);
	else if (*pod->owner_pod)
		(void)snprintf(t->owner_pod, sizeof(t->owner_pod), "%s", pod->owner_pod);
}

static void leave_unserialised(struct vmi_turn *t)
{
	t->vmi->n_without++;
	op_move(&t->op, ST_DONE);
}

/* Known or found out: t->key. */
static void queue_up(struct vmi_turn *t)
{
	if (!*t->key || vmi_join(t->vmi, &t->place, t->key)) {
		leave_unserialised(t);
		return;
	}
	t->vmi->n_turns++;
	op_move(&t->op, ST_QUEUED);
}

static void do_start(struct vmi_turn *t)
{
	const struct k8s_pv *pv;

	if (vmi_recall(t->vmi, t->volume, now_ms(t), t->key)) {
		queue_up(t);
		return;
	}
	t->key[0] = '\0';
	pv = find_pv(&t->vmi->k8s->stores[K8S_PV], t->volume);
	if (!pv || !*pv->claim_name) {
		leave_unserialised(t);
		return;
	}
	(void)snprintf(t->ns, sizeof(t->ns), "%s", pv->claim_ns);
	(void)snprintf(t->claim, sizeof(t->claim), "%s", pv->claim_name);
	t->req = (struct k8s_request){ .verb = K8S_LIST,
				       .kind = K8S_POD,
				       .ns = t->ns,
				       .query = query_of(t),
				       .each = on_pod };
	ask(t, ST_LISTING);
}

/* No pod mounts it, or nobody told: as for an unpublish after the pods have gone. Then it
 * waits for the machine it was last seen with; a turn too many costs nothing. */
static void found_nothing(struct vmi_turn *t, uint64_t ttl_ms)
{
	(void)vmi_recall(t->vmi, t->volume, now_ms(t), t->key);
	vmi_remember(t->vmi, t->volume, t->key, now_ms(t), ttl_ms);
	queue_up(t);
}

static void failed(struct vmi_turn *t)
{
	static struct log_rate rate;

	if (log_may(&rate, now_ms(t), WARN_MS))
		log_warn("ctl", "a volume's virtual machine cannot be found out",
			 KS("volume", t->volume), KS("claim", t->claim),
			 KS("err", t->req.op.err.msg), KU("skipped", rate.skipped));
	t->key[0] = '\0';
	found_nothing(t, FAILED_TTL_MS);
}

static void found(struct vmi_turn *t)
{
	vmi_remember(t->vmi, t->volume, t->key, now_ms(t), t->vmi->ttl_ms);
	queue_up(t);
}

static void do_listing(struct vmi_turn *t)
{
	if (op_failed(&t->req.op)) {
		failed(t);
	} else if (!*t->key && *t->owner_pod) {
		t->req = (struct k8s_request){ .verb = K8S_GET,
					       .kind = K8S_POD,
					       .ns = t->ns,
					       .name = t->owner_pod };
		ask(t, ST_ASKING);
	} else if (t->is_used) {
		found(t);
	} else {
		found_nothing(t, t->vmi->ttl_ms);
	}
}

static void do_asking(struct vmi_turn *t)
{
	struct k8s_object *o = t->req.object;

	if (op_failed(&t->req.op)) {
		failed(t);
		return;
	}
	t->req.object = NULL;
	if (*K8S_POD_OF(o)->vmi)
		set_key(t, K8S_POD_OF(o)->vmi);
	k8s_object_free(o);
	found(t);
}

static void give_up(struct vmi_turn *t)
{
	if (t->op.state == ST_ASKING)
		k8s_object_free(t->req.object);
	vmi_turn_leave(t);
	op_move(&t->op, ST_DONE);
}

static void step(struct op *op)
{
	struct vmi_turn *t = CONTAINER_OF(op, struct vmi_turn, op);

	if (op_failed(op)) {
		give_up(t);
		return;
	}
	if (op->state == ST_START)
		do_start(t);
	else if (op->state == ST_LISTING)
		do_listing(t);
	else if (op->state == ST_ASKING)
		do_asking(t);
	if (op->state == ST_QUEUED && vmi_is_first(&t->place))
		op_move(op, ST_DONE);
}

static void interrupt(struct op *op)
{
	struct vmi_turn *t = CONTAINER_OF(op, struct vmi_turn, op);

	if (op->state == ST_QUEUED)
		clock_timer_start(op->loop, &t->nudge, 0, on_nudge);
	else
		op_cancel(&t->req.op, op->err.code);
}

static const struct op_type type = {
	.name = "vmi_turn",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_done(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct vmi_turn, op)->parent);
}

void vmi_turn_enter(struct vmi_turn *t, struct vmi *v, struct op *parent)
{
	t->vmi = v;
	t->parent = parent;
	op_ref(parent);
	op_start(&t->op, &type, parent->loop, on_done);
	op_set_deadline(&t->op, parent->deadline_ms);
}

struct vmi_turn *vmi_turn_begin(struct vmi *v, struct arena *a, const char *volume,
				const char *node, struct op *parent)
{
	struct vmi_turn *t = v ? arena_alloc(a, sizeof(*t)) : NULL;

	if (!t)
		return NULL;
	t->volume = volume;
	t->node = node;
	vmi_turn_enter(t, v, parent);
	return t;
}

void vmi_turn_cancel(struct vmi_turn *t)
{
	op_cancel(&t->op, t->parent->err.code);
}

/* The next one goes on in a turn of its own: a whole queue that is cancelled at once does
 * not end within one another. */
void vmi_turn_leave(struct vmi_turn *t)
{
	struct vmi_place *p = t ? vmi_quit(t->vmi, &t->place) : NULL;

	if (p) {
		struct vmi_turn *first = CONTAINER_OF(p, struct vmi_turn, place);

		clock_timer_start(first->op.loop, &first->nudge, 0, on_nudge);
	}
}
