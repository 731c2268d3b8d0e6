#include "k8s/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* A memory BIO never gives back what it once needed: one of more is replaced. */
enum { BIO_KEEP = 4096, N_CERTS_MAX = 256 };

static int broken_pem(const char *what, struct err *err)
{
	unsigned long why = ERR_peek_last_error();
	const char *text = why ? ERR_reason_error_string(why) : NULL;

	(void)err_set(err, ERR_INVALID, "%s: %.120s", what, text ? text : "none in it");
	ERR_clear_error();
	return -1;
}

/* An encrypted key must not make OpenSSL ask at a terminal. */
static int on_passphrase(char *p, int size, int is_write, void *arg)
{
	(void)p;
	(void)size;
	(void)is_write;
	(void)arg;
	return -1;
}

/* The certificates in the text, each told to take(), which owns it then. */
static int each_cert(const struct buf *pem, int (*take)(SSL_CTX *, X509 *, int i),
		     SSL_CTX *ctx)
{
	BIO *bio = BIO_new_mem_buf(pem->data ? pem->data : "", (int)pem->len);
	int n = 0, is_end;
	X509 *cert;

	if (!bio)
		return -1;
	while (n >= 0 && n < N_CERTS_MAX &&
	       (cert = PEM_read_bio_X509(bio, NULL, on_passphrase, NULL)))
		n = take(ctx, cert, n) ? -1 : n + 1;
	is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	BIO_free(bio);
	return n > 0 && is_end ? 0 : -1;
}

static int take_ca(SSL_CTX *ctx, X509 *cert, int i)
{
	int ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert);

	(void)i;
	X509_free(cert);
	return ok == 1 ? 0 : -1;
}

static int take_own(SSL_CTX *ctx, X509 *cert, int i)
{
	long ok;

	if (i > 0) {
		ok = SSL_CTX_add0_chain_cert(ctx, cert);
		if (ok != 1)
			X509_free(cert);
		return ok == 1 ? 0 : -1;
	}
	ok = SSL_CTX_use_certificate(ctx, cert);
	X509_free(cert);
	return ok == 1 ? 0 : -1;
}

static int use_key(SSL_CTX *ctx, const struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data ? pem->data : "", (int)pem->len);
	EVP_PKEY *key = NULL;
	int ok = 0;

	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, NULL);
	if (key)
		ok = SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
		     SSL_CTX_check_private_key(ctx) == 1;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok ? 0 : -1;
}

static int set_up(SSL_CTX *ctx)
{
	static const unsigned char http11[] = "\x08http/1.1";
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
					    SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
						X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
			       SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
			       SSL_CTX_set_alpn_protos(ctx, http11, sizeof(http11) - 1) ==
				       0
		       ? 0
		       : -1;
}

static int fill(SSL_CTX *ctx, const struct tls_pem *pem, struct err *err)
{
	if (set_up(ctx))
		return broken_pem("TLS", err);
	if (each_cert(pem->ca, take_ca, ctx))
		return broken_pem("certificate authority", err);
	if (!pem->cert)
		return 0;
	if (each_cert(pem->cert, take_own, ctx))
		return broken_pem("client certificate", err);
	if (use_key(ctx, pem->key))
		return broken_pem("client key", err);
	return 0;
}

SSL_CTX *tls_ctx_new(const struct tls_pem *pem, struct err *err)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx && fill(ctx, pem, err) == 0) {
		ERR_clear_error();
		return ctx;
	}
	if (!ctx)
		(void)broken_pem("TLS", err);
	SSL_CTX_free(ctx);
	return NULL;
}

/* The queue of errors is the thread's, so it is emptied before each call and read right
 * after it. Texts of OpenSSL are fixed and name no secret. */
static int fail(struct tls *t, const char *what, struct err *err)
{
	long verdict = SSL_get_verify_result(t->ssl);
	unsigned long why = ERR_peek_error();
	const char *text = why ? ERR_reason_error_string(why) : NULL;

	t->is_broken = true;
	if (verdict != X509_V_OK)
		return err_set(err, ERR_UNAVAILABLE, "the server's certificate: %s",
			       X509_verify_cert_error_string(verdict));
	return err_set(err, ERR_UNAVAILABLE, "%s: %.120s", what,
		       text ? text : "connection cut");
}

static int set_host(SSL *ssl, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool is_address = inet_pton(AF_INET, host, address) == 1 ||
			  inet_pton(AF_INET6, host, address) == 1;
	char name[256]; /* the macro below casts const away */

	if ((size_t)snprintf(name, sizeof(name), "%s", host) >= sizeof(name))
		return -1;
	/* RFC 6066, 3: no address in SNI. SSL_set1_host knows an address by itself. */
	if (!is_address && SSL_set_tlsext_host_name(ssl, name) != 1)
		return -1;
	return SSL_set1_host(ssl, host) == 1 ? 0 : -1;
}

int tls_init(struct tls *t, SSL_CTX *ctx, const char *host, struct err *err)
{
	*t = (struct tls){ .ssl = SSL_new(ctx) };
	ERR_clear_error();
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out || set_host(t->ssl, host)) {
		BIO_free(t->in);
		BIO_free(t->out);
		SSL_free(t->ssl);
		*t = (struct tls){ .ssl = NULL };
		return err_set(err, ERR_UNAVAILABLE, "TLS does not start");
	}
	SSL_set_bio(t->ssl, t->in, t->out);
	SSL_set_connect_state(t->ssl);
	return 0;
}

void tls_fini(struct tls *t)
{
	SSL_free(t->ssl);
	*t = (struct tls){ .ssl = NULL };
}

int tls_feed(struct tls *t, const void *p, size_t n, struct err *err)
{
	if (n > TLS_FEED_MAX || BIO_pending(t->in) > (int)(TLS_FEED_MAX - n) ||
	    (n && BIO_write(t->in, p, (int)n) != (int)n)) {
		t->is_broken = true;
		return err_set(err, ERR_UNAVAILABLE, "TLS: too much at once");
	}
	return 0;
}

static bool is_fat(BIO *bio)
{
	BUF_MEM *mem = NULL;

	(void)BIO_get_mem_ptr(bio, &mem);
	return mem && mem->max > BIO_KEEP;
}

int tls_take(struct tls *t, struct buf *out, struct err *err)
{
	char *p = NULL;
	long n = BIO_get_mem_data(t->out, &p);
	BIO *slim;

	if (n > 0 && buf_append(out, p, (size_t)n))
		return err_set(err, ERR_UNAVAILABLE,
			       "TLS: no room for what is to be sent");
	(void)BIO_reset(t->out);
	if (is_fat(t->out) && (slim = BIO_new(BIO_s_mem()))) {
		SSL_set0_wbio(t->ssl, slim);
		t->out = slim;
	}
	return 0;
}

/* What is fed was read to the last byte. */
static void slim_down(struct tls *t)
{
	BIO *slim;

	if (BIO_pending(t->in) > 0 || !is_fat(t->in) || !(slim = BIO_new(BIO_s_mem())))
		return;
	SSL_set0_rbio(t->ssl, slim);
	t->in = slim;
}

int tls_shake(struct tls *t, struct err *err)
{
	int rc;

	if (t->is_broken)
		return err_set(err, ERR_UNAVAILABLE, "TLS: broken");
	if (t->is_up)
		return 0;
	ERR_clear_error();
	rc = SSL_do_handshake(t->ssl);
	if (rc == 1) {
		t->is_up = true;
		return 0;
	}
	if (SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ)
		return 0;
	return fail(t, "TLS handshake", err);
}

ssize_t tls_read(struct tls *t, void *p, size_t n, struct err *err)
{
	size_t got = 0;
	int rc;

	if (t->is_broken)
		return err_set(err, ERR_UNAVAILABLE, "TLS: broken");
	if (t->is_ended)
		return 0;
	ERR_clear_error();
	rc = SSL_read_ex(t->ssl, p, n, &got);
	if (rc == 1)
		return (ssize_t)got;
	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		slim_down(t);
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		t->is_ended = true;
		return 0;
	default:
		return fail(t, "TLS", err);
	}
}

int tls_write(struct tls *t, const void *p, size_t n, struct err *err)
{
	size_t done = 0, put = 0;

	if (t->is_broken || !t->is_up || n > TLS_WRITE_MAX)
		return err_set(err, ERR_UNAVAILABLE, "TLS: not open for writing");
	for (; done < n; done += put) {
		ERR_clear_error();
		if (SSL_write_ex(t->ssl, (const char *)p + done, n - done, &put) != 1)
			return fail(t, "TLS", err);
	}
	return 0;
}

void tls_bye(struct tls *t)
{
	if (!t->ssl || !t->is_up || t->is_broken)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}
