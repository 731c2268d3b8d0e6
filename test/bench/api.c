#include "bench/api.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static int dial(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port) };
	struct timeval limit = { .tv_sec = 60 };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return -1;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

unsigned web_free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		abort();
	close(fd);
	return ntohs(sa.sin_port);
}

int web_get(unsigned port, const char *target, char *reply, size_t size)
{
	char request[256];
	size_t n = 0;
	ssize_t got;
	int fd = dial(port), status = -1;

	if (fd < 0)
		return -1;
	(void)snprintf(request, sizeof(request),
		       "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
		       target);
	(void)!write(fd, request, strlen(request));
	while (n < size - 1 && (got = read(fd, reply + n, size - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	reply[n] = '\0';
	return sscanf(reply, "HTTP/1.1 %d", &status) == 1 ? status : -1;
}

double web_metric(unsigned port, const char *name)
{
	static char reply[1 << 20];
	char key[128];
	const char *at;

	if (web_get(port, "/metrics", reply, sizeof(reply)) != 200)
		return -1;
	(void)snprintf(key, sizeof(key), "\n%s ", name);
	at = strstr(reply, key);
	return at == NULL ? -1 : strtod(at + strlen(key), NULL);
}

static unsigned read_port(const char *path)
{
	char line[64] = "";
	unsigned port = 0;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return 0;
	if (fgets(line, sizeof(line), f) == NULL || strchr(line, '\n') == NULL ||
	    sscanf(line, "ready control=%u", &port) != 1)
		port = 0;
	(void)fclose(f);
	return port;
}

int api_start(struct api *a, const char *program, const char *dir)
{
	char out[300], err[300];
	const char *argv[] = { program, a->dir, NULL };
	unsigned port = 0;

	memset(a, 0, sizeof(*a));
	a->fd = -1;
	(void)snprintf(a->dir, sizeof(a->dir), "%s", dir);
	(void)snprintf(out, sizeof(out), "%s.out", dir);
	(void)snprintf(err, sizeof(err), "%s.log", dir);
	if (mkdir(dir, 0700) != 0) {
		perror(dir);
		return -1;
	}
	child_start(&a->child, argv, out, err);
	for (int i = 0; i < 1000 && (port = read_port(out)) == 0; i++)
		sleep_ms(10);
	if (port != 0)
		a->fd = dial(port);
	if (a->fd >= 0)
		return 0;
	fprintf(stderr, "bench: the API server did not get ready; see %s\n", err);
	api_stop(a);
	return -1;
}

void api_stop(struct api *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	(void)child_stop(&a->child);
}

/* The line must end with a newline. */
static int ask(struct api *a, const char *line, char *reply, size_t size)
{
	size_t n = 0;

	if (write(a->fd, line, strlen(line)) != (ssize_t)strlen(line))
		return -1;
	while (n < size - 1 && (n == 0 || reply[n - 1] != '\n')) {
		ssize_t got = read(a->fd, reply + n, size - 1 - n);

		if (got <= 0)
			return -1;
		n += (size_t)got;
	}
	reply[n] = '\0';
	return strncmp(reply, "ok ", 3) == 0 ? 0 : -1;
}

uint64_t api_tell(struct api *a, const char *format, ...)
{
	char line[200], reply[256];
	unsigned long long sent = 0;
	va_list ap;
	size_t n;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	n = strlen(line);
	line[n] = '\n';
	line[n + 1] = '\0';
	if (ask(a, line, reply, sizeof(reply)) == 0 &&
	    sscanf(reply, "ok sent=%llu", &sent) == 1)
		return sent;
	fprintf(stderr, "bench: the API server does not do: %s", line);
	return 0;
}

long api_stat(struct api *a, const char *name)
{
	char reply[256], key[64];
	const char *at;

	(void)snprintf(key, sizeof(key), " %s=", name);
	if (ask(a, "stats\n", reply, sizeof(reply)) != 0)
		return -1;
	at = strstr(reply, key);
	return at == NULL ? -1 : strtol(at + strlen(key), NULL, 10);
}
