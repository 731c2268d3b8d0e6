#include "csi/controller/reconcile_attachments.h"

#include "core/log.h"

/* start -> clearing -> done
 *
 * start:    not leading, or a list not current: nothing is done or counts as seen.
 * clearing: some at a time, each with its own trouble. An API server or a box that does
 *           not answer is everybody's: what is under way ends, and no other begins. */
enum { ST_START = OP_START, ST_CLEARING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "clearing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_CLEARING) | OP_BIT(ST_DONE),
	[ST_CLEARING] = OP_BIT(ST_DONE),
};

static struct reconcile_lost *lost_of(struct list *it)
{
	return CONTAINER_OF(it, struct reconcile_lost, list);
}

/* Counts those that were seen for long enough, and keeps the ones from the first on. */
static unsigned pass(struct reconcile_attachments *a, unsigned first, unsigned max)
{
	const struct k8s *k = a->shared->csi->k8s;
	const struct k8s_object *va = NULL;
	struct reconcile_lost *l;
	unsigned n = 0;
	size_t pos = 0;

	while ((va = k8s_store_next(&k->stores[K8S_VA], &pos, va))) {
		if (!reconcile_is_lost(k, va))
			continue;
		if (reconcile_seen_mark(a->seen, va->uid) < RECONCILE_LOST_MS) {
			a->has_unripe = true;
			continue;
		}
		l = n >= first && n - first < max ? reconcile_lost_new(k, va) : NULL;
		if (l)
			list_append(&a->waiting, &l->list);
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

static void trouble(struct reconcile_attachments *a, const struct reconcile_lost *l)
{
	const struct err *err = &l->op.err;

	a->shared->stats.errors++;
	if (err->code == ERR_UNAVAILABLE || err->code == ERR_DEADLINE)
		op_fail_err(&a->op, err);
	else if (a->n_troubles++ == 0)
		log_warn("reconcile", "a stale attachment could not be cleared",
			 KS("volume", l->handle), KS("node", l->object_node),
			 KS("error", err->msg));
}

static void take_ended(struct reconcile_attachments *a)
{
	LIST_FOREACH (it, &a->ended) {
		struct reconcile_lost *l = lost_of(it);

		if (op_failed(&l->op) && l->op.err.code != ERR_CANCELLED)
			trouble(a, l);
		reconcile_lost_free(l);
		a->n_running--;
	}
}

static void on_lost(struct op *op)
{
	struct reconcile_lost *l = CONTAINER_OF(op, struct reconcile_lost, op);
	struct reconcile_attachments *a = l->ctx;

	list_remove(&l->list);
	list_append(&a->ended, &l->list);
	op_unref_wake(&a->op);
}

static void start_some(struct reconcile_attachments *a)
{
	while (a->n_running < RECONCILE_AT_ONCE && !list_is_empty(&a->waiting)) {
		struct reconcile_lost *l = lost_of(a->waiting.next);

		list_remove(&l->list);
		list_append(&a->running, &l->list);
		a->n_running++;
		l->ctx = a;
		op_ref(&a->op);
		reconcile_lost_start(l, a->shared, on_lost);
	}
}

static void step(struct op *op)
{
	struct reconcile_attachments *a =
		CONTAINER_OF(op, struct reconcile_attachments, op);

	if (op->state == ST_START) {
		if (op_failed(op) || !reconcile_may_act(a->shared)) {
			metric_count(METRIC_RECONCILE_PASSED, 0, 0);
			reconcile_seen_clear(a->seen);
			op_move(op, ST_DONE);
			return;
		}
		look(a);
		op_move(op, ST_CLEARING);
	}
	if (op->state != ST_CLEARING)
		return;
	take_ended(a);
	if (!op_failed(op) && reconcile_may_act(a->shared))
		start_some(a);
	if (a->n_running)
		return;
	while (!list_is_empty(&a->waiting))
		reconcile_lost_free(lost_of(a->waiting.next));
	op_move(op, ST_DONE);
}

static void interrupt(struct op *op)
{
	struct reconcile_attachments *a =
		CONTAINER_OF(op, struct reconcile_attachments, op);

	LIST_FOREACH (it, &a->running)
		op_cancel(&lost_of(it)->op, op->err.code);
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
	list_init(&a->waiting);
	list_init(&a->running);
	list_init(&a->ended);
	op_ref(parent);
	op_start(&a->op, &type, shared->csi->loop, on_done);
}
