#include "e2e/scrape.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_S = 60 };

unsigned scrape_free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	/* Kept until the end, and never listening: nobody else is given the port, and who
	 * is told it may bind it too. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)bind(fd, (struct sockaddr *)&a, sizeof(a));
	(void)getsockname(fd, (struct sockaddr *)&a, &n);
	return ntohs(a.sin_port);
}

static int dial(unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)port) };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

char *scrape_get(unsigned port, const char *path, const char *accept, int *ret_status)
{
	int fd = dial(port), status = 0;
	char *all = malloc(SCRAPE_MAX), *body;
	char request[256];
	size_t n = 0;
	ssize_t m = 1;

	snprintf(request, sizeof(request),
		 "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s%s%s\r\n", path,
		 accept ? "Accept: " : "", accept ? accept : "", accept ? "\r\n" : "");
	if (fd >= 0)
		m = send(fd, request, strlen(request), MSG_NOSIGNAL);
	while (fd >= 0 && m > 0 && n < SCRAPE_MAX - 1) {
		m = recv(fd, all + n, SCRAPE_MAX - 1 - n, 0);
		n += m > 0 ? (size_t)m : 0;
	}
	if (fd >= 0)
		close(fd);
	all[n] = '\0';
	body = strstr(all, "\r\n\r\n");
	if (m || !body || sscanf(all, "HTTP/1.1 %d", &status) != 1) {
		free(all);
		return NULL;
	}
	if (ret_status)
		*ret_status = status;
	memmove(all, body + 4, strlen(body + 4) + 1);
	return all;
}

/* The value of a line of that series, or NULL. */
static const char *value_of(const char *line, const char *name, const char *labels)
{
	size_t n = strlen(name), end = strcspn(line, "\n");
	const char *at, *value;

	if (strncmp(line, name, n) != 0 || (line[n] != ' ' && line[n] != '{'))
		return NULL;
	value = line + end;
	while (value > line && value[-1] != ' ')
		value--;
	at = strstr(line, labels);
	return at && at <= value ? value : NULL;
}

static bool sum(const char *page, const char *name, const char *labels, double *ret)
{
	bool found = false;

	*ret = 0;
	for (const char *line = page; line && *line; line = strchr(line, '\n')) {
		const char *value;

		line += *line == '\n';
		value = value_of(line, name, labels);
		if (!value)
			continue;
		*ret += strtod(value, NULL);
		found = true;
	}
	return found;
}

bool scrape_sum(const char *page, const char *name, const char *labels, double *ret)
{
	char count[128];

	if (sum(page, name, labels, ret))
		return true;
	snprintf(count, sizeof(count), "%s_count", name);
	return sum(page, count, labels, ret);
}
