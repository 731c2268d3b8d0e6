#include "csi/grpc/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/t.h"

enum { N = 400 };

static void on_call(void *ctx, struct grpc_call *call)
{
	size_t len;
	const uint8_t *p = grpc_call_message(call, &len);

	(void)ctx;
	grpc_call_reply(call, p, len);
}

static bool is_done;

static void on_done(struct op *op)
{
	(void)op;
	is_done = true;
}

/* A socket that may not wait, as the kubelet's, is told at once that a queue is full. */
static int dial(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0, "%s",
		     strerror(errno));
	return fd;
}

/* Both before the server has started, when a plugin still looks at what is on its node,
 * and afterwards. */
Test(server_queue, hundreds_that_dial_at_once_are_all_let_in_or_wait)
{
	static char dir[128], address[200];
	struct grpc_server_conf conf = { .address = address, .on_call = on_call };
	struct grpc_server server;
	struct t_loop l;
	struct err err;
	int fd[N];

	t_loop_open(&l);
	snprintf(address, sizeof(address), "%s/a.sock", t_mkdir(dir));
	for (int starts = 0; starts < 2; starts++) {
		is_done = false;
		cr_assert_eq(grpc_server_listen(&server, &l.uv, &conf, &err), 0, "%s",
			     err.msg);
		grpc_server_start(&server, on_done);
		if (starts)
			uv_run(&l.uv, UV_RUN_NOWAIT);
		for (int i = 0; i < N; i++)
			fd[i] = dial(address);
		for (int i = 0; i < N; i++)
			close(fd[i]);
		grpc_server_stop(&server);
		t_run_until(&l, is_done);
	}
	t_loop_close(&l);
}
