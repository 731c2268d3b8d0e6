#ifndef T_SECRET_H
#define T_SECRET_H

/* A directory as the kubelet mounts a Secret: rds-private-key and rds-host-key are links
 * through ..data to a directory of one version, and ..data is renamed over. Nothing of
 * Criterion is in it. */
struct secret {
	char dir[200], key[240], host_key[240];
	unsigned version;
};

/* Makes dir with a first version, which holds copies of the two files. 0 or -1. */
int secret_open(struct secret *s, const char *dir, const char *key, const char *host_key);
/* The next version; the one before is removed, as the kubelet does. */
int secret_swap(struct secret *s, const char *key, const char *host_key);
/* Writes text over the key of this version, in place, as nobody should. */
int secret_spoil(const struct secret *s, const char *text);
/* ssh-keygen: path and path.pub. */
int secret_keygen(const char *path, const char *type);
#endif
