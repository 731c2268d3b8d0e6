#ifndef RDS_SSH_KEY_H
#define RDS_SSH_KEY_H
#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/err.h"

/* The two key files of an SSH session: the pinned host keys and the user's private key.
 * Everything but ssh_key_read is pure. */
enum {
	SSH_KEY_FILE_MAX = 16384,
	SSH_HOST_KEY_MAX = 2048,
	SSH_FINGERPRINT = 64,
	SSH_PINS_MAX = 4, /* of two types, the old ones and the new ones */
	SSH_METHODS_MAX = 256,
};

struct ssh_host_key {
	char type[32];
	unsigned char blob[SSH_HOST_KEY_MAX]; /* as on the wire, RFC 4253 6.6 */
	size_t len;
};

struct ssh_pins {
	struct ssh_host_key at[SSH_PINS_MAX];
	size_t n;
};

/* Every line that is neither empty nor a comment, in authorized_keys form ("type base64
 * [comment]") or known_hosts form ("host type base64"): each is a key of the box,
 * whatever host it names. Lines of unknown types are passed over. Refused are none at
 * all, more than SSH_PINS_MAX, and one that is cut. */
int ssh_pins_parse(struct ssh_pins *p, const char *text, struct err *err);
bool ssh_pins_have(const struct ssh_pins *p, const void *blob, size_t len);
bool ssh_pins_are_same(const struct ssh_pins *a, const struct ssh_pins *b);
/* What to ask the box for, so that it presents a key of a pinned type and not another one
 * it has too: a list for libssh2_session_method_pref(), the first line's type first.
 * Returns out. */
const char *ssh_pins_methods(const struct ssh_pins *p, char out[SSH_METHODS_MAX]);
/* "SHA256:" and unpadded base64, as ssh-keygen -l prints it. */
void ssh_fingerprint(const unsigned char hash[32], char out[SSH_FINGERPRINT]);

/* libssh2 1.10 reads no PEM line longer than some 300 characters ("Invalid base64"), and
 * libssh 0.10 writes an ed25519 key as one: breaks long lines at 70 columns. */
int ssh_key_rewrap(struct buf *out, const char *pem, size_t n);

/* A whole small file, O_CLOEXEC; a pipe is refused, not waited for. The message names
 * what, never the content. */
int ssh_key_read(struct buf *out, const char *path, const char *what, struct err *err);
/* Overwrites before freeing. */
void ssh_key_wipe(struct buf *b);
#endif
