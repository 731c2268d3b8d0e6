#include "rds/ssh_hello.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/audit.h"
#include "core/mem.h"
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

static int load_key(struct buf *ret, const char *path, struct err *err)
{
	struct buf raw;
	int rc = -1;

	buf_init(&raw, 2 * SSH_KEY_FILE_MAX);
	if (ssh_key_read(&raw, path, "private key", err) == 0) {
		rc = ssh_key_rewrap(ret, raw.data, raw.len);
		if (rc)
			(void)err_nomem(err);
	}
	ssh_key_wipe(&raw);
	return rc;
}

static int offer_key(LIBSSH2_SESSION *session, const char *user, const struct buf *key)
{
	return libssh2_userauth_publickey_frommemory(session, user, strlen(user), NULL, 0,
						     key->data, key->len, NULL);
}

/* libssh2 has no call that only loads a key, but it loads it before it sends anything:
 * here the packet goes into a socket pair that nobody reads. */
int ssh_check_key(const char *key_file, struct err *err)
{
	LIBSSH2_SESSION *session = NULL;
	struct buf key;
	int pair[2] = { -1, -1 }, rc = -1;

	buf_init(&key, 2 * SSH_KEY_FILE_MAX);
	if (load_key(&key, key_file, err))
		goto out;
	if (ssh_container_is_plain_ed25519(key.data, key.len)) {
		rc = 0;
		goto out;
	}
	session = new_session();
	if (!session ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		(void)err_nomem(err);
		goto out;
	}
	was_refused = false;
	(void)libssh2_session_handshake(session, pair[0]);
	rc = offer_key(session, "check", &key);
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
	ssh_key_wipe(&key);
	return rc;
}

static int read_pin(const struct ssh_conf *c, struct ssh_host_key *pin, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, 2 * SSH_KEY_FILE_MAX);
	rc = ssh_key_read(&text, c->host_key_file, "host key", err);
	if (rc == 0 && ssh_host_key_parse(pin, text.data, err))
		rc = err_wrap(err, "host key %.100s", c->host_key_file);
	buf_fini(&text);
	return rc;
}

static void fail_on_file(struct ssh *s, const struct err *err)
{
	op_fail(&s->op, err->code == ERR_EXHAUSTED ? ERR_EXHAUSTED : ERR_UNAVAILABLE,
		"%s", err->msg);
}

int ssh_hello_begin(struct ssh *s)
{
	struct ssh_host_key pin;
	struct err err;

	s->session = new_session();
	if (!s->session) {
		op_fail(&s->op, ERR_EXHAUSTED, "out of memory");
		return -1;
	}
	if (load_key(&s->key, s->conf->key_file, &err) ||
	    (!s->conf->is_insecure && read_pin(s->conf, &pin, &err))) {
		fail_on_file(s, &err);
		return -1;
	}
	if (!s->conf->is_insecure &&
	    libssh2_session_method_pref(s->session, LIBSSH2_METHOD_HOSTKEY,
					ssh_host_key_methods(&pin))) {
		op_fail(&s->op, ERR_UNAVAILABLE,
			"libssh2 %s cannot check a host key of type %s",
			libssh2_version(0), pin.type);
		return -1;
	}
	return 0;
}

static void audit_mismatch(struct ssh *s, const struct ssh_host_key *pin)
{
	const char *theirs =
		libssh2_hostkey_hash(s->session, LIBSSH2_HOSTKEY_HASH_SHA256);
	char wanted[SSH_FINGERPRINT] = "", offered[SSH_FINGERPRINT] = "";
	unsigned char hash[EVP_MAX_MD_SIZE];

	if (EVP_Digest(pin->blob, pin->len, hash, NULL, EVP_sha256(), NULL))
		ssh_fingerprint(hash, wanted);
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

static void check_host_key(struct ssh *s)
{
	struct ssh_host_key pin;
	struct err err;
	const char *blob;
	size_t len = 0;
	int type;

	if (s->conf->is_insecure)
		return;
	if (read_pin(s->conf, &pin, &err)) {
		fail_on_file(s, &err);
		return;
	}
	blob = libssh2_session_hostkey(s->session, &len, &type);
	if (!blob || len != pin.len || memcmp(blob, pin.blob, len) != 0)
		audit_mismatch(s, &pin);
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

int ssh_hello_prove(struct ssh *s)
{
	int rc = offer_key(s->session, s->conf->user, &s->key);
	struct err err;

	if (rc == LIBSSH2_ERROR_EAGAIN || rc == 0)
		return rc;
	if (rc == LIBSSH2_ERROR_ALLOC)
		op_fail(&s->op, ERR_EXHAUSTED, "out of memory");
	else if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED ||
		 rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED) {
		log_audit(AUDIT_SSH_REFUSED, "rds", "the box refused our key",
			  KS("address", s->conf->address), KS("user", s->conf->user));
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
