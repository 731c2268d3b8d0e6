#include "bench/box.h"

#include <arpa/inet.h>
#include <libssh2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench/h2.h"

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

static int read_ready(struct box *b, const char *path)
{
	char line[256] = "";
	const char *ssh, *control;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL && strncmp(line, "ready ", 6) != 0)
		line[0] = '\0';
	(void)fclose(f);
	ssh = strstr(line, "ssh=127.0.0.1:");
	control = strstr(line, "control=127.0.0.1:");
	if (strchr(line, '\n') == NULL || ssh == NULL || control == NULL)
		return -1;
	b->ssh_port = (unsigned)atoi(ssh + 14);
	b->control_port = (unsigned)atoi(control + 18);
	return 0;
}

int box_start(struct box *b, const char *sim, const char *dir, unsigned latency_ms)
{
	char out[512], err[512], ms[16], any[] = "127.0.0.1:0";
	const char *argv[] = { sim,    "--listen",     any, "--control", any, "--dir",
			       b->dir, "--latency-ms", ms,  NULL };

	memset(b, 0, sizeof(*b));
	b->fd = -1;
	(void)snprintf(b->dir, sizeof(b->dir), "%s", dir);
	(void)snprintf(ms, sizeof(ms), "%u", latency_ms);
	(void)snprintf(out, sizeof(out), "%s.out", dir);
	(void)snprintf(err, sizeof(err), "%s.log", dir);
	child_start(&b->child, argv, out, err);
	for (int i = 0; i < 1000; i++) {
		if (read_ready(b, out) == 0)
			return 0;
		sleep_ms(10);
	}
	fprintf(stderr, "bench: the simulator did not get ready; see %s\n", err);
	return -1;
}

void box_stop(struct box *b)
{
	box_hangup(b);
	(void)child_stop(&b->child);
}

static int http(const struct box *b, const char *request, char *reply, size_t size)
{
	size_t n = 0;
	ssize_t got;
	int fd = dial(b->control_port);

	if (fd < 0)
		return -1;
	(void)!write(fd, request, strlen(request));
	while (n < size - 1 && (got = read(fd, reply + n, size - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	reply[n] = '\0';
	return strncmp(reply, "HTTP/1.1 200", 12) == 0 ? 0 : -1;
}

long box_stat(const struct box *b, const char *name)
{
	char reply[4096], key[64];
	const char *at;

	if (http(b, "GET /stats HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n",
		 reply, sizeof(reply)) != 0)
		return -1;
	(void)snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(reply, key);
	return at == NULL ? -1 : strtol(at + strlen(key), NULL, 10);
}

int box_post(const struct box *b, const char *target)
{
	char request[256], reply[4096];

	(void)snprintf(request, sizeof(request),
		       "POST %s HTTP/1.1\r\nHost: sim\r\nContent-Length: 0\r\n"
		       "Connection: close\r\n\r\n",
		       target);
	if (http(b, request, reply, sizeof(reply)) == 0)
		return 0;
	fprintf(stderr, "bench: POST %s: %.40s\n", target, reply);
	return -1;
}

static int hello(struct box *b)
{
	char key[512];
	LIBSSH2_SESSION *s;

	b->fd = dial(b->ssh_port);
	if (b->fd < 0)
		return -1;
	(void)snprintf(key, sizeof(key), "%s/client_key", b->dir);
	s = libssh2_session_init();
	if (libssh2_session_handshake(s, b->fd) != 0 ||
	    libssh2_userauth_publickey_fromfile(s, "admin", NULL, key, NULL) != 0) {
		fprintf(stderr, "bench: the box refuses the session\n");
		libssh2_session_free(s);
		close(b->fd);
		b->fd = -1;
		return -1;
	}
	b->session = s;
	return 0;
}

void box_hangup(struct box *b)
{
	if (b->session == NULL)
		return;
	libssh2_session_disconnect(b->session, "done");
	libssh2_session_free(b->session);
	close(b->fd);
	b->session = NULL;
	b->fd = -1;
}

uint64_t box_exec(struct box *b, const char *command, char *out, size_t out_size)
{
	char in[16384];
	uint64_t start;
	size_t n = 0;
	ssize_t got;
	LIBSSH2_CHANNEL *ch;

	if (b->session == NULL && hello(b) != 0)
		return 0;
	start = now_ns();
	ch = libssh2_channel_open_session((LIBSSH2_SESSION *)b->session);
	if (ch == NULL || libssh2_channel_exec(ch, command) != 0)
		return 0;
	while ((got = libssh2_channel_read(ch, in, sizeof(in))) > 0) {
		for (ssize_t i = 0; out != NULL && i < got && n + 1 < out_size; i++)
			out[n++] = in[i];
	}
	libssh2_channel_close(ch);
	libssh2_channel_wait_closed(ch);
	start = now_ns() - start;
	libssh2_channel_free(ch);
	if (out != NULL)
		out[n] = '\0';
	return start;
}
