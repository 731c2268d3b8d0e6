#include "k8s/fetch.h"

#include <string.h>

#include "core/mem.h"

/* start -> asking -> done
 * asking ends when the exchange does: answered, failed, cancelled. */
enum { ST_START, ST_ASKING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "asking", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_DONE),
};

enum { STATUS_MAX = 16 * 1024 }; /* of a Status; the rest of it is not read */

static struct k8s_fetch *fetch_of(struct op *op)
{
	return CONTAINER_OF(op, struct k8s_fetch, op);
}

enum err_code k8s_status_code(unsigned status, const char *reason)
{
	switch (status) {
	case 400:
	case 422:
		return ERR_INVALID;
	case 403:
		return ERR_PERMISSION;
	case 404: /* of a proxy, or of an API server that does not serve the path: nothing
		   */
		return strcmp(reason, "NotFound") == 0 ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	case 409:
		return strcmp(reason, "AlreadyExists") == 0 ? ERR_EXISTS : ERR_ABORTED;
	default:
		return ERR_UNAVAILABLE;
	}
}

static bool is_good(unsigned status)
{
	return status >= 200 && status < 300;
}

static int on_page_item(void *ctx, const char *p, size_t n, struct err *err)
{
	struct k8s_fetch *f = ctx;
	struct k8s_decoded d;

	k8s_decode(f->kind, f->driver, p, n, &d);
	if (d.reading == K8S_NO_MEMORY)
		return err_nomem(err);
	return f->on_item(f, &d, err);
}

static int on_page_meta(void *ctx, const char *p, size_t n, struct err *err)
{
	struct k8s_fetch *f = ctx;

	return k8s_list_meta_read(p, n, &f->meta, err);
}

/* An object is kept whole, a Status as far as it goes. */
static int keep(struct k8s_fetch *f, const char *p, size_t n)
{
	if (!is_good(f->x.status)) {
		size_t room = f->in.len < STATUS_MAX ? STATUS_MAX - f->in.len : 0;

		n = n < room ? n : room;
	} else if (f->wanted == K8S_WANT_NOTHING) {
		n = 0;
	}
	if (!n || buf_append(&f->in, p, n) == 0)
		return 0;
	op_fail(&f->x.op, ERR_EXHAUSTED, "%s",
		f->in.len + n > f->in.max ? "the answer is too large" : "out of memory");
	return -1;
}

static int on_body(struct k8s_exchange *x, const char *p, size_t n)
{
	struct k8s_fetch *f = x->ctx;
	struct err err = { .code = ERR_OK };

	if (!is_good(x->status) || f->wanted != K8S_WANT_PAGE)
		return keep(f, p, n);
	if (k8s_list_split_feed(&f->split, p, n, &err) == 0)
		return 0;
	f->is_unreadable = err.code != ERR_EXHAUSTED;
	op_fail_err(&x->op, &err);
	return -1;
}

static void on_exchanged(struct op *op)
{
	struct k8s_exchange *x = CONTAINER_OF(op, struct k8s_exchange, op);

	op_unref_wake(&((struct k8s_fetch *)x->ctx)->op);
}

/* What can be read wrong at the API server is not the caller's mistake. */
static void fail_answer(struct k8s_fetch *f, const struct err *err)
{
	enum err_code code = err->code == ERR_INVALID ? ERR_UNAVAILABLE : err->code;

	op_fail(&f->op, code, "%s", err->msg);
}

static void read_object(struct k8s_fetch *f)
{
	struct k8s_decoded d;

	k8s_decode(f->kind, f->driver, f->in.data ? f->in.data : "", f->in.len, &d);
	f->is_unreadable = d.reading == K8S_UNREADABLE;
	f->is_foreign = d.reading == K8S_FOREIGN;
	if (d.reading == K8S_READ)
		f->object = d.object;
	else if (d.reading == K8S_FOREIGN)
		op_fail(&f->op, ERR_NOT_FOUND, "%s is another driver's", d.name);
	else
		fail_answer(f, &d.err);
}

static void read_status(struct k8s_fetch *f)
{
	struct k8s_status s;

	k8s_status_read(f->in.data ? f->in.data : "", f->in.len, &s);
	op_fail(&f->op, k8s_status_code(f->status, s.reason), "status %u: %s %s",
		f->status, s.reason, s.message);
}

static void read_answer(struct k8s_fetch *f)
{
	struct err err = { .code = ERR_OK };

	f->status = f->x.status;
	f->retry_after_ms = f->x.retry_after_ms;
	f->is_sent = f->x.is_sent;
	if (op_failed(&f->x.op))
		fail_answer(f, &f->x.op.err);
	else if (!is_good(f->status))
		read_status(f);
	else if (f->wanted == K8S_WANT_OBJECT)
		read_object(f);
	else if (f->wanted == K8S_WANT_PAGE && k8s_list_split_end(&f->split, &err)) {
		f->is_unreadable = true;
		fail_answer(f, &err);
	}
}

static void ask(struct k8s_fetch *f)
{
	f->x.method = f->method;
	f->x.target = f->target;
	f->x.content_type = f->content_type;
	f->x.body = f->body;
	f->x.on_body = on_body;
	f->x.ctx = f;
	op_ref(&f->op);
	k8s_exchange_start(&f->x, f->client, on_exchanged);
	op_set_deadline(&f->x.op, f->op.deadline_ms);
}

static void step(struct op *op)
{
	struct k8s_fetch *f = fetch_of(op);

	switch (op->state) {
	case ST_START:
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		op_move(op, ST_ASKING);
		ask(f);
		return;
	case ST_ASKING:
		if (op->refs)
			return;
		read_answer(f);
		k8s_list_split_fini(&f->split);
		buf_fini(&f->in);
		if (op_failed(op)) {
			k8s_object_free(f->object);
			f->object = NULL;
		}
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	if (op->state == ST_ASKING)
		op_cancel(&fetch_of(op)->x.op, op->err.code);
}

static const struct op_type type = {
	.name = "k8s-fetch",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void k8s_fetch_start(struct k8s_fetch *f, uv_loop_t *loop, void (*done)(struct op *op))
{
	f->status = 0;
	f->retry_after_ms = 0;
	f->is_sent = f->is_unreadable = f->is_foreign = false;
	f->object = NULL;
	f->meta = (struct k8s_list_meta){ .next = "" };
	f->x = (struct k8s_exchange){ .status = 0 };
	buf_init(&f->in, K8S_OBJECT_MAX);
	k8s_list_split_init(&f->split, on_page_item, on_page_meta, f);
	op_start(&f->op, &type, loop, done);
}
