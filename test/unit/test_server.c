#include "csi/grpc/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "csi/grpc/client.h"
#include "csi/grpc/endpoint.h"
#include "support/h2peer.h"
#include "support/t.h"

static struct grpc_call *held[300];
static unsigned n_held, n_calls;
static bool is_holding;

/* Echoes the message; /svc/Fail fails; while is_holding the calls are kept. */
static void on_call(void *ctx, struct grpc_call *call)
{
	size_t len;
	const uint8_t *p = grpc_call_message(call, &len);

	(void)ctx;
	n_calls++;
	if (is_holding) {
		held[n_held++] = call;
	} else if (strcmp(grpc_call_path(call), "/svc/Fail") == 0) {
		struct err err;

		(void)err_set(&err, ERR_NOT_FOUND, "no 100%% such\nthing \xe2\x82\xac");
		grpc_call_fail(call, &err);
	} else {
		grpc_call_reply(call, p, len);
	}
}

struct fixture {
	struct t_loop l;
	struct grpc_server server;
	char dir[128], address[200];
};

static int server_dones, client_dones;

static void on_server_done(struct op *op)
{
	cr_assert_eq(op->err.code, ERR_CANCELLED);
	server_dones++;
}

static void on_client_done(struct op *op)
{
	(void)op;
	client_dones++;
}

static void open_fixture(struct fixture *f)
{
	struct grpc_server_conf conf = { .address = f->address,
					 .on_call = on_call,
					 .grace_ms = 1000 };
	struct err err;

	signal(SIGPIPE, SIG_IGN); /* as main does */
	server_dones = client_dones = 0;
	n_held = n_calls = 0;
	is_holding = false;
	t_loop_open(&f->l);
	snprintf(f->address, sizeof(f->address), "unix://%s/a.sock", t_mkdir(f->dir));
	cr_assert_eq(grpc_server_listen(&f->server, &f->l.uv, &conf, &err), 0, "%s",
		     err.msg);
	grpc_server_start(&f->server, on_server_done);
}

static void close_fixture(struct fixture *f)
{
	grpc_server_stop(&f->server);
	t_run_until(&f->l, server_dones == 1);
	t_loop_close(&f->l);
	cr_assert_eq(mem_live(), 0);
	t_rmdir(f->dir);
}

static void start(struct fixture *f, struct grpc_client *c, const char *path,
		  const char *text)
{
	*c = (struct grpc_client){ .address = f->address,
				   .path = path,
				   .message = text,
				   .message_len = strlen(text),
				   .timeout_ms = 30000 };
	grpc_client_start(c, &f->l.uv, on_client_done);
}

Test(server, echoes_over_a_unix_socket)
{
	struct grpc_client c;
	struct fixture f;

	open_fixture(&f);
	start(&f, &c, "/svc/Echo", "hello");
	t_run_until(&f.l, client_dones == 1);
	cr_assert_eq(c.op.err.code, ERR_OK, "%s", c.op.err.msg);
	cr_assert_eq(c.reply.len, 5);
	cr_assert_eq(memcmp(c.reply.data, "hello", 5), 0);
	buf_fini(&c.reply);
	start(&f, &c, "/svc/Echo", "");
	t_run_until(&f.l, client_dones == 2);
	cr_assert_eq(c.op.err.code, ERR_OK, "%s", c.op.err.msg);
	cr_assert_eq(c.reply.len, 0);
	buf_fini(&c.reply);
	close_fixture(&f);
}

Test(server, carries_a_status_with_its_text)
{
	struct grpc_client c;
	struct fixture f;

	open_fixture(&f);
	start(&f, &c, "/svc/Fail", "hello");
	t_run_until(&f.l, client_dones == 1);
	cr_assert_eq(c.op.err.code, ERR_NOT_FOUND);
	cr_assert_str_eq(c.op.err.msg, "no 100% such\nthing \xe2\x82\xac");
	close_fixture(&f);
}

/* A client of bare frames on a blocking socket that is read when the loop has turned. */
struct raw {
	struct h2peer peer;
	int fd;
	bool is_over; /* the server has hung up */
};

static void raw_open(struct fixture *f, struct raw *r)
{
	struct endpoint e;
	struct err err;

	*r = (struct raw){ .fd = -1 };
	h2peer_open(&r->peer);
	h2peer_preface(&r->peer);
	cr_assert_eq(endpoint_parse(f->address, &e, &err), 0);
	r->fd = socket(e.addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0);
	cr_assert_eq(connect(r->fd, &e.addr.any, e.len), 0);
}

static void raw_close(struct raw *r)
{
	close(r->fd);
	h2peer_close(&r->peer);
}

static bool raw_turn(struct raw *r)
{
	char b[16384];
	ssize_t n;

	n = send(r->fd, r->peer.out, r->peer.n_out, MSG_NOSIGNAL);
	if (n > 0) {
		memmove(r->peer.out, r->peer.out + n, r->peer.n_out - (size_t)n);
		r->peer.n_out -= (size_t)n;
	}
	while ((n = recv(r->fd, b, sizeof(b), 0)) > 0)
		h2peer_receive(&r->peer, b, (size_t)n);
	if (n == 0)
		r->is_over = true;
	return r->is_over;
}

static bool raw_sees(struct raw *r, const char *text)
{
	raw_turn(r);
	return strstr(r->peer.trace, text) != NULL;
}

Test(server, speaks_first)
{
	struct fixture f;
	struct raw r;

	open_fixture(&f);
	raw_open(&f, &r);
	r.peer.n_out = 0;
	t_run_until(&f.l, raw_sees(&r, "WINDOW_UPDATE(0)"));
	cr_assert_str_eq(r.peer.trace, "SETTINGS(0)\nWINDOW_UPDATE(0)\n");
	raw_close(&r);
	close_fixture(&f);
}

Test(server, stop_lets_calls_finish)
{
	struct fixture f;
	struct raw r, idle;
	struct stat st;

	open_fixture(&f);
	is_holding = true;
	raw_open(&f, &idle);
	raw_open(&f, &r);
	h2peer_request(&r.peer, 0, 1, "/svc/Slow", "");
	h2peer_message(&r.peer, NGHTTP2_FLAG_END_STREAM, 1, "hello");
	t_run_until(&f.l, (raw_turn(&idle), raw_turn(&r), n_held == 1));
	h2peer_forget(&r.peer);
	clock_hold(&f.l.uv); /* the grace lasts as long as this takes */
	grpc_server_stop(&f.server);
	grpc_server_stop(&f.server);
	cr_assert_neq(lstat(f.address + 7, &st), 0, "the socket's file goes at once");
	t_run_until(&f.l, raw_sees(&r, "last=1"));
	cr_assert_str_eq(
		r.peer.trace,
		"GOAWAY(0) NO_ERROR last=2147483647\nGOAWAY(0) NO_ERROR last=1\n");
	t_run_until(&f.l, raw_turn(&idle));
	cr_assert_eq(server_dones, 0);
	h2peer_forget(&r.peer);
	grpc_call_reply(held[0], "x", 1);
	t_run_until(&f.l, raw_turn(&r));
	cr_assert_str_eq(r.peer.trace,
			 "HEADERS(1) :status=200 content-type=application/grpc\n"
			 "DATA(1) 6\nHEADERS(1,END) grpc-status=0\n");
	raw_close(&r);
	raw_close(&idle);
	close_fixture(&f);
}

/* Closed at once over bytes that are still under way, the connection would be reset. */
Test(server, listens_to_a_goodbye_until_the_client_hangs_up)
{
	struct fixture f;
	struct raw r;

	open_fixture(&f);
	raw_open(&f, &r);
	h2peer_frame(&r.peer, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	t_run_until(&f.l, raw_turn(&r));
	for (int i = 0; i < 3; i++) {
		h2peer_frame(&r.peer, NGHTTP2_PING, 0, 0, "12345678", 8);
		r.is_over = false;
		cr_assert(raw_turn(&r), "read %s", strerror(errno));
		cr_assert_eq(r.peer.n_out, 0, "write %s", strerror(errno));
		uv_run(&f.l.uv, UV_RUN_NOWAIT);
	}
	raw_close(&r);
	close_fixture(&f);
}

Test(server, stop_cuts_off_what_outlasts_the_grace)
{
	struct fixture f;
	struct raw r;

	open_fixture(&f);
	is_holding = true;
	raw_open(&f, &r);
	h2peer_request(&r.peer, 0, 1, "/svc/Slow", "");
	h2peer_message(&r.peer, NGHTTP2_FLAG_END_STREAM, 1, "hello");
	t_run_until(&f.l, (raw_turn(&r), n_held == 1));
	clock_hold(&f.l.uv);
	grpc_server_stop(&f.server);
	t_run_until(&f.l, raw_sees(&r, "last=1"));
	clock_advance(&f.l.uv, 999);
	uv_run(&f.l.uv, UV_RUN_NOWAIT);
	cr_assert(!raw_turn(&r) && !server_dones);
	clock_advance(&f.l.uv, 1);
	t_run_until(&f.l, raw_turn(&r));
	t_run_until(&f.l, server_dones == 1);
	grpc_call_reply(held[0], "late", 4);
	raw_close(&r);
	t_loop_close(&f.l);
	cr_assert_eq(mem_live(), 0);
	t_rmdir(f.dir);
}

Test(server, a_client_that_does_not_read_holds_up_nobody)
{
	static char big[GRPC_MAX_MESSAGE];
	struct grpc_client c;
	struct fixture f;
	struct raw r;

	open_fixture(&f);
	is_holding = true;
	raw_open(&f, &r);
	h2peer_u32(&r.peer, NGHTTP2_WINDOW_UPDATE, 0, 0x40000000);
	h2peer_request(&r.peer, 0, 1, "/svc/Big", "");
	h2peer_u32(&r.peer, NGHTTP2_WINDOW_UPDATE, 1, 0x40000000);
	h2peer_message(&r.peer, NGHTTP2_FLAG_END_STREAM, 1, "hello");
	t_run_until(&f.l, (raw_turn(&r), n_held == 1));
	is_holding = false;
	grpc_call_reply(held[0], big, sizeof(big));
	start(&f, &c, "/svc/Echo", "hello");
	t_run_until(&f.l, client_dones == 1);
	cr_assert_eq(c.op.err.code, ERR_OK, "%s", c.op.err.msg);
	buf_fini(&c.reply);
	cr_assert_lt(r.peer.n_data, GRPC_MAX_MESSAGE);
	t_run_until(&f.l, raw_sees(&r, "HEADERS(1,END) grpc-status=0"));
	cr_assert_eq(r.peer.n_data, GRPC_MAX_MESSAGE + 5);
	raw_close(&r);
	close_fixture(&f);
}

/* One turn of r; adds the ping acknowledgements it saw to *acks. */
static void count_acks(struct raw *r, unsigned *acks)
{
	const char *text;

	raw_turn(r);
	text = r->peer.trace;
	while ((text = strstr(text, "PING(0,ACK)")) != NULL) {
		text++;
		++*acks;
	}
	r->peer.n_trace = 0;
	r->peer.trace[0] = '\0';
}

/* A client that pings without reading is not read either, until it reads. */
Test(server, unread_answers_hold_back_the_input)
{
	const unsigned n = 60000;
	unsigned acks = 0;
	struct fixture f;
	struct raw r;
	ssize_t sent;

	open_fixture(&f);
	raw_open(&f, &r);
	for (unsigned i = 0; i < n; i++)
		h2peer_frame(&r.peer, NGHTTP2_PING, 0, 0, "12345678", 8);
	for (int i = 0; i < 500; i++) {
		sent = send(r.fd, r.peer.out, r.peer.n_out, MSG_NOSIGNAL);
		if (sent > 0) {
			memmove(r.peer.out, r.peer.out + sent,
				r.peer.n_out - (size_t)sent);
			r.peer.n_out -= (size_t)sent;
		}
		uv_run(&f.l.uv, UV_RUN_NOWAIT);
	}
	cr_assert_gt(r.peer.n_out, 0, "a megabyte of pings went in");
	t_run_until(&f.l, (count_acks(&r, &acks), r.is_over || acks == n));
	cr_assert(!r.is_over);
	raw_close(&r);
	close_fixture(&f);
}

Test(server, garbage_closes_the_connection_and_nothing_else)
{
	struct grpc_client c;
	struct fixture f;
	struct raw r;

	open_fixture(&f);
	for (int i = 0; i < 3; i++) {
		raw_open(&f, &r);
		if (i < 2)
			r.peer.n_out = 0;
		if (i == 0)
			h2peer_bytes(&r.peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 26);
		else if (i == 1)
			h2peer_bytes(&r.peer,
				     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxx", 35);
		else /* a frame on a stream that cannot be */
			h2peer_message(&r.peer, 0, 2, "hello");
		t_run_until(&f.l, raw_turn(&r));
		raw_close(&r);
	}
	raw_open(&f, &r); /* half a frame, then gone */
	h2peer_bytes(&r.peer, "\0\0\x40\1", 4);
	t_run_until(&f.l, raw_sees(&r, "SETTINGS"));
	raw_close(&r);
	start(&f, &c, "/svc/Echo", "hello");
	t_run_until(&f.l, client_dones == 1);
	cr_assert_eq(c.op.err.code, ERR_OK, "%s", c.op.err.msg);
	buf_fini(&c.reply);
	close_fixture(&f);
}

Test(server, connections_beyond_the_maximum_wait)
{
	static struct raw r[GRPC_MAX_CONNECTIONS + 3];
	const int n = GRPC_MAX_CONNECTIONS + 3;
	struct fixture f;
	int i, seen;

	open_fixture(&f);
	for (i = 0; i < n; i++) {
		raw_open(&f, &r[i]);
		if (i % 16 == 0)
			uv_run(&f.l.uv, UV_RUN_NOWAIT);
	}
	t_run_until(&f.l, raw_sees(&r[GRPC_MAX_CONNECTIONS - 1], "SETTINGS(0)"));
	for (i = seen = 0; i < n; i++)
		seen += raw_sees(&r[i], "SETTINGS(0)");
	cr_assert_eq(seen, GRPC_MAX_CONNECTIONS);
	for (i = 0; i < 3; i++)
		raw_close(&r[i]);
	t_run_until(&f.l, raw_sees(&r[n - 1], "SETTINGS(0)"));
	for (; i < n; i++)
		raw_close(&r[i]);
	close_fixture(&f);
}

Test(server, tcp_with_a_port_of_its_choice)
{
	struct grpc_server_conf conf = { .address = "tcp://127.0.0.1:0",
					 .on_call = on_call };
	struct grpc_client c;
	struct fixture f;
	struct err err;

	server_dones = client_dones = 0;
	t_loop_open(&f.l);
	cr_assert_eq(grpc_server_listen(&f.server, &f.l.uv, &conf, &err), 0, "%s",
		     err.msg);
	snprintf(f.address, sizeof(f.address), "%s", grpc_server_address(&f.server));
	cr_assert_str_neq(f.address, conf.address);
	grpc_server_start(&f.server, on_server_done);
	start(&f, &c, "/svc/Echo", "hello");
	t_run_until(&f.l, client_dones == 1);
	cr_assert_eq(c.op.err.code, ERR_OK, "%s", c.op.err.msg);
	buf_fini(&c.reply);
	grpc_server_stop(&f.server);
	t_loop_close(&f.l);
	cr_assert_eq(server_dones, 1);
	cr_assert_eq(mem_live(), 0);
}

Test(server, a_large_message_each_way)
{
	static char big[GRPC_MAX_MESSAGE + 1];
	struct grpc_client c;
	struct fixture f;

	open_fixture(&f);
	memset(big, 'x', GRPC_MAX_MESSAGE);
	start(&f, &c, "/svc/Echo", big);
	t_run_until(&f.l, client_dones == 1);
	cr_assert_eq(c.op.err.code, ERR_OK, "%s", c.op.err.msg);
	cr_assert_eq(c.reply.len, GRPC_MAX_MESSAGE);
	cr_assert_eq(memcmp(c.reply.data, big, GRPC_MAX_MESSAGE), 0);
	buf_fini(&c.reply);
	close_fixture(&f);
}

Test(server, stop_after_any_number_of_turns)
{
	struct grpc_client c;
	struct fixture f;

	for (int turns = 0; turns < 16; turns++) {
		open_fixture(&f);
		start(&f, &c, "/svc/Echo", "hello");
		for (int i = 0; i < turns; i++)
			uv_run(&f.l.uv, UV_RUN_NOWAIT);
		grpc_server_stop(&f.server);
		t_run_until(&f.l, client_dones == 1);
		cr_assert(c.op.err.code == ERR_OK || c.op.err.code == ERR_UNAVAILABLE,
			  "%s", c.op.err.msg);
		buf_fini(&c.reply);
		close_fixture(&f);
	}
}

/* Every call ends, whatever runs out of memory, and the server serves the next one. */
static void one_call(void)
{
	struct grpc_server_conf conf = { .on_call = on_call, .grace_ms = 100 };
	struct grpc_client c;
	struct fixture f;
	struct err err;

	signal(SIGPIPE, SIG_IGN);
	server_dones = client_dones = 0;
	t_loop_open(&f.l);
	snprintf(f.address, sizeof(f.address), "unix://%s/a.sock", t_mkdir(f.dir));
	conf.address = f.address;
	if (grpc_server_listen(&f.server, &f.l.uv, &conf, &err) == 0) {
		grpc_server_start(&f.server, on_server_done);
		start(&f, &c, "/svc/Echo", "hello");
		t_run_until(&f.l, client_dones == 1);
		buf_fini(&c.reply);
		grpc_server_stop(&f.server);
		t_run_until(&f.l, server_dones == 1);
	} else {
		cr_assert_eq(err.code, ERR_EXHAUSTED);
	}
	t_loop_close(&f.l);
	cr_assert_eq(mem_live(), 0);
	t_rmdir(f.dir);
}

Test(server, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(one_call());
}
