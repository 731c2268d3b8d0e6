#include "k8s/call.h"

#include <string.h>

#include "core/backoff.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/rand.h"
#include "k8s/client.h"
#include "k8s/fetch.h"
#include "k8s/retry.h"
#include "k8s/target.h"

/* start -> pacing -> asking -> done
 *             ^         |
 *             |         v
 *             +----- resting
 *
 * start:   no memory, a request that cannot be put: done.
 * pacing:  the client's own limit; cancelled: leaves the queue, done.
 * asking:  one exchange; pages go through pacing again. By retry.h: again or done.
 * resting: a timer; cancelled: done. */
enum { ST_START, ST_PACING, ST_ASKING, ST_RESTING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "pacing", "asking", "resting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_PACING) | OP_BIT(ST_DONE),
	[ST_PACING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_PACING) | OP_BIT(ST_RESTING) | OP_BIT(ST_DONE),
	[ST_RESTING] = OP_BIT(ST_PACING) | OP_BIT(ST_DONE),
};

/* Lives from the start to done(), at r->impl. */
struct call {
	struct k8s_calls *calls;
	struct k8s_request *r;
	struct k8s_turn turn;
	struct clock_timer rest;
	struct backoff backoff;
	struct buf target;
	struct k8s_fetch fetch;
	char more[K8S_TEXT_MAX + 1]; /* LIST: the page to come; "" = the first */
	bool has_uid, was_distrusted, is_unreadable;
	struct k8s_object **found; /* LIST: collected; n_kept are of whole pages */
	size_t n_found, n_kept, room;
};

static struct k8s_request *request_of(struct op *op)
{
	return CONTAINER_OF(op, struct k8s_request, op);
}

void k8s_calls_init(struct k8s_calls *c, uv_loop_t *loop, struct k8s_client *client,
		    const char *driver)
{
	*c = (struct k8s_calls){ .loop = loop, .client = client, .driver = driver };
	k8s_rate_init(&c->rate, loop);
}

void k8s_calls_fini(struct k8s_calls *c)
{
	k8s_rate_fini(&c->rate);
}

static void forget_found(struct call *c, size_t down_to)
{
	while (c->n_found > down_to)
		k8s_object_free(c->found[--c->n_found]);
}

static int collect(struct call *c, struct k8s_object *o, struct err *err)
{
	if (c->n_found == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		void *p = mem_realloc(c->found, room * sizeof(struct k8s_object *));

		if (!p)
			return err_nomem(err);
		c->found = p;
		c->room = room;
	}
	if (c->n_found >= K8S_COLLECT_MAX)
		return err_set(err, ERR_EXHAUSTED, "a list of more than %d objects",
			       K8S_COLLECT_MAX);
	c->found[c->n_found++] = o;
	return 0;
}

static int on_item(struct k8s_fetch *f, struct k8s_decoded *d, struct err *err)
{
	struct call *c = f->ctx;

	if (d->reading == K8S_FOREIGN)
		return 0;
	if (d->reading == K8S_UNREADABLE) {
		c->is_unreadable = true;
		return err_set(err, ERR_UNAVAILABLE, "%s in a list: %s", d->name,
			       d->err.msg);
	}
	if (collect(c, d->object, err) == 0)
		return 0;
	k8s_object_free(d->object);
	return -1;
}

static bool has_uid(const char *body)
{
	struct err err = { .code = ERR_OK };
	json_t *v = body ? json_parse(body, strlen(body), &err) : NULL;
	bool has = json_get_str(json_object_get(v, "preconditions"), "uid") != NULL;

	json_decref(v);
	return has;
}

static int build_target(struct call *c)
{
	const struct k8s_request *r = c->r;
	bool is_list = r->verb == K8S_LIST;
	struct k8s_target t = {
		.kind = r->kind,
		.ns = r->ns,
		.name = is_list || r->verb == K8S_CREATE ? NULL : r->name,
		.subresource = r->subresource,
		.query = is_list ? r->query : NULL,
		.limit = is_list ? K8S_PAGE : 0,
		.next = c->more,
	};
	struct err err = { .code = ERR_OK };

	if (!is_list && r->verb != K8S_CREATE && !t.name)
		(void)err_set(&err, ERR_INVALID, "a request of no name");
	buf_reset(&c->target);
	if (err.code == ERR_OK)
		(void)k8s_target_build(&t, &c->target, &err);
	op_fail_err(&c->r->op, &err);
	return err.code == ERR_OK ? 0 : -1;
}

static void on_granted(struct k8s_turn *t)
{
	op_wake(&CONTAINER_OF(t, struct call, turn)->r->op);
}

static void on_fetched(struct op *op)
{
	struct k8s_fetch *f = CONTAINER_OF(op, struct k8s_fetch, op);

	op_unref_wake(&((struct call *)f->ctx)->r->op);
}

static void on_rested(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct call, rest)->r->op);
}

static void pace(struct call *c)
{
	op_move(&c->r->op, ST_PACING);
	k8s_rate_wait(&c->calls->rate, &c->turn, on_granted);
}

static void ask(struct call *c)
{
	static const char *const methods[] = {
		[K8S_GET] = "GET",     [K8S_LIST] = "GET",   [K8S_CREATE] = "POST",
		[K8S_PATCH] = "PATCH", [K8S_UPDATE] = "PUT", [K8S_DELETE] = "DELETE",
	};
	const struct k8s_request *r = c->r;
	bool is_patch = r->verb == K8S_PATCH;

	c->fetch = (struct k8s_fetch){
		.client = c->calls->client,
		.driver = c->calls->driver,
		.kind = r->kind,
		.wanted = r->verb == K8S_LIST	  ? K8S_WANT_PAGE
			  : r->verb == K8S_DELETE ? K8S_WANT_NOTHING
						  : K8S_WANT_OBJECT,
		.method = methods[r->verb],
		.target = c->target.data,
		.body = r->body,
		.content_type = !r->body   ? NULL
				: is_patch ? "application/merge-patch+json"
					   : "application/json",
		.on_item = on_item,
		.ctx = c,
	};
	op_move(&c->r->op, ST_ASKING);
	op_ref(&c->r->op);
	c->calls->n_asked++;
	k8s_fetch_start(&c->fetch, r->op.loop, on_fetched);
	op_set_deadline(&c->fetch.op, c->r->op.deadline_ms);
	op_set_deadline(&c->fetch.op, clock_now_ms(r->op.loop) + K8S_ATTEMPT_MS);
}

static void rest(struct call *c)
{
	uint32_t pause = backoff_next_ms(&c->backoff, rand_below(UINT32_MAX));

	if (c->fetch.retry_after_ms > pause)
		pause = c->fetch.retry_after_ms;
	op_move(&c->r->op, ST_RESTING);
	clock_timer_start(c->r->op.loop, &c->rest, pause, on_rested);
}

/* The end, whatever it is. */
static void finish(struct call *c)
{
	struct k8s_request *r = c->r;
	size_t n = op_failed(&r->op) ? 0 : c->n_found;

	k8s_rate_leave(&c->turn);
	clock_timer_stop(&c->rest);
	for (size_t i = 0; i < n; i++)
		r->each(r, c->found[i]);
	c->calls->n_failed += op_failed(&r->op);
	forget_found(c, 0);
	mem_free(c->found);
	buf_fini(&c->target);
	r->impl = NULL;
	mem_free(c);
	op_move(&r->op, ST_DONE);
}

static void fail_for_good(struct call *c)
{
	struct err err = c->fetch.op.err;

	(void)err_wrap(&err, "%s %.100s", c->fetch.method, c->target.data);
	c->r->is_foreign = c->fetch.is_foreign;
	op_fail_err(&c->r->op, &err);
	finish(c);
}

static void judge_failure(struct call *c)
{
	const struct k8s_fetch *f = &c->fetch;
	struct k8s_attempt attempt = {
		.verb = c->r->verb,
		.code = f->op.err.code,
		.status = f->status,
		.is_sent = f->is_sent,
		.is_unreadable = f->is_unreadable || c->is_unreadable,
		.has_uid = c->has_uid,
		.was_distrusted = c->was_distrusted,
	};

	forget_found(c, c->n_kept);
	switch (k8s_retry_judge(&attempt)) {
	case K8S_RETRY_TOKEN:
		c->was_distrusted = true;
		k8s_client_distrust_token(c->calls->client);
		pace(c);
		return;
	case K8S_RETRY_AFRESH:
		c->more[0] = '\0';
		c->n_kept = 0;
		forget_found(c, 0);
		if (build_target(c))
			break;
		rest(c);
		return;
	case K8S_RETRY_LATER:
		rest(c);
		return;
	case K8S_RETRY_NO:
		break;
	}
	fail_for_good(c);
}

static void judge(struct call *c)
{
	struct k8s_fetch *f = &c->fetch;

	if (op_failed(&c->r->op)) {
		k8s_object_free(f->object);
		finish(c);
	} else if (op_failed(&f->op)) {
		judge_failure(c);
	} else if (c->r->verb == K8S_LIST && f->meta.next[0]) {
		memcpy(c->more, f->meta.next, sizeof(c->more));
		c->n_kept = c->n_found;
		c->was_distrusted = false;
		backoff_reset(&c->backoff);
		if (build_target(c))
			finish(c);
		else
			pace(c);
	} else {
		c->r->object = f->object;
		finish(c);
	}
}

static void do_start(struct call *c)
{
	if (op_failed(&c->r->op) || build_target(c))
		finish(c);
	else
		pace(c);
}

static void step(struct op *op)
{
	struct call *c = request_of(op)->impl;

	switch (op->state) {
	case ST_START:
		if (c) {
			do_start(c);
			return;
		}
		op_fail(op, ERR_EXHAUSTED, "out of memory");
		op_move(op, ST_DONE);
		return;
	case ST_PACING:
		if (op_failed(op))
			finish(c);
		else if (!list_is_linked(&c->turn.node))
			ask(c);
		return;
	case ST_ASKING:
		if (!op->refs)
			judge(c);
		return;
	case ST_RESTING:
		if (op_failed(op))
			finish(c);
		else if (!clock_timer_is_running(&c->rest))
			pace(c);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct call *c = request_of(op)->impl;

	if (op->state == ST_ASKING)
		op_cancel(&c->fetch.op, op->err.code);
	else
		clock_timer_start(op->loop, &c->rest, 0, on_rested);
}

static const struct op_type type = {
	.name = "k8s-request",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void k8s_call_start(struct k8s_calls *calls, struct k8s_request *r,
		    void (*done)(struct op *op))
{
	struct call *c = mem_calloc(1, sizeof(*c));

	r->impl = c;
	r->object = NULL;
	r->is_foreign = false;
	if (c) {
		c->calls = calls;
		c->r = r;
		c->has_uid = has_uid(r->body);
		buf_init(&c->target, K8S_TARGET_MAX);
		backoff_init(&c->backoff, K8S_RETRY_MS, K8S_RETRY_MAX_MS);
	}
	op_start(&r->op, &type, calls->loop, done);
	op_set_deadline(&r->op, clock_now_ms(calls->loop) + K8S_REQUEST_MS);
}
