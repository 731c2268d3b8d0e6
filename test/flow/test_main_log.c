/* The real program's log: for people on a terminal, JSON elsewhere, its level by signals.
 */
#include "support/t.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/prog.h"

static char dir[128], endpoint[192], exports[192];

static const char *const *words(const char *format)
{
	static const char *argv[12];
	unsigned n = 0;

	t_mkdir(dir);
	snprintf(endpoint, sizeof(endpoint), "--endpoint=unix://%s/csi.sock", dir);
	snprintf(exports, sizeof(exports), "--loop-exports=%s", dir);
	argv[n++] = prog_csi();
	argv[n++] = "--node";
	argv[n++] = "--node-id=n1";
	argv[n++] = "--node-backend=loop";
	argv[n++] = "--metrics-address=";
	argv[n++] = endpoint;
	argv[n++] = exports;
	if (format)
		argv[n++] = format;
	argv[n] = NULL;
	return argv;
}

/* Runs the program with a terminal for stderr until it says that it serves: what came. */
static const char *on_terminal(const char *format)
{
	const char *const *argv = words(format);
	int master = posix_openpt(O_RDWR | O_NOCTTY), status;
	static char text[16384];
	const char *at;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	cr_assert_geq(slave, 0);
	pid = fork();
	if (pid == 0) {
		dup2(slave, STDERR_FILENO);
		close(master);
		execv(argv[0], (char *const *)(const void *)argv);
		_exit(127);
	}
	close(slave);
	text[0] = '\0';
	/* Its whole line: a terminal may give it in pieces. */
	while (!((at = strstr(text, "serving")) && strchr(at, '\n')) &&
	       (got = read(master, text + n, sizeof(text) - 1 - n)) > 0) {
		n += (size_t)got;
		text[n] = '\0';
	}
	kill(pid, SIGTERM);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	close(master);
	t_rmdir(dir);
	return text;
}

Test(main_log, text_on_a_terminal_and_json_where_it_is_asked_for)
{
	const char *text = on_terminal(NULL);

	cr_assert_not_null(strstr(text, " level=info mod=main msg=serving "), "%s", text);
	cr_assert_null(strstr(text, "{\""));
	text = on_terminal("--log-format=json");
	cr_assert_not_null(strstr(text, "\"mod\":\"main\",\"msg\":\"serving\""), "%s",
			   text);
	text = on_terminal("--log-format=auto");
	cr_assert_null(strstr(text, "{\""));
}

/* The log level of the n-th line that tells of a change. */
static void check_change(const char *text, unsigned nth, const char *want)
{
	char key[64];

	for (unsigned i = 0; i <= nth; i++) {
		text = strstr(text, "\"event\":\"log_level_changed\"");
		cr_assert_not_null(text, "change %u", nth);
		text++;
	}
	snprintf(key, sizeof(key), "\"log_level\":\"%s\"}\n", want);
	cr_assert_not_null(strstr(text, key));
	cr_assert_leq(strstr(text, key), strchr(text, '\n'));
}

Test(main_log, json_in_a_file_and_each_change_of_level_is_told)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGUSR2, SIGUSR2 };
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	struct prog csi;
	char want[64];

	prog_start(&csi, dir, "csi", words(NULL));
	(void)snprintf(want, sizeof(want), "\"msg\":\"serving\"");
	prog_await(csi.err, want);
	for (unsigned i = 0; i < 4; i++) {
		kill(csi.pid, signals[i]);
		(void)snprintf(want, sizeof(want), "\"log_level\":\"%s\"}", levels[i]);
		prog_await(csi.err, want);
	}
	kill(csi.pid, SIGUSR2); /* there is nothing beyond */
	kill(csi.pid, SIGTERM);
	cr_assert_eq(prog_wait(&csi), 0);
	for (unsigned i = 0; i < 4; i++)
		check_change(prog_text(csi.err), i, levels[i]);
	cr_assert_null(strstr(prog_text(csi.err), "\"msg\":\"stopped\""),
		       "the level is error by then");
	t_rmdir(dir);
}
