#ifndef RDS_KEYRING_H
#define RDS_KEYRING_H
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "rds/ssh_key.h"

/* The two key files of the sessions with the box, as they were when last good. They may
 * be exchanged at any time, by a rename, by the swapped directory link of a Kubernetes
 * Secret, or in place: what cannot be used, for it is half written, empty or gone, leaves
 * what there was, and one line in the log. Owned by the pool; the private key stays in
 * memory and is overwritten before it is freed. Reads small files of the host's own disk,
 * synchronously. */
struct keyring_stamp { /* all 0: no such file */
	uint64_t device, inode, size, changed_ns;
};

struct keyring {
	const char *key_file, *host_key_file; /* borrowed; NULL: any host key is good */
	struct buf key;			      /* the private one, as libssh2 takes it */
	struct ssh_pins pins;
	char fingerprint[SSH_FINGERPRINT]; /* of the key's public half; "" = not known */
	uint64_t version;		   /* 1, and one more for each change */
	bool is_key_bad, is_pin_bad;	   /* what the file holds by now cannot be used */
	struct keyring_stamp key_seen, pin_seen; /* when last read */
	struct keyring_stamp key_told, pin_told; /* of which the log has a line */
};

/* Both files must be good: else ERR_INVALID, one clear line, and nothing to free. */
int keyring_open(struct keyring *k, const char *key_file, const char *host_key_file,
		 struct err *err);
/* Reads both files anew. -1 only for ERR_EXHAUSTED, with all as it was. */
int keyring_read(struct keyring *k, struct err *err);
/* The same, if a file is not the one that was read last. */
int keyring_look(struct keyring *k, struct err *err);
/* The private key is another than that one. */
bool keyring_has_other_key(const struct keyring *k, const struct buf *key);
void keyring_fini(struct keyring *k);
#endif
