/* Where the real program serves its metrics, and that it can be told not to. */
#include "support/t.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/prog.h"

static char dir[128];

static void begin(struct prog *csi, const char *address)
{
	char endpoint[192], exports[192], metrics[80], state[192];
	const char *const argv[] = {
		prog_csi(), "--node", "--node-id=n1", endpoint, "--node-backend=loop",
		exports,    state,    metrics,	      NULL
	};

	t_mkdir(dir);
	snprintf(endpoint, sizeof(endpoint), "--endpoint=unix://%s/csi.sock", dir);
	snprintf(exports, sizeof(exports), "--loop-exports=%s", dir);
	snprintf(state, sizeof(state), "--state-dir=%s/state", dir);
	snprintf(metrics, sizeof(metrics), "--metrics-address=%s", address);
	prog_start(csi, dir, "csi", argv);
	prog_await(csi->err, "\"msg\":\"serving\"");
}

static void end(struct prog *csi)
{
	kill(csi->pid, SIGTERM);
	cr_assert_eq(prog_wait(csi), 0);
	t_rmdir(dir);
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool is_served(int family, unsigned port)
{
	static const char request[] =
		"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)port),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bool is_six = family == AF_INET6;
	char reply[512] = "";
	size_t n = 0;
	ssize_t got;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	if (connect(fd, is_six ? (void *)&six : (void *)&four,
		    is_six ? sizeof(six) : sizeof(four)) == 0 &&
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0)
		while ((got = recv(fd, reply + n, sizeof(reply) - 1 - n, 0)) > 0)
			n += (size_t)got;
	close(fd);
	return strncmp(reply, "HTTP/1.1 200 OK", 15) == 0;
}

Test(main_metrics, an_empty_address_opens_no_port)
{
	struct prog csi;
	unsigned port;

	begin(&csi, "");
	cr_assert_eq(prog_listens(&csi, &port), 0);
	end(&csi);
}

Test(main_metrics, one_address_of_ipv4)
{
	struct prog csi;
	unsigned port;

	begin(&csi, "127.0.0.1:0");
	cr_assert_eq(prog_listens(&csi, &port), 1);
	cr_assert(is_served(AF_INET, port));
	cr_assert(!has_ipv6() || !is_served(AF_INET6, port));
	end(&csi);
}

/* Where the machine has no IPv6, the address of IPv4 alone. */
Test(main_metrics, every_address_of_both_families)
{
	struct prog csi;
	unsigned port;

	begin(&csi, ":0");
	cr_assert_eq(prog_listens(&csi, &port), 1);
	cr_assert(is_served(AF_INET, port));
	cr_assert(!has_ipv6() || is_served(AF_INET6, port));
	end(&csi);
}

Test(main_metrics, one_address_of_ipv6)
{
	struct prog csi;
	unsigned port;

	if (!has_ipv6()) {
		cr_log_info("no IPv6 here");
		return;
	}
	begin(&csi, "[::1]:0");
	cr_assert_eq(prog_listens(&csi, &port), 1);
	cr_assert(is_served(AF_INET6, port));
	cr_assert(!is_served(AF_INET, port));
	end(&csi);
}
