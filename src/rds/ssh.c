#include "rds/ssh.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "rds/ssh_hello.h"
#include "rds/ssh_key.h"

/* start -> resolving -> connecting -> greeting -> proving -> ready -> closing -> done
 *   start goes straight to connecting when the address is a number
 *   any state but done goes to closing when it fails: no address, refused, silent for
 *   SSH_CONNECT_MS, host key not the pinned one, user key refused, hang-up, reset,
 *   garbage, a tenant's failure, cancel. ready ends in no other way. */
enum {
	ST_START,
	ST_RESOLVING,
	ST_CONNECTING,
	ST_GREETING, /* version exchange, key exchange, host key */
	ST_PROVING,  /* user authentication */
	ST_READY,
	ST_CLOSING,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = {
	"start",   "resolving", "connecting", "greeting",
	"proving", "ready",	"closing",    "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RESOLVING) | OP_BIT(ST_CONNECTING) | OP_BIT(ST_CLOSING),
	[ST_RESOLVING] = OP_BIT(ST_CONNECTING) | OP_BIT(ST_CLOSING),
	[ST_CONNECTING] = OP_BIT(ST_GREETING) | OP_BIT(ST_CLOSING),
	[ST_GREETING] = OP_BIT(ST_PROVING) | OP_BIT(ST_CLOSING),
	[ST_PROVING] = OP_BIT(ST_READY) | OP_BIT(ST_CLOSING),
	[ST_READY] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static struct ssh *ssh_of(struct op *op)
{
	return CONTAINER_OF(op, struct ssh, op);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct ssh *s = CONTAINER_OF(poll, struct ssh, poll);

	(void)events;
	if (status < 0) /* libuv has stopped polling: the next wait starts it again */
		s->events = 0;
	op_wake(s->tenant ? s->tenant : &s->op);
}

static void poll_for(struct ssh *s, int events)
{
	if (events == s->events)
		return;
	s->events = events;
	(void)uv_poll_start(&s->poll, events, on_socket);
}

void ssh_wait(struct ssh *s)
{
	int bits = libssh2_session_block_directions(s->session), events = 0, on = 1;

	/* The kernel forgets it at each use; with it, a box whose replies are held back
	 * by Nagle's algorithm waits 1 ms for us and not 44. */
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	if (bits & LIBSSH2_SESSION_BLOCK_INBOUND)
		events |= UV_READABLE;
	if (bits & LIBSSH2_SESSION_BLOCK_OUTBOUND)
		events |= UV_WRITABLE;
	/* libssh2 1.11.1 may say EAGAIN without a direction (its issue 1672). */
	poll_for(s, events ? events : UV_READABLE | UV_WRITABLE);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct ssh *s = CONTAINER_OF(req, struct ssh, resolve);

	(void)res;
	if (status)
		op_fail(&s->op, ERR_UNAVAILABLE, "no address for %s: %s",
			s->conf->address, uv_strerror(status));
	op_unref_wake(&s->op);
}

static void on_impatient(struct clock_timer *t)
{
	struct ssh *s = CONTAINER_OF(t, struct ssh, patience);

	s->trouble = SSH_TROUBLE_SILENT;
	op_fail(&s->op, ERR_UNAVAILABLE, "the box was silent for %u s while %s",
		SSH_CONNECT_MS / 1000, names[s->op.state]);
	s->op.type->interrupt(&s->op);
}

static void set_options(int fd)
{
	int on = 1, idle_s = 30, every_s = 10, probes = 3;
	unsigned unacked_ms = SSH_TCP_USER_TIMEOUT_MS;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms,
			 sizeof(unacked_ms));
}

static void dial(struct ssh *s, const struct sockaddr *addr)
{
	struct op *op = &s->op;
	socklen_t len = addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						    : sizeof(struct sockaddr_in);

	op_move(op, ST_CONNECTING);
	s->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || uv_poll_init(op->loop, &s->poll, s->fd)) {
		op_fail(op, ERR_UNAVAILABLE, "socket: %s", strerror(errno));
		return;
	}
	s->poll.data = op;
	op_ref(op);
	set_options(s->fd);
	if (connect(s->fd, addr, len) && errno != EINPROGRESS)
		op_fail(op, ERR_UNAVAILABLE, "connect: %s", strerror(errno));
	else
		poll_for(s, UV_WRITABLE);
}

static int parse_address(struct ssh *s, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){ .ss_family = AF_INET };
	if (inet_pton(AF_INET, s->conf->address, &v4->sin_addr) == 1) {
		v4->sin_port = htons(s->conf->port);
		return 0;
	}
	ret->ss_family = AF_INET6;
	if (inet_pton(AF_INET6, s->conf->address, &v6->sin6_addr) != 1)
		return -1;
	v6->sin6_port = htons(s->conf->port);
	return 0;
}

static bool do_start(struct ssh *s)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct sockaddr_storage addr;
	char port[8];

	if (op_failed(&s->op))
		return true;
	clock_timer_start(s->op.loop, &s->patience, SSH_CONNECT_MS, on_impatient);
	if (parse_address(s, &addr) == 0) {
		dial(s, (struct sockaddr *)&addr);
		return op_failed(&s->op);
	}
	(void)snprintf(port, sizeof(port), "%u", s->conf->port);
	op_move(&s->op, ST_RESOLVING);
	if (uv_getaddrinfo(s->op.loop, &s->resolve, on_resolved, s->conf->address, port,
			   &hints))
		op_fail(&s->op, ERR_UNAVAILABLE, "no address for %s", s->conf->address);
	else
		op_ref(&s->op);
	return op_failed(&s->op);
}

static bool do_resolving(struct ssh *s)
{
	if (!op_failed(&s->op))
		dial(s, s->resolve.addrinfo->ai_addr);
	uv_freeaddrinfo(s->resolve.addrinfo);
	return op_failed(&s->op);
}

static bool do_connecting(struct ssh *s)
{
	socklen_t len = sizeof(int);
	int why = 0;

	if (op_failed(&s->op))
		return true;
	(void)getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &why, &len);
	if (why) {
		op_fail(&s->op, ERR_UNAVAILABLE, "connect: %s", strerror(why));
		return true;
	}
	if (ssh_hello_begin(s) == 0)
		op_move(&s->op, ST_GREETING);
	return true;
}

/* libssh2 1.10 leaks its half of an unfinished key exchange: it frees it only on the
 * call's own way out, and that way only once. Here the call said EAGAIN last. */
static void abandon_greeting(struct ssh *s)
{
	(void)shutdown(s->fd, SHUT_RDWR);
	for (int i = 0; i < 64; i++)
		if (libssh2_session_handshake(s->session, s->fd) != LIBSSH2_ERROR_EAGAIN)
			return;
}

/* Repeats one libssh2 call until it has an answer. */
static bool do_hello(struct ssh *s, int (*call)(struct ssh *), unsigned then)
{
	int rc = call(s);

	if (rc == LIBSSH2_ERROR_EAGAIN) {
		ssh_wait(s);
		return false;
	}
	if (!op_failed(&s->op))
		op_move(&s->op, then);
	return true;
}

static bool do_greeting(struct ssh *s)
{
	if (!op_failed(&s->op))
		return do_hello(s, ssh_hello_greet, ST_PROVING);
	abandon_greeting(s);
	return true;
}

static bool do_proving(struct ssh *s)
{
	if (!op_failed(&s->op) && !do_hello(s, ssh_hello_prove, ST_READY))
		return false;
	if (op_failed(&s->op))
		return true;
	clock_timer_stop(&s->patience);
	ssh_key_wipe(&s->key);
	poll_for(s, UV_DISCONNECT);
	s->ready(s);
	return false;
}

/* Woken without a tenant: the peer hung up, the last tenant broke the session, cancel. */
static bool do_ready(struct ssh *s)
{
	char byte;
	ssize_t n;

	if (op_failed(&s->op))
		return true;
	n = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		op_fail(&s->op, ERR_UNAVAILABLE, "the box closed the connection");
	return op_failed(&s->op);
}

static void do_done(struct ssh *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	op_move(&s->op, ST_DONE);
}

/* The socket is shut down first, so that no goodbye can say EAGAIN. */
static void do_close(struct ssh *s)
{
	op_move(&s->op, ST_CLOSING);
	clock_timer_stop(&s->patience);
	ssh_key_wipe(&s->key);
	if (s->fd >= 0)
		(void)shutdown(s->fd, SHUT_RDWR);
	for (int i = 0; s->session && i < 64; i++)
		if (libssh2_session_free(s->session) != LIBSSH2_ERROR_EAGAIN)
			s->session = NULL;
	if (s->poll.data)
		op_close_handle(&s->op, (uv_handle_t *)&s->poll);
	else
		do_done(s);
}

/* Whether the loop in step goes on: after a move, and to reach closing after a failure.
 */
static bool advance(struct ssh *s)
{
	switch (s->op.state) {
	case ST_START:
		return do_start(s);
	case ST_RESOLVING:
		return do_resolving(s);
	case ST_CONNECTING:
		return do_connecting(s);
	case ST_GREETING:
		return do_greeting(s);
	case ST_PROVING:
		return do_proving(s);
	case ST_READY:
		return do_ready(s);
	case ST_CLOSING:
		do_done(s);
		return false;
	default:
		return false;
	}
}

static void step(struct op *op)
{
	struct ssh *s = ssh_of(op);

	while (advance(s))
		if (op_failed(op) && op->state < ST_CLOSING) {
			do_close(s);
			return;
		}
}

static void interrupt(struct op *op)
{
	struct ssh *s = ssh_of(op);

	if (s->tenant)
		op_cancel(s->tenant, op->err.code); /* which releases and so wakes us */
	else if (op->state == ST_RESOLVING)
		(void)uv_cancel((uv_req_t *)&s->resolve);
	else if (op->state < ST_CLOSING)
		op_wake(op);
}

static const struct op_type ssh_type = {
	.name = "ssh",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void ssh_start(struct ssh *s, uv_loop_t *loop, const struct ssh_conf *conf,
	       void (*ready)(struct ssh *s), void (*done)(struct op *op))
{
	*s = (struct ssh){ .conf = conf, .ready = ready, .fd = -1 };
	buf_init(&s->key, 2 * SSH_KEY_FILE_MAX);
	op_start(&s->op, &ssh_type, loop, done);
}

bool ssh_is_ready(const struct ssh *s)
{
	return s->op.state == ST_READY && !op_failed(&s->op) && !s->tenant;
}

void ssh_release(struct ssh *s, const struct err *err)
{
	s->tenant = NULL;
	if (err)
		op_fail_err(&s->op, err);
	if (op_failed(&s->op))
		op_wake(&s->op);
	else
		poll_for(s, UV_DISCONNECT);
}

int ssh_error(struct ssh *s, const char *what, struct err *err)
{
	char *text = NULL;

	(void)libssh2_session_last_error(s->session, &text, NULL, 0);
	return err_set(err, ERR_UNAVAILABLE, "%s: %.120s", what,
		       text && *text ? text : "connection lost");
}
