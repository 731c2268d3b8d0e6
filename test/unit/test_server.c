#include "csi/grpc/server.h"

#include <string.h>
#include <sys/stat.h>

#include "csi/grpc/client.h"
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

	server_dones = client_dones = 0;
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
				   .timeout_ms = 5000 };
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
