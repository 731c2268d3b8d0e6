/* The server side of the conformance tests, on the same connection code as the driver:
 *   grpc_interop ADDRESS            grpc.testing.TestService, EmptyCall and UnaryCall
 *   grpc_interop --h2spec ADDRESS   plain HTTP/2: every request is answered 200 "hello"
 * Prints "ready ADDRESS" with the real port; SIGTERM and SIGINT drain and end it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "csi/grpc/h2.h"
#include "csi/grpc/server.h"

/* ---- a little protobuf: enough of grpc/testing/messages.proto ---- */

struct reader {
	const uint8_t *p, *end;
	int is_bad;
};

static uint64_t get_varint(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (r->p == r->end)
			break;
		v |= (uint64_t)(*r->p & 0x7f) << shift;
		if (!(*r->p++ & 0x80))
			return v;
	}
	r->is_bad = 1;
	return 0;
}

/* One field: its number, and either a number (type 0) or a range of bytes (type 2). */
struct field_in {
	uint64_t number, value;
	struct reader bytes;
};

static int get_field(struct reader *r, struct field_in *f)
{
	uint64_t key;

	if (r->p == r->end || r->is_bad)
		return 0;
	key = get_varint(r);
	*f = (struct field_in){ .number = key >> 3 };
	f->value = get_varint(r);
	if ((key & 7) == 2) {
		if (f->value > (uint64_t)(r->end - r->p))
			r->is_bad = 1;
		else
			f->bytes = (struct reader){ r->p, r->p + f->value, 0 };
		r->p = r->is_bad ? r->end : f->bytes.end;
	} else if ((key & 7) != 0) {
		r->is_bad = 1;
	}
	return !r->is_bad;
}

struct simple_request {
	uint64_t response_size; /* 2 */
	struct err status;	/* 7: code 1, message 2 */
};

static int decode_request(const uint8_t *p, size_t len, struct simple_request *ret)
{
	struct reader r = { p, p + len, 0 };
	struct field_in f, g;

	*ret = (struct simple_request){ .response_size = 0 };
	while (get_field(&r, &f)) {
		if (f.number == 2)
			ret->response_size = f.value;
		while (f.number == 7 && get_field(&f.bytes, &g)) {
			if (g.number == 1)
				ret->status.code = (enum err_code)g.value;
			if (g.number == 2)
				snprintf(ret->status.msg, sizeof(ret->status.msg), "%.*s",
					 (int)(g.bytes.end - g.bytes.p),
					 (const char *)g.bytes.p);
		}
	}
	return r.is_bad ? -1 : 0;
}

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_putc(b, (char)(v | 0x80));
	buf_putc(b, (char)v);
}

static size_t varint_len(uint64_t v)
{
	return v >= 0x80 ? 1 + varint_len(v >> 7) : 1;
}

/* SimpleResponse { payload = 1 { body = 2: zeros } } */
static void reply_payload(struct grpc_call *call, uint64_t size)
{
	static const char zeros[4096];
	struct buf b;

	buf_init(&b, GRPC_MAX_MESSAGE);
	buf_putc(&b, 1 << 3 | 2);
	put_varint(&b, 1 + varint_len(size) + size);
	buf_putc(&b, 2 << 3 | 2);
	put_varint(&b, size);
	while (size && !buf_failed(&b)) {
		size_t n = size < sizeof(zeros) ? size : sizeof(zeros);

		buf_append(&b, zeros, n);
		size -= n;
	}
	grpc_call_reply(call, b.data, b.len);
	buf_fini(&b);
}

static void on_call(void *ctx, struct grpc_call *call)
{
	static const char service[] = "/grpc.testing.TestService/";
	const char *path = grpc_call_path(call);
	struct simple_request req;
	struct err err;
	size_t len;
	const uint8_t *p = grpc_call_message(call, &len);

	(void)ctx;
	if (strcmp(path, "/grpc.testing.TestService/EmptyCall") == 0) {
		grpc_call_reply(call, "", 0);
		return;
	}
	if (strcmp(path, "/grpc.testing.TestService/UnaryCall") != 0) {
		const char *what = strncmp(path, service, sizeof(service) - 1) ? "service"
									       : "method";

		err_set(&err, ERR_UNIMPLEMENTED, "unknown %s: %.100s", what, path);
		grpc_call_fail(call, &err);
		return;
	}
	if (decode_request(p, len, &req))
		err_set(&req.status, ERR_INTERNAL, "cannot decode the request");
	if (req.status.code != ERR_OK)
		grpc_call_fail(call, &req.status);
	else
		reply_payload(call, req.response_size);
}

/* ---- plain HTTP/2 for h2spec ---- */

static void on_event(struct h2stream *s, unsigned events)
{
	static const struct h2_field fields[] = { { ":status", "200" },
						  { "content-type", "text/plain" } };
	struct h2_message m = { .fields = fields, .n_fields = 2 };
	struct buf body;

	if (events & H2_EV_CLOSED || !(events & H2_EV_END))
		return;
	buf_init(&body, 16);
	buf_puts(&body, "hello");
	m.body_take = &body;
	h2_respond(s, &m);
}

static void on_data(struct h2stream *s, const uint8_t *p, size_t n)
{
	(void)s;
	(void)p;
	(void)n;
}

static const struct h2_user plain = { .on_event = on_event, .on_data = on_data };

/* ---- the program ---- */

static struct grpc_server server;
static uv_signal_t signals[2];

static void on_signal(uv_signal_t *h, int signum)
{
	(void)h;
	(void)signum;
	grpc_server_stop(&server);
}

static void on_done(struct op *op)
{
	(void)op;
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&signals[i], NULL);
}

int main(int argc, char **argv)
{
	int is_plain = argc == 3 && strcmp(argv[1], "--h2spec") == 0;
	struct grpc_server_conf conf = { .on_call = on_call, .grace_ms = 1000 };
	struct clock clock;
	uv_loop_t loop;
	struct err err;

	if (argc != 2 + is_plain) {
		fprintf(stderr, "usage: grpc_interop [--h2spec] ADDRESS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	log_open(LOG_WARN, false);
	uv_replace_allocator(mem_uv_alloc, mem_uv_realloc, mem_uv_calloc, mem_uv_free);
	uv_loop_init(&loop);
	clock_open(&clock, &loop);
	conf.address = argv[1 + is_plain];
	conf.user = is_plain ? &plain : NULL;
	if (grpc_server_listen(&server, &loop, &conf, &err)) {
		fprintf(stderr, "grpc_interop: %s\n", err.msg);
		return 1;
	}
	printf("ready %s\n", grpc_server_address(&server));
	fflush(stdout);
	grpc_server_start(&server, on_done);
	for (int i = 0; i < 2; i++) {
		uv_signal_init(&loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, i ? SIGINT : SIGTERM);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	clock_close(&loop);
	uv_run(&loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&loop) || mem_live()) {
		fprintf(stderr, "grpc_interop: %zu allocations or a handle left\n",
			mem_live());
		return 1;
	}
	return 0;
}
