#include "core/proc_fork.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/proc.h"

/* From where the child's own are put aside before 0 to 3 are set. */
enum { ASIDE = 10, N_OWN = 4 };

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

/* Their numbers may be among those that are to be set. */
static void set_descriptors(int null, int out, int err_out, int pass_fd)
{
	int own[N_OWN] = { null, out, err_out, pass_fd };
	unsigned n = pass_fd < 0 ? N_OWN - 1 : N_OWN;

	for (unsigned i = 0; i < n; i++)
		own[i] = fcntl(own[i], F_DUPFD, ASIDE);
	for (unsigned i = 0; i < n; i++)
		if (dup2(own[i], (int)i) < 0)
			_exit(127);
	(void)syscall(SYS_close_range, n, UINT32_MAX, 0);
}

static void be_child(proc_entry_fn *entry, const char *const *argv)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LC_ALL=C";
	static char *env[] = { path, lang, NULL };
	union {
		const char *const *in;
		char **out;
	} args = { .in = argv + 1 }; /* entry's to read */
	int n = 0;

	reset_signals();
	environ = env;
	(void)prctl(PR_SET_NAME, "rds-helper");
	while (args.in[n])
		n++;
	entry(n, args.out);
	_exit(127);
}

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

int proc_fork(proc_entry_fn *entry, const char *const *argv, int pass_fd,
	      struct proc_forked *ret)
{
	/* out: read, write; err_out: read, write; null; a trial of pidfd_open; the child
	 * is on its own: read, write */
	int fd[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	pid_t pid = -1;

	if (may_close_range() && pipe2(fd, O_CLOEXEC) == 0 &&
	    pipe2(fd + 2, O_CLOEXEC) == 0 && pipe2(fd + 6, O_CLOEXEC) == 0 &&
	    (fd[4] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 &&
	    (fd[5] = (int)syscall(SYS_pidfd_open, getpid(), 0)) >= 0)
		pid = fork_quietly();
	if (pid == 0) {
		set_descriptors(fd[4], fd[1], fd[3], pass_fd);
		be_child(entry, argv);
	}
	close_all(fd + 4, 2);
	close_all(fd + 7, 1);
	if (pid > 0)
		wait_for_descriptors(fd[6]);
	close_all(fd + 6, 1);
	ret->pid_fd = pid > 0 ? watch(pid) : -1;
	if (ret->pid_fd < 0) {
		close_all(fd, 4);
		return -1;
	}
	ret->pid = pid;
	ret->out = fd[0];
	ret->err_out = fd[2];
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(fd[2], F_SETFL, O_NONBLOCK);
	fd[0] = fd[2] = -1;
	close_all(fd, 4);
	return 0;
}
