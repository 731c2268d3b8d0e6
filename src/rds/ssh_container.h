#ifndef RDS_SSH_CONTAINER_H
#define RDS_SSH_CONTAINER_H
#include <stdbool.h>
#include <stddef.h>

/* Whether the text is a whole, unencrypted ed25519 key in OpenSSH's own container
 * (openssh PROTOCOL.key), the usual kind. Such a key every libssh2 from 1.10 on can load,
 * so that start-up can say so without making OpenSSL try, which takes 4 ms. false: some
 * other key, or none; libssh2 is the judge. Pure; leaves no copy of the key behind. */
bool ssh_container_is_plain_ed25519(const char *pem, size_t n);

/* The public half of the key in such a container, of whatever type, as on the wire (RFC
 * 4253 6.6): its length, or 0 where the file is in another form. */
enum { SSH_PUBLIC_MAX = 1024 };
size_t ssh_container_public(const char *pem, size_t n, unsigned char out[SSH_PUBLIC_MAX]);
#endif
