#include "k8s/exchange.h"

#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "k8s/client_impl.h"

/* start -> asked -> again -> done
 *   start goes straight to done: cancelled, a request that cannot be written, no memory,
 *   too many wait. asked and again end when the client lets go of the job: answered, or
 *   the connection failed, or cancelled. again is taken once, by a GET whose kept
 *   connection the server had closed meanwhile: nothing of an answer came. */
enum { ST_START, ST_ASKED, ST_AGAIN, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "asked", "again", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKED) | OP_BIT(ST_DONE),
	[ST_ASKED] = OP_BIT(ST_AGAIN) | OP_BIT(ST_DONE),
	[ST_AGAIN] = OP_BIT(ST_DONE),
};

enum { OWN_LINES_MAX = 256, RETRY_AFTER_MAX_S = 60 };

struct impl {
	struct conn_job job;
	struct k8s_exchange *x;
	struct k8s_client *client;
};

static struct k8s_exchange *exchange_of(struct op *op)
{
	return CONTAINER_OF(op, struct k8s_exchange, op);
}

static struct impl *impl_of(struct k8s_exchange *x)
{
	return x->impl;
}

static int on_head(struct conn_job *j, const struct http1 *h)
{
	struct k8s_exchange *x = CONTAINER_OF(j, struct impl, job)->x;
	const char *wait = http1_header(h, "Retry-After");
	uint64_t s = 0;

	x->status = h->status;
	/* RFC 9110, 10.2.3 allows a date too; the API server sends seconds. */
	if (wait && str_to_u64(wait, &s) == 0)
		x->retry_after_ms =
			1000 * (uint32_t)(s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S);
	return 0;
}

static int on_body(struct conn_job *j, const char *p, size_t n)
{
	struct k8s_exchange *x = CONTAINER_OF(j, struct impl, job)->x;

	return x->on_body ? x->on_body(x, p, n) : 0;
}

/* Nothing that could begin another header line, or another request. */
static bool is_clean(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s >= 127)
			return false;
	return true;
}

static int check(const struct k8s_exchange *x, struct err *err)
{
	if (x->target[0] != '/' || strchr(x->target, ' ') || !is_clean(x->target) ||
	    (x->content_type && !is_clean(x->content_type)))
		return err_set(err, ERR_INVALID, "not a request target or content type");
	if (strlen(x->target) > K8S_TARGET_MAX ||
	    (x->body && strlen(x->body) > K8S_BODY_OUT_MAX))
		return err_set(err, ERR_EXHAUSTED, "the API request is too large");
	return 0;
}

static bool is_bodiless(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "DELETE") == 0;
}

/* In one allocation, since the token is in it. */
static int write_request(const struct k8s_exchange *x, struct k8s_client *c,
			 struct buf *b, struct err *err)
{
	size_t n_body = x->body ? strlen(x->body) : 0;

	if (check(x, err))
		return -1;
	if (buf_reserve(b, client_prepare(c) + OWN_LINES_MAX + strlen(client_prefix(c)) +
				   strlen(x->target) + n_body))
		return err_nomem(err);
	(void)buf_printf(b, "%s %s%s HTTP/1.1\r\n", x->method, client_prefix(c),
			 x->target);
	(void)client_write_head(c, b);
	if (x->body && x->content_type)
		(void)buf_printf(b, "Content-Type: %.96s\r\n", x->content_type);
	if (x->body || !is_bodiless(x->method))
		(void)buf_printf(b, "Content-Length: %zu\r\n", n_body);
	(void)buf_puts(b, "\r\n");
	if (x->body)
		(void)buf_append(b, x->body, n_body);
	return buf_failed(b) ? err_nomem(err) : 0;
}

static void free_impl(struct k8s_exchange *x)
{
	struct impl *i = impl_of(x);

	x->impl = NULL;
	if (i)
		kubeconfig_wipe(&i->job.request);
	mem_free(i);
}

static void do_start(struct k8s_exchange *x)
{
	struct impl *i = impl_of(x);
	struct err err;

	if (op_failed(&x->op))
		return;
	if (write_request(x, i->client, &i->job.request, &err) ||
	    client_ask(i->client, &i->job, &err)) {
		op_fail_err(&x->op, &err);
		return;
	}
	op_move(&x->op, ST_ASKED);
}

/* Whether it is asked again. */
static bool ask_again(struct k8s_exchange *x)
{
	struct impl *i = impl_of(x);
	struct conn_job *j = &i->job;
	struct err err;

	if (op_failed(&x->op) || j->is_answered || !j->was_kept || j->is_begun ||
	    strcmp(x->method, "GET") != 0)
		return false;
	j->err = (struct err){ .code = ERR_OK };
	j->wants_fresh = true;
	if (client_ask(i->client, j, &err)) {
		op_fail_err(&x->op, &err);
		return false;
	}
	op_move(&x->op, ST_AGAIN);
	return true;
}

static void finish(struct k8s_exchange *x)
{
	struct impl *i = impl_of(x);

	if (i) {
		x->is_sent = i->job.is_sent;
		if (!i->job.is_answered)
			op_fail_err(&x->op, &i->job.err);
	}
	free_impl(x);
	op_move(&x->op, ST_DONE);
}

static void step(struct op *op)
{
	struct k8s_exchange *x = exchange_of(op);

	switch (op->state) {
	case ST_START:
		do_start(x);
		if (op_failed(op))
			finish(x);
		return;
	case ST_ASKED:
		if (!ask_again(x))
			finish(x);
		return;
	case ST_AGAIN:
		finish(x);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct impl *i = impl_of(exchange_of(op));

	client_cancel(i->client, &i->job);
}

static const struct op_type exchange_type = {
	.name = "k8s-exchange",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void k8s_exchange_start(struct k8s_exchange *x, struct k8s_client *c,
			void (*done)(struct op *op))
{
	uv_loop_t *loop = client_loop(c);
	struct impl *i = mem_calloc(1, sizeof(*i));

	x->impl = i;
	x->status = 0;
	x->retry_after_ms = 0;
	x->is_sent = false;
	op_start(&x->op, &exchange_type, loop, done);
	if (!i) {
		op_fail(&x->op, ERR_EXHAUSTED, "out of memory");
		return;
	}
	i->x = x;
	i->client = c;
	i->job.op = &x->op;
	i->job.serial = client_serial(c);
	i->job.is_long = x->is_long;
	i->job.on_head = on_head;
	i->job.on_body = on_body;
	buf_init(&i->job.request, TLS_WRITE_MAX);
	if (!x->is_long)
		op_set_deadline(&x->op, clock_now_ms(loop) + K8S_EXCHANGE_MS);
}
