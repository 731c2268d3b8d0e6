#ifndef RDS_SSH_EXEC_H
#define RDS_SSH_EXEC_H
#include "rds/ssh.h"

/* One command on a ready session: open a channel, send, read both streams to their end
 * under one limit, close. The exit status is not asked for: RouterOS gives 0 or 1 at
 * will. The op's success means "the box closed the channel", not that the command worked:
 * the reply's sentinel says that. Any failure ends the session too. */
enum { SSH_OUTPUT_MAX = 1 << 20, SSH_OPEN_MS = 5000 };

struct ssh_exec {
	struct op op;
	struct ssh *ssh;
	const char *command; /* borrowed until done */
	size_t len;
	/* Bytes of stdout as they come; stderr by is_err. Never after done. */
	void (*on_data)(struct ssh_exec *e, const char *p, size_t n, bool is_err);
	/* Asked once the channel is open, right before the command goes out; false: it
	 * stays here, and the op fails with ABORTED. NULL = always. */
	bool (*may_send)(struct ssh_exec *e);
	LIBSSH2_CHANNEL *channel;
	struct clock_timer patience; /* for the channel's confirmation */
	size_t received;
	/* Result: the box may have got the command. False: it cannot have, and the
	 * command may go to another session. */
	bool is_sent;
};

/* s must be ready (ssh_is_ready). command, len and on_data are set by the caller. */
void ssh_exec_start(struct ssh_exec *e, struct ssh *s, void (*done)(struct op *op));
#endif
