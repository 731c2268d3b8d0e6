#include "support/prog.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* GUARD_MS: a hang, even on a machine that others keep busy; below test/run's limit of
 * one test. */
enum { POLL_MS = 2, GUARD_MS = 60000, TEXT_MAX = 1 << 20 };
enum { LISTENING = 0x0a }; /* TCP_LISTEN of linux/tcp_states.h */

static void nap(void)
{
	const struct timespec t = { 0, POLL_MS * 1000000L };

	(void)nanosleep(&t, NULL);
}

static void child(const struct prog *p, const char *const *argv, pid_t parent)
{
	int out = open(p->out, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int err = open(p->err, O_WRONLY | O_CREAT | O_APPEND, 0600);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		_exit(126);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

void prog_start(struct prog *p, const char *dir, const char *name,
		const char *const *argv)
{
	pid_t parent = getpid();

	snprintf(p->out, sizeof(p->out), "%s/%s.out", dir, name);
	snprintf(p->err, sizeof(p->err), "%s/%s.err", dir, name);
	fflush(NULL);
	p->pid = fork();
	cr_assert_geq(p->pid, 0);
	if (p->pid == 0)
		child(p, argv, parent);
}

/* Of whatever it wrote, each line of its log is JSON; one that a kill cut is the last. */
static void check_log(const char *path)
{
	static char line[16 * 1024];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		json_t *v;

		if (line[0] != '{' || !strchr(line, '\n'))
			continue;
		v = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		cr_assert(json_string_value(json_object_get(v, "msg")), "no log line: %s",
			  line);
		json_decref(v);
	}
	if (f)
		fclose(f);
}

int prog_wait(struct prog *p)
{
	int status = 0;

	for (int ms = 0; ms < GUARD_MS; ms += POLL_MS) {
		if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
			p->pid = 0;
			check_log(p->err);
			return WIFSIGNALED(status) ? 256 + WTERMSIG(status)
						   : WEXITSTATUS(status);
		}
		nap();
	}
	kill(p->pid, SIGKILL);
	cr_assert_fail("it did not end; it said: %s", prog_text(p->err));
	return -1;
}

bool prog_is_running(struct prog *p)
{
	siginfo_t info = { .si_pid = 0 };

	return p->pid &&
	       waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

int prog_run(struct prog *p, const char *dir, const char *name, const char *const *argv)
{
	prog_start(p, dir, name, argv);
	return prog_wait(p);
}

const char *prog_text(const char *path)
{
	static char text[TEXT_MAX];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

void prog_await(const char *path, const char *text)
{
	for (int ms = 0; ms < GUARD_MS; ms += POLL_MS) {
		if (strstr(prog_text(path), text))
			return;
		nap();
	}
	cr_assert_fail("never said \"%s\", but: %s", text, prog_text(path));
}

static bool is_of(const struct prog *p, unsigned long inode)
{
	char path[300], link[64], want[64];
	const struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)p->pid);
	d = opendir(path);
	cr_assert_not_null(d);
	while ((e = readdir(d)) && !found) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", (int)p->pid, e->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		found = strcmp(link, want) == 0;
	}
	closedir(d);
	return found;
}

unsigned prog_listens(const struct prog *p, unsigned *ret_port)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	char line[512];
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++) {
		FILE *f = fopen(tables[i], "re");
		unsigned port, state;
		unsigned long inode;

		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line,
				   "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*s "
				   "%*s %lu",
				   &port, &state, &inode) != 3 ||
			    state != LISTENING || !is_of(p, inode))
				continue;
			*ret_port = port;
			n++;
		}
		if (f)
			fclose(f);
	}
	return n;
}

static const char *binary(const char *env, const char *built)
{
	const char *path = getenv(env);

	return path && *path ? path : built;
}

const char *prog_csi(void)
{
	return binary("RDS_CSI", T_BUILD_DIR "/rds-csi");
}

const char *prog_sim(void)
{
	return binary("RDS_SIM", T_BUILD_DIR "/rds-sim");
}
