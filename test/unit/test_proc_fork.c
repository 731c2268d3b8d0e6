#include "core/proc_fork.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/proc.h"
#include "support/t.h"

/* The children that are forks: each is what a started program would have been. */

static struct t_loop l;
static struct proc_registry reg;
static int n_done, n_stopped;

static void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static void on_stopped(void *arg)
{
	(void)arg;
	n_stopped++;
}

static void open_all(void)
{
	n_done = n_stopped = 0;
	t_loop_open(&l);
	proc_registry_init(&reg, &l.uv);
}

static void close_all(void)
{
	proc_registry_stop(&reg, on_stopped, NULL);
	t_loop_close(&l);
	cr_assert_eq(n_stopped, 1);
	cr_assert_eq(mem_live(), 0);
	cr_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}

static void start(struct proc *p, proc_entry_fn *entry, int pass_fd)
{
	static const char *const argv[] = { "/bin/false", "first", "second", NULL };

	*p = (struct proc){ .argv = argv,
			    .entry = entry,
			    .registry = &reg,
			    .key = "k",
			    .what = "doing this",
			    .pass_fd = pass_fd,
			    .timeout_ms = 10000 };
	proc_start(p, on_done);
	cr_assert_eq(n_done, 0, "done() before the loop ran");
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(99);
}

static void tell(int argc, char **argv)
{
	char text[256];
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	snprintf(text, sizeof(text), "%d %s %s %s %d %d", argc, argv[0], argv[1],
		 getenv("LC_ALL"), getenv("HOME") != NULL, sigismember(&mask, SIGTERM));
	say(1, text);
	say(2, "err");
	_exit(3);
}

Test(proc_fork, gives_outputs_and_status)
{
	struct proc p;

	open_all();
	start(&p, tell, -1);
	t_run_until(&l, n_done);
	cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
	cr_assert_str_eq(p.out.data, "2 first second C 0 0");
	cr_assert_str_eq(p.err_out.data, "err");
	cr_assert(p.exit_status == 3 && !p.term_signal);
	proc_fini(&p);
	close_all();
}

static void list(int argc, char **argv)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	(void)argc, (void)argv;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			say(1, e->d_name), say(1, " ");
	_exit(0);
}

/* With the lowest numbers free, so that a pipe may get any of them. */
Test(proc_fork, has_its_own_descriptors_and_no_others)
{
	struct proc p;
	int fd;

	for (int with = 0; with < 2; with++) {
		open_all();
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		start(&p, list, with ? fd : -1);
		t_run_until(&l, n_done);
		cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
		cr_assert_str_eq(p.out.data, with ? "0 1 2 3 " : "0 1 2 ");
		proc_fini(&p);
		close(fd);
		close_all();
	}
}

static void die(int argc, char **argv)
{
	(void)argc, (void)argv;
	kill(getpid(), SIGKILL);
}

Test(proc_fork, tells_the_signal_that_ended_it)
{
	struct proc p;

	open_all();
	start(&p, die, -1);
	t_run_until(&l, n_done);
	cr_assert(p.op.err.code == ERR_OK && p.term_signal == SIGKILL);
	proc_fini(&p);
	close_all();
}

static void hang(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (;;)
		pause();
}

/* A listener, say: who is killed right after a start must not leave it to the child. */
Test(proc_fork, holds_nothing_of_ours_once_it_is_started)
{
	struct proc_forked f;
	static const char *const argv[] = { "x", NULL };
	int fd[2];
	char c;

	for (int i = 0; i < 50; i++) {
		cr_assert_eq(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
		cr_assert_eq(proc_fork(hang, argv, -1, &f), 0);
		close(fd[1]);
		cr_assert_eq(read(fd[0], &c, 1), 0, "round %d: the child has it", i);
		close(fd[0]);
		kill(f.pid, SIGKILL);
		cr_assert_eq(waitpid(f.pid, NULL, 0), f.pid);
		close(f.pid_fd);
		close(f.out);
		close(f.err_out);
	}
}

static void resist(int argc, char **argv)
{
	signal(SIGTERM, SIG_IGN);
	hang(argc, argv);
}

Test(proc_fork, a_deadline_ends_it)
{
	struct proc p;

	open_all();
	start(&p, hang, -1);
	op_set_deadline(&p.op, clock_now_ms(&l.uv) + 20);
	t_run_until(&l, n_done);
	cr_assert(p.op.err.code == ERR_DEADLINE && !p.is_stuck);
	cr_assert_eq(p.term_signal, SIGTERM);
	proc_fini(&p);
	n_done = 0;
	start(&p, resist, -1);
	op_set_deadline(&p.op, clock_now_ms(&l.uv) + 20);
	t_run_until(&l, n_done);
	cr_assert(p.op.err.code == ERR_DEADLINE && p.term_signal == SIGKILL);
	proc_fini(&p);
	close_all();
}

Test(proc_fork, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 10; turns++) {
		struct proc p;

		open_all();
		start(&p, turns % 2 ? hang : tell, -1);
		for (int i = 0; i < turns && !n_done; i++)
			uv_run(&l.uv, UV_RUN_NOWAIT);
		bool is_late = op_is_done(&p.op);

		op_cancel(&p.op, ERR_CANCELLED);
		t_run_until(&l, n_done == 1);
		cr_assert_eq(p.op.err.code, is_late ? ERR_OK : ERR_CANCELLED);
		proc_fini(&p);
		close_all();
	}
}

static void one_oom_run(void)
{
	struct proc p;

	n_done = 0;
	start(&p, tell, -1);
	t_run_until(&l, n_done);
	proc_fini(&p);
}

Test(proc_fork, every_allocation_may_fail)
{
	open_all();
	T_EACH_ALLOC_FAILS(one_oom_run());
	close_all();
}

static void forbid_close_range(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { 4, code };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

/* As on a kernel before 5.9, or in a container that does not know the call. */
Test(proc_fork, without_close_range_there_is_no_fork_and_nobody_waits)
{
	static const char *const argv[] = { "x", NULL };
	struct proc_forked f;

	(void)alarm(20);
	forbid_close_range();
	cr_assert_eq(proc_fork(hang, argv, -1, &f), -1);
	cr_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

/* The other road: what cannot be forked is started. */
Test(proc_fork, without_descriptors_there_is_no_fork_and_no_child)
{
	static const char *const argv[] = { "x", "y", NULL };
	struct proc_forked f;
	struct rlimit limit = { 100, 100 };
	int fds[100], n = 0;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	for (int room = 0; room < 8; room++) {
		cr_assert_eq(proc_fork(tell, argv, -1, &f), -1, "with %d", room);
		cr_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
		close(fds[--n]);
	}
	while (n)
		close(fds[--n]);
}
