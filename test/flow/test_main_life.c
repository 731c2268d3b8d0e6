/* The real program as a node plugin over an empty directory of exports: its start, its
 * socket and its end. */
#include "support/t.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "csi/grpc/client.h"
#include "support/prog.h"

struct setup {
	char dir[128], socket[160], endpoint[192], exports[192];
	struct prog csi;
};

static void open_setup(struct setup *s)
{
	memset(s, 0, sizeof(*s));
	t_mkdir(s->dir);
	snprintf(s->socket, sizeof(s->socket), "%s/csi.sock", s->dir);
	snprintf(s->endpoint, sizeof(s->endpoint), "--endpoint=unix://%s", s->socket);
	snprintf(s->exports, sizeof(s->exports), "--loop-exports=%s/exports", s->dir);
	cr_assert_eq(mkdir(s->exports + 15, 0700), 0);
}

static void close_setup(struct setup *s)
{
	cr_assert_eq(s->csi.pid, 0);
	t_rmdir(s->dir);
}

static void begin(struct setup *s, struct prog *p, const char *name)
{
	const char *const argv[] = { prog_csi(),
				     "--metrics-address=",
				     "--node",
				     "--node-id=n1",
				     "--node-backend=loop",
				     s->exports,
				     s->endpoint,
				     NULL };

	prog_start(p, s->dir, name, argv);
}

static void on_done(struct op *op)
{
	(void)op;
}

static enum err_code probe_once(struct setup *s)
{
	struct t_loop l;
	struct grpc_client c = { .address = s->endpoint + 11,
				 .path = "/csi.v1.Identity/Probe",
				 .message = "",
				 .timeout_ms = 30000 };
	enum err_code code;

	t_loop_open(&l);
	grpc_client_start(&c, &l.uv, on_done);
	(void)uv_run(&l.uv, UV_RUN_DEFAULT);
	code = c.op.err.code;
	if (code == ERR_OK) {
		cr_assert_eq(c.reply.len, 4);
		cr_assert_eq(memcmp(c.reply.data, "\x0a\x02\x08\x01", 4), 0);
	}
	buf_fini(&c.reply);
	t_loop_close(&l);
	return code;
}

static void await_ready(struct setup *s, struct prog *p)
{
	for (int i = 0; i < 12000; i++) {
		if (probe_once(s) == ERR_OK)
			return;
		cr_assert(prog_is_running(p), "it ended: %s", prog_text(p->err));
		usleep(5000);
	}
	cr_assert_fail("never ready: %s", prog_text(p->err));
}

static void start(struct setup *s)
{
	begin(s, &s->csi, "csi");
	await_ready(s, &s->csi);
}

static int stop(struct setup *s, int signum)
{
	kill(s->csi.pid, signum);
	return prog_wait(&s->csi);
}

Test(main_life, ready_once_the_socket_is_bound_and_gone_in_order)
{
	static const int signums[] = { SIGTERM, SIGINT };

	for (int i = 0; i < 2; i++) {
		struct setup s;
		struct stat st;

		open_setup(&s);
		start(&s);
		cr_assert_eq(stat(s.socket, &st), 0);
		cr_assert_eq(st.st_mode & 07777, 0600);
		cr_assert_eq(stop(&s, signums[i]), 0);
		cr_assert_eq(access(s.socket, F_OK), -1);
		cr_assert_not_null(strstr(prog_text(s.csi.err),
					  "\"handles_left\":0,\"allocations_left\":0"),
				   "%s", prog_text(s.csi.err));
		cr_assert_str_eq(prog_text(s.csi.out), "");
		close_setup(&s);
	}
}

/* The kernel tells it since 5.0. */
Test(main_life, no_huge_page_swells_its_heap)
{
	struct setup s;
	char path[64], line[128];
	int is_on = -1;
	FILE *f;

	open_setup(&s);
	start(&s);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)s.csi.pid);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	while (is_on < 0 && fgets(line, sizeof(line), f))
		(void)sscanf(line, "THP_enabled: %d", &is_on);
	(void)fclose(f);
	cr_assert_eq(is_on, 0, "THP_enabled: %d", is_on);
	cr_assert_eq(stop(&s, SIGTERM), 0);
	close_setup(&s);
}

Test(main_life, a_second_instance_on_the_same_socket_is_refused)
{
	struct setup s;
	struct prog second;
	const char *why;

	open_setup(&s);
	start(&s);
	begin(&s, &second, "second");
	cr_assert_eq(prog_wait(&second), 1);
	why = prog_text(second.err);
	why = strstr(why, "\nrds-csi: ") ? strstr(why, "\nrds-csi: ") + 1 : why;
	cr_assert_not_null(strstr(why, "csi.sock"), "%s", why);
	cr_assert_eq(strchr(why, '\n'), why + strlen(why) - 1, "%s", why);
	cr_assert_eq(probe_once(&s), ERR_OK);
	cr_assert_eq(stop(&s, SIGTERM), 0);
	close_setup(&s);
}

Test(main_life, killed_and_started_again_it_replaces_the_stale_socket)
{
	struct setup s;

	open_setup(&s);
	for (int i = 0; i < 3; i++) {
		start(&s);
		cr_assert_eq(stop(&s, SIGKILL), 256 + SIGKILL);
		cr_assert_eq(access(s.socket, F_OK), 0);
	}
	start(&s);
	cr_assert_eq(stop(&s, SIGTERM), 0);
	close_setup(&s);
}

static int dial(struct setup *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->socket);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

Test(main_life, garbage_on_the_socket_hurts_only_its_own_connection)
{
	static char noise[64 * 1024];
	struct setup s;
	unsigned seed = 7;
	int fds[20];

	open_setup(&s);
	start(&s);
	for (int i = 0; i < 20; i++) {
		for (size_t k = 0; k < sizeof(noise); k++) {
			seed = seed * 1103515245 + 12345;
			noise[k] = (char)(seed >> 16);
		}
		if (i % 2) /* past the preface, so that frames are parsed */
			memcpy(noise, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
		fds[i] = dial(&s);
		(void)!send(fds[i], noise, sizeof(noise) / (size_t)(i + 1), MSG_NOSIGNAL);
		cr_assert_eq(probe_once(&s), ERR_OK);
	}
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	cr_assert_eq(probe_once(&s), ERR_OK);
	cr_assert_eq(stop(&s, SIGTERM), 0);
	close_setup(&s);
}

Test(main_life, idle_connections_do_not_delay_the_end)
{
	struct setup s;
	int fd;

	open_setup(&s);
	start(&s);
	fd = dial(&s);
	cr_assert_eq(stop(&s, SIGTERM), 0);
	close(fd);
	close_setup(&s);
}

Test(main_life, listens_on_a_loopback_port)
{
	struct setup s;
	unsigned port;

	open_setup(&s);
	snprintf(s.endpoint, sizeof(s.endpoint), "--endpoint=tcp://127.0.0.1:0");
	{
		char state[192];
		const char *const argv[] = { prog_csi(),
					     "--metrics-address=",
					     "--node",
					     "--node-id=n1",
					     "--node-backend=loop",
					     s.exports,
					     s.endpoint,
					     state,
					     NULL };

		snprintf(state, sizeof(state), "--state-dir=%s/state", s.dir);
		prog_start(&s.csi, s.dir, "csi", argv);
	}
	prog_await(s.csi.err, "\"endpoint\":\"tcp://127.0.0.1:");
	cr_assert_eq(sscanf(strstr(prog_text(s.csi.err), "tcp://127.0.0.1:"),
			    "tcp://127.0.0.1:%u", &port),
		     1);
	cr_assert_gt(port, 0);
	snprintf(s.endpoint, sizeof(s.endpoint), "--endpoint=tcp://127.0.0.1:%u", port);
	cr_assert_eq(probe_once(&s), ERR_OK);
	cr_assert_eq(stop(&s, SIGTERM), 0);
	close_setup(&s);
}

Test(main_life, signals_change_the_level_of_the_log)
{
	struct setup s;

	open_setup(&s);
	start(&s);
	cr_assert_null(strstr(prog_text(s.csi.err), "\"level\":\"debug\""));
	kill(s.csi.pid, SIGUSR1);
	for (int i = 0; i < 2000; i++) {
		cr_assert_eq(probe_once(&s), ERR_OK);
		if (strstr(prog_text(s.csi.err), "\"method\":\"Probe\""))
			break;
	}
	prog_await(s.csi.err, "\"method\":\"Probe\"");
	prog_await(s.csi.err, "\"mod\":\"op\"");
	cr_assert_eq(stop(&s, SIGTERM), 0);
	close_setup(&s);
}

Test(main_life, a_bad_flag_is_one_line_and_status_2)
{
	static const char *const rows[][3] = {
		{ "--nope", NULL, "rds-csi: --nope: no such flag; see --help\n" },
		{ "--node", "--node-id=a/b",
		  "rds-csi: --node-id=a/b: holds a character that is not allowed\n" },
		{ "--controller", NULL,
		  "rds-csi: --rds-address: must be given with --controller\n" },
	};
	struct setup s;

	open_setup(&s);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *argv[] = { prog_csi(), rows[i][0], rows[i][1], NULL };
		char name[16];

		snprintf(name, sizeof(name), "bad%u", i);
		cr_assert_eq(prog_run(&s.csi, s.dir, name, argv), 2);
		cr_assert_str_eq(prog_text(s.csi.err), rows[i][2]);
		cr_assert_str_eq(prog_text(s.csi.out), "");
	}
	close_setup(&s);
}

Test(main_life, version_and_help)
{
	const char *version[] = { prog_csi(), "--version", NULL };
	const char *help[] = { prog_csi(), "-help", NULL };
	struct setup s;

	open_setup(&s);
	cr_assert_eq(prog_run(&s.csi, s.dir, "version", version), 0);
	cr_assert_not_null(strstr(prog_text(s.csi.out), "libssh2 "));
	cr_assert_not_null(strstr(prog_text(s.csi.out), "commit "));
	cr_assert_eq(prog_run(&s.csi, s.dir, "help", help), 0);
	cr_assert_not_null(strstr(prog_text(s.csi.out), "--rds-insecure-skip-verify"));
	close_setup(&s);
}
