/* SIGTERM that comes when the loop has just decided to sleep. */
#include <criterion/criterion.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim/tests/t_net.h"

static pid_t tester; /* 0: no signal is due */

/* In place of libc's: the loop is about to sleep. */
int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec ts = { timeout / 1000, timeout % 1000 * 1000000L };

	if (tester && getpid() != tester) {
		tester = 0;
		raise(SIGTERM);
	}
	return (int)syscall(SYS_ppoll, fds, n, timeout < 0 ? NULL : &ts, NULL, 0);
}

Test(stop, ends_though_the_signal_came_just_before_the_sleep)
{
	static struct t_net t;
	int st;

	t_tmpdir(t.dir, sizeof t.dir);
	tester = getpid();
	t_net_start(&t, NULL);
	cr_assert_eq(waitpid(t.pid, &st, 0), t.pid);
	cr_assert(WIFEXITED(st) && WEXITSTATUS(st) == 0, "status %d", st);
	close(t.out);
	t_rmtree(t.dir);
}
