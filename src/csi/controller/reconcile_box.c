#include "csi/controller/reconcile_box.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "core/mem.h"
#include "csi/controller/tell.h"

/* start -> listing -> acting -> acting … -> done
 *
 * start:   not leading, or a list of Kubernetes not current: nothing is done and nothing
 *          counts as seen.
 * listing: fails: nothing is done; what was seen before stays seen.
 * acting:  one action at a time. A failure is kept for the log and the round goes on,
 *          unless the box is away. Cancelled: the action ends first. */
enum { ST_START = OP_START, ST_LISTING, ST_ACTING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "listing", "acting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LISTING) | OP_BIT(ST_DONE),
	[ST_LISTING] = OP_BIT(ST_ACTING) | OP_BIT(ST_DONE),
	[ST_ACTING] = OP_BIT(ST_ACTING) | OP_BIT(ST_DONE),
};

static void forget(struct reconcile_suspect *s)
{
	list_remove(&s->node);
	mem_free(s);
}

static void finish(struct reconcile_box *b)
{
	LIST_FOREACH (it, &b->suspects)
		forget(CONTAINER_OF(it, struct reconcile_suspect, node));
	reconcile_world_close(&b->before);
	op_move(&b->op, ST_DONE);
}

static void count(struct reconcile_box *b, const struct reconcile_view *view)
{
	const struct rds_record *r = &view->volume->record;

	b->tally.volumes++;
	b->tally.held += r->n_holders > 0;
	b->tally.stale_holders += view->stale_holder >= 0;
	b->tally.without_pv += r->is_bound && !view->has_pv;
}

/* A row of the list: kept where the first look finds something to do. */
static void on_row(struct rds_req *req, const struct rds_volume *row)
{
	struct box *box = CONTAINER_OF(req, struct box, req);
	struct reconcile_box *b = CONTAINER_OF(box, struct reconcile_box, box);
	const struct reconcile_world *worlds[2] = { &b->before, NULL };
	enum reconcile_action action;
	struct reconcile_suspect *s;
	struct reconcile_view view;

	reconcile_see(b->shared, &view, row, worlds);
	count(b, &view);
	action = reconcile_judge(&view);
	if (action == RECONCILE_NOTHING && !reconcile_is_alarming(&view))
		return;
	if (b->n_suspects == RECONCILE_MAX_SUSPECTS ||
	    (action == RECONCILE_REPORT && b->n_reported++ >= RECONCILE_MAX_REPORTED))
		return; /* a later round comes to it */
	s = mem_alloc(sizeof(*s));
	if (!s)
		return;
	s->volume = *row;
	list_append(&b->suspects, &s->node);
	b->n_suspects++;
}

static void do_start(struct reconcile_box *b)
{
	if (op_failed(&b->op) || !reconcile_may_act(b->shared)) {
		metric_count(METRIC_RECONCILE_PASSED, 0, 0);
		reconcile_seen_clear(b->seen);
		finish(b);
		return;
	}
	if (reconcile_world_open(&b->before, b->shared->csi->k8s, NULL)) {
		op_fail(&b->op, ERR_EXHAUSTED, "out of memory");
		finish(b);
		return;
	}
	box_prepare(&b->box, RDS_LIST, NULL);
	b->box.req.on_row = on_row;
	op_move(&b->op, ST_LISTING);
	box_start(&b->box, b->shared->csi, &b->op);
}

/* Each thing that stays to be done is one row of sightings: another record, another
 * holder or another action begins anew. */
static uint64_t age_of(struct reconcile_box *b, const struct reconcile_view *view,
		       enum reconcile_action action)
{
	const struct rds_record *r = &view->volume->record;
	const char *holder =
		view->stale_holder >= 0 ? r->holders[view->stale_holder].node : "";
	char key[RECONCILE_SEEN_KEY];

	(void)snprintf(key, sizeof(key), "%s %s %s %s", reconcile_name(action),
		       view->volume->id, r->nonce, holder);
	return reconcile_seen_mark(b->seen, key);
}

static void alarm_of_mount(struct reconcile_box *b, const struct rds_volume *v)
{
	b->shared->stats.alarms++;
	log_error("reconcile", "the box itself has mounted a volume that is in use",
		  KS("volume", v->id));
	tell(b->shared->csi, v->id, TELL_MOUNTED,
	     "The storage box itself has mounted this volume while a node uses it: its "
	     "data is in danger");
}

static void report(struct reconcile_box *b, const struct reconcile_suspect *s)
{
	bool is_orphan = s->action == RECONCILE_REMOVE || s->action == RECONCILE_REPORT;
	bool is_kept = s->action == RECONCILE_REPORT;

	b->shared->stats.orphans += is_orphan;
	if (s->action == RECONCILE_NOTHING ||
	    (!is_kept && !reconcile_is_dry(b->shared, s->action)))
		return;
	reconcile_count(reconcile_name(s->action), METRIC_TOLD);
	if (!is_orphan || b->may_remove)
		log_warn("reconcile",
			 is_kept ? "orphan on the box, kept"
				 : "dry run: nothing is done about a volume",
			 KS("volume", s->volume.id),
			 KS("action", reconcile_name(s->action)),
			 KS("claim", s->volume.record.claim),
			 KU("bytes", s->volume.size_bytes));
}

/* By the wall clock, for it outlives the process. */
static uint64_t since_ms(uint32_t at)
{
	time_t now = time(NULL);

	return at && now > (time_t)at ? (uint64_t)(now - (time_t)at) * 1000 : 0;
}

/* The second look, at the suspects alone. What is not ripe is dropped. */
static void decide(struct reconcile_box *b, const struct reconcile_world *after,
		   struct reconcile_suspect *s)
{
	const struct reconcile_times times = {
		.interval_ms = b->shared->conf.attachment_interval_ms,
		.grace_ms = b->shared->conf.orphan_grace_ms,
		.released_ms = since_ms(s->volume.record.released_at),
	};
	const struct reconcile_world *worlds[2] = { after, &b->before };
	struct reconcile_view view;

	reconcile_see(b->shared, &view, &s->volume, worlds);
	s->action = reconcile_judge(&view);
	if (reconcile_is_alarming(&view))
		alarm_of_mount(b, &s->volume);
	b->shared->stats.stale_holders += s->action == RECONCILE_GIVE_WAY;
	b->shared->stats.idle_exports += s->action == RECONCILE_SWITCH_OFF;
	if (s->action != RECONCILE_NOTHING &&
	    !reconcile_is_ripe(s->action, age_of(b, &view, s->action), &times))
		s->action = RECONCILE_NOTHING;
	report(b, s);
}

/* Each round begins at another one, so that those which cannot be helped keep no other
 * waiting for ever. */
static void rotate(struct reconcile_box *b)
{
	uint64_t n = b->n_suspects ? b->seen->look % b->n_suspects : 0;

	for (; n; n--) {
		struct list *first = b->suspects.next;

		list_remove(first);
		list_append(&b->suspects, first);
	}
}

/* The list is whole. -1: what it says cannot be trusted. */
static int decide_all(struct reconcile_box *b)
{
	struct reconcile_stats *stats = &b->shared->stats;
	struct reconcile_world after;

	if (!reconcile_may_act(b->shared)) {
		reconcile_seen_clear(b->seen);
		metric_count(METRIC_RECONCILE_PASSED, 0, 0);
		return -1;
	}
	if (reconcile_world_open(&after, b->shared->csi->k8s, NULL)) {
		reconcile_world_close(&after);
		op_fail(&b->op, ERR_EXHAUSTED, "out of memory");
		return -1;
	}
	stats->is_known = true;
	stats->orphans = stats->alarms = stats->stale_holders = stats->idle_exports = 0;
	reconcile_seen_begin(b->seen, clock_now_ms(b->op.loop),
			     RECONCILE_MAX_GAP * b->shared->conf.attachment_interval_ms);
	LIST_FOREACH (it, &b->suspects)
		decide(b, &after, CONTAINER_OF(it, struct reconcile_suspect, node));
	reconcile_seen_end(b->seen);
	reconcile_world_close(&after);
	rotate(b);
	return 0;
}

static bool is_allowed(const struct reconcile_box *b, enum reconcile_action action)
{
	return action != RECONCILE_NOTHING && !reconcile_is_dry(b->shared, action) &&
	       (action != RECONCILE_REMOVE || b->may_remove) &&
	       b->n_started[action] < reconcile_allowance(action, &b->tally);
}

/* The next one that may be done, or the end. A suspect whose action was started stands
 * first in the list until that is over. */
static void act_or_finish(struct reconcile_box *b)
{
	LIST_FOREACH (it, &b->suspects) {
		struct reconcile_suspect *s =
			CONTAINER_OF(it, struct reconcile_suspect, node);

		if (op_failed(&b->op))
			break;
		if (is_allowed(b, s->action)) {
			b->n_started[s->action]++;
			b->act.action = s->action;
			b->act.volume = &s->volume;
			op_move(&b->op, ST_ACTING);
			reconcile_act_start(&b->act, b->shared, &b->op);
			return;
		}
		forget(s);
	}
	finish(b);
}

static void do_listed(struct reconcile_box *b)
{
	op_fail_err(&b->op, &b->box.req.op.err);
	if (op_failed(&b->op) || decide_all(b)) {
		finish(b);
		return;
	}
	act_or_finish(b);
}

static void do_acted(struct reconcile_box *b)
{
	const struct err *err = &b->act.op.err;

	reconcile_count(reconcile_name(b->act.action), b->act.is_done ? METRIC_DONE
						       : err->code == ERR_OK
							       ? METRIC_SKIPPED
							       : METRIC_FAILED);
	b->shared->stats.errors += !b->act.is_done && err->code != ERR_OK;
	/* One volume's trouble is its own; a box that does not answer is everybody's. */
	if (err->code == ERR_UNAVAILABLE || err->code == ERR_DEADLINE)
		op_fail_err(&b->op, err);
	else if (err->code != ERR_OK && b->n_troubles++ == 0)
		log_warn("reconcile", "a volume could not be reconciled",
			 KS("volume", b->act.volume->id),
			 KS("action", reconcile_name(b->act.action)),
			 KS("error", err->msg));
	forget(CONTAINER_OF(b->suspects.next, struct reconcile_suspect, node));
	act_or_finish(b);
}

static void step(struct op *op)
{
	struct reconcile_box *b = CONTAINER_OF(op, struct reconcile_box, op);

	switch (op->state) {
	case ST_START:
		do_start(b);
		return;
	case ST_LISTING:
		do_listed(b);
		return;
	case ST_ACTING:
		do_acted(b);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct reconcile_box *b = CONTAINER_OF(op, struct reconcile_box, op);

	if (op->state == ST_LISTING)
		box_cancel(&b->box);
	else
		op_cancel(&b->act.op, op->err.code);
}

static const struct op_type type = {
	.name = "reconcile_box",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_done(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct reconcile_box, op)->parent);
}

void reconcile_box_start(struct reconcile_box *b, struct reconcile_shared *shared,
			 struct reconcile_seen *seen, bool may_remove, struct op *parent)
{
	*b = (struct reconcile_box){
		.shared = shared, .parent = parent, .seen = seen, .may_remove = may_remove
	};
	list_init(&b->suspects);
	op_ref(parent);
	op_start(&b->op, &type, shared->csi->loop, on_done);
}
