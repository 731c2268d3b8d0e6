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

#include "support/proc_lab.h"

/* The children that are workers: forks that do one job after another. */

static void end_all(void)
{
	close_all();
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

static size_t tell(int argc, char **argv, char *out, size_t max)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	return (size_t)snprintf(out, max, "%d %s %s %s %d %d", argc, argv[0], argv[1],
				getenv("LC_ALL"), getenv("HOME") != NULL,
				sigismember(&mask, SIGTERM));
}

Test(proc_fork, the_answer_is_the_output)
{
	struct proc p;

	open_all();
	start(&p, tell, -1);
	t_run_until(&l, n_done);
	cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
	cr_assert_str_eq(p.out.data, "2 first second C 0 0");
	cr_assert(!p.exit_status && !p.term_signal);
	proc_fini(&p);
	end_all();
}

/* Which descriptors it has; and leaves some open. */
static size_t list(int argc, char **argv, char *out, size_t max)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	size_t n = 0;

	(void)argc, (void)argv;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			n += (size_t)snprintf(out + n, max - n, "%s ", e->d_name);
	closedir(d);
	for (int i = 0; i < 5; i++)
		(void)!open("/dev/null", O_RDONLY);
	return n;
}

/* With the lowest numbers free, so that the socket may get any of them. */
Test(proc_fork, has_its_own_descriptors_and_no_others)
{
	struct proc p;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	open_all();
	for (int round = 0; round < 4; round++) {
		n_done = 0;
		start(&p, list, round % 2 ? fd : -1);
		t_run_until(&l, n_done);
		cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
		cr_assert_str_eq(p.out.data, round % 2 ? "0 1 2 3 4 " : "0 1 2 3 ");
		proc_fini(&p);
	}
	close(fd);
	end_all();
}

static size_t who(int argc, char **argv, char *out, size_t max)
{
	(void)argc, (void)argv;
	return (size_t)snprintf(out, max, "%d", (int)getpid());
}

static int ask_who(void)
{
	struct proc p;
	int pid;

	n_done = 0;
	start(&p, who, -1);
	t_run_until(&l, n_done == 1);
	cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
	pid = atoi(p.out.data);
	proc_fini(&p);
	return pid;
}

static void turn(int n)
{
	while (n--)
		uv_run(&l.uv, UV_RUN_NOWAIT);
}

Test(proc_fork, one_worker_does_one_job_after_another)
{
	int first;

	open_all();
	proc_registry_prepare(&reg, who);
	cr_assert_eq(uv_run(&l.uv, UV_RUN_DEFAULT), 0, "an idle one holds the loop");
	first = ask_who();
	for (int i = 0; i < 5; i++)
		cr_assert_eq(ask_who(), first);
	end_all();
}

Test(proc_fork, one_that_has_gone_meanwhile_is_replaced)
{
	int first;

	for (int turns = 0; turns < 3; turns++) {
		open_all();
		first = ask_who();
		kill(first, SIGKILL);
		cr_assert_eq(waitid(P_PID, (id_t)first, &(siginfo_t){ 0 },
				    WEXITED | WNOWAIT),
			     0);
		turn(turns);
		cr_assert_neq(ask_who(), first);
		end_all();
	}
}

Test(proc_fork, after_many_jobs_there_is_a_new_one)
{
	int first, i = 0;

	open_all();
	first = ask_who();
	while (ask_who() == first)
		cr_assert(i++ < 1000);
	cr_assert(i > 100, "after %d", i);
	end_all();
}

static size_t sleep_a_little(int argc, char **argv, char *out, size_t max)
{
	usleep(20000);
	return who(argc, argv, out, max);
}

static unsigned n_children(void)
{
	unsigned n = 0;

	LIST_FOREACH (it, &reg.children)
		n++;
	return n;
}

Test(proc_fork, of_those_that_a_burst_has_needed_one_stays)
{
	static const char *const argv[] = { "/bin/false", "x", NULL };
	static struct proc p[5];

	open_all();
	clock_hold(&l.uv);
	for (int i = 0; i < 5; i++) {
		p[i] = (struct proc){ .argv = argv,
				      .entry = sleep_a_little,
				      .registry = &reg,
				      .pass_fd = -1,
				      .timeout_ms = 10000 };
		proc_start(&p[i], on_done);
	}
	t_run_until(&l, n_done == 5);
	for (int i = 0; i < 5; i++)
		proc_fini(&p[i]);
	cr_assert_eq(n_children(), 5);
	clock_advance(&l.uv, 5000);
	t_run_until(&l, n_children() == 1);
	end_all();
}

Test(proc_fork, what_is_too_much_for_a_worker_is_given_to_the_program)
{
	static char large[PROC_JOB_MAX + 1];
	static const char *const argv[] = { "/bin/echo", large, NULL };
	struct proc p = { .argv = argv,
			  .entry = tell,
			  .registry = &reg,
			  .pass_fd = -1,
			  .timeout_ms = 10000 };

	memset(large, 'x', sizeof(large) - 1);
	open_all();
	proc_start(&p, on_done);
	t_run_until(&l, n_done);
	cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
	cr_assert_eq(p.out.len, sizeof(large));
	proc_fini(&p);
	end_all();
}

static size_t die(int argc, char **argv, char *out, size_t max)
{
	(void)argc, (void)argv, (void)out, (void)max;
	kill(getpid(), SIGKILL);
	return 0;
}

Test(proc_fork, tells_the_signal_that_ended_it)
{
	struct proc p;

	open_all();
	start(&p, die, -1);
	t_run_until(&l, n_done);
	cr_assert(p.op.err.code == ERR_OK && p.term_signal == SIGKILL);
	proc_fini(&p);
	end_all();
}

static size_t hang(int argc, char **argv, char *out, size_t max)
{
	(void)argc, (void)argv, (void)out, (void)max;
	while (pause())
		;
	return 0;
}

/* A listener, say: who is killed right after a start must not leave it to the child. */
Test(proc_fork, holds_nothing_of_ours_once_it_is_started)
{
	struct proc_forked f;
	int fd[2];
	char c;

	for (int i = 0; i < 50; i++) {
		cr_assert_eq(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
		cr_assert_eq(proc_fork(hang, &f), 0);
		close(fd[1]);
		cr_assert_eq(read(fd[0], &c, 1), 0, "round %d: the child has it", i);
		close(fd[0]);
		close(f.socket);
		cr_assert_eq(waitpid(f.pid, NULL, 0), f.pid,
			     "it leaves without a master");
		close(f.pid_fd);
	}
}

/* Its master was killed: what it has begun it ends, and holds the lock until then. */
Test(proc_fork, a_job_outlives_its_master)
{
	static const char *const argv[] = { "x", "y", NULL };
	struct proc_forked f;
	int fd[2];
	char c;

	cr_assert_eq(pipe2(fd, O_CLOEXEC), 0);
	cr_assert_eq(proc_fork(sleep_a_little, &f), 0);
	cr_assert_eq(proc_fork_send(f.socket, argv, fd[1]), 0);
	close(fd[1]);
	close(f.socket);
	cr_assert_eq(read(fd[0], &c, 1), 0, "when the job has ended");
	cr_assert_eq(waitpid(f.pid, NULL, 0), f.pid);
	close(fd[0]);
	close(f.pid_fd);
}

static char marker[160]; /* is there when it resists */

static size_t resist(int argc, char **argv, char *out, size_t max)
{
	signal(SIGTERM, SIG_IGN);
	(void)!open(marker, O_WRONLY | O_CREAT, 0600);
	return hang(argc, argv, out, max);
}

Test(proc_fork, a_deadline_ends_it)
{
	struct proc p;
	char dir[128];

	snprintf(marker, sizeof(marker), "%s/resists", t_mkdir(dir));
	open_all();
	start(&p, hang, -1);
	op_set_deadline(&p.op, clock_now_ms(&l.uv) + 20);
	t_run_until(&l, n_done);
	cr_assert(p.op.err.code == ERR_DEADLINE && !p.is_stuck);
	cr_assert_eq(p.term_signal, SIGTERM);
	proc_fini(&p);
	n_done = 0;
	start(&p, resist, -1);
	t_run_until(&l, access(marker, F_OK) == 0);
	op_set_deadline(&p.op, clock_now_ms(&l.uv) + 20);
	t_run_until(&l, n_done);
	cr_assert(p.op.err.code == ERR_DEADLINE && p.term_signal == SIGKILL);
	proc_fini(&p);
	end_all();
	t_rmdir(dir);
}

Test(proc_fork, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 20; turns++) {
		struct proc p;

		open_all();
		if (turns % 4 < 2)
			proc_registry_prepare(&reg, turns % 2 ? hang : tell);
		turn(turns / 10 * 3);
		start(&p, turns % 2 ? hang : tell, -1);
		for (int i = 0; i < turns && !n_done; i++)
			uv_run(&l.uv, UV_RUN_NOWAIT);
		bool is_late = op_is_done(&p.op);

		op_cancel(&p.op, ERR_CANCELLED);
		t_run_until(&l, n_done == 1);
		cr_assert_eq(p.op.err.code, is_late ? ERR_OK : ERR_CANCELLED);
		proc_fini(&p);
		end_all();
	}
}

Test(proc_fork, stopped_before_the_first_turn_it_leaves_too)
{
	open_all();
	proc_registry_prepare(&reg, tell);
	end_all();
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
	end_all();
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
	struct proc_forked f;

	(void)alarm(60);
	forbid_close_range();
	cr_assert_eq(proc_fork(hang, &f), -1);
	cr_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

/* The other road: what no worker can do is done by a program. */
Test(proc_fork, without_descriptors_there_is_no_fork_and_no_child)
{
	struct proc_forked f;
	struct rlimit limit = { 100, 100 };
	int fds[100], n = 0;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	for (int room = 0; room < 6; room++) {
		cr_assert_eq(proc_fork(tell, &f), -1, "with %d", room);
		cr_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
		close(fds[--n]);
	}
	while (n)
		close(fds[--n]);
}
