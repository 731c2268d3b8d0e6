#include "vm/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/e2e.h"

/* An even descriptor's other end is the next one, and the reverse. */
enum { FDS = 64 };

static struct sockaddr_in at(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static int listen_at(unsigned port)
{
	struct sockaddr_in a = at(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 16))
		return -1;
	return fd;
}

static void take(int listener, unsigned target_port, struct pollfd *p)
{
	struct sockaddr_in a = at(target_port);
	int in = accept(listener, NULL, NULL), i = 0;
	int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	while (i < FDS && p[i].fd >= 0)
		i += 2;
	if (in < 0 || i >= FDS || connect(out, (struct sockaddr *)&a, sizeof(a))) {
		close(in);
		close(out);
		return;
	}
	p[i] = (struct pollfd){ .fd = in, .events = POLLIN };
	p[i + 1] = (struct pollfd){ .fd = out, .events = POLLIN };
}

static bool carry(int from, int to)
{
	static char b[65536];
	ssize_t n = recv(from, b, sizeof(b), 0), done = 0, k;

	for (; n > 0 && done < n; done += k) {
		k = send(to, b + done, (size_t)(n - done), MSG_NOSIGNAL);
		if (k <= 0)
			return false;
	}
	return n > 0;
}

static void relay(int listener, unsigned target_port)
{
	struct pollfd p[FDS + 1];

	for (int i = 0; i < FDS; i++)
		p[i].fd = -1;
	p[FDS] = (struct pollfd){ .fd = listener, .events = POLLIN };
	while (poll(p, FDS + 1, -1) >= 0) {
		for (int i = 0; i < FDS; i++) {
			if (p[i].fd < 0 || !p[i].revents || carry(p[i].fd, p[i ^ 1].fd))
				continue;
			close(p[i].fd);
			close(p[i ^ 1].fd);
			p[i].fd = p[i ^ 1].fd = -1;
			p[i ^ 1].revents = 0;
		}
		if (p[FDS].revents)
			take(listener, target_port, p);
	}
	_exit(1);
}

bool proxy_start(struct proxy *p, unsigned port, unsigned target_port)
{
	int fd = listen_at(port);

	p->pid = -1;
	if (!CHECK(fd >= 0, "port %u: %s", port, strerror(errno)))
		return false;
	p->pid = fork();
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		relay(fd, target_port);
	}
	close(fd);
	return CHECK(p->pid > 0, "fork: %s", strerror(errno));
}

void proxy_stop(struct proxy *p)
{
	kill(p->pid, SIGSTOP);
}

void proxy_continue(struct proxy *p)
{
	kill(p->pid, SIGCONT);
}

void proxy_end(struct proxy *p)
{
	if (p->pid <= 0)
		return;
	kill(p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = -1;
}
