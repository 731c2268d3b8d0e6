#include "core/proc_fork.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKET = 3, MAX_ARGS = 32 };

/* ---- in the child ---- */

/* As of libuv's own children. */
static void reset_signals(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &act, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(unsigned first)
{
	(void)syscall(SYS_close_range, first, UINT32_MAX, 0);
}

/* Their numbers may be among those that are to be set. */
static void set_descriptors(int null, int sock)
{
	enum { ASIDE = 10 };

	null = fcntl(null, F_DUPFD, ASIDE);
	sock = fcntl(sock, F_DUPFD, ASIDE);
	for (int i = 0; i < SOCKET; i++)
		if (dup2(null, i) < 0)
			_exit(127);
	if (dup2(sock, SOCKET) < 0)
		_exit(127);
	close_from(SOCKET + 1);
}

/* One job: its length, 0 at the end of all. What is passed becomes the next descriptor.
 */
static size_t receive(char *job)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec v = { .iov_base = job, .iov_len = PROC_JOB_MAX };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(SOCKET, &m, 0);
	while (n < 0 && errno == EINTR);
	return n > 0 && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ? (size_t)n : 0;
}

/* The texts of a job stand one behind the other, each with its end. */
static int split(char *job, size_t n, char **argv)
{
	int argc = 0;

	for (char *p = job; p < job + n && argc < MAX_ARGS; p += strlen(p) + 1)
		argv[argc++] = p;
	argv[argc] = NULL;
	return argc;
}

static void be_worker(proc_entry_fn *entry)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LC_ALL=C";
	static char *env[] = { path, lang, NULL };
	static char job[PROC_JOB_MAX], answer[PROC_ANSWER_MAX];
	char *argv[MAX_ARGS + 1];
	size_t n;

	reset_signals();
	environ = env;
	(void)prctl(PR_SET_NAME, "rds-helper");
	while ((n = receive(job))) {
		n = entry(split(job, n, argv), argv, answer, sizeof(answer));
		/* Before the answer: its lock is free when that is read. */
		close_from(SOCKET + 1);
		if (send(SOCKET, answer, n, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* ---- in this process ---- */

static void close_all(const int *fds, unsigned n)
{
	while (n--)
		if (fds[n] >= 0)
			(void)close(fds[n]);
}

/* No signal may reach a handler of ours in the child. */
static pid_t fork_quietly(void)
{
	sigset_t all, old;
	pid_t pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid != 0)
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* The trial has left room for it. */
static int watch(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0) {
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return fd;
}

/* Closes nothing, and says whether the child could. One that keeps what is not its own
 * keeps the pipe below too, and this process would wait for its end. */
static bool may_close_range(void)
{
	return syscall(SYS_close_range, UINT32_MAX, UINT32_MAX, 0) == 0;
}

/* Until the child has let go of what is not its own, its end of this pipe with it. Were
 * this process killed before, the child would hold on to its sockets: the next start
 * would find the old listener still answered. */
static void wait_for_descriptors(int fd)
{
	char c;

	while (read(fd, &c, 1) < 0 && errno == EINTR)
		;
}

int proc_fork(proc_entry_fn *entry, struct proc_forked *ret)
{
	/* this end, the child's; null; a trial of pidfd_open; the child is on its own:
	 * read, write */
	int fd[6] = { -1, -1, -1, -1, -1, -1 };
	pid_t pid = -1;

	if (may_close_range() &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == 0 &&
	    pipe2(fd + 4, O_CLOEXEC) == 0 &&
	    (fd[2] = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 &&
	    (fd[3] = (int)syscall(SYS_pidfd_open, getpid(), 0)) >= 0)
		pid = fork_quietly();
	if (pid == 0) {
		set_descriptors(fd[2], fd[1]);
		be_worker(entry);
	}
	close_all(fd + 1, 3);
	close_all(fd + 5, 1);
	if (pid > 0)
		wait_for_descriptors(fd[4]);
	close_all(fd + 4, 1);
	ret->pid_fd = pid > 0 ? watch(pid) : -1;
	if (ret->pid_fd < 0) {
		close_all(fd, 1);
		return -1;
	}
	ret->pid = pid;
	ret->socket = fd[0];
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
	return 0;
}

/* Into *ret, whose length is returned; 0 when it does not fit. */
static size_t join(const char *const *argv, char *job)
{
	size_t at = 0, n;
	int argc = 0;

	for (; argv[argc]; argc++, at += n) {
		n = strlen(argv[argc]) + 1;
		if (argc == MAX_ARGS || n > PROC_JOB_MAX - at)
			return 0;
		memcpy(job + at, argv[argc], n);
	}
	return at;
}

int proc_fork_send(int socket, const char *const *argv, int pass_fd)
{
	static char job[PROC_JOB_MAX];
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec v = { .iov_base = job, .iov_len = join(argv + 1, job) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (pass_fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &pass_fd, sizeof(pass_fd));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	if (!v.iov_len)
		return -1;
	return sendmsg(socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}
