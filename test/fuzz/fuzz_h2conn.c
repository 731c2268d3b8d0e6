/* The server side of a connection: what a client may send, in pieces. The first byte
 * tells how: bit 7 the preface is given, bit 6 calls are answered late, bit 5 memory
 * fails once, the rest the size of the pieces. */
#include <stdint.h>
#include <uv.h>

#include "core/clock.h"
#include "core/mem.h"
#include "csi/grpc/call.h"
#include "csi/grpc/h2.h"

static struct grpc_call *held[H2_MAX_STREAMS + 1];
static unsigned n_held;
static int is_late;

static void on_call(void *ctx, struct grpc_call *call)
{
	size_t len;
	const uint8_t *p = grpc_call_message(call, &len);

	(void)ctx;
	if (is_late && n_held < H2_MAX_STREAMS)
		held[n_held++] = call;
	else
		grpc_call_reply(call, p, len);
}

static int drain(struct h2 *h)
{
	struct err err;
	struct buf out;
	int rc;

	buf_init(&out, 1 << 20);
	rc = h2_take(h, &out, 65536, &err);
	buf_fini(&out);
	return rc;
}

static void feed(struct h2 *h, const uint8_t *p, size_t n, size_t piece)
{
	static const uint8_t preface[] =
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	struct err err;

	if (p[0] & 0x80 && h2_feed(h, preface, sizeof(preface), &err))
		return;
	for (size_t at = 1, m; at < n; at += m) {
		m = n - at < piece ? n - at : piece;
		if (h2_feed(h, p + at, m, &err) || drain(h))
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uv_loop_t loop;
	struct clock clock;
	struct grpc_service service = { &loop, on_call, NULL };
	struct h2 h;

	if (n == 0)
		return 0;
	is_late = p[0] & 0x40;
	n_held = 0;
	uv_loop_init(&loop);
	clock_open(&clock, &loop);
	clock_hold(&loop);
	mem_fail_at(p[0] & 0x20 ? (long)n % 97 : -1);
	if (h2_init(&h, false, &grpc_call_user, &service) == 0) {
		feed(&h, p, n, 1 + (p[0] & 0x1fU) * 13U);
		clock_advance(&loop, 1000);
		for (unsigned i = 0; i < n_held / 2; i++)
			grpc_call_reply(held[i], "late", 4);
		(void)drain(&h);
		h2_fini(&h);
	}
	for (unsigned i = n_held / 2; h.session == NULL && i < n_held; i++)
		grpc_call_reply(held[i], "later", 5);
	mem_fail_at(-1);
	clock_close(&loop);
	uv_run(&loop, UV_RUN_DEFAULT);
	bug_on(uv_loop_close(&loop) != 0);
	bug_on(mem_live() != 0);
	return 0;
}
