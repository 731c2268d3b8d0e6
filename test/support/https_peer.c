#include "support/https_peer.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/t.h"

struct https_conn {
	struct https_peer *peer;
	struct https_conn *next;
	uv_tcp_t tcp;
	SSL *ssl;
	BIO *in, *out;
	char *req, *wire; /* of the request so far; to be written */
	size_t n_req, n_wire;
	long sent,
		mark; /* mark: what was sent when the first request came; < 0: none did */
	bool is_writing, is_up, ends, is_gone;
	char buf[16384];
	uv_write_t write;
};

static void on_closed(uv_handle_t *h)
{
	struct https_conn *c = h->data, **at = &c->peer->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->peer->n_open--;
	SSL_free(c->ssl);
	free(c->req);
	free(c->wire);
	free(c);
}

static void hang_up(struct https_conn *c)
{
	if (!c->is_gone)
		uv_close((uv_handle_t *)&c->tcp, on_closed);
	c->is_gone = true;
}

static void flush(struct https_conn *c);

static void on_written(uv_write_t *w, int status)
{
	struct https_conn *c = w->data;

	c->is_writing = false;
	if (status)
		hang_up(c);
	else
		flush(c);
}

/* Bytes until the cut; -1: none is coming. */
static long left_of(const struct https_conn *c)
{
	const struct https_peer *p = c->peer;

	if (p->cut_after >= 0)
		return p->cut_after - c->sent;
	if (p->cut_answer >= 0 && c->mark >= 0)
		return c->mark + p->cut_answer - c->sent;
	return -1;
}

static void flush(struct https_conn *c)
{
	size_t n = c->n_wire;
	long left = left_of(c);
	uv_buf_t b;

	if (c->is_gone || c->is_writing)
		return;
	if (left == 0 || (n == 0 && c->ends)) {
		hang_up(c);
		return;
	}
	if (c->peer->piece && n > c->peer->piece)
		n = c->peer->piece;
	if (left > 0 && n > (size_t)left)
		n = (size_t)left;
	if (n == 0)
		return;
	b = uv_buf_init(c->wire, (unsigned)n);
	/* What the kernel does not take at once must not move: only whole writes. */
	int rc = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
	if (rc < 0 && rc != UV_EAGAIN) {
		hang_up(c);
		return;
	}
	if (rc > 0) {
		memmove(c->wire, c->wire + rc, c->n_wire - (size_t)rc);
		c->n_wire -= (size_t)rc;
		c->sent += rc;
		c->peer->n_wire = c->sent;
		c->peer->n_answer = c->mark < 0 ? 0 : c->sent - c->mark;
	}
	/* An empty write tells when the socket can take more, on a later turn. */
	c->write.data = c;
	b = uv_buf_init(c->buf, 0);
	c->is_writing = true;
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written))
		hang_up(c);
}

static void append(char **p, size_t *n, const char *more, size_t len)
{
	*p = realloc(*p, *n + len + 1);
	cr_assert_not_null(*p);
	memcpy(*p + *n, more, len);
	*n += len;
	(*p)[*n] = '\0';
}

static void take(struct https_conn *c)
{
	char *p;
	long n = c->ssl ? BIO_get_mem_data(c->out, &p) : 0;

	if (n > 0)
		append(&c->wire, &c->n_wire, p, (size_t)n);
	if (c->ssl)
		(void)BIO_reset(c->out);
	flush(c);
}

void https_send(struct https_conn *c, const char *bytes, size_t n)
{
	if (c->is_gone || n == 0)
		return;
	if (c->ssl)
		cr_assert_eq(SSL_write(c->ssl, bytes, (int)n), (int)n);
	else
		append(&c->wire, &c->n_wire, bytes, n);
	take(c);
}

void https_end(struct https_conn *c, bool is_polite)
{
	if (c->ssl && is_polite && c->is_up)
		(void)SSL_shutdown(c->ssl);
	c->ends = true;
	take(c);
}

void https_end_all(struct https_peer *p, bool is_polite)
{
	for (struct https_conn *c = p->conns, *next; c; c = next) {
		next = c->next;
		https_end(c, is_polite);
	}
}

static void answer(struct https_conn *c)
{
	struct https_peer *p = c->peer;

	p->n_requests++;
	if (c->mark < 0)
		c->mark = c->sent + (long)c->n_wire;
	if (p->does_key_update && c->ssl)
		cr_assert_eq(SSL_key_update(c->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	if (p->on_request)
		p->on_request(p, c, p->last);
	else if (p->answer)
		https_send(c, p->answer,
			   p->answer_len ? p->answer_len : strlen(p->answer));
	if (p->closes)
		https_end(c, true);
}

/* A request is whole when its header and the length that it names are there. */
static void look(struct https_conn *c)
{
	for (;;) {
		char *end = c->req ? strstr(c->req, "\r\n\r\n") : NULL, *len;
		size_t n;

		if (!end || c->is_gone)
			return;
		n = (size_t)(end - c->req) + 4;
		len = strcasestr(c->req, "\r\nContent-Length:");
		if (len && len < end)
			n += strtoul(len + 17, NULL, 10);
		if (c->n_req < n)
			return;
		cr_assert_lt(n, sizeof(c->peer->last));
		memcpy(c->peer->last, c->req, n);
		c->peer->last[n] = '\0';
		memmove(c->req, c->req + n, c->n_req - n + 1);
		c->n_req -= n;
		answer(c);
	}
}

static void decrypt(struct https_conn *c)
{
	char plain[4096];
	int n;

	ERR_clear_error();
	if (!c->is_up && SSL_accept(c->ssl) == 1) {
		c->is_up = true;
		c->peer->n_handshakes++;
	}
	while (c->is_up && (n = SSL_read(c->ssl, plain, sizeof(plain))) > 0)
		append(&c->req, &c->n_req, plain, (size_t)n);
	take(c);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
	struct https_conn *c = h->data;

	(void)hint;
	*ret = uv_buf_init(c->buf, sizeof(c->buf));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct https_conn *c = s->data;

	if (n < 0)
		hang_up(c);
	if (n <= 0)
		return;
	if (c->ssl) {
		cr_assert_eq(BIO_write(c->in, b->base, (int)n), (int)n);
		decrypt(c);
	} else {
		append(&c->req, &c->n_req, b->base, (size_t)n);
	}
	look(c);
}

static void on_conn(uv_stream_t *s, int status)
{
	struct https_peer *p = s->data;
	struct https_conn *c = calloc(1, sizeof(*c));

	cr_assert_eq(status, 0);
	cr_assert_not_null(c);
	c->peer = p;
	c->mark = -1;
	c->next = p->conns;
	p->conns = c;
	p->n_conns++;
	p->n_open++;
	uv_tcp_init(s->loop, &c->tcp);
	c->tcp.data = c;
	cr_assert_eq(uv_accept(s, (uv_stream_t *)&c->tcp), 0);
	uv_tcp_nodelay(&c->tcp, 1);
	if (p->ctx) {
		c->ssl = SSL_new(p->ctx);
		c->in = BIO_new(BIO_s_mem());
		c->out = BIO_new(BIO_s_mem());
		SSL_set_bio(c->ssl, c->in, c->out);
		SSL_set_accept_state(c->ssl);
	}
	if (p->cut_after == 0)
		hang_up(c);
	else if (!p->is_deaf)
		uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

void https_peer_use(struct https_peer *p, const struct certs *cert)
{
	cr_assert_eq(SSL_CTX_use_certificate(p->ctx, cert->cert), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(p->ctx, cert->key), 1);
}

/* As the API server does: http/1.1 when the client offers it and nothing else. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
		   const unsigned char *in, unsigned inlen, void *arg)
{
	(void)ssl;
	(void)arg;
	cr_assert_eq(inlen, 9);
	cr_assert_arr_eq(in, "\x08http/1.1", 9);
	*out = in + 1;
	*outlen = 8;
	return SSL_TLSEXT_ERR_OK;
}

void https_peer_open(struct https_peer *p, uv_loop_t *loop, const struct certs *cert,
		     const struct certs *client_ca)
{
	struct sockaddr_in at;
	int len = sizeof(at);

	memset(p, 0, sizeof(*p));
	p->cut_after = p->cut_answer = -1;
	if (cert) {
		p->ctx = SSL_CTX_new(TLS_server_method());
		https_peer_use(p, cert);
		SSL_CTX_set_alpn_select_cb(p->ctx, on_alpn, NULL);
	}
	if (cert && client_ca) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(p->ctx), client_ca->cert);
		SSL_CTX_set_verify(
			p->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	uv_tcp_init(loop, &p->listener);
	p->listener.data = p;
	uv_ip4_addr("127.0.0.1", 0, &at);
	cr_assert_eq(uv_tcp_bind(&p->listener, (struct sockaddr *)&at, 0), 0);
	cr_assert_eq(uv_listen((uv_stream_t *)&p->listener, 64, on_conn), 0);
	uv_tcp_getsockname(&p->listener, (struct sockaddr *)&at, &len);
	p->port = ntohs(at.sin_port);
}

void https_peer_close(struct https_peer *p)
{
	for (struct https_conn *c = p->conns; c; c = c->next)
		hang_up(c);
	uv_close((uv_handle_t *)&p->listener, NULL);
	SSL_CTX_free(p->ctx);
	p->ctx = NULL;
}
