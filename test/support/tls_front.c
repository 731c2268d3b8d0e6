#include "support/tls_front.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
	struct tls_front *front;
	int outer, inner;
	SSL *ssl;
};

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static void be_quick(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int dial(int port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	be_quick(fd);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* What the client sent; false: it is gone. */
static bool inward(struct link *l)
{
	char text[16384];

	do {
		int n = SSL_read(l->ssl, text, sizeof(text));

		if (n <= 0 || write(l->inner, text, (size_t)n) != n)
			return false;
	} while (SSL_pending(l->ssl));
	return true;
}

static bool outward(struct link *l)
{
	char text[16384];
	ssize_t n = read(l->inner, text, sizeof(text));

	return n > 0 && SSL_write(l->ssl, text, (int)n) == n;
}

static void pass(struct link *l)
{
	struct pollfd p[2] = { { .fd = l->outer, .events = POLLIN },
			       { .fd = l->inner, .events = POLLIN } };

	while (poll(p, 2, -1) > 0)
		if ((p[0].revents && !inward(l)) || (p[1].revents && !outward(l)))
			return;
}

static void *serve(void *arg)
{
	struct link *l = arg;

	l->ssl = SSL_new(l->front->ctx);
	l->inner = dial(l->front->plain_port);
	if (l->inner >= 0 && SSL_set_fd(l->ssl, l->outer) == 1 && SSL_accept(l->ssl) == 1)
		pass(l);
	SSL_free(l->ssl);
	(void)close(l->outer);
	if (l->inner >= 0)
		(void)close(l->inner);
	free(l);
	return NULL;
}

static int spawn(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, run, arg) == 0 ? pthread_detach(thread) : -1;
}

static void *take_in(void *arg)
{
	struct tls_front *f = arg;

	for (;;) {
		struct link *l = calloc(1, sizeof(*l));

		if (!l)
			abort();
		l->front = f;
		l->outer = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);
		be_quick(l->outer);
		if (l->outer < 0 || spawn(serve, l))
			free(l);
	}
	return NULL;
}

/* As the API server does: http/1.1 when the client offers it. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
		   const unsigned char *in, unsigned inlen, void *arg)
{
	static const unsigned char want[] = "\x08http/1.1";

	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, outlen, want,
				     sizeof(want) - 1, in,
				     inlen) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

int tls_front_open(struct tls_front *f, const struct certs *cert, int plain_port)
{
	struct sockaddr_in a = loopback(0);
	socklen_t n = sizeof(a);

	f->plain_port = plain_port;
	f->ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate(f->ctx, cert->cert) != 1 ||
	    SSL_CTX_use_PrivateKey(f->ctx, cert->key) != 1)
		return -1;
	SSL_CTX_set_alpn_select_cb(f->ctx, on_alpn, NULL);
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(f->fd, 64) != 0 || getsockname(f->fd, (struct sockaddr *)&a, &n) != 0)
		return -1;
	f->port = ntohs(a.sin_port);
	return spawn(take_in, f);
}
