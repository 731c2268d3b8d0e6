/* The TLS engine against OpenSSL's own server, both ends joined in memory. */
#include "k8s/tls.h"

#include <malloc.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/certs.h"
#include "support/t.h"

struct ends {
	struct certs ca, leaf;
	SSL_CTX *client_ctx, *server_ctx;
	struct tls t;
	SSL *server;
	BIO *in, *out; /* the server's */
	struct buf wire;
	size_t step; /* bytes fed at once; 0: all */
	struct err err;
};

static SSL_CTX *ctx_of(const struct certs *ca, const struct certs *own, struct err *err)
{
	char *pem[3] = { ca ? certs_cert_pem(ca) : strdup("no PEM"),
			 own ? certs_cert_pem(own) : NULL,
			 own ? certs_key_pem(own) : NULL };
	struct buf b[3];
	struct tls_pem all = { .ca = &b[0] };
	SSL_CTX *ctx;

	for (int i = 0; i < 3; i++) {
		buf_init(&b[i], 65536);
		if (pem[i])
			buf_puts(&b[i], pem[i]);
		free(pem[i]);
	}
	all.cert = own ? &b[1] : NULL;
	all.key = own ? &b[2] : NULL;
	ctx = tls_ctx_new(&all, err);
	for (int i = 0; i < 3; i++)
		buf_fini(&b[i]);
	return ctx;
}

static void serve(struct ends *e)
{
	e->server = SSL_new(e->server_ctx);
	e->in = BIO_new(BIO_s_mem());
	e->out = BIO_new(BIO_s_mem());
	SSL_set_bio(e->server, e->in, e->out);
	SSL_set_accept_state(e->server);
}

static void open_ends(struct ends *e, const char *san, int days, const char *host)
{
	memset(e, 0, sizeof(*e));
	certs_make(&e->ca, NULL, NULL, 10);
	certs_make(&e->leaf, &e->ca, san, days);
	e->client_ctx = ctx_of(&e->ca, NULL, &e->err);
	cr_assert_not_null(e->client_ctx, "%s", e->err.msg);
	e->server_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(e->server_ctx, e->leaf.cert);
	SSL_CTX_use_PrivateKey(e->server_ctx, e->leaf.key);
	buf_init(&e->wire, 1 << 20);
	serve(e);
	cr_assert_eq(tls_init(&e->t, e->client_ctx, host, &e->err), 0);
}

static void close_ends(struct ends *e)
{
	tls_fini(&e->t);
	SSL_free(e->server);
	SSL_CTX_free(e->client_ctx);
	SSL_CTX_free(e->server_ctx);
	certs_free(&e->ca);
	certs_free(&e->leaf);
	buf_fini(&e->wire);
	cr_assert_eq(mem_live(), 0);
	T_LSAN();
}

/* What the client has to say, to the server. */
static bool to_server(struct ends *e)
{
	bool some;

	cr_assert_eq(tls_take(&e->t, &e->wire, &e->err), 0);
	some = e->wire.len > 0;
	if (some)
		cr_assert_eq(BIO_write(e->in, e->wire.data, (int)e->wire.len),
			     (int)e->wire.len);
	buf_reset(&e->wire);
	return some;
}

/* What the server has to say, to the client: the handshake goes on with each piece. 0, or
 * -1 and the client's error. */
static int to_client(struct ends *e, bool *ret_some)
{
	char *p;
	long n = BIO_get_mem_data(e->out, &p);
	size_t step = e->step ? e->step : (size_t)n;
	int rc = 0;

	*ret_some = n > 0;
	for (size_t at = 0; rc == 0 && at < (size_t)n; at += step) {
		size_t len = (size_t)n - at < step ? (size_t)n - at : step;

		rc = tls_feed(&e->t, p + at, len, &e->err);
		if (rc == 0)
			rc = tls_shake(&e->t, &e->err);
	}
	BIO_reset(e->out);
	return rc;
}

static int shake(struct ends *e)
{
	bool some = true, more = true;
	int rc = tls_shake(&e->t, &e->err);

	while (rc == 0 && (some || more)) {
		some = to_server(e);
		ERR_clear_error();
		(void)SSL_do_handshake(e->server);
		rc = to_client(e, &more);
	}
	if (rc)
		to_server(e); /* the alert */
	return rc;
}

static ssize_t read_all(struct ends *e, char *p, size_t max)
{
	size_t len = 0;
	ssize_t n;

	while ((n = tls_read(&e->t, p + len, max - len, &e->err)) > 0)
		len += (size_t)n;
	return n < 0 ? -1 : (ssize_t)len;
}

static void talk(struct ends *e, const char *say, const char *answer)
{
	char got[256];
	bool some;

	cr_assert_eq(tls_write(&e->t, say, strlen(say), &e->err), 0);
	to_server(e);
	cr_assert_eq(SSL_read(e->server, got, sizeof(got)), (int)strlen(say));
	cr_assert_arr_eq(got, say, strlen(say));
	cr_assert_eq(SSL_write(e->server, answer, (int)strlen(answer)),
		     (int)strlen(answer));
	cr_assert_eq(to_client(e, &some), 0);
	cr_assert_eq(read_all(e, got, sizeof(got)), (ssize_t)strlen(answer), "%s",
		     e->err.msg);
	cr_assert_arr_eq(got, answer, strlen(answer));
}

Test(tls, carries_bytes_both_ways)
{
	static const char *const hosts[] = { "10.96.0.1", "fd00::1", "kubernetes.default",
					     "a.wild.example" };

	for (size_t i = 0; i < 4; i++) {
		struct ends e;

		open_ends(&e,
			  "IP:10.96.0.1,IP:fd00::1,DNS:kubernetes.default,DNS:*.wild."
			  "example",
			  10, hosts[i]);
		cr_assert_eq(shake(&e), 0, "%s: %s", hosts[i], e.err.msg);
		cr_assert(e.t.is_up);
		talk(&e, "hello", "world");
		/* RFC 6066: no address in SNI, but the name. */
		const char *sni = SSL_get_servername(e.server, TLSEXT_NAMETYPE_host_name);

		cr_assert(i < 2 ? !sni : strcmp(sni, hosts[i]) == 0);
		tls_bye(&e.t);
		to_server(&e);
		char c;

		cr_assert_eq(SSL_read(e.server, &c, 1), 0);
		cr_assert_eq(SSL_get_error(e.server, 0), SSL_ERROR_ZERO_RETURN);
		close_ends(&e);
	}
}

Test(tls, one_byte_at_a_time)
{
	for (size_t step = 1; step < 40; step += 2) {
		struct ends e;

		open_ends(&e, "DNS:h", 10, "h");
		e.step = step;
		cr_assert_eq(shake(&e), 0, "%s", e.err.msg);
		talk(&e, "hello", "world");
		talk(&e, "again", "and again");
		close_ends(&e);
	}
}

static void refuse(const char *san, int days, const char *host, const char *words)
{
	struct ends e;
	char c;

	open_ends(&e, san, days, host);
	cr_assert_eq(shake(&e), -1, "%s for %s", host, san);
	cr_assert_eq(e.err.code, ERR_UNAVAILABLE);
	cr_assert_not_null(strstr(e.err.msg, words), "%s", e.err.msg);
	cr_assert_not(e.t.is_up);
	/* Nothing but the alert leaves any more. */
	cr_assert_eq(tls_write(&e.t, "secret", 6, &e.err), -1);
	cr_assert_eq(tls_read(&e.t, &c, 1, &e.err), -1);
	tls_bye(&e.t);
	close_ends(&e);
}

Test(tls, a_wrong_server_is_refused)
{
	refuse("DNS:other", 10, "h", "ostname mismatch");
	refuse("IP:10.0.0.2", 10, "10.0.0.1", "IP address mismatch");
	refuse("DNS:10.0.0.1", 10, "10.0.0.1", "IP address mismatch");
	refuse("DNS:h*.x", 10, "h.x", "ostname mismatch");
	refuse("DNS:h", -1, "h", "expired");
	refuse(NULL, 10, "test", "ostname mismatch");
}

Test(tls, another_authority_is_refused)
{
	struct certs other;
	struct ends e;

	open_ends(&e, "DNS:h", 10, "h");
	certs_make(&other, NULL, NULL, 10);
	SSL_CTX_free(e.client_ctx);
	tls_fini(&e.t);
	e.client_ctx = ctx_of(&other, NULL, &e.err);
	cr_assert_eq(tls_init(&e.t, e.client_ctx, "h", &e.err), 0);
	cr_assert_eq(shake(&e), -1);
	cr_assert_not_null(strstr(e.err.msg, "certificate"), "%s", e.err.msg);
	certs_free(&other);
	close_ends(&e);
}

Test(tls, an_intermediate_authority_may_be_the_anchor)
{
	struct ends e;

	open_ends(&e, "DNS:h", 10, "h");
	tls_fini(&e.t);
	SSL_CTX_free(e.client_ctx);
	e.client_ctx = ctx_of(&e.leaf, NULL, &e.err); /* even the leaf itself */
	cr_assert_eq(tls_init(&e.t, e.client_ctx, "h", &e.err), 0);
	cr_assert_eq(shake(&e), 0, "%s", e.err.msg);
	close_ends(&e);
}

Test(tls, nothing_below_1_2)
{
	struct ends e;

	open_ends(&e, "DNS:h", 10, "h");
	SSL_CTX_set_security_level(e.server_ctx, 0);
	SSL_CTX_set_min_proto_version(e.server_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(e.server_ctx, TLS1_1_VERSION);
	SSL_free(e.server);
	serve(&e);
	cr_assert_eq(shake(&e), -1);
	close_ends(&e);

	open_ends(&e, "DNS:h", 10, "h");
	SSL_CTX_set_max_proto_version(e.server_ctx, TLS1_2_VERSION);
	SSL_free(e.server);
	serve(&e);
	cr_assert_eq(shake(&e), 0, "%s", e.err.msg);
	talk(&e, "hello", "world");
	close_ends(&e);
}

Test(tls, a_client_certificate_is_shown)
{
	for (int with = 0; with < 2; with++) {
		struct certs own;
		struct ends e;
		bool some;
		char c;

		open_ends(&e, "DNS:h", 10, "h");
		X509_STORE_add_cert(SSL_CTX_get_cert_store(e.server_ctx), e.ca.cert);
		SSL_CTX_set_verify(e.server_ctx,
				   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
		SSL_free(e.server);
		serve(&e);
		certs_make(&own, &e.ca, NULL, 10);
		tls_fini(&e.t);
		SSL_CTX_free(e.client_ctx);
		e.client_ctx = ctx_of(&e.ca, with ? &own : NULL, &e.err);
		cr_assert_not_null(e.client_ctx, "%s", e.err.msg);
		cr_assert_eq(tls_init(&e.t, e.client_ctx, "h", &e.err), 0);
		/* With TLS 1.3 the refusal comes after the client's own end of it. */
		(void)shake(&e);
		if (with)
			talk(&e, "hello", "world");
		else
			cr_assert(to_client(&e, &some) ||
				  tls_read(&e.t, &c, 1, &e.err) < 0);
		certs_free(&own);
		close_ends(&e);
	}
}

Test(tls, a_context_needs_sound_parts)
{
	struct certs ca, own, other;
	struct err err = { 0 };
	struct buf b[3];
	char *pem[3];
	SSL_CTX *ctx;

	certs_make(&ca, NULL, NULL, 10);
	certs_make(&own, &ca, NULL, 10);
	certs_make(&other, &ca, NULL, 10);
	cr_assert_null(ctx_of(NULL, NULL, &err));
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_not_null(strstr(err.msg, "certificate authority"), "%s", err.msg);

	/* The key of another certificate; a certificate cut in its middle. */
	for (int i = 0; i < 3; i++)
		buf_init(&b[i], 65536);
	struct tls_pem all = { &b[0], &b[1], &b[2] };

	pem[0] = certs_cert_pem(&ca);
	pem[1] = certs_cert_pem(&own);
	pem[2] = certs_key_pem(&other);
	for (int i = 0; i < 3; i++) {
		buf_puts(&b[i], pem[i]);
		free(pem[i]);
	}
	cr_assert_null(tls_ctx_new(&all, &err));
	cr_assert_not_null(strstr(err.msg, "client key"), "%s", err.msg);
	all.cert = all.key = NULL;
	ctx = tls_ctx_new(&all, &err);
	cr_assert_not_null(ctx);
	SSL_CTX_free(ctx);
	b[0].len -= 60;
	cr_assert_null(tls_ctx_new(&all, &err));
	/* A sound one, then a broken one: neither is taken. */
	b[0].len += 60;
	buf_puts(&b[0], "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	cr_assert_null(tls_ctx_new(&all, &err));
	for (int i = 0; i < 3; i++)
		buf_fini(&b[i]);
	certs_free(&ca);
	certs_free(&own);
	certs_free(&other);
	cr_assert_eq(ERR_peek_error(), 0, "the queue of errors is left empty");
}

Test(tls, key_updates_are_answered)
{
	struct ends e;

	open_ends(&e, "DNS:h", 10, "h");
	cr_assert_eq(shake(&e), 0, "%s", e.err.msg);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(SSL_key_update(e.server, SSL_KEY_UPDATE_REQUESTED), 1);
		talk(&e, "hello", "world");
	}
	close_ends(&e);
}

Test(tls, tickets_are_no_data)
{
	struct ends e;
	char c;
	bool some;

	open_ends(&e, "DNS:h", 10, "h");
	SSL_CTX_set_num_tickets(e.server_ctx, 5);
	SSL_free(e.server);
	serve(&e);
	cr_assert_eq(shake(&e), 0, "%s", e.err.msg);
	(void)to_client(&e, &some);
	cr_assert_eq(tls_read(&e.t, &c, 1, &e.err), 0);
	cr_assert_not(e.t.is_ended);
	talk(&e, "hello", "world");
	close_ends(&e);
}

Test(tls, its_end_is_told_from_a_cut)
{
	struct ends e;
	char got[64];
	bool some;

	open_ends(&e, "DNS:h", 10, "h");
	cr_assert_eq(shake(&e), 0);
	cr_assert_eq(SSL_write(e.server, "last", 4), 4);
	(void)to_client(&e, &some);
	cr_assert_eq(read_all(&e, got, sizeof(got)), 4);
	cr_assert_not(e.t.is_ended, "a cut says nothing");
	(void)SSL_shutdown(e.server);
	(void)to_client(&e, &some);
	cr_assert_eq(read_all(&e, got, sizeof(got)), 0);
	cr_assert(e.t.is_ended);
	cr_assert_eq(read_all(&e, got, sizeof(got)), 0);
	close_ends(&e);
}

Test(tls, garbage_breaks_it_for_good)
{
	struct ends e;
	char got[64];

	open_ends(&e, "DNS:h", 10, "h");
	cr_assert_eq(tls_shake(&e.t, &e.err), 0);
	cr_assert_eq(tls_feed(&e.t, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, &e.err), 0);
	cr_assert_eq(tls_shake(&e.t, &e.err), -1);
	cr_assert_eq(e.err.code, ERR_UNAVAILABLE);
	close_ends(&e);

	open_ends(&e, "DNS:h", 10, "h");
	cr_assert_eq(shake(&e), 0);
	cr_assert_eq(tls_feed(&e.t, "\x17\x03\x03\x00\x20 not of any key, this record is",
			      37, &e.err),
		     0);
	cr_assert_eq(tls_read(&e.t, got, sizeof(got), &e.err), -1);
	cr_assert_eq(tls_read(&e.t, got, sizeof(got), &e.err), -1);
	cr_assert_eq(tls_write(&e.t, "x", 1, &e.err), -1);
	close_ends(&e);
}

Test(tls, what_waits_is_bounded)
{
	static char junk[TLS_FEED_MAX + 1];
	struct ends e;
	char c;

	open_ends(&e, "DNS:h", 10, "h");
	cr_assert_eq(shake(&e), 0);
	cr_assert_eq(tls_write(&e.t, junk, TLS_WRITE_MAX + 1, &e.err), -1);
	cr_assert_eq(tls_feed(&e.t, junk, sizeof(junk), &e.err), -1);
	close_ends(&e);
	open_ends(&e, "DNS:h", 10, "h");
	cr_assert_eq(shake(&e), 0);
	cr_assert_eq(tls_read(&e.t, &c, 1, &e.err), 0); /* the tickets */
	cr_assert_eq(tls_feed(&e.t, junk, TLS_FEED_MAX - 1, &e.err), 0);
	cr_assert_eq(tls_feed(&e.t, junk, 2, &e.err), -1);
	close_ends(&e);
}

/* A connection that has shaken hands and carried a request and a large answer. Its other
 * end is freed before the heap is looked at again. */
static void use_one(struct ends *e, struct tls *t)
{
	static char big[60000];
	bool some;

	serve(e);
	cr_assert_eq(tls_init(&e->t, e->client_ctx, "h", &e->err), 0);
	cr_assert_eq(shake(e), 0);
	cr_assert_eq(tls_write(&e->t, big, sizeof(big), &e->err), 0);
	to_server(e);
	while (SSL_read(e->server, big, sizeof(big)) > 0)
		;
	cr_assert_eq(SSL_write(e->server, big, sizeof(big)), (int)sizeof(big));
	cr_assert_eq(to_client(e, &some), 0);
	cr_assert_eq(read_all(e, big, sizeof(big)), (ssize_t)sizeof(big));
	SSL_free(e->server);
	e->server = NULL;
	*t = e->t;
}

Test(tls, an_idle_connection_is_small)
{
	enum { N = 16 };
	static struct tls t[N + 1];
	struct ends e;
	size_t before, each;

	open_ends(&e, "DNS:h", 10, "h");
	SSL_free(e.server);
	tls_fini(&e.t);
	use_one(&e, &t[N]);
	before = mallinfo2().uordblks;
	for (int i = 0; i < N; i++)
		use_one(&e, &t[i]);
	each = (mallinfo2().uordblks - before) / N;
	fprintf(stderr, "an idle TLS connection holds %zu bytes\n", each); /* ASan: 0 */
	cr_assert_leq(each, 40 * 1024);
	for (int i = 0; i <= N; i++)
		tls_fini(&t[i]);
	e.t = (struct tls){ .ssl = NULL };
	close_ends(&e);
}
