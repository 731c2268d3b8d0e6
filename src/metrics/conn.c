#include "metrics/conn.h"

#include <string.h>

#include "core/mem.h"

/* start ─► reading ⇄ writing ─► lingering ─► closing ─► done
 *             ╰────────╰─────────────────────▲
 *
 * reading: a request comes, or none for a while     writing: its answer leaves
 * lingering: the last answer has left and the end is told; what still comes is dropped,
 * so that the close does not take the answer from the peer (RFC 9112 9.6)
 *
 * Failure modes: accept fails; the peer leaves, is slow or sends garbage; no memory. */
enum { ST_START, ST_READING, ST_WRITING, ST_LINGERING, ST_CLOSING, ST_DONE, ST_N };

enum { LINGER_MS = 1000, TRIM_BYTES = 8 * 1024 };

static const char *const names[ST_N] = {
	"start", "reading", "writing", "lingering", "closing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_READING) | OP_BIT(ST_CLOSING),
	[ST_READING] = OP_BIT(ST_WRITING) | OP_BIT(ST_CLOSING),
	[ST_WRITING] = OP_BIT(ST_READING) | OP_BIT(ST_LINGERING) | OP_BIT(ST_CLOSING),
	[ST_LINGERING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static void on_patience(struct clock_timer *t)
{
	op_cancel(&CONTAINER_OF(t, struct metrics_conn, patience)->op, ERR_DEADLINE);
}

static void be_patient(struct metrics_conn *c, uint64_t ms)
{
	c->since_ms = clock_now_ms(c->op.loop);
	clock_timer_start(c->op.loop, &c->patience, ms, on_patience);
}

static int on_body(struct http1 *h, const char *p, size_t n)
{
	(void)h;
	(void)p;
	(void)n;
	return -1; /* there is nothing here that takes a body */
}

static void close_all(struct metrics_conn *c)
{
	clock_timer_stop(&c->patience);
	http1_fini(&c->http);
	stream_close(&c->stream);
	op_move(&c->op, ST_CLOSING);
}

static bool is_over(struct metrics_conn *c)
{
	if (c->stream.status && !c->stream.in_len)
		op_fail(&c->op, ERR_UNAVAILABLE, "%s", uv_strerror(c->stream.status));
	return op_failed(&c->op);
}

static void write_answer(struct metrics_conn *c, bool is_good, bool is_large)
{
	struct buf *out = &c->stream.out;
	int rc;

	if (is_good)
		rc = page_answer(out, c->site, &c->http, !c->http.keeps_alive);
	else
		rc = page_refuse(out, is_large ? 431 : 400);
	if (rc)
		op_fail(&c->op, ERR_EXHAUSTED, "no room for the answer");
	c->answer_bytes = out->len;
	stream_flush(&c->stream);
	be_patient(c, CONN_BUSY_MS);
	op_move(&c->op, ST_WRITING);
}

/* Returns whether the op must wait now. */
static bool do_reading(struct metrics_conn *c)
{
	struct err err = { .code = ERR_OK };
	size_t used = 0;
	bool was_begun = c->http.is_begun;

	if (is_over(c)) {
		close_all(c);
		return false;
	}
	if (c->stream.in_len) {
		(void)http1_feed(&c->http, c->stream.in, c->stream.in_len, &used, &err);
		stream_consume(&c->stream, used);
		if (err.code != ERR_OK || c->http.is_done) {
			write_answer(c, err.code == ERR_OK, err.code == ERR_EXHAUSTED);
			return false;
		}
		if (!was_begun && c->http.is_begun)
			be_patient(c, CONN_BUSY_MS);
	}
	stream_read(&c->stream);
	return !c->stream.status;
}

static bool do_writing(struct metrics_conn *c)
{
	bool is_last = !c->http.is_done || !c->http.keeps_alive;

	if (op_failed(&c->op) || (c->stream.status && c->stream.status != UV_EOF)) {
		(void)is_over(c);
		close_all(c);
		return false;
	}
	if (stream_queued(&c->stream))
		return true;
	/* The heap's end would keep it until the next one asks, which may be never. */
	if (c->answer_bytes >= TRIM_BYTES)
		mem_trim();
	if (is_last) {
		stream_end(&c->stream);
		be_patient(c, LINGER_MS);
		op_move(&c->op, ST_LINGERING);
		return false;
	}
	http1_next(&c->http);
	be_patient(c, CONN_IDLE_MS);
	op_move(&c->op, ST_READING);
	return false;
}

static bool do_lingering(struct metrics_conn *c)
{
	stream_consume(&c->stream, c->stream.in_len);
	stream_read(&c->stream);
	if (!c->stream.status && !op_failed(&c->op))
		return true;
	close_all(c);
	return false;
}

static void step(struct op *op)
{
	struct metrics_conn *c = CONTAINER_OF(op, struct metrics_conn, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			if (is_over(c))
				close_all(c);
			else
				op_move(op, ST_READING);
			break;
		case ST_READING:
			if (do_reading(c))
				return;
			break;
		case ST_WRITING:
			if (do_writing(c))
				return;
			break;
		case ST_LINGERING:
			if (do_lingering(c))
				return;
			break;
		case ST_CLOSING:
			if (op->refs)
				return;
			stream_fini(&c->stream);
			op_move(op, ST_DONE);
			break;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	op_wake(op);
}

static const struct op_type conn_type = {
	.name = "metrics connection",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void metrics_conn_start(struct metrics_conn *c, uv_loop_t *loop, uv_stream_t *listener,
			const struct page_site *site, void (*done)(struct op *op))
{
	int rc;

	memset(c, 0, offsetof(struct metrics_conn, stream));
	stream_init(&c->stream);
	http1_init(&c->http, HTTP_REQUEST);
	c->http.on_body = on_body;
	c->patience = (struct clock_timer){ .due_ms = 0 };
	c->site = site;
	c->node = (struct list){ NULL, NULL };
	op_start(&c->op, &conn_type, loop, done);
	rc = stream_accept(&c->stream, &c->op, listener);
	if (rc)
		op_fail(&c->op, ERR_UNAVAILABLE, "accept: %s", uv_strerror(rc));
	be_patient(c, CONN_BUSY_MS);
}
