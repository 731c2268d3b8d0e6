#ifndef TLS_FRONT_H
#define TLS_FRONT_H
#include <openssl/ssl.h>

#include "support/certs.h"

/* TLS before a server that speaks none: listens on 127.0.0.1, and passes the bytes of
 * each connection to the plain port and back. It has threads of its own, two sockets and
 * a thread a connection, and never ends: for programs, not for Criterion's tests. */
struct tls_front {
	SSL_CTX *ctx;
	int fd, port, plain_port;
};

/* 0, or -1: no socket or no thread. f and its certificate stay for good. */
int tls_front_open(struct tls_front *f, const struct certs *cert, int plain_port);
#endif
