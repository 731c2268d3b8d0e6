#include "csi/grpc/call.h"

#include <stdio.h>
#include <string.h>

#include "csi/grpc/h2.h"
#include "support/h2peer.h"
#include "support/t.h"

enum { END = NGHTTP2_FLAG_END_STREAM };

#define OPENING "SETTINGS(0)\nSETTINGS(0,ACK)\nWINDOW_UPDATE(0)\n"
#define ECHOED(id, n)                                                                \
	"HEADERS(" id ") :status=200 content-type=application/grpc\nDATA(" id ") " n \
	"\nHEADERS(" id ",END) grpc-status=0\n"
#define STATUS(id, http, code)              \
	"HEADERS(" id ",END) :status=" http \
	" content-type=application/grpc grpc-status=" code

static struct grpc_call *held[H2_MAX_STREAMS];
static unsigned n_held, n_calls;
static bool is_holding;

static void on_call(void *ctx, struct grpc_call *call)
{
	size_t len;
	const uint8_t *p = grpc_call_message(call, &len);

	(void)ctx;
	n_calls++;
	if (is_holding)
		held[n_held++] = call;
	else
		grpc_call_reply(call, p, len);
}

struct fixture {
	struct t_loop l;
	struct grpc_service service;
	struct h2 h2;
	struct h2peer peer;
	struct buf bytes;
};

/* -1 when the session could not be made. */
static int open_fixture(struct fixture *f)
{
	n_held = n_calls = 0;
	is_holding = false;
	t_loop_open(&f->l);
	clock_hold(&f->l.uv);
	f->service = (struct grpc_service){ &f->l.uv, on_call, NULL };
	h2peer_open(&f->peer);
	h2peer_preface(&f->peer);
	buf_init(&f->bytes, 1 << 20);
	return h2_init(&f->h2, false, &grpc_call_user, &f->service);
}

static void close_fixture(struct fixture *f)
{
	h2_fini(&f->h2);
	buf_fini(&f->bytes);
	h2peer_close(&f->peer);
	t_loop_close(&f->l);
	cr_assert_eq(mem_live(), 0);
}

static int take(struct fixture *f)
{
	struct err err;
	int rc;

	do {
		buf_reset(&f->bytes);
		rc = h2_take(&f->h2, &f->bytes, 65536, &err);
		h2peer_receive(&f->peer, f->bytes.data, f->bytes.len);
	} while (rc == 0 && f->bytes.len);
	return rc;
}

/* Feeds what the peer has written, in pieces, and collects the answers. */
static int run(struct fixture *f, size_t piece)
{
	struct err err;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < f->peer.n_out; at += piece) {
		size_t n = f->peer.n_out - at;

		rc = h2_feed(&f->h2, f->peer.out + at, n < piece ? n : piece, &err);
	}
	f->peer.n_out = 0;
	return take(f) || rc ? -1 : 0;
}

#define SEES(f, piece, want)                             \
	do {                                             \
		cr_assert_eq(run(f, piece), 0);          \
		cr_assert_str_eq((f)->peer.trace, want); \
		h2peer_forget(&(f)->peer);               \
	} while (0)

Test(grpc_call, a_good_call_and_an_empty_one)
{
	struct fixture f;

	cr_assert_eq(open_fixture(&f), 0);
	h2peer_request(&f.peer, 0, 1, "/svc/Echo", "grpc-timeout: 5S\n");
	h2peer_message(&f.peer, END, 1, "hello");
	SEES(&f, 65536, OPENING ECHOED("1", "10"));
	h2peer_request(&f.peer, 0, 3, "/svc/Echo", "");
	h2peer_message(&f.peer, END, 3, "");
	SEES(&f, 65536, ECHOED("3", "5"));
	cr_assert_eq(n_calls, 2);
	cr_assert_eq(f.h2.n_held, 0);
	cr_assert_eq(f.h2.n_replies, 0);
	close_fixture(&f);
}

Test(grpc_call, bytes_cut_anywhere_mean_the_same)
{
	struct fixture f;

	for (size_t piece = 1; piece < 200; piece++) {
		cr_assert_eq(open_fixture(&f), 0);
		h2peer_request(&f.peer, 0, 1, "/svc/Echo", "grpc-timeout: 5S\n");
		h2peer_frame(&f.peer, NGHTTP2_DATA, 0, 1, "\0\0", 2);
		h2peer_frame(&f.peer, NGHTTP2_DATA, 0, 1, NULL, 0);
		h2peer_frame(&f.peer, NGHTTP2_DATA, 0, 1, "\0\0\3ab", 5);
		h2peer_frame(&f.peer, NGHTTP2_DATA, 0, 1, "c", 1);
		h2peer_frame(&f.peer, NGHTTP2_DATA, END, 1, NULL, 0);
		SEES(&f, piece, OPENING ECHOED("1", "8"));
		close_fixture(&f);
	}
}

static void refused_in(size_t piece, const char *headers, const char *data, size_t n,
		       const char *want)
{
	struct fixture f;
	char all[1000];

	cr_assert_eq(open_fixture(&f), 0);
	h2peer_headers(&f.peer, data ? 0 : END, 1, headers);
	if (data)
		h2peer_frame(&f.peer, NGHTTP2_DATA, END, 1, data, n);
	snprintf(all, sizeof(all), OPENING "%s", want);
	cr_assert_eq(run(&f, piece), 0);
	cr_assert_eq(strncmp(f.peer.trace, all, strlen(all)), 0, "%s\ngot %s", headers,
		     f.peer.trace);
	cr_assert_eq(n_calls, 0);
	close_fixture(&f);
}

/* At once, and byte by byte: then the rest comes when the answer is made but not sent. */
static void refused(const char *headers, const char *data, size_t n, const char *want)
{
	refused_in(65536, headers, data, n, want);
	refused_in(1, headers, data, n, want);
}

#define POST ":method: POST\n:scheme: http\n:path: /a/b\n"
#define GRPC POST "content-type: application/grpc\n"

Test(grpc_call, requests_that_are_no_grpc)
{
	refused(":method: GET\n:scheme: http\n:path: /a/b\n", NULL, 0,
		STATUS("1", "405", "13"));
	refused(POST, NULL, 0, STATUS("1", "415", "3"));
	refused(POST "content-type: application/GRPC\n", NULL, 0,
		STATUS("1", "415", "3"));
	refused(POST "content-type: application/grpcx\n", NULL, 0,
		STATUS("1", "415", "3"));
	refused(GRPC "grpc-timeout: 5\n", NULL, 0, STATUS("1", "400", "13"));
	refused(GRPC "host: a\nhost: b\n", NULL, 0, STATUS("1", "400", "13"));
	refused(GRPC "connection: close\n", NULL, 0, "RST_STREAM(1) PROTOCOL_ERROR\n");
	refused(GRPC "grpc-timeout: 0m\n", NULL, 0, STATUS("1", "200", "4"));
	refused(GRPC ":authority: late\n", NULL, 0, "RST_STREAM(1) PROTOCOL_ERROR\n");
	refused(POST, "\0\0\0\0\1a", 6, STATUS("1", "415", "3"));
}

Test(grpc_call, bodies_that_are_no_unary_message)
{
	refused(GRPC, NULL, 0, STATUS("1", "200", "13"));
	refused(GRPC, "\0\0\0", 3, STATUS("1", "200", "13"));
	refused(GRPC, "\0\0\0\0\3ab", 7, STATUS("1", "200", "13"));
	refused(GRPC, "\0\0\0\0\1a\0\0\0\0\1a", 12, STATUS("1", "200", "13"));
	refused(GRPC, "\0\0\0\0\1ab", 7, STATUS("1", "200", "13"));
	refused(GRPC, "\1\0\0\0\1a", 6, STATUS("1", "200", "13"));
	refused(GRPC "grpc-encoding: identity\n", "\1\0\0\0\1a", 6,
		STATUS("1", "200", "13"));
	refused(GRPC "grpc-encoding: gzip\n", "\1\0\0\0\1a", 6,
		STATUS("1", "200",
		       "12") " grpc-message=grpc: the message's compression is not "
			     "supported grpc-accept-encoding=identity\n");
	refused(GRPC, "\0\0\x40\0\1a", 6,
		STATUS("1", "200",
		       "8") " grpc-message=grpc: received message larger than max "
			    "(4194305 vs. 4194304)\n");
	refused(GRPC "content-length: 7\n", "\0\0\0\0\1a", 6,
		"RST_STREAM(1) PROTOCOL_ERROR\n");
	refused(GRPC "content-length: 5\n", "\0\0\0\0\1a", 6,
		"RST_STREAM(1) PROTOCOL_ERROR\n");
}

Test(grpc_call, what_grpc_clients_send_is_taken)
{
	static const char *const good[] = {
		POST ":authority: /csi/csi.sock\ncontent-type: application/grpc\n",
		POST ":authority: \ncontent-type: application/grpc\n",
		POST ":authority: %2Fcsi%2Fcsi.sock\ncontent-type: application/grpc\n",
		POST ":authority: localhost\ncontent-type: application/grpc+proto\n",
		POST ":authority: localhost\ncontent-type: application/grpc;x=y\n",
		GRPC "grpc-encoding: gzip\n",
		GRPC "grpc-encoding: identity\ngrpc-timeout: 99999999H\nx-bin: YQ\n",
	};
	struct fixture f;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		cr_assert_eq(open_fixture(&f), 0);
		h2peer_headers(&f.peer, 0, 1, good[i]);
		h2peer_message(&f.peer, END, 1, "x");
		SEES(&f, 65536, OPENING ECHOED("1", "6"));
		close_fixture(&f);
	}
}

Test(grpc_call, answered_early_the_client_is_told_to_stop)
{
	struct fixture f;

	cr_assert_eq(open_fixture(&f), 0);
	h2peer_headers(&f.peer, 0, 1, POST);
	SEES(&f, 65536,
	     OPENING STATUS("1", "415",
			    "3") " grpc-message=grpc: invalid content-type \"\"\n"
				 "RST_STREAM(1) NO_ERROR\n");
	/* What it sent in the meantime harms nothing. */
	h2peer_message(&f.peer, END, 1, "late");
	SEES(&f, 65536, "");
	close_fixture(&f);
}

Test(grpc_call, headers_too_large)
{
	char big[20000] = GRPC "big: ";
	struct fixture f;

	cr_assert_eq(open_fixture(&f), 0);
	memset(big + strlen(big), 'x', 17000);
	h2peer_headers(&f.peer, 0, 1, big);
	h2peer_message(&f.peer, END, 1, "x");
	SEES(&f, 1000,
	     OPENING STATUS("1", "200",
			    "8") " grpc-message=grpc: headers larger than 16384 bytes\n");
	h2peer_request(&f.peer, 0, 3, "/svc/Echo", "");
	h2peer_message(&f.peer, END, 3, "");
	SEES(&f, 65536, ECHOED("3", "5"));
	close_fixture(&f);
}

Test(grpc_call, the_deadline_answers_and_the_handler_is_ignored)
{
	struct fixture f;

	cr_assert_eq(open_fixture(&f), 0);
	is_holding = true;
	h2peer_request(&f.peer, 0, 1, "/svc/Slow", "grpc-timeout: 50m\n");
	h2peer_message(&f.peer, END, 1, "hello");
	h2peer_request(&f.peer, 0, 3, "/svc/Slow",
		       "grpc-timeout: 60m\n"); /* no body comes */
	SEES(&f, 65536, OPENING);
	cr_assert_eq(n_held, 1);
	cr_assert_eq(grpc_call_deadline_ms(held[0]), clock_now_ms(&f.l.uv) + 50);
	clock_advance(&f.l.uv, 49);
	SEES(&f, 65536, "");
	clock_advance(&f.l.uv, 1);
	SEES(&f, 65536,
	     STATUS("1", "200", "4") " grpc-message=grpc: deadline exceeded\n");
	clock_advance(&f.l.uv, 10);
	SEES(&f, 65536,
	     STATUS("3", "200", "4") " grpc-message=grpc: deadline exceeded\n"
				     "RST_STREAM(3) NO_ERROR\n");
	cr_assert_str_eq(grpc_call_path(held[0]), "/svc/Slow");
	grpc_call_reply(held[0], "late", 4);
	SEES(&f, 65536, "");
	close_fixture(&f);
}

Test(grpc_call, a_reset_or_lost_connection_leaves_the_handler_its_call)
{
	struct fixture f;
	struct err err;
	size_t len;

	cr_assert_eq(open_fixture(&f), 0);
	is_holding = true;
	for (uint32_t id = 1; id < 6; id += 2) {
		h2peer_request(&f.peer, 0, id, "/svc/Slow", "grpc-timeout: 1S\n");
		h2peer_message(&f.peer, END, id, "hello");
	}
	cr_assert_eq(run(&f, 65536), 0);
	h2peer_u32(&f.peer, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
	cr_assert_eq(run(&f, 65536), 0);
	cr_assert_eq(memcmp(grpc_call_message(held[0], &len), "hello", 5), 0);
	grpc_call_reply(held[0], "late", 4);
	h2_fini(&f.h2);
	grpc_call_reply(held[1], "late", 4);
	err_set(&err, ERR_ABORTED, "late");
	grpc_call_fail(held[2], &err);
	close_fixture(&f);
}

Test(grpc_call, reset_before_it_was_begun_never_reaches_the_handler)
{
	struct fixture f;

	cr_assert_eq(open_fixture(&f), 0);
	h2peer_request(&f.peer, 0, 1, "/svc/Echo", "");
	h2peer_message(&f.peer, END, 1, "hello");
	h2peer_u32(&f.peer, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
	SEES(&f, 65536, OPENING);
	cr_assert_eq(n_calls, 0);
	close_fixture(&f);
}

Test(grpc_call, a_reply_too_large_becomes_a_status)
{
	static char big[GRPC_MAX_MESSAGE + 1];
	struct fixture f;

	cr_assert_eq(open_fixture(&f), 0);
	is_holding = true;
	h2peer_request(&f.peer, 0, 1, "/svc/Big", "");
	h2peer_message(&f.peer, END, 1, "");
	cr_assert_eq(run(&f, 65536), 0);
	h2peer_forget(&f.peer);
	grpc_call_reply(held[0], big, sizeof(big));
	SEES(&f, 1,
	     STATUS("1", "200",
		    "8") " grpc-message=grpc: reply larger than max (4194305 vs. "
			 "4194304)\n");
	close_fixture(&f);
}

Test(grpc_call, a_slow_reader_gets_4_MiB_at_its_own_pace_and_not_without_bound)
{
	static char big[GRPC_MAX_MESSAGE];
	struct fixture f;
	unsigned n;

	cr_assert_eq(open_fixture(&f), 0);
	is_holding = true;
	for (n = 0; n < 9; n++) {
		h2peer_request(&f.peer, 0, 2 * n + 1, "/svc/Big", "");
		h2peer_message(&f.peer, END, 2 * n + 1, "");
	}
	cr_assert_eq(run(&f, 65536), 0);
	for (n = 0; n < 9; n++)
		grpc_call_reply(held[n], big, sizeof(big));
	cr_assert_eq(take(&f), 0);
	cr_assert_eq(f.peer.n_data, 65535, "the window of RFC 9113");
	/* Eight of 4 MiB are all that one connection may hold. */
	cr_assert_not_null(strstr(f.peer.trace, STATUS("17", "200", "8")));
	/* Opens both windows as far as they go: the first reply comes whole. */
	h2peer_u32(&f.peer, NGHTTP2_WINDOW_UPDATE, 0, 0x40000000);
	h2peer_u32(&f.peer, NGHTTP2_WINDOW_UPDATE, 1, 0x40000000);
	cr_assert_eq(run(&f, 65536), 0);
	cr_assert_geq(f.peer.n_data, GRPC_MAX_MESSAGE + 5);
	cr_assert_not_null(strstr(f.peer.trace, "HEADERS(1,END) grpc-status=0"));
	close_fixture(&f);
}

Test(grpc_call, request_bytes_of_a_connection_are_bounded)
{
	static const uint8_t prefix[5] = { 0, 0, 0x40, 0, 0 };
	static const char chunk[16384];
	struct fixture f;

	cr_assert_eq(open_fixture(&f), 0);
	for (unsigned n = 0; n < 6; n++) {
		uint32_t id = 2 * n + 1;

		h2peer_request(&f.peer, 0, id, "/svc/Big", "");
		h2peer_frame(&f.peer, NGHTTP2_DATA, 0, id, prefix, 5);
		for (unsigned i = 0; i < 255; i++) {
			h2peer_frame(&f.peer, NGHTTP2_DATA, 0, id, chunk, sizeof(chunk));
			cr_assert_eq(run(&f, 65536), 0);
		}
		cr_assert_leq(f.h2.n_held, H2_MAX_HELD);
	}
	cr_assert_not_null(strstr(f.peer.trace, STATUS("9", "200", "8")));
	cr_assert_eq(n_calls, 0);
	close_fixture(&f);
}

/* Returns the run's result; the trace's last frame must be the GOAWAY, when one was due.
 */
static void floods(struct fixture *f, const char *want)
{
	(void)run(f, 16384);
	if (want)
		cr_assert_not_null(strstr(f->peer.trace, want), "%.300s", f->peer.trace);
	cr_assert(!want || h2_is_over(&f->h2));
	close_fixture(f);
}

Test(grpc_call, floods_end_the_connection)
{
	struct fixture f;
	uint8_t ping[8] = { 0 };

	cr_assert_eq(open_fixture(&f), 0);
	h2peer_request(&f.peer, 0, 1, "/svc/Echo", "");
	for (int i = 0; i < 10000; i++)
		h2peer_frame(&f.peer, NGHTTP2_DATA, 0, 1, NULL, 0);
	floods(&f, "GOAWAY(0) ENHANCE_YOUR_CALM");

	cr_assert_eq(open_fixture(&f), 0);
	for (uint32_t id = 1; id < 20000; id += 2) {
		h2peer_request(&f.peer, 0, id, "/svc/Echo", "");
		h2peer_u32(&f.peer, NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
	}
	floods(&f, "GOAWAY(0)");

	cr_assert_eq(open_fixture(&f), 0);
	h2peer_frame(&f.peer, NGHTTP2_HEADERS, 0, 1, "\x83\x86\x84", 3);
	for (int i = 0; i < 10000; i++)
		h2peer_frame(&f.peer, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
	floods(&f, NULL);

	cr_assert_eq(open_fixture(&f), 0);
	for (int i = 0; i < 100000; i++)
		h2peer_frame(&f.peer, NGHTTP2_PING, 0, 0, ping, 8);
	cr_assert_neq(run(&f, f.peer.n_out), 0, "acks pile up only so far");
	close_fixture(&f);
}

Test(grpc_call, garbage_and_half_frames)
{
	struct fixture f;
	unsigned seed = 7;
	char junk[512];

	for (int round = 0; round < 300; round++) {
		cr_assert_eq(open_fixture(&f), 0);
		for (size_t i = 0; i < sizeof(junk); i++) {
			seed = seed * 1103515245 + 12345;
			junk[i] = (char)(seed >> 16);
		}
		if (round % 3 == 0)
			f.peer.n_out = 0;
		if (round % 3 == 2)
			h2peer_request(&f.peer, 0, 1, "/svc/Echo", "");
		h2peer_bytes(&f.peer, junk, sizeof(junk));
		(void)run(&f, 1 + (size_t)round);
		close_fixture(&f);
	}
}

Test(grpc_call, more_streams_than_allowed)
{
	struct fixture f;

	cr_assert_eq(open_fixture(&f), 0);
	is_holding = true;
	for (uint32_t n = 0; n < H2_MAX_STREAMS + 1; n++) {
		h2peer_request(&f.peer, 0, 2 * n + 1, "/svc/Slow", "");
		h2peer_message(&f.peer, END, 2 * n + 1, "");
	}
	cr_assert_eq(run(&f, 65536), 0);
	cr_assert_eq(n_held, H2_MAX_STREAMS);
	cr_assert_not_null(strstr(f.peer.trace, "RST_STREAM(513) REFUSED_STREAM"));
	for (unsigned i = 0; i < n_held; i++)
		grpc_call_reply(held[i], "", 0);
	close_fixture(&f);
}

static void one_call(void)
{
	struct fixture f;

	if (open_fixture(&f) == 0) {
		h2peer_request(&f.peer, 0, 1, "/svc/Echo", "grpc-timeout: 1S\n");
		h2peer_message(&f.peer, 0, 1, "hello");
		h2peer_frame(&f.peer, NGHTTP2_DATA, END, 1, NULL, 0);
		/* Either a whole answer, or a reset, or the connection is given up. */
		if (run(&f, 100) == 0)
			cr_assert(strstr(f.peer.trace, ",END)") ||
					  strstr(f.peer.trace, "GOAWAY(0)") ||
					  strstr(f.peer.trace, "RST_STREAM(1)"),
				  "%s", f.peer.trace);
	}
	close_fixture(&f);
}

Test(grpc_call, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(one_call());
}
