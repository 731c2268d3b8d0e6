/* The client against a peer of bare frames: every way in which an answer can be wrong. */
#include "csi/grpc/client.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "csi/grpc/call.h"
#include "csi/grpc/endpoint.h"
#include "support/h2peer.h"
#include "support/t.h"

enum { END = NGHTTP2_FLAG_END_STREAM };

/* A server that accepts one connection, and once the request is there writes what it was
 * given, and hangs up or not. */
struct fake {
	struct t_loop l;
	struct endpoint_listener at;
	struct h2peer peer;
	struct grpc_client c;
	char dir[128], address[200];
	int fd;
	size_t n_got;
	bool hangs_up, has_answered;
};

static unsigned dones;

static void on_done(struct op *op)
{
	(void)op;
	dones++;
}

static void open_fake(struct fake *f)
{
	struct endpoint e;
	struct err err;

	memset(f, 0, sizeof(*f));
	signal(SIGPIPE, SIG_IGN); /* as main does */
	dones = 0;
	f->fd = -1;
	t_loop_open(&f->l);
	h2peer_open(&f->peer);
	h2peer_frame(&f->peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	snprintf(f->address, sizeof(f->address), "unix://%s/a.sock", t_mkdir(f->dir));
	cr_assert_eq(endpoint_parse(f->address, &e, &err), 0);
	cr_assert_eq(endpoint_listen(&e, &f->at, &err), 0, "%s", err.msg);
}

static void close_fake(struct fake *f)
{
	if (f->fd >= 0)
		close(f->fd);
	close(f->at.fd);
	h2peer_close(&f->peer);
	t_loop_close(&f->l);
	cr_assert_eq(mem_live(), 0);
	t_rmdir(f->dir);
}

static void start(struct fake *f, uint64_t timeout_ms)
{
	f->c = (struct grpc_client){ .address = f->address,
				     .path = "/svc/X",
				     .message = "hi",
				     .message_len = 2,
				     .timeout_ms = timeout_ms };
	grpc_client_start(&f->c, &f->l.uv, on_done);
}

/* One turn of the fake: accepts, reads, answers once when the request is complete. */
static void serve(struct fake *f)
{
	char b[4096];
	ssize_t n;

	if (f->fd < 0)
		f->fd = accept4(f->at.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (f->fd < 0)
		return;
	while ((n = recv(f->fd, b, sizeof(b), 0)) > 0) {
		size_t skip = f->n_got < NGHTTP2_CLIENT_MAGIC_LEN
				      ? NGHTTP2_CLIENT_MAGIC_LEN - f->n_got
				      : 0;

		if (skip > (size_t)n)
			skip = (size_t)n;
		f->n_got += (size_t)n;
		h2peer_receive(&f->peer, b + skip, (size_t)n - skip);
	}
	if (f->has_answered || !strstr(f->peer.trace, "DATA(1,END) 7"))
		return;
	f->has_answered = true;
	/* The client may be gone already. */
	(void)send(f->fd, f->peer.out, f->peer.n_out, MSG_NOSIGNAL);
	if (f->hangs_up)
		shutdown(f->fd, SHUT_RDWR);
}

static bool turn(struct fake *f)
{
	serve(f);
	return dones == 1;
}

static void ends_with(struct fake *f, enum err_code code, const char *text)
{
	start(f, 10000);
	t_run_until(&f->l, turn(f));
	cr_assert_eq(f->c.op.err.code, code, "%d: %s", f->c.op.err.code, f->c.op.err.msg);
	if (text)
		cr_assert_not_null(strstr(f->c.op.err.msg, text), "%s", f->c.op.err.msg);
	buf_fini(&f->c.reply);
	close_fake(f);
}

#define OK_HEAD ":status: 200\ncontent-type: application/grpc\n"

Test(client, a_good_answer)
{
	struct fake f;

	open_fake(&f);
	h2peer_headers(&f.peer, 0, 1, OK_HEAD);
	h2peer_message(&f.peer, 0, 1, "hello");
	h2peer_headers(&f.peer, END, 1, "grpc-status: 0\n");
	start(&f, 15000);
	t_run_until(&f.l, turn(&f));
	cr_assert_eq(f.c.op.err.code, ERR_OK, "%s", f.c.op.err.msg);
	cr_assert_eq(f.c.reply.len, 5);
	cr_assert_eq(memcmp(f.c.reply.data, "hello", 5), 0);
	buf_fini(&f.c.reply);
	serve(&f);
	cr_assert_not_null(strstr(f.peer.trace,
				  "HEADERS(1) :method=POST :scheme=http :path=/svc/X "
				  ":authority=localhost content-type=application/grpc "
				  "te=trailers user-agent=rds-csi grpc-timeout=15000m\n"
				  "DATA(1,END) 7\n"),
			   "%s", f.peer.trace);
	cr_assert_not_null(strstr(f.peer.trace, "GOAWAY(0) NO_ERROR"));
	close_fake(&f);
}

Test(client, statuses)
{
	struct fake f;

	open_fake(&f);
	h2peer_headers(&f.peer, END, 1,
		       OK_HEAD "grpc-status: 5\ngrpc-message: no %E2%82%AC%0Ax\n");
	ends_with(&f, ERR_NOT_FOUND, "no \xe2\x82\xac\nx");
	open_fake(&f);
	h2peer_headers(&f.peer, END, 1, OK_HEAD "grpc-status: 99\n");
	ends_with(&f, ERR_UNKNOWN, NULL);
	open_fake(&f);
	h2peer_headers(&f.peer, END, 1, OK_HEAD "grpc-status: abc\n");
	ends_with(&f, ERR_UNKNOWN, "malformed");
	open_fake(&f); /* the message is dropped, the status wins */
	h2peer_headers(&f.peer, 0, 1, OK_HEAD);
	h2peer_message(&f.peer, 0, 1, "hello");
	h2peer_headers(&f.peer, END, 1, "grpc-status: 10\n");
	ends_with(&f, ERR_ABORTED, NULL);
}

Test(client, answers_that_are_none)
{
	struct fake f;

	open_fake(&f); /* OK without a message */
	h2peer_headers(&f.peer, END, 1, OK_HEAD "grpc-status: 0\n");
	ends_with(&f, ERR_INTERNAL, "no message");
	open_fake(&f); /* no trailers */
	h2peer_headers(&f.peer, 0, 1, OK_HEAD);
	h2peer_message(&f.peer, END, 1, "hello");
	ends_with(&f, ERR_INTERNAL, "no status");
	open_fake(&f); /* two messages */
	h2peer_headers(&f.peer, 0, 1, OK_HEAD);
	h2peer_message(&f.peer, 0, 1, "hello");
	h2peer_message(&f.peer, 0, 1, "hello");
	h2peer_headers(&f.peer, END, 1, "grpc-status: 0\n");
	ends_with(&f, ERR_INTERNAL, "more than one message");
	open_fake(&f);
	h2peer_headers(&f.peer, END, 1, ":status: 503\n");
	ends_with(&f, ERR_UNAVAILABLE, "HTTP status 503");
	open_fake(&f);
	h2peer_headers(&f.peer, END, 1, ":status: 404\n");
	ends_with(&f, ERR_UNIMPLEMENTED, NULL);
	open_fake(&f); /* no :status */
	h2peer_headers(&f.peer, END, 1, "grpc-status-x: 0\n");
	ends_with(&f, ERR_INTERNAL, "malformed");
}

Test(client, resets)
{
	static const struct {
		uint32_t h2;
		enum err_code code;
	} map[] = {
		{ NGHTTP2_NO_ERROR, ERR_INTERNAL },
		{ NGHTTP2_CANCEL, ERR_CANCELLED },
		{ NGHTTP2_REFUSED_STREAM, ERR_UNAVAILABLE },
		{ NGHTTP2_ENHANCE_YOUR_CALM, ERR_EXHAUSTED },
		{ NGHTTP2_INTERNAL_ERROR, ERR_INTERNAL },
	};
	struct fake f;

	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++) {
		open_fake(&f);
		h2peer_u32(&f.peer, NGHTTP2_RST_STREAM, 1, map[i].h2);
		ends_with(&f, map[i].code, NULL);
	}
	open_fake(&f); /* a whole answer, then the reset that says "stop sending" */
	h2peer_headers(&f.peer, 0, 1, OK_HEAD);
	h2peer_message(&f.peer, 0, 1, "hello");
	h2peer_headers(&f.peer, END, 1, "grpc-status: 0\n");
	h2peer_u32(&f.peer, NGHTTP2_RST_STREAM, 1, NGHTTP2_NO_ERROR);
	ends_with(&f, ERR_OK, NULL);
}

Test(client, a_connection_that_breaks)
{
	struct fake f;

	open_fake(&f);
	f.hangs_up = true;
	h2peer_headers(&f.peer, 0, 1, OK_HEAD);
	ends_with(&f, ERR_UNAVAILABLE, NULL);
	open_fake(&f);
	f.peer.n_out = 0;
	h2peer_bytes(&f.peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	ends_with(&f, ERR_UNAVAILABLE, NULL);
	open_fake(&f); /* GOAWAY that says the stream was not looked at */
	h2peer_frame(&f.peer, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	ends_with(&f, ERR_UNAVAILABLE, NULL);
}

Test(client, nobody_there)
{
	struct fake f;

	open_fake(&f);
	endpoint_unlink(&f.at);
	start(&f, 10000);
	t_run_until(&f.l, dones == 1);
	cr_assert_eq(f.c.op.err.code, ERR_UNAVAILABLE);
	cr_assert_not_null(strstr(f.c.op.err.msg, "a.sock: no such file"), "%s",
			   f.c.op.err.msg);
	snprintf(f.address, sizeof(f.address), "nonsense");
	start(&f, 10000);
	t_run_until(&f.l, dones == 2);
	cr_assert_eq(f.c.op.err.code, ERR_INVALID);
	close_fake(&f);
}

Test(client, the_deadline_resets_the_stream)
{
	struct fake f;

	open_fake(&f);
	f.has_answered = true; /* never answers */
	start(&f, 30);
	t_run_until(&f.l, turn(&f));
	cr_assert_eq(f.c.op.err.code, ERR_DEADLINE);
	serve(&f);
	cr_assert_not_null(strstr(f.peer.trace, "RST_STREAM(1) CANCEL"), "%s",
			   f.peer.trace);
	close_fake(&f);
}

Test(client, cancel_after_any_number_of_turns)
{
	struct fake f;

	for (int turns = 0; turns < 14; turns++) {
		bool is_cancelled;

		open_fake(&f);
		h2peer_headers(&f.peer, 0, 1, OK_HEAD);
		h2peer_message(&f.peer, 0, 1, "hello");
		h2peer_headers(&f.peer, END, 1, "grpc-status: 0\n");
		start(&f, 10000);
		for (int i = 0; i < turns && !dones; i++) {
			serve(&f);
			uv_run(&f.l.uv, UV_RUN_NOWAIT);
		}
		is_cancelled = !op_is_done(&f.c.op) && f.c.op.err.code == ERR_OK;
		op_cancel(&f.c.op, ERR_CANCELLED);
		t_run_until(&f.l, turn(&f));
		cr_assert_eq(f.c.op.err.code, is_cancelled ? ERR_CANCELLED : ERR_OK);
		buf_fini(&f.c.reply);
		close_fake(&f);
	}
}

static void one_call(void)
{
	struct fake f;

	open_fake(&f);
	h2peer_headers(&f.peer, 0, 1, OK_HEAD);
	h2peer_message(&f.peer, 0, 1, "hello");
	h2peer_headers(&f.peer, END, 1, "grpc-status: 0\n");
	start(&f, 10000);
	t_run_until(&f.l, turn(&f));
	cr_assert(f.c.op.err.code != ERR_OK || f.c.reply.len == 5);
	buf_fini(&f.c.reply);
	close_fake(&f);
}

Test(client, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(one_call());
}
