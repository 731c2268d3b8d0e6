#ifndef RDS_SSH_H
#define RDS_SSH_H
#include <libssh2.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/buf.h"
#include "core/op.h"
#include "rds/ssh_key.h"

/* One SSH session over one socket, from connect to close. It is one conversation at a
 * time (libssh2 keeps the state of half-done calls in the session): while a tenant, an
 * ssh_exec, has it, nothing else touches it. An idle session polls nothing but the
 * hang-up of its peer. The op ends when the connection does, always with an error: that
 * is why. */
enum { SSH_CONNECT_MS = 8000, SSH_TCP_USER_TIMEOUT_MS = 10000 };

/* Why a session ended, as far as somebody can do something about it; op.err has the
 * words. */
enum ssh_trouble {
	SSH_TROUBLE_OTHER,
	SSH_TROUBLE_SILENT,	 /* for SSH_CONNECT_MS */
	SSH_TROUBLE_HUNG_UP,	 /* before it said anything */
	SSH_TROUBLE_HOST_KEY,	 /* not the pinned one */
	SSH_TROUBLE_NO_COMMON,	 /* nothing that both can do: key exchange, host key */
	SSH_TROUBLE_USER_REFUSED /* the user's key */
};

struct keyring;

struct ssh_conf { /* borrowed for the session's life */
	const char *address;
	uint16_t port;
	const char *user, *key_file, *host_key_file;
	bool is_insecure;
	/* Of those files; what they hold when a session begins is what it uses. */
	struct keyring *keys;
};

struct ssh {
	struct op op;
	const struct ssh_conf *conf;
	void (*ready)(struct ssh *s); /* once, when the first exec may start */
	struct op *tenant;	      /* socket events wake it instead of the session */
	LIBSSH2_SESSION *session;
	uv_getaddrinfo_t resolve;
	uv_poll_t poll;
	int fd, events; /* events: those polled for now */
	enum ssh_trouble trouble;
	struct clock_timer patience;
	struct buf key;			/* the private key, only while authenticating */
	uint64_t keys_version;		/* the keyring's, of what it was opened with */
	char key_name[SSH_FINGERPRINT]; /* of that key */
};

/* Once, before the first session and before ssh_check_key(). 0 or -1. */
int ssh_open(struct err *err);
/* Whether this libssh2 can load the private key, read from that file; without a network.
 */
int ssh_check_key(const struct buf *key, const char *key_file, struct err *err);

void ssh_start(struct ssh *s, uv_loop_t *loop, const struct ssh_conf *conf,
	       void (*ready)(struct ssh *s), void (*done)(struct op *op));
bool ssh_is_ready(const struct ssh *s); /* may take a tenant */

/* For the tenant. Polls for what libssh2 waits for, after a call that said EAGAIN. */
void ssh_wait(struct ssh *s);
/* The tenant leaves; with an error the session is not fit for another one and ends. */
void ssh_release(struct ssh *s, const struct err *err);
/* err: UNAVAILABLE, "what: " and libssh2's own text. Returns -1. */
int ssh_error(struct ssh *s, const char *what, struct err *err);
#endif
