/* The keys of the simulator, made at first start and kept in DIR: client_key (a user key,
 * OpenSSH form, mode 0600), host_key, host_key2 (the other host key of a fault), each
 * with its .pub. A user is let in by what client_key.pub holds at that moment, one key a
 * line, and the file of --authorized-keys. */
#ifndef SIM_KEYS_H
#define SIM_KEYS_H

#include <libssh/libssh.h>
#include <stddef.h>

/* Loads DIR/name, or makes it. NULL with a line on stderr. The caller frees it. */
ssh_key keys_load(const char *dir, const char *name);
/* Public keys, one a line, as in authorized_keys; at most max. Returns how many. */
size_t keys_read_public(const char *path, ssh_key *ret, size_t max);

#endif
