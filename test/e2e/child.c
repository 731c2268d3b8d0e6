#include "e2e/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/e2e.h"

enum { MAX_CHILDREN = 32 };
static pid_t known[MAX_CHILDREN];

static void remember(pid_t pid)
{
	for (int i = 0; i < MAX_CHILDREN; i++)
		if (!known[i]) {
			known[i] = pid;
			return;
		}
}

static bool is_known(pid_t pid)
{
	for (int i = 0; i < MAX_CHILDREN; i++)
		if (known[i] == pid)
			return true;
	return false;
}

static void forget(pid_t pid)
{
	for (int i = 0; i < MAX_CHILDREN; i++)
		if (known[i] == pid)
			known[i] = 0;
}

static void become(const struct child_conf *c, int out)
{
	int log = c->log ? open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
			 : 2;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_DFL);
	dup2(null, 0);
	dup2(out >= 0 ? out : log, 1);
	dup2(log, 2);
	for (const char *const *e = c->env; e && *e; e++)
		putenv(strdup(*e));
	execv(c->argv[0], (char *const *)(uintptr_t)c->argv);
	_exit(127);
}

pid_t child_start(const struct child_conf *conf)
{
	int fds[2] = { -1, -1 };
	pid_t pid;

	if (conf->ret_out && pipe2(fds, O_CLOEXEC))
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(conf, fds[1]);
	if (fds[1] >= 0)
		close(fds[1]);
	if (pid > 0)
		remember(pid);
	if (conf->ret_out) {
		*conf->ret_out = pid > 0 ? fds[0] : -1;
		if (pid < 0)
			close(fds[0]);
	}
	return pid;
}

int child_wait(pid_t pid, unsigned timeout_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = e2e_now_ms() + timeout_ms;
	int status = -1, n = 0;

	for (; fd >= 0; n = 0) {
		uint64_t now = e2e_now_ms();

		n = poll(&p, 1, now < end ? (int)(end - now) : 0);
		if (n >= 0 || errno != EINTR)
			break;
	}
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && n <= 0)
		return -1;
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	forget(pid);
	return status;
}

static char state_of(pid_t pid)
{
	char path[64], text[512], *p;
	int fd;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	return p && p[1] ? p[2] : 0;
}

bool child_is_stopped(pid_t pid)
{
	return state_of(pid) == 'T';
}

/* What a process that does not end is at: its file of the name, on one line. */
static void tell(pid_t pid, const char *name)
{
	char path[64], text[1024];
	ssize_t n = -1;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	e2e_note("still there: pid %d: %s: %s", (int)pid, name, text);
}

static pid_t tell_all(pid_t pid)
{
	tell(pid, "stat");
	tell(pid, "syscall");
	tell(pid, "stack");
	return 0;
}

/* Calls fn for each child of the process until it returns other than 0; that value. */
static pid_t each_child(pid_t of, pid_t (*fn)(pid_t pid))
{
	char path[64], text[4096], *save = NULL;
	FILE *f;
	size_t n;
	pid_t found = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)of, (int)of);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	for (char *t = strtok_r(text, " ", &save); t && !found;
	     t = strtok_r(NULL, " ", &save))
		found = atoi(t) > 0 ? fn(atoi(t)) : 0;
	return found;
}

int child_end(pid_t pid, int sig, unsigned timeout_ms)
{
	int status;

	if (pid <= 0 || kill(pid, sig))
		return -1;
	status = child_wait(pid, timeout_ms);
	if (status == -1) {
		tell_all(pid);
		(void)each_child(pid, tell_all);
	}
	return status;
}

static pid_t if_orphan(pid_t pid)
{
	return is_known(pid) ? 0 : pid;
}

/* A worker of the driver that waits for its next job: asleep in recvmsg on its socket. */
static bool is_idle_worker(pid_t pid)
{
	unsigned long nr = 0, fd = 0;
	char path[64], text[64] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	(void)!fgets(text, sizeof(text), f);
	fclose(f);
	return sscanf(text, "%lu 0x%lx", &nr, &fd) == 2 && nr == SYS_recvmsg && fd == 3;
}

static pid_t if_running(pid_t pid)
{
	char s = state_of(pid);

	return s && s != 'Z' && !is_idle_worker(pid) ? pid : 0;
}

bool child_has_running(pid_t pid)
{
	return each_child(pid, if_running) != 0;
}

/* A child of this process that child_start does not know; 0 = none. */
static pid_t one_orphan(void)
{
	return each_child(getpid(), if_orphan);
}

bool child_wait_orphans(unsigned timeout_ms)
{
	uint64_t end = e2e_now_ms() + timeout_ms;
	pid_t pid;

	while ((pid = one_orphan()) != 0) {
		uint64_t now = e2e_now_ms();

		if (now >= end || child_wait(pid, (unsigned)(end - now)) == -1)
			return one_orphan() == 0;
	}
	return true;
}

unsigned child_kill_all(void)
{
	unsigned n = 0;
	pid_t pid;

	for (int i = 0; i < MAX_CHILDREN; i++) {
		if (!known[i])
			continue;
		n++;
		(void)child_end(known[i], SIGKILL, 60000);
		known[i] = 0;
	}
	while ((pid = one_orphan()) != 0 && child_end(pid, SIGKILL, 60000) != -1)
		n++;
	return n;
}

int child_run(const char *const *argv, char *out, size_t cap)
{
	int fd = -1, status;
	struct child_conf conf = { .argv = argv, .log = "/dev/null", .ret_out = &fd };
	pid_t pid = child_start(&conf);
	size_t len = 0;
	char scrap[4096];
	ssize_t n;

	if (pid < 0)
		return -1;
	for (;;) {
		bool has_room = out && len + 1 < cap;

		n = has_room ? read(fd, out + len, cap - 1 - len)
			     : read(fd, scrap, sizeof(scrap));
		if (n <= 0)
			break;
		len += has_room ? (size_t)n : 0;
	}
	if (out && cap)
		out[len] = '\0';
	close(fd);
	status = child_wait(pid, 60000);
	return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
