#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/t.h"

/* The helper's question to a target that plays what a box does: a starting one refuses
 * what it exports a moment later. The PDUs are written by hand from the specifications.
 */

enum { INIT = 128, CONNECT = 72 + 1024, ANSWER = 24 };
enum { KNOWN = 0, UNKNOWN = 0x4182, NOT_ALLOWED = 0x4184, HANGS_UP = -1 };

static void take(int fd, size_t n)
{
	char data[CONNECT];

	if (recv(fd, data, n, MSG_WAITALL) != (ssize_t)n)
		_exit(1);
}

static void give(int fd, const unsigned char *p, size_t n)
{
	if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		_exit(1);
}

static void answer(int fd, int status)
{
	unsigned char init[INIT] = { 1, 0, INIT, 0, INIT };
	unsigned char capsule[ANSWER] = { 5, 0, ANSWER, 0, ANSWER };

	if (status == HANGS_UP)
		return;
	take(fd, INIT);
	give(fd, init, sizeof(init));
	take(fd, CONNECT);
	capsule[8 + 1] = 1; /* the NQN's field: of the data, at 256 */
	capsule[8 + 2] = 1;
	capsule[22] = (unsigned char)(status << 1);
	capsule[23] = (unsigned char)(status >> 7);
	give(fd, capsule, sizeof(capsule));
}

/* One connection for each status, and no more. */
static pid_t start_target(const int *status, unsigned n, unsigned *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		  listen(fd, 4) == 0 &&
		  getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	*ret_port = ntohs(a.sin_port);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		(void)alarm(30);
		for (unsigned i = 0; i < n; i++) {
			int c = accept(fd, NULL, NULL);

			answer(c, status[i]);
			close(c);
		}
		_exit(0);
	}
	close(fd);
	return pid;
}

/* What the helper says; the target must have been asked so often. */
static void ask(const int *status, unsigned n, char out[512])
{
	const char *program = getenv("RDS_CSI");
	char command[600];
	unsigned port;
	int ended = -1;
	pid_t target;
	FILE *f;

	if (!program)
		t_skip("RDS_CSI is not set");
	target = start_target(status, n, &port);
	snprintf(command, sizeof(command),
		 "%s helper ask 127.0.0.1 %u nqn.2000-02.com.mikrotik:pvc-1 "
		 "nqn.2014-08.org.nvmexpress:uuid:h 6f7a2b1e-1111-4222-8333-444455556666 "
		 "20",
		 program, port);
	f = popen(command, "re");
	cr_assert_not_null(f);
	out[0] = '\0';
	cr_assert(fgets(out, 512, f) != NULL);
	pclose(f);
	cr_assert_eq(waitpid(target, &ended, 0), target);
	cr_assert_eq(ended, 0, "not asked %u times", n);
}

Test(ask_again, a_name_is_refused_for_good_when_it_still_is_later)
{
	char out[512];

	ask((const int[]){ UNKNOWN, UNKNOWN }, 2, out);
	cr_assert(strstr(out, "\"refused\":1") && strstr(out, "\"code\":0"), "%s", out);
}

Test(ask_again, a_box_that_was_only_starting_has_not_refused)
{
	char out[512];

	ask((const int[]){ UNKNOWN, KNOWN }, 2, out);
	cr_assert(strstr(out, "\"refused\":0") && strstr(out, "\"code\":0"), "%s", out);
}

Test(ask_again, one_that_goes_away_meanwhile_has_not_refused)
{
	char out[512];

	ask((const int[]){ UNKNOWN, HANGS_UP }, 2, out);
	cr_assert(!strstr(out, "\"refused\":1") && !strstr(out, "\"code\":0"), "%s", out);
}

Test(ask_again, who_does_not_refuse_is_asked_once)
{
	char out[512];

	ask((const int[]){ KNOWN }, 1, out);
	cr_assert(strstr(out, "\"refused\":0"), "%s", out);
	ask((const int[]){ NOT_ALLOWED }, 1, out);
	cr_assert(strstr(out, "\"refused\":0"), "%s", out);
}
