#include "support/certs.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/t.h"

static void extend(X509 *cert, X509 *issuer, int nid, const char *text)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
	cr_assert_not_null(ext, "%s", text);
	cr_assert_eq(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static void name(X509_NAME *n, const char *cn)
{
	cr_assert_eq(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
						(const unsigned char *)cn, -1, -1, 0),
		     1);
}

void certs_make(struct certs *c, const struct certs *issuer, const char *san, int days)
{
	uint32_t serial;
	char cn[64];

	c->key = EVP_EC_gen("P-256");
	c->cert = X509_new();
	cr_assert(c->key && c->cert);
	cr_assert_eq(RAND_bytes((unsigned char *)&serial, sizeof(serial)), 1);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(c->cert), serial);
	snprintf(cn, sizeof(cn), "test %s %u", issuer ? "leaf" : "authority", serial);
	X509_set_version(c->cert, X509_VERSION_3);
	name(X509_get_subject_name(c->cert), cn);
	X509_set_issuer_name(c->cert,
			     X509_get_subject_name(issuer ? issuer->cert : c->cert));
	X509_gmtime_adj(X509_getm_notBefore(c->cert), -10L * 86400);
	X509_gmtime_adj(X509_getm_notAfter(c->cert), days * 86400L);
	X509_set_pubkey(c->cert, c->key);
	extend(c->cert, issuer ? issuer->cert : c->cert, NID_basic_constraints,
	       issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
	extend(c->cert, issuer ? issuer->cert : c->cert, NID_subject_key_identifier,
	       "hash");
	if (san)
		extend(c->cert, issuer->cert, NID_subject_alt_name, san);
	cr_assert_gt(X509_sign(c->cert, issuer ? issuer->key : c->key, EVP_sha256()), 0);
}

void certs_free(struct certs *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->cert);
	c->key = NULL;
	c->cert = NULL;
}

static char *text_of(BIO *bio)
{
	char *p, *copy;
	long n = BIO_get_mem_data(bio, &p);

	copy = strndup(p, (size_t)n);
	BIO_free(bio);
	cr_assert_not_null(copy);
	return copy;
}

char *certs_cert_pem(const struct certs *c)
{
	BIO *bio = BIO_new(BIO_s_mem());

	cr_assert_eq(PEM_write_bio_X509(bio, c->cert), 1);
	return text_of(bio);
}

char *certs_key_pem(const struct certs *c)
{
	BIO *bio = BIO_new(BIO_s_mem());

	cr_assert_eq(PEM_write_bio_PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL), 1);
	return text_of(bio);
}

void certs_write_file(const char *path, const char *text)
{
	char fresh[512];
	int fd;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0, "%s", fresh);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	cr_assert_eq(rename(fresh, path), 0);
}

void certs_write_cert(const struct certs *c, const char *path)
{
	char *pem = certs_cert_pem(c);

	certs_write_file(path, pem);
	free(pem);
}

void certs_write_key(const struct certs *c, const char *path)
{
	char *pem = certs_key_pem(c);

	certs_write_file(path, pem);
	free(pem);
}
