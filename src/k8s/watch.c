#include "k8s/watch.h"

#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "k8s/client.h"
#include "k8s/target.h"
#include "k8s/watch_rules.h"

/*           +--> list_rest --+
 *           |                v
 * start -> list_turn -> listing -> watch_turn -> watching
 *             ^                      ^    ^          |
 *             |                      |    watch_rest-+
 *             +----------------------+---------------+
 *
 * Every state goes to done when the watch is stopped.
 *
 * list_turn, watch_turn: the client's own limit on requests.
 * listing:    one page; the next one by list_turn, and after a failure by list_rest.
 * watching:   ends by the API server, a cut, an ERROR line, silence; watch_rules.h says
 *             whether it is resumed or listed anew, at once or after a rest.
 * list_rest, watch_rest: a timer. */
enum {
	ST_START,
	ST_LIST_TURN,
	ST_LISTING,
	ST_LIST_REST,
	ST_WATCH_TURN,
	ST_WATCHING,
	ST_WATCH_REST,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = { "start",      "list_turn",  "listing",
					 "list_rest",  "watch_turn", "watching",
					 "watch_rest", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LIST_TURN) | OP_BIT(ST_DONE),
	[ST_LIST_TURN] = OP_BIT(ST_LISTING) | OP_BIT(ST_LIST_REST) | OP_BIT(ST_DONE),
	[ST_LISTING] = OP_BIT(ST_LIST_TURN) | OP_BIT(ST_LIST_REST) |
		       OP_BIT(ST_WATCH_TURN) | OP_BIT(ST_DONE),
	[ST_LIST_REST] = OP_BIT(ST_LIST_TURN) | OP_BIT(ST_DONE),
	[ST_WATCH_TURN] = OP_BIT(ST_WATCHING) | OP_BIT(ST_WATCH_REST) | OP_BIT(ST_DONE),
	[ST_WATCHING] = OP_BIT(ST_LIST_TURN) | OP_BIT(ST_LIST_REST) |
			OP_BIT(ST_WATCH_TURN) | OP_BIT(ST_WATCH_REST) | OP_BIT(ST_DONE),
	[ST_WATCH_REST] = OP_BIT(ST_WATCH_TURN) | OP_BIT(ST_DONE),
};

enum { PAGE_MS = 30 * 1000, LOG_MS = 10 * 1000 };

static struct k8s_watch *watch_of(struct op *op)
{
	return CONTAINER_OF(op, struct k8s_watch, op);
}

static uint64_t now_ms(const struct k8s_watch *w)
{
	return clock_now_ms(w->op.loop);
}

/* A machine that was suspended has heard nothing meanwhile. */
static uint64_t boot_ms(const struct k8s_watch *w)
{
	return clock_boot_ms(w->op.loop);
}

static void on_granted(struct k8s_turn *t)
{
	op_wake(&CONTAINER_OF(t, struct k8s_watch, turn)->op);
}

static void on_rested(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct k8s_watch, rest)->op);
}

static void take_turn(struct k8s_watch *w, unsigned state)
{
	op_move(&w->op, state);
	k8s_rate_wait(&w->calls->rate, &w->turn, on_granted);
}

/* ---- what comes in ---- */

static int note_unreadable(struct k8s_watch *w, const struct k8s_decoded *d,
			   struct err *err)
{
	static struct log_rate rate;

	if (log_may(&rate, now_ms(w), LOG_MS))
		log_warn("k8s", "an object cannot be read",
			 KS("kind", k8s_kind_name(w->store->kind)), KS("name", d->name),
			 KS("why", d->err.msg), KU("skipped", rate.skipped));
	if (!d->name[0])
		return err_set(err, ERR_INVALID, "an object of no name: %s", d->err.msg);
	if (k8s_store_put_unreadable(w->store, d->name))
		return err_set(err, ERR_EXHAUSTED, "too many unreadable objects");
	return 0;
}

static int on_item(struct k8s_fetch *f, struct k8s_decoded *d, struct err *err)
{
	struct k8s_watch *w = f->ctx;

	if (d->reading == K8S_UNREADABLE)
		return note_unreadable(w, d, err);
	if (d->reading == K8S_READ && k8s_store_put_take(w->store, d->object))
		return err_nomem(err);
	return 0; /* another driver's: the end of the list removes what had its name */
}

/* ADDED, MODIFIED, DELETED. The version counts only once the change is in the store. */
static int apply(struct k8s_watch *w, struct k8s_line *l, struct err *err)
{
	struct k8s_decoded *d = &l->decoded;
	bool is_gone = l->change == K8S_GONE || d->reading == K8S_FOREIGN;

	if (d->reading == K8S_NO_MEMORY)
		return err_nomem(err);
	if (is_gone && d->name[0]) {
		/* Listeners are told of it as it was at its end. */
		if (d->reading != K8S_READ || !k8s_store_find(w->store, d->name))
			k8s_object_free(d->object);
		else if (k8s_store_put_take(w->store, d->object))
			return err_nomem(err);
		k8s_store_remove(w->store, d->name);
	} else if (d->reading == K8S_UNREADABLE) {
		if (note_unreadable(w, d, err))
			return -1;
	} else if (k8s_store_put_take(w->store, d->object)) {
		return err_nomem(err);
	}
	w->n_events++;
	return 0;
}

static int take_line(struct k8s_watch *w, struct k8s_line *l, struct err *err)
{
	switch (l->change) {
	case K8S_PUT:
	case K8S_GONE:
		if (apply(w, l, err))
			return -1;
		break;
	case K8S_BOOKMARK:
		break;
	case K8S_ERROR:
		w->how = K8S_STREAM_ERROR;
		w->code = l->code;
		*err = l->decoded.err;
		return -1;
	case K8S_JUNK:
		*err = l->decoded.err;
		return -1;
	}
	if (l->decoded.version[0])
		memcpy(w->version, l->decoded.version, sizeof(w->version));
	w->store->heard_ms = boot_ms(w);
	return 0;
}

static int on_line(void *ctx, const char *p, size_t n, struct err *err)
{
	struct k8s_watch *w = ctx;
	struct k8s_line l;

	k8s_line_read(w->store->kind, w->calls->driver, p, n, &l);
	if (take_line(w, &l, err) == 0)
		return 0;
	if (w->how != K8S_STREAM_ERROR)
		w->how = err->code == ERR_EXHAUSTED ? K8S_STREAM_NO_MEMORY
						    : K8S_STREAM_JUNK;
	return -1;
}

static int on_body(struct k8s_exchange *x, const char *p, size_t n)
{
	struct k8s_watch *w = x->ctx;
	struct err err = { .code = ERR_OK };

	if (x->status != 200)
		return 0;
	if (k8s_line_split_feed(&w->lines, p, n, &err) == 0)
		return 0;
	if (w->how == K8S_STREAM_FAILED) /* a line without end, or no memory for it */
		w->how = K8S_STREAM_NO_MEMORY;
	op_fail_err(&x->op, &err);
	return -1;
}

/* ---- the list ---- */

static int build_target(struct k8s_watch *w, const struct k8s_target *t)
{
	struct err err = { .code = ERR_OK };

	buf_reset(&w->target);
	return k8s_target_build(t, &w->target, &err);
}

static void rest(struct k8s_watch *w, unsigned state, uint32_t at_least_ms)
{
	uint32_t pause = backoff_next_ms(&w->backoff, rand_below(UINT32_MAX));

	if (pause < at_least_ms)
		pause = at_least_ms;
	op_move(&w->op, state);
	clock_timer_start(w->op.loop, &w->rest, pause, on_rested);
}

static void on_page(struct op *op)
{
	struct k8s_fetch *f = CONTAINER_OF(op, struct k8s_fetch, op);

	op_unref_wake(&((struct k8s_watch *)f->ctx)->op);
}

static void ask_page(struct k8s_watch *w)
{
	struct k8s_target t = { .kind = w->store->kind,
				.limit = K8S_PAGE,
				.next = w->more };

	if (build_target(w, &t))
		return rest(w, ST_LIST_REST, 0);
	if (!w->more[0]) {
		w->began_ms = now_ms(w);
		k8s_store_list_begin(w->store);
	}
	w->page = (struct k8s_fetch){
		.client = w->calls->client,
		.driver = w->calls->driver,
		.kind = w->store->kind,
		.wanted = K8S_WANT_PAGE,
		.method = "GET",
		.target = w->target.data,
		.on_item = on_item,
		.ctx = w,
	};
	w->calls->n_asked++;
	op_move(&w->op, ST_LISTING);
	op_ref(&w->op);
	k8s_fetch_start(&w->page, w->op.loop, on_page);
	op_set_deadline(&w->page.op, now_ms(w) + PAGE_MS);
}

static void log_failure(struct k8s_watch *w, const char *what, const struct err *err)
{
	static struct log_rate rate;

	w->n_failures++;
	if (log_may(&rate, now_ms(w), LOG_MS))
		log_warn("k8s", what, KS("kind", k8s_kind_name(w->store->kind)),
			 KS("why", err->msg), KU("failures", w->backoff.failures),
			 KU("skipped", rate.skipped));
}

/* Where to after a failure: at once or after a rest. */
static void go_on(struct k8s_watch *w, struct k8s_verdict v, bool is_list,
		  uint32_t retry_after_ms)
{
	if (v.is_token)
		k8s_client_distrust_token(w->calls->client);
	if (v.is_relist)
		w->more[0] = '\0';
	if (v.is_pause) {
		rest(w, is_list ? ST_LIST_REST : ST_WATCH_REST, retry_after_ms);
		return;
	}
	if (v.is_failure)
		(void)backoff_next_ms(&w->backoff, 0);
	take_turn(w, is_list ? ST_LIST_TURN : ST_WATCH_TURN);
}

static void end_list(struct k8s_watch *w)
{
	memcpy(w->version, w->page.meta.version, sizeof(w->version));
	w->more[0] = '\0';
	w->n_lists++;
	k8s_store_list_end(w->store, boot_ms(w));
	mem_trim(); /* each page was parsed into many small pieces */
	log_info("k8s", "listed", KS("kind", k8s_kind_name(w->store->kind)),
		 KU("objects", w->store->objects.count),
		 KU("took_ms", now_ms(w) - w->began_ms), KU("lists", w->n_lists));
	take_turn(w, ST_WATCH_TURN);
}

static void judge_page(struct k8s_watch *w)
{
	const struct k8s_fetch *f = &w->page;

	if (op_failed(&f->op)) {
		log_failure(w, "a list failed", &f->op.err);
		go_on(w,
		      k8s_watch_judge_page(f->status, f->is_unreadable,
					   w->backoff.failures),
		      true, f->retry_after_ms);
	} else if (f->meta.next[0]) {
		memcpy(w->more, f->meta.next, sizeof(w->more));
		take_turn(w, ST_LIST_TURN);
	} else {
		end_list(w);
	}
}

/* ---- the stream ---- */

static void on_silence(struct clock_timer *t)
{
	struct k8s_watch *w = CONTAINER_OF(t, struct k8s_watch, silence);
	uint64_t due = w->store->heard_ms + K8S_WATCH_SILENT_MS, now = boot_ms(w);

	if (now < due) {
		clock_timer_start(w->op.loop, t, due - now, on_silence);
		return;
	}
	w->how = K8S_STREAM_SILENT;
	op_cancel(&w->stream.op, ERR_DEADLINE);
}

static void on_stream_end(struct op *op)
{
	struct k8s_exchange *x = CONTAINER_OF(op, struct k8s_exchange, op);

	op_unref_wake(&((struct k8s_watch *)x->ctx)->op);
}

static void ask_stream(struct k8s_watch *w)
{
	unsigned base_s = w->is_quiet ? K8S_WATCH_QUIET_S : K8S_WATCH_MIN_S;
	unsigned spread_s = w->is_quiet ? base_s / 3 : base_s;
	struct k8s_target t = { .kind = w->store->kind,
				.watch_from = w->version,
				.timeout_s = base_s + rand_below(spread_s) };

	if (build_target(w, &t))
		return rest(w, ST_WATCH_REST, 0);
	w->stream = (struct k8s_exchange){ .method = "GET",
					   .target = w->target.data,
					   .is_long = true,
					   .on_body = on_body,
					   .ctx = w };
	w->how = K8S_STREAM_FAILED;
	w->code = 0;
	w->began_ms = now_ms(w);
	w->timeout_s = t.timeout_s;
	w->first_events = w->n_events;
	w->n_streams++;
	w->calls->n_asked++;
	k8s_line_split_init(&w->lines, on_line, w);
	op_move(&w->op, ST_WATCHING);
	op_ref(&w->op);
	k8s_exchange_start(&w->stream, w->calls->client, on_stream_end);
	op_set_deadline(&w->stream.op,
			w->began_ms + (t.timeout_s + K8S_WATCH_GUARD_S) * UINT64_C(1000));
	clock_timer_start(w->op.loop, &w->silence, 0, on_silence);
}

/* How the stream ended, as the rules want it. */
static struct k8s_ended ended(const struct k8s_watch *w)
{
	const struct k8s_exchange *x = &w->stream;
	struct k8s_ended e = {
		.how = w->how,
		.status = w->how == K8S_STREAM_ERROR ? w->code
			  : x->status == 200	     ? 0
						     : x->status,
		.lived_ms = now_ms(w) - w->began_ms,
		.silent_ms = boot_ms(w) - w->store->heard_ms,
		.timeout_ms = w->timeout_s * UINT64_C(1000),
		.has_events = w->n_events > w->first_events,
		.failures = w->backoff.failures,
	};

	if (e.how == K8S_STREAM_FAILED && !op_failed(&x->op) && x->status == 200)
		e.how = K8S_STREAM_ENDED;
	return e;
}

static void judge_stream(struct k8s_watch *w)
{
	if (now_ms(w) - w->began_ms >= K8S_WATCH_HEALTHY_MS)
		backoff_reset(&w->backoff);
	struct k8s_ended e = ended(w);
	struct k8s_verdict v = k8s_watch_judge(&e);
	w->is_quiet |= e.how == K8S_STREAM_SILENT;
	if (v.is_heard)
		w->store->heard_ms = boot_ms(w);
	if (v.is_failure || e.how == K8S_STREAM_SILENT) {
		struct err err = w->stream.op.err;

		if (err.code == ERR_OK)
			(void)err_set(&err, ERR_UNAVAILABLE, "status %u after %llu ms",
				      w->stream.status, (unsigned long long)e.lived_ms);
		log_failure(w, "a watch failed", &err);
	}
	go_on(w, v, v.is_relist, w->stream.retry_after_ms);
}

static void finish(struct k8s_watch *w)
{
	k8s_rate_leave(&w->turn);
	clock_timer_stop(&w->rest);
	clock_timer_stop(&w->silence);
	k8s_line_split_fini(&w->lines);
	buf_fini(&w->target);
	op_move(&w->op, ST_DONE);
}

static void step_watching(struct k8s_watch *w)
{
	clock_timer_stop(&w->silence);
	k8s_line_split_fini(&w->lines);
	if (op_failed(&w->op))
		finish(w);
	else
		judge_stream(w);
}

static bool is_waiting(const struct k8s_watch *w)
{
	return list_is_linked(&w->turn.node) || clock_timer_is_running(&w->rest) ||
	       w->op.refs;
}

static void step(struct op *op)
{
	struct k8s_watch *w = watch_of(op);

	/* Another wake-up than the state's own is its cancel. */
	if (op->state != ST_DONE && op_failed(op) && !op->refs &&
	    op->state != ST_WATCHING) {
		finish(w);
		return;
	}
	if (is_waiting(w))
		return;
	switch (op->state) {
	case ST_START:
	case ST_LIST_REST:
		take_turn(w, ST_LIST_TURN);
		return;
	case ST_LIST_TURN:
		ask_page(w);
		return;
	case ST_LISTING:
		judge_page(w);
		return;
	case ST_WATCH_REST:
		take_turn(w, ST_WATCH_TURN);
		return;
	case ST_WATCH_TURN:
		ask_stream(w);
		return;
	case ST_WATCHING:
		step_watching(w);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct k8s_watch *w = watch_of(op);

	if (op->state == ST_LISTING)
		op_cancel(&w->page.op, op->err.code);
	else if (op->state == ST_WATCHING)
		op_cancel(&w->stream.op, op->err.code);
	else
		clock_timer_start(op->loop, &w->rest, 0, on_rested);
}

static const struct op_type type = {
	.name = "k8s-watch",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void k8s_watch_start(struct k8s_watch *w, void (*done)(struct op *op))
{
	*w = (struct k8s_watch){ .calls = w->calls, .store = w->store };
	buf_init(&w->target, K8S_TARGET_MAX);
	backoff_init(&w->backoff, K8S_WATCH_RETRY_MS, K8S_WATCH_RETRY_MAX_MS);
	op_start(&w->op, &type, w->calls->loop, done);
}

void k8s_watch_stop(struct k8s_watch *w)
{
	op_cancel(&w->op, ERR_CANCELLED);
}
