#ifndef K8S_TLS_H
#define K8S_TLS_H
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/buf.h"
#include "core/err.h"

/* The client end of a TLS connection as an engine: encrypted bytes are fed and taken,
 * plain ones read and written; it knows no socket. The server's certificate is always
 * verified, against the given authorities alone (no system store; an intermediate
 * authority may be an anchor, as Go has it) and the given name, never its CN. TLS 1.2 at
 * least, ALPN http/1.1 only, neither renegotiation nor sessions kept.
 * After every call but tls_take there may be something to take: handshake, alerts and
 * answers to key updates come of reading too. Every error is UNAVAILABLE. */
enum {
	TLS_FEED_MAX = 64 * 1024,   /* encrypted bytes waiting to be read */
	TLS_WRITE_MAX = 128 * 1024, /* plain bytes of one tls_write */
};

struct tls_pem { /* borrowed; cert and key both or neither */
	const struct buf *ca, *cert, *key;
};

/* What all connections share; SSL_CTX_free by the owner, at once if he likes, each
 * connection holds its own reference. NULL with err when a part does not parse. */
SSL_CTX *tls_ctx_new(const struct tls_pem *pem, struct err *err);

struct tls {
	SSL *ssl;
	BIO *in, *out;	/* the SSL's own */
	bool is_up;	/* the handshake is over: read and write may follow */
	bool is_ended;	/* the server said close_notify: nothing more will come */
	bool is_broken; /* an error came: only tls_take and tls_fini may follow */
};

/* host: the name or address that the certificate must bear. */
int tls_init(struct tls *t, SSL_CTX *ctx, const char *host, struct err *err);
void tls_fini(struct tls *t); /* accepts a zeroed struct */

/* At most TLS_FEED_MAX bytes may wait: read until 0 between two of these. */
int tls_feed(struct tls *t, const void *p, size_t n, struct err *err);
/* Appends what is to be sent to out. -1 when that is full or memory lacks. */
int tls_take(struct tls *t, struct buf *out, struct err *err);
/* Goes on with the handshake; is_up tells its end. */
int tls_shake(struct tls *t, struct err *err);
/* The number of plain bytes, 0 when more must be fed first (or is_ended), -1. */
ssize_t tls_read(struct tls *t, void *p, size_t n, struct err *err);
int tls_write(struct tls *t, const void *p, size_t n, struct err *err); /* all of it */
void tls_bye(struct tls *t); /* says close_notify where that is still possible */
#endif
