#include "csi/grpc/client.h"

#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "csi/grpc/call.h"
#include "csi/grpc/endpoint.h"
#include "csi/grpc/h2conn.h"
#include "csi/grpc/wire.h"

/* start ─► calling ─► closing ─► done
 *   ╰────────────────────▲
 *
 * calling: the connection is a child op; it connects and carries the one stream
 * closing: answered, failed or cancelled; the connection says goodbye
 *
 * Failure modes: bad address; cannot connect (UNAVAILABLE); the server's status; a reset
 * (its code tells); an answer that is no gRPC; the deadline (the stream is reset). */
enum { ST_START, ST_CALLING, ST_CLOSING, ST_DONE, ST_N };

enum { GOODBYE_MS = 1000 }; /* for RST_STREAM and GOAWAY to leave */

static const char *const names[ST_N] = { "start", "calling", "closing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_CALLING) | OP_BIT(ST_DONE),
	[ST_CALLING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

struct grpc_client_impl {
	struct grpc_client *client;
	struct h2conn conn;
	struct endpoint to;
	struct h2stream *stream; /* NULL once it has ended */
	struct wire_frame frame; /* the reply */
	struct err bad;		 /* what is wrong with the reply's framing */
	struct err result;	 /* of the ended stream */
};

/* grpc/doc/http-grpc-status-mapping.md: an answer that is not from a gRPC server. */
static enum err_code code_of_http(const char *status)
{
	static const struct {
		const char *http;
		enum err_code code;
	} map[] = {
		{ "400", ERR_INTERNAL },    { "401", ERR_UNAUTHENTICATED },
		{ "403", ERR_PERMISSION },  { "404", ERR_UNIMPLEMENTED },
		{ "429", ERR_UNAVAILABLE }, { "502", ERR_UNAVAILABLE },
		{ "503", ERR_UNAVAILABLE }, { "504", ERR_UNAVAILABLE },
	};

	for (size_t i = 0; status && i < sizeof(map) / sizeof(*map); i++)
		if (strcmp(map[i].http, status) == 0)
			return map[i].code;
	return ERR_UNKNOWN;
}

/* grpc PROTOCOL-HTTP2.md, "Errors": the code of an RST_STREAM. */
static enum err_code code_of_reset(uint32_t code)
{
	switch (code) {
	case NGHTTP2_REFUSED_STREAM:
	case H2_LOST:
		return ERR_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return ERR_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return ERR_EXHAUSTED;
	case NGHTTP2_INADEQUATE_SECURITY:
		return ERR_PERMISSION;
	default:
		return ERR_INTERNAL;
	}
}

static int status_error(const struct fields *f, const char *status, struct err *err)
{
	const char *text = fields_find(f, "grpc-message");
	uint64_t code;

	if (str_to_u64(status, &code))
		return err_set(err, ERR_UNKNOWN, "grpc: malformed grpc-status");
	err->code = code < ERR_N_CODES ? (enum err_code)code : ERR_UNKNOWN;
	(void)wire_decode_text(text ? text : "", err->msg, sizeof(err->msg));
	return -1;
}

/* What the ended stream amounts to: 0, or -1 with the call's status. */
static int judge(const struct grpc_client_impl *i, const struct h2stream *s,
		 struct err *err)
{
	const char *http = fields_find(&s->in, ":status");
	const char *status = fields_find(&s->in, "grpc-status");

	if (status && strcmp(status, "0") != 0)
		return status_error(&s->in, status, err);
	if (i->bad.code != ERR_OK) {
		*err = i->bad;
		return -1;
	}
	if (s->in.is_malformed || s->in.is_too_large)
		return err_set(err, ERR_INTERNAL, "grpc: malformed response");
	if (!status && s->close_code == H2_LOST)
		return err_set(err, ERR_UNAVAILABLE, "grpc: connection lost");
	if (!status && s->close_code)
		return err_set(err, code_of_reset(s->close_code),
			       "grpc: stream reset by the server, code %u",
			       s->close_code);
	if (http && strcmp(http, "200") != 0)
		return err_set(err, code_of_http(http), "grpc: HTTP status %.20s", http);
	if (!status)
		return err_set(err, ERR_INTERNAL, "grpc: no status in the response");
	return wire_frame_end(&i->frame, err);
}

static void on_data(struct h2stream *s, const uint8_t *p, size_t n)
{
	struct grpc_client_impl *i = s->user;

	if (i->bad.code == ERR_OK)
		(void)wire_frame_feed(&i->frame, p, n, &i->bad);
}

static void on_event(struct h2stream *s, unsigned events)
{
	struct grpc_client_impl *i = s->user;

	if (!i->stream || !(events & (H2_EV_END | H2_EV_CLOSED)))
		return;
	i->stream = NULL;
	(void)judge(i, s, &i->result);
	if (!i->client->op.stepping)
		op_wake(&i->client->op);
}

static const struct h2_user client_user = { .on_event = on_event, .on_data = on_data };

static void on_conn_done(struct op *op)
{
	struct grpc_client *c =
		CONTAINER_OF(op, struct grpc_client_impl, conn.op)->client;

	op_unref_wake(&c->op);
}

static int request_body(const struct grpc_client *c, struct buf *ret)
{
	uint8_t prefix[WIRE_PREFIX];

	buf_init(ret, WIRE_PREFIX + c->message_len);
	wire_put_prefix(prefix, (uint32_t)c->message_len);
	(void)buf_append(ret, prefix, WIRE_PREFIX);
	(void)buf_append(ret, c->message, c->message_len);
	return buf_failed(ret) ? -1 : 0;
}

static int submit(struct grpc_client *c)
{
	struct grpc_client_impl *i = c->impl;
	char timeout[WIRE_TIMEOUT_TEXT];
	const struct h2_field fields[] = {
		{ ":method", "POST" },
		{ ":scheme", "http" },
		{ ":path", c->path },
		{ ":authority", "localhost" },
		{ "content-type", "application/grpc" },
		{ "te", "trailers" },
		{ "user-agent", "rds-csi" },
		{ "grpc-timeout", timeout },
	};
	struct buf body;
	struct h2_message m = { .fields = fields, .n_fields = 8, .body_take = &body };

	if (c->timeout_ms)
		wire_format_timeout(c->timeout_ms, timeout);
	else
		m.n_fields = 7;
	if (request_body(c, &body)) {
		buf_fini(&body);
		return -1;
	}
	i->stream = h2_request(&i->conn.h2, &m, i);
	return i->stream ? 0 : -1;
}

static int begin(struct grpc_client *c, struct err *err)
{
	struct grpc_client_impl *i;
	struct h2conn_conf conf = { .user = &client_user, .loop = c->op.loop };

	if (c->message_len > GRPC_MAX_MESSAGE)
		return err_set(err, ERR_EXHAUSTED, "grpc: request larger than max");
	i = mem_calloc(1, sizeof(*i));
	if (!i)
		return err_nomem(err);
	if (endpoint_parse(c->address, &i->to, err)) {
		mem_free(i);
		return -1;
	}
	c->impl = i;
	i->client = c;
	wire_frame_init(&i->frame, false);
	conf.to = &i->to.addr.any;
	op_ref(&c->op);
	h2conn_start(&i->conn, &conf, on_conn_done);
	if (submit(c))
		op_fail(&c->op, ERR_EXHAUSTED, "out of memory");
	if (c->timeout_ms)
		op_set_deadline(&c->op, clock_now_ms(c->op.loop) + c->timeout_ms);
	return 0;
}

static void do_start(struct grpc_client *c)
{
	struct err err = { .code = ERR_OK };

	if (!op_failed(&c->op) && begin(c, &err))
		op_fail_err(&c->op, &err);
	op_move(&c->op, c->impl ? ST_CALLING : ST_DONE);
}

/* The stream has ended, or the op was cancelled. A connection that failed says why. */
static void do_calling(struct grpc_client *c)
{
	struct grpc_client_impl *i = c->impl;

	if (i->stream) {
		struct h2stream *s = i->stream;

		i->stream = NULL;
		h2_reset(s, NGHTTP2_CANCEL);
	}
	if (i->result.code != ERR_OK && op_failed(&i->conn.op) &&
	    i->result.code == ERR_UNAVAILABLE)
		op_fail(&c->op, i->conn.op.err.code, "%s: %s", c->address,
			i->conn.op.err.msg);
	op_fail_err(&c->op, &i->result);
	h2conn_stop(&i->conn, GOODBYE_MS);
	op_move(&c->op, ST_CLOSING);
}

static void do_closing(struct grpc_client *c)
{
	struct grpc_client_impl *i = c->impl;

	if (!op_failed(&c->op)) {
		c->reply = i->frame.message;
		buf_init(&i->frame.message, 0);
	}
	wire_frame_fini(&i->frame);
	mem_free(i);
	c->impl = NULL;
	op_move(&c->op, ST_DONE);
}

static void step(struct op *op)
{
	struct grpc_client *c = CONTAINER_OF(op, struct grpc_client, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			do_start(c);
			break;
		case ST_CALLING:
			if (c->impl->stream && !op_failed(op))
				return;
			do_calling(c);
			break;
		case ST_CLOSING:
			if (op->refs)
				return;
			do_closing(c);
			break;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	if (!op->stepping)
		op_wake(op);
}

static const struct op_type client_type = {
	.name = "grpc client",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void grpc_client_start(struct grpc_client *c, uv_loop_t *loop,
		       void (*done)(struct op *op))
{
	c->impl = NULL;
	buf_init(&c->reply, GRPC_MAX_MESSAGE);
	op_start(&c->op, &client_type, loop, done);
}
