#include "csi/grpc/call.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "csi/grpc/h2.h"
#include "csi/grpc/wire.h"

/* The life of a call. It begins with the stream; what is left of the stream once it is
 * answered needs no call, so the answer frees it.
 *
 *   receiving ──► running ──► orphan
 *
 * receiving: the request comes in; the stream holds the call
 * running:   the stream and the handler hold it
 * orphan:    the stream was answered by the deadline, reset or lost with its connection;
 *            the handler has yet to answer, and that answer is dropped
 *
 * What can go wrong: a request that is no gRPC (HTTP status), headers or message too
 * large, the deadline, reset or loss of the connection at any point, no memory for the
 * answer. */
enum call_state { ST_RECEIVING, ST_RUNNING, ST_ORPHAN };

struct grpc_call {
	enum call_state state;
	const struct grpc_service *service;
	struct h2stream *stream;     /* NULL in orphan */
	struct wire_frame frame;     /* the request message */
	struct err bad;		     /* what is wrong with it, found while receiving */
	struct clock_timer deadline; /* runs as long as there is a stream */
	uint64_t deadline_ms;	     /* 0 = none */
	size_t n_held;		     /* our share of h2.n_held */
	char path[];
};

static const struct h2_field ok_fields[] = {
	{ ":status", "200" },
	{ "content-type", "application/grpc" },
};
static const struct h2_field ok_trailers[] = { { "grpc-status", "0" } };

/* The stream and the call part. */
static void detach(struct grpc_call *c)
{
	clock_timer_stop(&c->deadline);
	c->stream->h2->n_held -= c->n_held;
	c->stream->user = NULL;
	c->stream = NULL;
	c->n_held = 0;
	c->state = ST_ORPHAN;
}

static void call_free(struct grpc_call *c)
{
	if (c->stream)
		detach(c);
	wire_frame_fini(&c->frame);
	mem_free(c);
}

/* Trailers-Only: one HEADERS frame that ends the stream. */
static void send_status(struct h2stream *s, const char *http, const struct err *err)
{
	char code[12], text[WIRE_STATUS_TEXT_MAX + 1];
	struct h2_field fields[5] = {
		{ ":status", http },
		{ "content-type", "application/grpc" },
		{ "grpc-status", code },
		{ "grpc-message", text },
		{ "grpc-accept-encoding", "identity" },
	};
	struct h2_message m = { .fields = fields, .n_fields = 4 };

	if (err->code == ERR_UNIMPLEMENTED && fields_find(&s->in, "grpc-encoding"))
		m.n_fields = 5;
	(void)snprintf(code, sizeof(code), "%u", (unsigned)err->code);
	(void)wire_encode_text(err->msg, text, sizeof(text));
	(void)h2_respond(s, &m);
}

static int send_message(struct h2stream *s, const void *message, size_t len,
			struct err *err)
{
	uint8_t prefix[WIRE_PREFIX];
	struct h2_message m = { .fields = ok_fields,
				.n_fields = 2,
				.trailers = ok_trailers,
				.n_trailers = 1 };
	struct buf body;

	if (len > GRPC_MAX_MESSAGE)
		return err_set(err, ERR_EXHAUSTED,
			       "grpc: reply larger than max (%zu vs. %d)", len,
			       GRPC_MAX_MESSAGE);
	if (s->h2->n_replies + len > H2_MAX_REPLIES)
		return err_set(err, ERR_EXHAUSTED,
			       "grpc: too many replies wait for this connection");
	buf_init(&body, GRPC_MAX_MESSAGE + WIRE_PREFIX);
	wire_put_prefix(prefix, (uint32_t)len);
	if (buf_reserve(&body, WIRE_PREFIX + len) ||
	    buf_append(&body, prefix, WIRE_PREFIX) || buf_append(&body, message, len)) {
		buf_fini(&body);
		return err_nomem(err);
	}
	m.body_take = &body;
	(void)h2_respond(s, &m);
	return 0;
}

static void on_deadline(struct clock_timer *t)
{
	struct grpc_call *c = CONTAINER_OF(t, struct grpc_call, deadline);
	struct h2stream *s = c->stream;
	struct err err;

	(void)err_set(&err, ERR_DEADLINE, "grpc: deadline exceeded");
	if (c->state == ST_RUNNING)
		detach(c);
	else
		call_free(c);
	send_status(s, "200", &err);
}

/* ---- the stream's side ---- */

/* "application/grpc", alone or followed by + or ; (grpc PROTOCOL-HTTP2.md). */
static bool is_grpc_type(const char *type)
{
	static const char want[] = "application/grpc";
	size_t n = sizeof(want) - 1;

	return type && strncmp(type, want, n) == 0 &&
	       (type[n] == '\0' || type[n] == '+' || type[n] == ';');
}

/* Judges the headers as a grpc-go server does. Returns the HTTP status of the refusal,
 * or NULL when the call may go on. */
static const char *check_headers(const struct fields *f, uint64_t *ret_timeout_ms,
				 struct err *err)
{
	const char *type = fields_find(f, "content-type");
	const char *method = fields_find(f, ":method");
	const char *timeout = fields_find(f, "grpc-timeout");

	if (f->is_too_large) {
		(void)err_set(err, ERR_EXHAUSTED, "grpc: headers larger than %d bytes",
			      FIELDS_MAX);
		return "200";
	}
	if (!method || strcmp(method, "POST") != 0) {
		(void)err_set(err, ERR_INTERNAL, "http2: method must be POST");
		return "405";
	}
	if (!is_grpc_type(type)) {
		(void)err_set(err, ERR_INVALID, "grpc: invalid content-type \"%.100s\"",
			      type ? type : "");
		return "415";
	}
	if (fields_count(f, "host") > 1) {
		(void)err_set(err, ERR_INTERNAL, "http2: more than one host");
		return "400";
	}
	if (timeout && wire_parse_timeout(timeout, ret_timeout_ms)) {
		(void)err_set(err, ERR_INTERNAL, "grpc: malformed grpc-timeout");
		return "400";
	}
	if (timeout && *ret_timeout_ms == 0) {
		(void)err_set(err, ERR_DEADLINE, "grpc: deadline exceeded");
		return "200";
	}
	return NULL;
}

static struct grpc_call *call_new(struct h2stream *s)
{
	const struct grpc_service *service = s->h2->ctx;
	const char *path = fields_find(&s->in, ":path");
	const char *encoding = fields_find(&s->in, "grpc-encoding");
	size_t size = strlen(path ? path : "") + 1;
	struct grpc_call *c = mem_calloc(1, sizeof(*c) + size);

	if (!c)
		return NULL;
	c->service = service;
	c->stream = s;
	memcpy(c->path, path ? path : "", size);
	wire_frame_init(&c->frame, encoding && strcmp(encoding, "identity") != 0);
	return c;
}

static void refuse(struct h2stream *s, const char *http, const struct err *err)
{
	if (s->user)
		call_free(s->user);
	send_status(s, http, err);
}

static void on_headers(struct h2stream *s)
{
	struct err err = { .code = ERR_OK };
	uint64_t timeout_ms = 0;
	const char *http = check_headers(&s->in, &timeout_ms, &err);

	if (http) {
		refuse(s, http, &err);
		return;
	}
	/* The body may have begun already; then on_data has made the call, or failed to.
	 */
	if (!s->user && s->n_in == 0)
		s->user = call_new(s);
	if (!s->user) {
		(void)err_nomem(&err);
		refuse(s, "200", &err);
		return;
	}
	struct grpc_call *c = s->user;

	if (!timeout_ms)
		return;
	c->deadline_ms = clock_now_ms(c->service->loop) + timeout_ms;
	clock_timer_start(c->service->loop, &c->deadline, timeout_ms, on_deadline);
}

static void on_data(struct h2stream *s, const uint8_t *p, size_t n)
{
	struct h2 *h = s->h2;
	struct grpc_call *c;

	/* The first piece can come in the same read as the headers, before their event.
	 */
	if (!s->user && s->n_in == n)
		s->user = call_new(s);
	c = s->user;
	if (!c || c->bad.code != ERR_OK)
		return;
	if (n > H2_MAX_HELD - h->n_held) {
		(void)err_set(&c->bad, ERR_EXHAUSTED,
			      "grpc: too many request bytes on this connection");
		return;
	}
	h->n_held += n;
	c->n_held += n;
	(void)wire_frame_feed(&c->frame, p, n, &c->bad);
}

static void on_closed(struct grpc_call *c)
{
	if (c->state == ST_RUNNING)
		detach(c);
	else
		call_free(c);
}

static void on_event(struct h2stream *s, unsigned events)
{
	struct grpc_call *c = s->user;

	if (events & H2_EV_CLOSED) {
		if (c)
			on_closed(c);
		return;
	}
	if (events & H2_EV_HEADERS)
		on_headers(s);
	c = s->user;
	if (!c || c->state != ST_RECEIVING)
		return;
	if (c->bad.code == ERR_OK && events & H2_EV_END)
		(void)wire_frame_end(&c->frame, &c->bad);
	if (c->bad.code != ERR_OK) {
		struct err bad = c->bad;

		refuse(s, "200", &bad);
	} else if (events & H2_EV_END) {
		c->state = ST_RUNNING;
		c->service->on_call(c->service->ctx, c);
	}
}

const struct h2_user grpc_call_user = { .on_event = on_event, .on_data = on_data };

/* ---- the handler's side ---- */

const char *grpc_call_path(const struct grpc_call *call)
{
	return call->path;
}

const uint8_t *grpc_call_message(const struct grpc_call *call, size_t *ret_len)
{
	*ret_len = call->frame.message.len;
	return (const uint8_t *)call->frame.message.data;
}

uint64_t grpc_call_deadline_ms(const struct grpc_call *call)
{
	return call->deadline_ms;
}

void grpc_call_reply(struct grpc_call *call, const void *message, size_t len)
{
	struct h2stream *s = call->stream;
	struct err err;

	bug_on(call->state == ST_RECEIVING);
	if (s && send_message(s, message, len, &err))
		send_status(s, "200", &err);
	call_free(call);
}

void grpc_call_fail(struct grpc_call *call, const struct err *err)
{
	struct h2stream *s = call->stream;

	bug_on(call->state == ST_RECEIVING || err->code == ERR_OK);
	if (s)
		send_status(s, "200", err);
	call_free(call);
}
