#ifndef CERTS_H
#define CERTS_H
#include <openssl/evp.h>
#include <openssl/x509.h>

/* Keys and certificates made at run time (P-256), for TLS in tests. */
struct certs {
	EVP_PKEY *key;
	X509 *cert;
};

/* issuer NULL: a certificate authority that signs itself. san: as openssl writes it, such
 * as "IP:127.0.0.1,DNS:localhost", or NULL. days: until it expires; negative: it has. */
void certs_make(struct certs *c, const struct certs *issuer, const char *san, int days);
void certs_free(struct certs *c);
/* PEM, NUL-terminated, by malloc. */
char *certs_cert_pem(const struct certs *c);
char *certs_key_pem(const struct certs *c);
void certs_write_file(const char *path, const char *text); /* mode 0600, atomically */
/* Writes the PEM into files. */
void certs_write_cert(const struct certs *c, const char *path);
void certs_write_key(const struct certs *c, const char *path);
#endif
