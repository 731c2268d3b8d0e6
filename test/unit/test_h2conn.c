/* Two connections of ours, joined by a socket: one asks, one answers. */
#include "csi/grpc/h2conn.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "csi/grpc/endpoint.h"
#include "support/t.h"

struct fixture {
	struct t_loop l;
	struct endpoint_listener at;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
	} u;
	struct h2conn server, client;
	bool is_accepted;
	char dir[128];
};

static struct fixture *fix;
static unsigned n_server_done, n_client_done, n_answers, n_closed;
static struct err server_err;
static size_t n_body;

static void on_server_done(struct op *op)
{
	server_err = op->err;
	n_server_done++;
}

static void on_client_done(struct op *op)
{
	(void)op;
	n_client_done++;
}

static void on_server_event(struct h2stream *s, unsigned events)
{
	static const struct h2_field fields[] = { { ":status", "200" } };
	struct h2_message m = { .fields = fields, .n_fields = 1 };
	struct buf body;

	n_closed += (events & H2_EV_CLOSED) != 0;
	if (events & H2_EV_CLOSED || !(events & H2_EV_END))
		return;
	buf_init(&body, 600000);
	(void)buf_reserve(&body, 500000);
	if (!buf_failed(&body)) {
		memset(body.data, 'x', 500000);
		body.len = 500000;
	}
	m.body_take = &body;
	(void)h2_respond(s, &m);
}

static void on_client_event(struct h2stream *s, unsigned events)
{
	(void)s;
	n_answers += (events & H2_EV_END) != 0;
}

static void on_server_data(struct h2stream *s, const uint8_t *p, size_t n)
{
	(void)s;
	(void)p;
	(void)n;
}

static void on_client_data(struct h2stream *s, const uint8_t *p, size_t n)
{
	(void)s;
	(void)p;
	n_body += n;
}

static const struct h2_user server_user = { on_server_event, on_server_data };
static const struct h2_user client_user = { on_client_event, on_client_data };

static void on_connection(uv_stream_t *h, int status)
{
	struct h2conn_conf conf = { .user = &server_user,
				    .loop = h->loop,
				    .listener = h };

	cr_assert_eq(status, 0);
	fix->is_accepted = true;
	h2conn_start(&fix->server, &conf, on_server_done);
}

static void ask(struct fixture *f)
{
	static const struct h2_field fields[] = { { ":method", "GET" },
						  { ":scheme", "http" },
						  { ":path", "/" } };
	struct h2_message m = { .fields = fields, .n_fields = 3 };

	(void)h2_request(&f->client.h2, &m, NULL);
}

static void open_fixture(struct fixture *f)
{
	struct h2conn_conf conf = { .user = &client_user };
	struct endpoint e;
	struct err err;
	char path[160];

	memset(f, 0, sizeof(*f));
	fix = f;
	signal(SIGPIPE, SIG_IGN);
	n_server_done = n_client_done = n_answers = n_closed = 0;
	n_body = 0;
	t_loop_open(&f->l);
	snprintf(path, sizeof(path), "%s/a.sock", t_mkdir(f->dir));
	cr_assert_eq(endpoint_parse(path, &e, &err), 0);
	cr_assert_eq(endpoint_listen(&e, &f->at, &err), 0);
	uv_pipe_init(&f->l.uv, &f->u.pipe, 0);
	uv_pipe_open(&f->u.pipe, f->at.fd);
	uv_listen(&f->u.stream, 8, on_connection);
	conf.loop = &f->l.uv;
	conf.to = &f->at.where.addr.any;
	h2conn_start(&f->client, &conf, on_client_done);
}

static void close_fixture(struct fixture *f)
{
	uv_close(&f->u.handle, NULL);
	t_run_until(&f->l, n_client_done == 1 && n_server_done == f->is_accepted);
	t_loop_close(&f->l);
	cr_assert_eq(mem_live(), 0);
	t_rmdir(f->dir);
}

Test(h2conn, carries_requests_and_stays_when_idle)
{
	struct fixture f;

	open_fixture(&f);
	ask(&f);
	ask(&f);
	t_run_until(&f.l, n_answers == 2);
	cr_assert_eq(n_body, 1000000);
	cr_assert_eq(n_closed, 2);
	for (int i = 0; i < 20; i++)
		uv_run(&f.l.uv, UV_RUN_NOWAIT);
	cr_assert(n_server_done == 0 && n_client_done == 0);
	ask(&f);
	t_run_until(&f.l, n_answers == 3);
	h2conn_stop(&f.client, 1000);
	t_run_until(&f.l, n_server_done == 1);
	cr_assert_eq(server_err.code, ERR_OK, "GOAWAY came first: %s", server_err.msg);
	close_fixture(&f);
}

Test(h2conn, a_drained_server_answers_what_it_has_taken)
{
	struct fixture f;

	open_fixture(&f);
	ask(&f);
	t_run_until(&f.l, f.is_accepted);
	h2conn_stop(&f.server, 5000);
	h2conn_stop(&f.server, 0);
	t_run_until(&f.l, n_server_done == 1);
	cr_assert_eq(server_err.code, ERR_OK, "%s", server_err.msg);
	cr_assert_eq(n_answers, 1);
	cr_assert_eq(n_body, 500000);
	close_fixture(&f);
}

Test(h2conn, cancel_either_after_any_number_of_turns)
{
	for (int turns = 0; turns < 24; turns++) {
		struct fixture f;

		open_fixture(&f);
		ask(&f);
		for (int i = 0; i < turns / 2; i++)
			uv_run(&f.l.uv, UV_RUN_NOWAIT);
		if (turns % 2 && f.is_accepted) {
			op_cancel(&f.server.op, ERR_CANCELLED);
			t_run_until(&f.l, n_server_done == 1);
			cr_assert_eq(server_err.code, ERR_CANCELLED);
		}
		op_cancel(&f.client.op, ERR_CANCELLED);
		close_fixture(&f);
	}
}

static void one_exchange(void)
{
	struct fixture f;

	open_fixture(&f);
	ask(&f);
	t_run_until(&f.l, n_answers == 1 || n_client_done == 1 || n_server_done == 1 ||
				  n_closed == 1 || list_is_empty(&f.client.h2.streams));
	if (!n_client_done)
		op_cancel(&f.client.op, ERR_CANCELLED);
	close_fixture(&f);
}

Test(h2conn, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(one_exchange());
}
