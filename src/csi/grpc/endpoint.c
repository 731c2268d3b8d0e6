#include "csi/grpc/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/str.h"

enum {
	/* sun_path holds 108 bytes with its NUL; the hidden name is 5 longer. */
	PATH_MAX_BYTES = (int)sizeof(((struct sockaddr_un *)0)->sun_path) - 1 - 5
};

static int parse_unix(const char *path, struct endpoint *ret, struct err *err)
{
	size_t n = strlen(path);

	if (path[0] != '/' || path[n - 1] == '/')
		return err_set(err, ERR_INVALID,
			       "endpoint \"%.100s\": not the absolute path of a socket",
			       path);
	if (n > PATH_MAX_BYTES)
		return err_set(err, ERR_INVALID, "endpoint: path longer than %d bytes",
			       PATH_MAX_BYTES);
	*ret = (struct endpoint){ .len = sizeof(struct sockaddr_un) };
	ret->addr.un.sun_family = AF_UNIX;
	memcpy(ret->addr.un.sun_path, path, n);
	return 0;
}

/* "127.0.0.1:1" or "[::1]:1" into its two halves. */
static int split_port(const char *text, char host[64], uint64_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	const char *start = text;
	size_t n;

	if (!colon || str_to_u64(colon + 1, ret_port) || *ret_port > UINT16_MAX)
		return -1;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && colon[-1] == ']') {
		start++;
		n -= 2;
	}
	if (n >= 64)
		return -1;
	memcpy(host, start, n);
	host[n] = '\0';
	return 0;
}

static int parse_tcp(const char *text, struct endpoint *ret, struct err *err)
{
	struct endpoint e = { .len = 0 };
	uint64_t port;
	char host[64];

	if (split_port(text, host, &port))
		goto bad;
	if (inet_pton(AF_INET, host, &e.addr.in.sin_addr) == 1) {
		if (ntohl(e.addr.in.sin_addr.s_addr) >> 24 != 127)
			goto bad;
		e.addr.in.sin_family = AF_INET;
		e.addr.in.sin_port = htons((uint16_t)port);
		e.len = sizeof(e.addr.in);
	} else {
		if (inet_pton(AF_INET6, host, &e.addr.in6.sin6_addr) != 1 ||
		    !IN6_IS_ADDR_LOOPBACK(&e.addr.in6.sin6_addr))
			goto bad;
		e.addr.in6.sin6_family = AF_INET6;
		e.addr.in6.sin6_port = htons((uint16_t)port);
		e.len = sizeof(e.addr.in6);
	}
	*ret = e;
	return 0;
bad:
	return err_set(
		err, ERR_INVALID,
		"endpoint \"tcp://%.80s\": want a loopback address and a port, such "
		"as tcp://127.0.0.1:10000",
		text);
}

int endpoint_parse(const char *text, struct endpoint *ret, struct err *err)
{
	if (str_starts_with(text, "tcp://"))
		return parse_tcp(text + 6, ret, err);
	if (str_starts_with(text, "unix://"))
		return parse_unix(text + 7, ret, err);
	if (str_starts_with(text, "unix:"))
		return parse_unix(text + 5, ret, err);
	if (text[0] == '/')
		return parse_unix(text, ret, err);
	return err_set(err, ERR_INVALID,
		       "endpoint \"%.100s\": want unix:///path or tcp://127.0.0.1:port",
		       text);
}

void endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (endpoint_is_unix(e)) {
		(void)snprintf(out, ENDPOINT_TEXT, "unix://%s", e->addr.un.sun_path);
	} else if (e->addr.any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &e->addr.in.sin_addr, host, sizeof(host));
		(void)snprintf(out, ENDPOINT_TEXT, "tcp://%s:%u", host,
			       ntohs(e->addr.in.sin_port));
	} else {
		(void)inet_ntop(AF_INET6, &e->addr.in6.sin6_addr, host, sizeof(host));
		(void)snprintf(out, ENDPOINT_TEXT, "tcp://[%s]:%u", host,
			       ntohs(e->addr.in6.sin6_port));
	}
}

/* Whose is the file at the path? 0 when it may be replaced or is not there. */
static int check_place(const struct sockaddr_un *un, struct err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(un->sun_path, &st))
		return errno == ENOENT ? 0
				       : err_set(err, ERR_UNAVAILABLE, "%s: %s",
						 un->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_PRECONDITION, "%s: exists and is no socket",
			       un->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, ERR_UNAVAILABLE, "socket: %s", strerror(errno));
	rc = connect(fd, (const struct sockaddr *)un, sizeof(*un)) ? errno : 0;
	(void)close(fd);
	if (rc == ECONNREFUSED || rc == ENOENT)
		return 0;
	/* Connected, or its queue is full (EAGAIN): somebody is there. */
	if (rc == 0 || rc == EAGAIN)
		return err_set(err, ERR_PRECONDITION, "%s: another process serves it",
			       un->sun_path);
	return err_set(err, ERR_UNAVAILABLE, "%s: %s", un->sun_path, strerror(rc));
}

static void hidden_name(const struct sockaddr_un *un, struct sockaddr_un *ret)
{
	const char *name = strrchr(un->sun_path, '/') + 1;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(ret->sun_path, sizeof(ret->sun_path), "%.*s.%s.new",
		       (int)(name - un->sun_path), un->sun_path, name);
}

static int listen_unix(struct endpoint_listener *l, struct err *err)
{
	const struct sockaddr_un *un = &l->where.addr.un;
	struct sockaddr_un hidden;
	struct stat st;

	if (check_place(un, err))
		return -1;
	hidden_name(un, &hidden);
	(void)unlink(hidden.sun_path); /* of a process that died in between */
	if (bind(l->fd, (const struct sockaddr *)&hidden, sizeof(hidden)))
		return err_set(err, ERR_UNAVAILABLE, "bind %s: %s", hidden.sun_path,
			       strerror(errno));
	if (chmod(hidden.sun_path, 0600) || listen(l->fd, ENDPOINT_QUEUE) ||
	    lstat(hidden.sun_path, &st) || rename(hidden.sun_path, un->sun_path)) {
		(void)err_set(err, ERR_UNAVAILABLE, "listen %s: %s", un->sun_path,
			      strerror(errno));
		(void)unlink(hidden.sun_path);
		return -1;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

static int listen_tcp(struct endpoint_listener *l, struct err *err)
{
	char text[ENDPOINT_TEXT];
	int one = 1;

	endpoint_format(&l->where, text);
	(void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l->fd, &l->where.addr.any, l->where.len) ||
	    listen(l->fd, ENDPOINT_QUEUE) ||
	    getsockname(l->fd, &l->where.addr.any, &l->where.len))
		return err_set(err, ERR_UNAVAILABLE, "listen %s: %s", text,
			       strerror(errno));
	return 0;
}

int endpoint_listen(const struct endpoint *e, struct endpoint_listener *ret,
		    struct err *err)
{
	struct endpoint_listener l = { .where = *e };
	int rc;

	l.fd = socket(e->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		      0);
	if (l.fd < 0)
		return err_set(err, ERR_UNAVAILABLE, "socket: %s", strerror(errno));
	rc = endpoint_is_unix(e) ? listen_unix(&l, err) : listen_tcp(&l, err);
	if (rc)
		(void)close(l.fd);
	else
		*ret = l;
	return rc;
}

void endpoint_unlink(const struct endpoint_listener *l)
{
	const char *path = l->where.addr.un.sun_path;
	struct stat st;

	if (endpoint_is_unix(&l->where) && lstat(path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		(void)unlink(path);
}
