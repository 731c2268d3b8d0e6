#include "core/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/proc_lab.h"

static void run(struct proc *p, const char *const *argv)
{
	*p = (struct proc){
		.argv = argv, .registry = &reg, .pass_fd = -1, .timeout_ms = 10000
	};
	proc_start(p, on_done);
	cr_assert_eq(n_done, 0, "done() before the loop ran");
}

#define SH(script) ((const char *const[]){ "/bin/sh", "-c", script, NULL })

Test(proc, gives_outputs_and_status)
{
	struct proc p;

	open_all();
	run(&p, SH("echo out; echo err >&2; exit 3"));
	t_run_until(&l, n_done);
	cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
	cr_assert_eq(p.exit_status, 3);
	cr_assert_str_eq(p.out.data, "out\n");
	cr_assert_str_eq(p.err_out.data, "err\n");
	proc_fini(&p);
	close_all();
}

Test(proc, drops_what_exceeds_the_cap)
{
	struct proc p;

	open_all();
	run(&p, SH("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"));
	t_run_until(&l, n_done);
	cr_assert_eq(p.op.err.code, ERR_OK);
	cr_assert_eq(p.exit_status, 0);
	cr_assert_eq(p.out.len, PROC_MAX_OUTPUT);
	cr_assert_eq(p.err_out.len, PROC_MAX_OUTPUT);
	proc_fini(&p);
	close_all();
}

Test(proc, feeds_the_input_and_inherits_one_fd_only)
{
	static char big[100000];
	struct proc p = { .registry = &reg, .timeout_ms = 10000 };
	char dir[128], path[160];

	memset(big, 'x', sizeof(big));
	open_all();
	snprintf(path, sizeof(path), "%s/f", t_mkdir(dir));
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int other = open(path, O_RDONLY | O_CLOEXEC);
	p.argv = SH("wc -c; echo 3 >&3; readlink /proc/$$/fd/* | grep -c /f$");
	p.input = big;
	p.n_input = sizeof(big);
	p.pass_fd = fd;
	proc_start(&p, on_done);
	t_run_until(&l, n_done);
	cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
	cr_assert_str_eq(p.out.data, "100000\n1\n");
	proc_fini(&p);
	close(fd);
	close(other);
	t_rmdir(dir);
	close_all();
}

Test(proc, input_nobody_reads_is_no_failure)
{
	static char big[1000000];
	struct proc p = { .registry = &reg,
			  .timeout_ms = 10000,
			  .pass_fd = -1,
			  .argv = SH("exit 0"),
			  .input = big,
			  .n_input = sizeof(big) };

	signal(SIGPIPE, SIG_IGN);
	open_all();
	proc_start(&p, on_done);
	t_run_until(&l, n_done);
	cr_assert_eq(p.op.err.code, ERR_OK, "%s", p.op.err.msg);
	cr_assert_eq(p.exit_status, 0);
	proc_fini(&p);
	close_all();
}

Test(proc, missing_program_is_named)
{
	struct proc p;

	open_all();
	run(&p, (const char *const[]){ "mkfs.nosuch", NULL });
	t_run_until(&l, n_done);
	cr_assert_eq(p.op.err.code, ERR_PRECONDITION);
	cr_assert_not_null(strstr(p.op.err.msg, "mkfs.nosuch"));
	proc_fini(&p);
	close_all();
}

Test(proc, deadline_terminates_then_kills)
{
	static const char *const scripts[] = { "sleep 1000", "trap '' TERM; sleep 1000" };

	for (int i = 0; i < 2; i++) {
		struct proc p;

		open_all();
		clock_hold(&l.uv);
		run(&p, i ? SH("trap '' TERM; echo r; while :; do sleep 1000; done")
			  : SH("echo r; exec sleep 1000"));
		t_run_until(&l, p.out.len == 2);
		clock_advance(&l.uv, 10000);
		clock_advance(&l.uv, 1);
		if (i)
			clock_advance(&l.uv, 2000);
		while (!n_done) {
			/* The shell's own child may hold the outputs: the drain timer. */
			clock_advance(&l.uv, p.child ? 0 : 1000);
			uv_run(&l.uv, UV_RUN_ONCE);
		}
		cr_assert_eq(p.op.err.code, ERR_DEADLINE, "%s", scripts[i]);
		cr_assert_eq(p.term_signal, i ? SIGKILL : SIGTERM);
		cr_assert(!p.is_stuck);
		proc_fini(&p);
		close_all();
	}
}

/* A stopped child whose signals are held back by ptrace cannot be made here; a child that
 * ignores SIGTERM and whose grace periods pass without a loop turn looks the same. */
Test(proc, a_child_that_stays_keeps_its_key)
{
	struct proc p = { .registry = &reg,
			  .pass_fd = -1,
			  .key = "vol",
			  .timeout_ms = 100,
			  .argv = SH("trap '' TERM; echo r; while :; do sleep 1; done") };
	struct proc q = p;

	open_all();
	clock_hold(&l.uv);
	proc_start(&p, on_done);
	t_run_until(&l, p.out.len == 2);
	clock_advance(&l.uv, 100);
	clock_advance(&l.uv, 0);
	clock_advance(&l.uv, 2000);
	clock_advance(&l.uv, 2000); /* SIGKILL was sent, its SIGCHLD not yet seen */
	cr_assert_eq(reg.n_stuck, 1);
	proc_start(&q, on_done);
	uv_run(&l.uv, UV_RUN_NOWAIT);
	t_run_until(&l, n_done == 2 && reg.n_stuck == 0);
	cr_assert(p.is_stuck);
	cr_assert_eq(p.op.err.code, ERR_DEADLINE);
	proc_fini(&p);
	proc_fini(&q);
	close_all();
}

Test(proc, one_child_a_key)
{
	struct proc p = { .registry = &reg,
			  .pass_fd = -1,
			  .key = "vol",
			  .timeout_ms = 9000,
			  .argv = SH("read x") };
	struct proc q = p, other = p;

	other.key = "vol2";
	other.argv = SH("exit 0");
	open_all();
	proc_start(&p, on_done);
	proc_start(&q, on_done);
	proc_start(&other, on_done);
	t_run_until(&l, n_done == 3);
	cr_assert_eq(p.op.err.code + q.op.err.code, ERR_ABORTED,
		     "exactly one is refused");
	cr_assert_eq(other.op.err.code, ERR_OK);
	proc_fini(&p);
	proc_fini(&q);
	proc_fini(&other);
	close_all();
}

Test(proc, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 10; turns++) {
		struct proc p;

		open_all();
		run(&p, SH("echo a; echo b >&2"));
		for (int i = 0; i < turns && !n_done; i++)
			uv_run(&l.uv, UV_RUN_ONCE);
		bool is_late = op_is_done(&p.op);
		op_cancel(&p.op, ERR_CANCELLED);
		t_run_until(&l, n_done == 1);
		cr_assert(is_late || p.op.err.code == ERR_CANCELLED);
		proc_fini(&p);
		close_all();
	}
}

static void one_oom_run(void)
{
	struct proc p;

	open_all();
	run(&p, SH("echo a; echo b >&2"));
	t_run_until(&l, n_done == 1);
	cr_assert(p.op.err.code == ERR_OK || p.op.err.code == ERR_EXHAUSTED);
	proc_fini(&p);
	close_all();
}

Test(proc, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(one_oom_run());
	cr_assert_eq(mem_live(), 0);
}
