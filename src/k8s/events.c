#include "k8s/events.h"

#include "core/log.h"

/*   start ─▶ idle ─┬─▶ finding (the claim's uid) ─▶ posting ─┐
 *             ▲    └──────────(uid known)────────────▲       │
 *             └──────────────────────────────────────────────┘
 *   events_stop: each ─▶ done
 *
 * Failure modes: the claim is gone, the Event is refused, the API server does not answer
 * in time, no memory: this one Event is dropped. A patch of an Event that is gone makes
 * it anew. */
enum { ST_START, ST_IDLE, ST_FINDING, ST_POSTING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "idle", "finding", "posting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_IDLE),
	[ST_IDLE] = OP_BIT(ST_FINDING) | OP_BIT(ST_POSTING) | OP_BIT(ST_DONE),
	[ST_FINDING] = OP_BIT(ST_IDLE) | OP_BIT(ST_POSTING),
	[ST_POSTING] = OP_BIT(ST_IDLE) | OP_BIT(ST_POSTING),
};

enum { REQUEST_MS = 5 * 1000, WARN_MS = 10 * 60 * 1000 };

static struct events *of(struct op *op)
{
	return CONTAINER_OF(op, struct events, op);
}

static uint64_t now_ms(const struct events *e)
{
	return clock_now_ms(e->op.loop);
}

static void on_pace(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct events, pace)->op);
}

static void on_answer(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(req, struct events, req)->op);
}

static void ask(struct events *e, enum k8s_verb verb)
{
	struct event_entry *cur = e->current;
	bool is_get = verb == K8S_GET;

	e->req = (struct k8s_request){ .verb = verb,
				       .kind = is_get ? K8S_PVC : K8S_EVENT,
				       .ns = cur->ns,
				       .name = is_get ? cur->claim : cur->name,
				       .body = is_get ? NULL : e->body.data };
	if (verb == K8S_CREATE)
		e->req.name = NULL;
	op_move(&e->op, is_get ? ST_FINDING : ST_POSTING);
	op_ref(&e->op);
	k8s_request_start(e->conf.k8s, &e->req, on_answer);
	op_set_deadline(&e->req.op, now_ms(e) + REQUEST_MS);
}

static void finish(struct events *e, enum event_outcome out)
{
	event_book_sent(&e->book, e->current, out, now_ms(e));
	e->current = NULL;
	if (e->op.state != ST_IDLE)
		op_move(&e->op, ST_IDLE);
}

static void fail(struct events *e, enum event_outcome out, const char *why)
{
	static struct log_rate rate;

	e->n_failed++;
	if (!op_failed(&e->op) && log_may(&rate, now_ms(e), WARN_MS))
		log_warn("k8s", "an Event could not be posted",
			 KS("namespace", e->current->ns), KS("claim", e->current->claim),
			 KS("reason", e->current->reason), KS("err", why),
			 KU("failures", e->n_failed), KU("skipped", rate.skipped));
	finish(e, out);
}

static void post(struct events *e)
{
	struct event_entry *cur = e->current;
	bool is_new = !*cur->name;

	if (is_new ? event_body_new(cur, &e->conf.source, &e->body)
		   : event_body_count(cur, &e->body))
		fail(e, EVENT_FAILED, "out of memory");
	else
		ask(e, is_new ? K8S_CREATE : K8S_PATCH);
}

/* False: nothing to do until somebody emits, or the rate allows more. */
static bool do_idle(struct events *e)
{
	uint64_t wait_ms = event_book_wait_ms(&e->book, now_ms(e));

	if (wait_ms) {
		if (wait_ms != UINT64_MAX)
			clock_timer_start(e->op.loop, &e->pace, wait_ms, on_pace);
		return false;
	}
	e->current = event_book_next(&e->book, now_ms(e));
	if (*e->current->uid || *e->current->name)
		post(e);
	else
		ask(e, K8S_GET);
	return e->op.state == ST_IDLE;
}

static void drop_object(struct events *e)
{
	k8s_object_free(e->req.object);
	e->req.object = NULL;
}

static void do_finding(struct events *e)
{
	const struct k8s_object *claim = e->req.object;

	if (op_failed(&e->req.op)) {
		fail(e, EVENT_FAILED, e->req.op.err.msg);
		return;
	}
	event_entry_found(e->current, claim->uid);
	drop_object(e);
	post(e);
}

static void do_posting(struct events *e)
{
	const struct err *err = &e->req.op.err;
	bool is_patch = e->req.verb == K8S_PATCH;

	drop_object(e);
	/* EXISTS: an earlier attempt of the same request was carried out. */
	if (err->code == ERR_OK || (!is_patch && err->code == ERR_EXISTS)) {
		if (e->conf.posted)
			e->conf.posted(e->current->reason);
		finish(e, EVENT_POSTED);
	} else if (is_patch && err->code == ERR_NOT_FOUND) {
		e->current->name[0] = '\0';
		post(e);
	} else {
		fail(e, is_patch ? EVENT_UNKNOWN : EVENT_FAILED, err->msg);
	}
}

/* Whatever the answer was. */
static void leave(struct events *e)
{
	clock_timer_stop(&e->pace);
	drop_object(e);
	if (e->current)
		finish(e, EVENT_FAILED);
	event_book_fini(&e->book);
	buf_fini(&e->body);
	op_move(&e->op, ST_DONE);
}

static void step(struct op *op)
{
	struct events *e = of(op);

	if (op->refs)
		return;
	if (op->state == ST_START)
		op_move(op, ST_IDLE);
	if (op_failed(op)) {
		leave(e);
		return;
	}
	if (op->state == ST_FINDING)
		do_finding(e);
	else if (op->state == ST_POSTING)
		do_posting(e);
	while (op->state == ST_IDLE && do_idle(e))
		;
}

static void interrupt(struct op *op)
{
	struct events *e = of(op);

	if (op->state == ST_IDLE)
		clock_timer_start(op->loop, &e->pace, 0, on_pace);
	else
		op_cancel(&e->req.op, ERR_CANCELLED);
}

static const struct op_type type = {
	.name = "events",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void events_start(struct events *e, void (*done)(struct op *op))
{
	event_book_init(&e->book);
	buf_init(&e->body, EVENT_BODY_MAX);
	op_start(&e->op, &type, e->conf.k8s->loop, done);
}

void events_stop(struct events *e)
{
	op_cancel(&e->op, ERR_CANCELLED);
}

/* From within anybody's step: the queue's own begins on a later turn. */
void events_emit(struct events *e, const struct k8s_event *ev)
{
	static struct log_rate rate;

	if (!e->op.type || op_failed(&e->op))
		return;
	if (!event_book_add(&e->book, ev, now_ms(e), clock_wall_us()) &&
	    log_may(&rate, now_ms(e), WARN_MS))
		log_warn("k8s", "Events are dropped: too many at once",
			 KS("namespace", ev->ns), KS("claim", ev->claim),
			 KS("reason", ev->reason), KU("dropped", e->book.n_dropped),
			 KU("skipped", rate.skipped));
	if (e->op.state == ST_IDLE && !clock_timer_is_running(&e->pace))
		clock_timer_start(e->op.loop, &e->pace, 0, on_pace);
}

void events_stats(const struct events *e, struct events_stats *ret)
{
	*ret = (struct events_stats){ .failed = e->n_failed,
				      .dropped = e->book.n_dropped };
}
