#include "rds/ssh_hello.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/audit.h"
#include "core/mem.h"
#include "rds/keyring.h"
#include "rds/ssh_container.h"
#include "rds/ssh_key.h"

/* libssh2 calls many a failed allocation a bad file. */
static bool was_refused;

static LIBSSH2_ALLOC_FUNC(hook_alloc)
{
	void *p = mem_alloc(count);

	(void)abstract;
	was_refused |= !p;
	return p;
}

static LIBSSH2_REALLOC_FUNC(hook_realloc)
{
	void *p = mem_realloc(ptr, count);

	(void)abstract;
	was_refused |= !p;
	return p;
}

static LIBSSH2_FREE_FUNC(hook_free)
{
	(void)abstract;
	mem_free(ptr);
}

static LIBSSH2_SESSION *new_session(void)
{
	LIBSSH2_SESSION *session =
		libssh2_session_init_ex(hook_alloc, hook_free, hook_realloc, NULL);

	if (session)
		libssh2_session_set_blocking(session, 0);
	return session;
}

int ssh_open(struct err *err)
{
	/* Initialising the cryptography costs 0.3 ms and OpenSSL 1.1 and later do it
	 * themselves at first use. */
	if (libssh2_init(LIBSSH2_INIT_NO_CRYPTO))
		return err_set(err, ERR_INTERNAL, "libssh2 does not start");
	return 0;
}

static int offer_key(LIBSSH2_SESSION *session, const char *user, const struct buf *key)
{
	return libssh2_userauth_publickey_frommemory(session, user, strlen(user), NULL, 0,
						     key->data, key->len, NULL);
}

/* libssh2 has no call that only loads a key, but it loads it before it sends anything:
 * here the packet goes into a socket pair that nobody reads. */
int ssh_check_key(const struct buf *key, const char *key_file, struct err *err)
{
	LIBSSH2_SESSION *session;
	int pair[2] = { -1, -1 }, rc = -1;

	if (ssh_container_is_plain_ed25519(key->data, key->len))
		return 0;
	session = new_session();
	if (!session ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		(void)err_nomem(err);
		goto out;
	}
	was_refused = false;
	(void)libssh2_session_handshake(session, pair[0]);
	rc = offer_key(session, "check", key);
	if (was_refused)
		rc = err_nomem(err);
	else if (rc != LIBSSH2_ERROR_EAGAIN && rc != 0)
		rc = err_set(
			err, ERR_INVALID,
			"private key %.100s: libssh2 %s cannot load it; wanted is an "
			"unencrypted ed25519 key, or RSA or ECDSA",
			key_file, libssh2_version(0));
	else
		rc = 0;
out:
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			(void)shutdown(pair[i], SHUT_RDWR);
	for (int i = 0; session && i < 64; i++)
		if (libssh2_session_free(session) != LIBSSH2_ERROR_EAGAIN)
			session = NULL;
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			(void)close(pair[i]);
	return rc;
}

/* Takes the key to offer, and notes which version of the files it belongs to. */
static int take_key(struct ssh *s)
{
	const struct keyring *keys = s->conf->keys;

	ssh_key_wipe(&s->key);
	s->keys_version = keys->version;
	memcpy(s->key_name, keys->fingerprint, sizeof(s->key_name));
	if (buf_append(&s->key, keys->key.data, keys->key.len) == 0)
		return 0;
	op_fail(&s->op, ERR_EXHAUSTED, "out of memory");
	return -1;
}

static int read_keys(struct ssh *s)
{
	struct err err;

	if (keyring_read(s->conf->keys, &err) == 0)
		return 0;
	op_fail_err(&s->op, &err);
	return -1;
}

/* Strikes out of the list what this libssh2 has not: 1.10 does so itself, by a memcpy
 * onto itself. */
static int strike_out(LIBSSH2_SESSION *session, char *list)
{
	const char **has = NULL;
	int n = libssh2_session_supported_algs(session, LIBSSH2_METHOD_HOSTKEY, &has);
	const char *from = list;
	char *to = list;

	while (n > 0 && *from) {
		size_t len = strcspn(from, ",");
		bool is_known = false;

		for (int i = 0; i < n; i++)
			is_known |=
				strlen(has[i]) == len && strncmp(has[i], from, len) == 0;
		if (is_known) {
			if (to != list)
				*to++ = ',';
			memmove(to, from, len);
			to += len;
		}
		from += len + (from[len] == ',');
	}
	*to = '\0';
	if (has)
		libssh2_free(session, (void *)has);
	return to == list ? -1 : 0;
}

/* Lack of memory is told apart, for it says nothing about the keys. */
static int prefer(struct ssh *s)
{
	const struct ssh_pins *pins = &s->conf->keys->pins;
	char methods[SSH_METHODS_MAX];

	was_refused = false;
	(void)ssh_pins_methods(pins, methods);
	if (strike_out(s->session, methods) == 0 &&
	    libssh2_session_method_pref(s->session, LIBSSH2_METHOD_HOSTKEY, methods) == 0)
		return 0;
	if (was_refused)
		op_fail(&s->op, ERR_EXHAUSTED, "out of memory");
	else
		op_fail(&s->op, ERR_UNAVAILABLE,
			"libssh2 %s cannot check a host key of type %s",
			libssh2_version(0), pins->at[0].type);
	return -1;
}

int ssh_hello_begin(struct ssh *s)
{
	const struct keyring *keys = s->conf->keys;

	bug_on(!keys);
	s->session = new_session();
	if (!s->session) {
		op_fail(&s->op, ERR_EXHAUSTED, "out of memory");
		return -1;
	}
	if (read_keys(s) || take_key(s))
		return -1;
	return keys->host_key_file ? prefer(s) : 0;
}

/* Of all that are pinned, parted by commas. */
static void fingerprint_pins(const struct ssh_pins *pins, char *out, size_t size)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char one[SSH_FINGERPRINT];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < pins->n && used < size; i++) {
		const struct ssh_host_key *pin = &pins->at[i];

		if (!EVP_Digest(pin->blob, pin->len, hash, NULL, EVP_sha256(), NULL))
			continue;
		ssh_fingerprint(hash, one);
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "," : "",
					 one);
	}
}

static void audit_mismatch(struct ssh *s)
{
	const char *theirs =
		libssh2_hostkey_hash(s->session, LIBSSH2_HOSTKEY_HASH_SHA256);
	char wanted[SSH_PINS_MAX * SSH_FINGERPRINT], offered[SSH_FINGERPRINT] = "";
	unsigned char hash[32];

	fingerprint_pins(&s->conf->keys->pins, wanted, sizeof(wanted));
	if (theirs) {
		memcpy(hash, theirs, 32);
		ssh_fingerprint(hash, offered);
	}
	log_audit(AUDIT_HOST_KEY_MISMATCH, "rds",
		  "the box's host key is not the pinned one",
		  KS("address", s->conf->address), KS("pinned", wanted),
		  KS("offered", offered));
	s->trouble = SSH_TROUBLE_HOST_KEY;
	op_fail(&s->op, ERR_UNAVAILABLE, "host key mismatch: refused");
}

/* By the pins as they are now: a key that came or went while the box took its time. */
static void check_host_key(struct ssh *s)
{
	const struct keyring *keys = s->conf->keys;
	const char *blob;
	size_t len = 0;
	int type;

	if (!keys->host_key_file || read_keys(s))
		return;
	blob = libssh2_session_hostkey(s->session, &len, &type);
	if (!blob || !ssh_pins_have(&keys->pins, blob, len))
		audit_mismatch(s);
}

int ssh_hello_greet(struct ssh *s)
{
	int rc = libssh2_session_handshake(s->session, s->fd);
	struct err err;

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return rc;
	if (rc == 0) {
		check_host_key(s);
		return 0;
	}
	if (rc == LIBSSH2_ERROR_ALLOC)
		op_fail(&s->op, ERR_EXHAUSTED, "out of memory");
	else if (rc == LIBSSH2_ERROR_KEX_FAILURE ||
		 rc == LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE) {
		s->trouble = SSH_TROUBLE_NO_COMMON;
		op_fail(&s->op, ERR_UNAVAILABLE,
			"no key exchange with the box: it has no host key of the pinned "
			"type, or one that libssh2 %s cannot use (RSA needs 1.11)",
			libssh2_version(0));
	} else {
		if (!libssh2_session_banner_get(s->session))
			s->trouble = SSH_TROUBLE_HUNG_UP;
		(void)ssh_error(s, "key exchange", &err);
		op_fail_err(&s->op, &err);
	}
	return -1;
}

/* libssh2 says the latter also of a connection that was cut before the answer. */
static bool is_refusal(const struct ssh *s, int rc)
{
	char byte;

	return rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED ||
	       (rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED &&
		recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0);
}

/* A refused key may have been exchanged since it was read: then the new one is offered on
 * the same session. */
static bool has_newer_key(struct ssh *s)
{
	if (read_keys(s) || !keyring_has_other_key(s->conf->keys, &s->key))
		return false;
	check_host_key(s);
	return !op_failed(&s->op) && take_key(s) == 0;
}

int ssh_hello_prove(struct ssh *s)
{
	int rc = offer_key(s->session, s->conf->user, &s->key);
	struct err err;

	while (is_refusal(s, rc) && has_newer_key(s))
		rc = offer_key(s->session, s->conf->user, &s->key);
	if (rc == LIBSSH2_ERROR_EAGAIN || rc == 0)
		return rc;
	if (rc == LIBSSH2_ERROR_ALLOC)
		op_fail(&s->op, ERR_EXHAUSTED, "out of memory");
	else if (is_refusal(s, rc)) {
		log_audit(AUDIT_SSH_REFUSED, "rds", "the box refused our key",
			  KS("address", s->conf->address), KS("user", s->conf->user),
			  KS("key", s->key_name));
		s->trouble = SSH_TROUBLE_USER_REFUSED;
		op_fail(&s->op, ERR_UNAVAILABLE,
			"the box refused the key of user %.32s (an RSA key needs libssh2 "
			"1.11, this is %s)",
			s->conf->user, libssh2_version(0));
	} else {
		(void)ssh_error(s, "authentication", &err);
		op_fail_err(&s->op, &err);
	}
	return -1;
}
