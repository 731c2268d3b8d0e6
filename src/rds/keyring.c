#include "rds/keyring.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

#include "core/log.h"
#include "rds/ssh.h"
#include "rds/ssh_container.h"

static struct keyring_stamp stamp_of(const char *path)
{
	struct stat st;

	if (!path || stat(path, &st))
		return (struct keyring_stamp){ .inode = 0 };
	return (struct keyring_stamp){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.changed_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000 +
			      (uint64_t)st.st_ctim.tv_nsec,
	};
}

static bool is_same(const struct keyring_stamp *a, const struct keyring_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed_ns == b->changed_ns;
}

bool keyring_has_other_key(const struct keyring *k, const struct buf *key)
{
	return k->key.len != key->len || memcmp(k->key.data, key->data, key->len) != 0;
}

static void name_key(struct keyring *k)
{
	unsigned char public[SSH_PUBLIC_MAX], hash[EVP_MAX_MD_SIZE];
	size_t n = ssh_container_public(k->key.data, k->key.len, public);

	k->fingerprint[0] = '\0';
	if (n && EVP_Digest(public, n, hash, NULL, EVP_sha256(), NULL))
		ssh_fingerprint(hash, k->fingerprint);
}

/* Takes a private key that libssh2 can load and that is not the one there is. */
static int take_key(struct keyring *k, struct err *err)
{
	struct buf raw, key;
	int rc = -1;

	buf_init(&raw, 2 * SSH_KEY_FILE_MAX);
	buf_init(&key, 2 * SSH_KEY_FILE_MAX);
	if (ssh_key_read(&raw, k->key_file, "private key", err))
		goto out;
	/* At once in its full size, so that no copy is left behind when it grows. */
	if (buf_reserve(&key, 2 * raw.len) || ssh_key_rewrap(&key, raw.data, raw.len)) {
		(void)err_nomem(err);
		goto out;
	}
	rc = 0;
	if (!keyring_has_other_key(k, &key))
		goto out;
	rc = ssh_check_key(&key, k->key_file, err);
	if (rc == 0) {
		struct buf old = k->key;

		k->key = key;
		key = old;
		k->version++;
		name_key(k);
	}
out:
	ssh_key_wipe(&key);
	ssh_key_wipe(&raw);
	return rc;
}

static int take_pins(struct keyring *k, struct err *err)
{
	struct ssh_pins pins;
	struct buf text;
	int rc;

	if (!k->host_key_file)
		return 0;
	buf_init(&text, 2 * SSH_KEY_FILE_MAX);
	rc = ssh_key_read(&text, k->host_key_file, "host key", err);
	if (rc == 0 && ssh_pins_parse(&pins, text.data, err))
		rc = err_wrap(err, "host key %.100s", k->host_key_file);
	buf_fini(&text);
	if (rc == 0 && !ssh_pins_are_same(&pins, &k->pins)) {
		k->pins = pins;
		k->version++;
	}
	return rc;
}

/* What came of one of the two. */
static int note(struct keyring *k, int rc, struct err *err, bool is_key)
{
	const struct keyring_stamp *seen = is_key ? &k->key_seen : &k->pin_seen;
	struct keyring_stamp *told = is_key ? &k->key_told : &k->pin_told;
	bool *is_bad = is_key ? &k->is_key_bad : &k->is_pin_bad;

	if (rc && err->code == ERR_EXHAUSTED)
		return -1;
	if (rc && (!*is_bad || !is_same(told, seen))) {
		*told = *seen;
		log_warn("rds", "a key file cannot be used: what it held before is kept",
			 KS("error", err->msg));
	}
	*is_bad = rc != 0;
	return 0;
}

int keyring_read(struct keyring *k, struct err *err)
{
	uint64_t had = k->version;
	int rc;

	/* Stamped before it is read: what is written meanwhile is seen by the next look.
	 */
	k->key_seen = stamp_of(k->key_file);
	k->pin_seen = stamp_of(k->host_key_file);
	rc = note(k, take_key(k, err), err, true);
	if (rc == 0)
		rc = note(k, take_pins(k, err), err, false);
	if (rc) { /* the next look tries again */
		k->key_seen = (struct keyring_stamp){ .inode = 0 };
		return -1;
	}
	if (k->version != had)
		log_info("rds", "the key files have changed", KS("key", k->fingerprint),
			 KU("host_keys", k->pins.n));
	return 0;
}

int keyring_look(struct keyring *k, struct err *err)
{
	struct keyring_stamp key = stamp_of(k->key_file);
	struct keyring_stamp pin = stamp_of(k->host_key_file);

	if (is_same(&key, &k->key_seen) && is_same(&pin, &k->pin_seen))
		return 0;
	return keyring_read(k, err);
}

int keyring_open(struct keyring *k, const char *key_file, const char *host_key_file,
		 struct err *err)
{
	*k = (struct keyring){ .key_file = key_file, .host_key_file = host_key_file };
	buf_init(&k->key, 2 * SSH_KEY_FILE_MAX);
	k->key_seen = stamp_of(key_file);
	k->pin_seen = stamp_of(host_key_file);
	if (take_key(k, err) || take_pins(k, err)) {
		keyring_fini(k);
		return -1;
	}
	k->version = 1;
	return 0;
}

void keyring_fini(struct keyring *k)
{
	ssh_key_wipe(&k->key);
}
