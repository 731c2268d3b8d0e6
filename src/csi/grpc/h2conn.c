#include "csi/grpc/h2conn.h"

#include <string.h>

#include "core/mem.h"

/* start ─► connecting ─► open ─► notice ─► draining ─► closing ─► done
 *   ╰──────────────────────▲                              ▲
 *         any state before it, when failed or hung up ────╯
 *
 * connecting: client only                 open: bytes go both ways
 * notice: the first GOAWAY is out, for one turn (server only: requests that are under way
 *         from the client are still taken)
 * draining: the last GOAWAY is out; streams finish
 * lingering: server only: HTTP/2 is over and the end of output is told; what the client
 *         still says is dropped until it hangs up: closing over unread bytes would reset
 *         the connection, and take from the client what it has not read yet (RFC
 * 9112 9.6) closing: the streams were told, handles close
 *
 * Failure modes: accept or connect fails; the peer hangs up; bytes that are no HTTP/2
 * (GOAWAY is sent first if there is one); no memory; the grace is over. */
enum {
	ST_START,
	ST_CONNECTING,
	ST_OPEN,
	ST_NOTICE,
	ST_DRAINING,
	ST_LINGERING,
	ST_CLOSING,
	ST_DONE,
	ST_N
};

enum {
	QUEUE_BYTES = 256 * 1024, /* with more unsent nothing is read nor made */
	LAST_WORDS_MS = 5000,	  /* for the rest of the output once HTTP/2 is over */
	LINGER_MS = 1000
};

static const char *const names[ST_N] = {
	"start",    "connecting", "open",    "notice",
	"draining", "lingering",  "closing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_CONNECTING) | OP_BIT(ST_OPEN) | OP_BIT(ST_CLOSING),
	[ST_CONNECTING] = OP_BIT(ST_OPEN) | OP_BIT(ST_CLOSING),
	[ST_OPEN] = OP_BIT(ST_NOTICE) | OP_BIT(ST_DRAINING) | OP_BIT(ST_LINGERING) |
		    OP_BIT(ST_CLOSING),
	[ST_NOTICE] = OP_BIT(ST_DRAINING) | OP_BIT(ST_LINGERING) | OP_BIT(ST_CLOSING),
	[ST_DRAINING] = OP_BIT(ST_LINGERING) | OP_BIT(ST_CLOSING),
	[ST_LINGERING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static void wake(struct h2conn *c)
{
	/* Before the first step and inside a step there is no need. */
	if (c->op.state != ST_START && !c->op.stepping)
		op_wake(&c->op);
}

static void on_kick(struct h2 *h)
{
	wake(CONTAINER_OF(h, struct h2conn, h2));
}

static void on_turn(uv_idle_t *idle)
{
	uv_idle_stop(idle);
	op_wake(idle->data);
}

static void fail_stream(struct h2conn *c)
{
	if (c->stream.status == UV_EOF)
		op_fail(&c->op, ERR_UNAVAILABLE, "connection closed by the peer");
	else if (c->stream.status)
		op_fail(&c->op, ERR_UNAVAILABLE, "%s", uv_strerror(c->stream.status));
}

/* Returns whether it is worth while to call it again. */
static bool take(struct h2conn *c, struct err *err)
{
	size_t before = c->stream.out.len;
	bool is_blocked = stream_queued(&c->stream) >= QUEUE_BYTES;
	bool is_some = false;

	if (!is_blocked) {
		(void)h2_take(&c->h2, &c->stream.out, QUEUE_BYTES, err);
		is_some = c->stream.out.len > before;
	}
	stream_flush(&c->stream);
	return is_some || (is_blocked && stream_queued(&c->stream) < QUEUE_BYTES);
}

/* Moves bytes until nothing moves any more. All that a read made nghttp2 say is taken
 * before the next one is fed: else its acknowledgements pile up behind a peer that does
 * not read, until it takes them for an attack. */
static void pump(struct h2conn *c)
{
	struct err err = { .code = ERR_OK }, ignored;
	bool is_moving;

	do {
		is_moving = take(c, &err);
		if (is_moving || err.code != ERR_OK || !c->stream.in_len ||
		    stream_queued(&c->stream) >= QUEUE_BYTES)
			continue;
		is_moving = true;
		(void)h2_feed(&c->h2, c->stream.in, c->stream.in_len, &err);
		stream_consume(&c->stream, c->stream.in_len);
	} while (is_moving && err.code == ERR_OK && !c->stream.status);
	if (err.code != ERR_OK)
		(void)take(c, &ignored); /* the GOAWAY that says why */
	op_fail_err(&c->op, &err);
	/* What came before the end of input still counts; after another error nothing
	 * does. */
	if (!c->stream.in_len || c->stream.status != UV_EOF)
		fail_stream(c);
	stream_read(&c->stream);
}

/* HTTP/2 is over, and its last bytes are out or hopeless. */
static bool is_finished(struct h2conn *c)
{
	if (op_failed(&c->op))
		return true;
	if (!h2_is_over(&c->h2))
		return false;
	if (stream_queued(&c->stream) == 0)
		return true;
	op_set_deadline(&c->op, clock_now_ms(c->op.loop) + LAST_WORDS_MS);
	return false;
}

static void close_all(struct h2conn *c)
{
	h2_fini(&c->h2);
	stream_close(&c->stream);
	(void)uv_idle_stop(&c->turn);
	op_close_handle(&c->op, (uv_handle_t *)&c->turn);
	op_move(&c->op, ST_CLOSING);
}

static void do_start(struct h2conn *c)
{
	if (op_failed(&c->op)) {
		close_all(c);
	} else if (c->to) {
		stream_connect(&c->stream, &c->op, c->to);
		op_move(&c->op, ST_CONNECTING);
	} else {
		op_move(&c->op, ST_OPEN);
	}
}

static void do_connecting(struct h2conn *c)
{
	fail_stream(c);
	if (c->is_stopping)
		op_fail(&c->op, ERR_CANCELLED, "stopped while connecting");
	if (op_failed(&c->op))
		close_all(c);
	else
		op_move(&c->op, ST_OPEN);
}

static void begin_drain(struct h2conn *c)
{
	op_set_deadline(&c->op, clock_now_ms(c->op.loop) + c->grace_ms);
	if (c->h2.is_client) {
		h2_goaway(&c->h2);
		op_move(&c->op, ST_DRAINING);
		return;
	}
	h2_shutdown_notice(&c->h2);
	(void)uv_idle_start(&c->turn, on_turn);
	op_move(&c->op, ST_NOTICE);
}

static void begin_linger(struct h2conn *c)
{
	op_set_deadline(&c->op, clock_now_ms(c->op.loop) + LINGER_MS);
	stream_end(&c->stream);
	op_move(&c->op, ST_LINGERING);
}

/* Returns whether the client may still say something. */
static bool linger(struct h2conn *c)
{
	stream_consume(&c->stream, c->stream.in_len);
	stream_read(&c->stream);
	return !c->stream.status && !op_failed(&c->op);
}

/* open, notice and draining. Returns whether the op must wait now. */
static bool do_traffic(struct h2conn *c)
{
	pump(c);
	if (is_finished(c)) {
		if (op_failed(&c->op) || c->h2.is_client)
			close_all(c);
		else
			begin_linger(c);
	} else if (c->op.state == ST_OPEN && c->is_stopping) {
		begin_drain(c);
	} else if (c->op.state == ST_NOTICE && !uv_is_active((uv_handle_t *)&c->turn)) {
		h2_goaway(&c->h2);
		op_move(&c->op, ST_DRAINING);
	} else {
		return true;
	}
	return false;
}

static void step(struct op *op)
{
	struct h2conn *c = CONTAINER_OF(op, struct h2conn, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			do_start(c);
			break;
		case ST_CONNECTING:
			if (!c->stream.is_connected && !c->stream.status &&
			    !op_failed(op) && !c->is_stopping)
				return;
			do_connecting(c);
			break;
		case ST_OPEN:
		case ST_NOTICE:
		case ST_DRAINING:
			if (do_traffic(c))
				return;
			break;
		case ST_LINGERING:
			if (linger(c))
				return;
			close_all(c);
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
	wake(CONTAINER_OF(op, struct h2conn, op));
}

static const struct op_type h2conn_type = {
	.name = "http2 connection",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void h2conn_start(struct h2conn *c, const struct h2conn_conf *conf,
		  void (*done)(struct op *op))
{
	int rc = 0;

	memset(c, 0, offsetof(struct h2conn, stream));
	stream_init(&c->stream);
	c->node = (struct list){ NULL, NULL };
	c->to = conf->to;
	c->owner = conf->owner;
	c->is_stopping = false;
	op_start(&c->op, &h2conn_type, conf->loop, done);
	(void)uv_idle_init(conf->loop, &c->turn);
	c->turn.data = &c->op;
	op_ref(&c->op);
	if (conf->listener)
		rc = stream_accept(&c->stream, &c->op, conf->listener);
	if (rc)
		op_fail(&c->op, ERR_UNAVAILABLE, "accept: %s", uv_strerror(rc));
	if (h2_init(&c->h2, conf->to != NULL, conf->user, conf->ctx))
		op_fail(&c->op, ERR_EXHAUSTED, "out of memory");
	else
		c->h2.kick = on_kick;
}

void h2conn_stop(struct h2conn *c, uint64_t grace_ms)
{
	if (c->is_stopping)
		return;
	c->is_stopping = true;
	c->grace_ms = grace_ms;
	wake(c);
}
