#include "rds/ssh_exec.h"

#include "core/mem.h"

/* start -> opening -> asking -> reading -> closing -> done
 *   any of them -> done on failure: no confirmation within SSH_OPEN_MS, channel or
 *   request refused, connection lost, more than SSH_OUTPUT_MAX bytes, deadline, cancel.
 *   The session is given up then and frees the channel. */
enum { ST_START, ST_OPENING, ST_ASKING, ST_READING, ST_CLOSING, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "opening", "asking", "reading", "closing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_OPENING) | OP_BIT(ST_DONE),
	[ST_OPENING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_READING) | OP_BIT(ST_DONE),
	[ST_READING] = OP_BIT(ST_CLOSING) | OP_BIT(ST_DONE),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static void fail_ssh(struct ssh_exec *e, int rc, const char *what)
{
	struct err err;

	if (rc == LIBSSH2_ERROR_ALLOC)
		(void)err_nomem(&err);
	else
		(void)ssh_error(e->ssh, what, &err);
	op_fail_err(&e->op, &err);
}

static void on_impatient(struct clock_timer *t)
{
	struct ssh_exec *e = CONTAINER_OF(t, struct ssh_exec, patience);

	op_fail(&e->op, ERR_UNAVAILABLE, "the box opened no channel within %u s",
		SSH_OPEN_MS / 1000);
	op_wake(&e->op);
}

static bool do_start(struct ssh_exec *e)
{
	e->ssh->tenant = &e->op;
	clock_timer_start(e->op.loop, &e->patience, SSH_OPEN_MS, on_impatient);
	op_move(&e->op, ST_OPENING);
	return true;
}

/* The confirmation proves that the session is alive: until it has come, nothing that
 * could change the box was sent. */
static bool do_open(struct ssh_exec *e)
{
	int rc;

	e->channel = libssh2_channel_open_session(e->ssh->session);
	if (!e->channel) {
		rc = libssh2_session_last_errno(e->ssh->session);
		if (rc != LIBSSH2_ERROR_EAGAIN) {
			fail_ssh(e, rc, "opening a channel");
			return true;
		}
		ssh_wait(e->ssh);
		return false;
	}
	clock_timer_stop(&e->patience);
	if (e->may_send && !e->may_send(e)) {
		op_fail(&e->op, ERR_ABORTED,
			"not sent: this is no longer ours to decide");
		return true;
	}
	e->is_sent = true;
	op_move(&e->op, ST_ASKING);
	return true;
}

static bool do_ask(struct ssh_exec *e)
{
	int rc = libssh2_channel_process_startup(e->channel, "exec", 4, e->command,
						 (unsigned)e->len);

	if (rc == LIBSSH2_ERROR_EAGAIN) {
		ssh_wait(e->ssh);
		return false;
	}
	if (rc)
		fail_ssh(e, rc, "sending the command");
	else
		op_move(&e->op, ST_READING);
	return true;
}

/* What is there now of one stream. In libssh2 1.10 a read of 0 bytes may only mean that
 * a packet for elsewhere was taken in, so it ends the loop but not the stream. */
static ssize_t drain(struct ssh_exec *e, int stream)
{
	char bytes[8192];
	ssize_t n;

	for (;;) {
		n = libssh2_channel_read_ex(e->channel, stream, bytes, sizeof(bytes));
		if (n <= 0)
			return n;
		e->received += (size_t)n;
		if (e->received > SSH_OUTPUT_MAX) {
			op_fail(&e->op, ERR_EXHAUSTED, "the box sent more than %u bytes",
				SSH_OUTPUT_MAX);
			return 0;
		}
		e->on_data(e, bytes, (size_t)n, stream != 0);
	}
}

static bool do_read(struct ssh_exec *e)
{
	ssize_t out = drain(e, 0);
	ssize_t err = out < 0 && out != LIBSSH2_ERROR_EAGAIN
			      ? out
			      : drain(e, SSH_EXTENDED_DATA_STDERR);

	if (op_failed(&e->op))
		return true;
	if (err < 0 && err != LIBSSH2_ERROR_EAGAIN) {
		fail_ssh(e, (int)err, "reading the reply");
		return true;
	}
	if (libssh2_channel_eof(e->channel)) {
		op_move(&e->op, ST_CLOSING);
		return true;
	}
	if (out == 0 || err == 0)
		return true;
	ssh_wait(e->ssh);
	return false;
}

/* The reply is whole by now: a failure here costs the session, not the command. */
static bool do_close(struct ssh_exec *e)
{
	int rc = libssh2_channel_free(e->channel);
	struct err err;

	if (rc == LIBSSH2_ERROR_EAGAIN) {
		ssh_wait(e->ssh);
		return false;
	}
	if (rc)
		(void)ssh_error(e->ssh, "closing a channel", &err);
	e->channel = NULL;
	op_move(&e->op, ST_DONE);
	ssh_release(e->ssh, rc ? &err : NULL);
	return false;
}

static bool advance(struct ssh_exec *e)
{
	switch (e->op.state) {
	case ST_START:
		return do_start(e);
	case ST_OPENING:
		return do_open(e);
	case ST_ASKING:
		return do_ask(e);
	case ST_READING:
		return do_read(e);
	case ST_CLOSING:
		return do_close(e);
	default:
		return false;
	}
}

static void step(struct op *op)
{
	struct ssh_exec *e = CONTAINER_OF(op, struct ssh_exec, op);
	struct err why;

	while (!op_failed(op))
		if (!advance(e))
			return;
	if (op->state == ST_DONE)
		return;
	clock_timer_stop(&e->patience);
	(void)err_set(&why, ERR_UNAVAILABLE, "given up after: %.200s", op->err.msg);
	bool is_untouched = op->state == ST_START;
	op_move(op, ST_DONE);
	ssh_release(e->ssh, is_untouched ? NULL : &why);
}

static void interrupt(struct op *op)
{
	op_wake(op);
}

static const struct op_type exec_type = {
	.name = "exec",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void ssh_exec_start(struct ssh_exec *e, struct ssh *s, void (*done)(struct op *op))
{
	bug_on(!ssh_is_ready(s));
	e->ssh = s;
	e->channel = NULL;
	e->patience = (struct clock_timer){ .due_ms = 0 };
	e->received = 0;
	e->is_sent = false;
	s->tenant = &e->op;
	op_start(&e->op, &exec_type, s->op.loop, done);
}
