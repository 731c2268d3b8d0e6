#include "csi/grpc/endpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/t.h"

Test(endpoint, parses_what_it_prints)
{
	static const char *const pairs[][2] = {
		{ "unix:///csi/csi.sock", "unix:///csi/csi.sock" },
		{ "unix:/csi/csi.sock", "unix:///csi/csi.sock" },
		{ "/csi/csi.sock", "unix:///csi/csi.sock" },
		{ "tcp://127.0.0.1:10000", "tcp://127.0.0.1:10000" },
		{ "tcp://127.9.9.9:0", "tcp://127.9.9.9:0" },
		{ "tcp://[::1]:65535", "tcp://[::1]:65535" },
	};
	char text[ENDPOINT_TEXT];
	struct endpoint e;
	struct err err;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		cr_assert_eq(endpoint_parse(pairs[i][0], &e, &err), 0, "%s", err.msg);
		endpoint_format(&e, text);
		cr_assert_str_eq(text, pairs[i][1]);
	}
}

Test(endpoint, refuses_the_rest)
{
	static const char *const bad[] = {
		"",
		"csi.sock",
		"unix://",
		"unix://csi.sock",
		"/csi/",
		"http://127.0.0.1:1",
		"tcp://0.0.0.0:1",
		"tcp://10.0.0.1:1",
		"tcp://[::]:1",
		"tcp://localhost:1",
		"tcp://127.0.0.1",
		"tcp://127.0.0.1:65536",
		"tcp://127.0.0.1:-1",
		"tcp://:1",
		"tcp://1270.0.0.1:1",
	};
	char path[200] = "/";
	struct endpoint e;
	struct err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(endpoint_parse(bad[i], &e, &err), -1, "%s", bad[i]);
	memset(path + 1, 'x', 101);
	cr_assert_eq(endpoint_parse(path, &e, &err), 0, "102 bytes still fit");
	path[102] = 'x';
	cr_assert_eq(endpoint_parse(path, &e, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
}

struct place {
	char dir[128], path[160];
	struct endpoint e;
};

static void open_place(struct place *p)
{
	struct err err;

	snprintf(p->path, sizeof(p->path), "%s/a.sock", t_mkdir(p->dir));
	cr_assert_eq(endpoint_parse(p->path, &p->e, &err), 0);
}

static bool exists(const char *dir, const char *name)
{
	char path[200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return lstat(path, &st) == 0;
}

Test(endpoint, the_socket_is_private_and_leaves_nothing_beside_it)
{
	struct endpoint_listener l;
	struct place p;
	struct err err;
	struct stat st;

	open_place(&p);
	cr_assert_eq(endpoint_listen(&p.e, &l, &err), 0, "%s", err.msg);
	cr_assert_eq(lstat(p.path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert(!exists(p.dir, ".a.sock.new"));
	cr_assert(fcntl(l.fd, F_GETFD) & FD_CLOEXEC);
	close(l.fd);
	endpoint_unlink(&l);
	cr_assert(!exists(p.dir, "a.sock"));
	t_rmdir(p.dir);
}

Test(endpoint, a_live_predecessor_is_refused_and_a_dead_one_replaced)
{
	struct endpoint_listener a, b;
	struct place p;
	struct err err;

	open_place(&p);
	cr_assert_eq(endpoint_listen(&p.e, &a, &err), 0);
	cr_assert_eq(endpoint_listen(&p.e, &b, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
	cr_assert_not_null(strstr(err.msg, "another process serves it"));
	close(a.fd);
	cr_assert_eq(endpoint_listen(&p.e, &b, &err), 0, "%s", err.msg);
	endpoint_unlink(&a);
	cr_assert(exists(p.dir, "a.sock"), "the successor's file was removed");
	endpoint_unlink(&b);
	cr_assert(!exists(p.dir, "a.sock"));
	close(b.fd);
	t_rmdir(p.dir);
}

Test(endpoint, what_is_no_socket_is_left_alone)
{
	struct endpoint_listener l;
	struct place p;
	struct err err;
	int fd;

	open_place(&p);
	fd = open(p.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "x", 1), 1);
	close(fd);
	cr_assert_eq(endpoint_listen(&p.e, &l, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
	cr_assert(exists(p.dir, "a.sock"));
	t_rmdir(p.dir);
	cr_assert_eq(endpoint_listen(&p.e, &l, &err), -1, "the directory is gone");
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
}

Test(endpoint, a_hidden_leftover_is_replaced)
{
	struct endpoint_listener l;
	struct place p;
	struct err err;
	char path[200];

	open_place(&p);
	snprintf(path, sizeof(path), "%s/.a.sock.new", p.dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	cr_assert_eq(endpoint_listen(&p.e, &l, &err), 0, "%s", err.msg);
	close(l.fd);
	endpoint_unlink(&l);
	t_rmdir(p.dir);
}
