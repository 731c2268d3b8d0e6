#include "metrics/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

/* start ─► listening ─► draining ─► done
 *   ╰──────────────────────▲
 *
 * listening: connections are child ops     draining: they were cancelled
 *
 * Failure modes: the socket cannot be watched; no memory for a connection (it waits,
 * and is tried again). */
enum { ST_START, ST_LISTENING, ST_DRAINING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "listening", "draining", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LISTENING) | OP_BIT(ST_DRAINING),
	[ST_LISTENING] = OP_BIT(ST_DRAINING),
	[ST_DRAINING] = OP_BIT(ST_DONE),
};

enum { QUEUE = 512, RETRY_MS = 100 };

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static int bad_address(const char *text, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "--metrics-address=%.64s: must be :port, address:port or "
		       "[address]:port",
		       text);
}

/* "" = every address. Returns the length, or 0. */
static socklen_t parse_host(const char *host, uint16_t port, union address *ret)
{
	*ret = (union address){ .in6 = { .sin6_family = AF_INET6,
					 .sin6_port = htons(port),
					 .sin6_addr = IN6ADDR_ANY_INIT } };
	if (!*host || inet_pton(AF_INET6, host, &ret->in6.sin6_addr) == 1)
		return sizeof(ret->in6);
	*ret = (union address){ .in = { .sin_family = AF_INET,
					.sin_port = htons(port) } };
	return inet_pton(AF_INET, host, &ret->in.sin_addr) == 1 ? sizeof(ret->in) : 0;
}

static socklen_t parse(const char *text, union address *ret, struct err *err)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	char host[INET6_ADDRSTRLEN] = "";
	socklen_t len;
	uint64_t port;

	if (!colon || str_to_u64(colon + 1, &port) || port > UINT16_MAX ||
	    n >= sizeof(host)) {
		(void)bad_address(text, err);
		return 0;
	}
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']')
		memcpy(host, text + 1, n - 2);
	else if (!memchr(text, ':', n))
		memcpy(host, text, n);
	else
		memcpy(host, "?", 1);
	len = parse_host(host, (uint16_t)port, ret);
	if (!len)
		(void)bad_address(text, err);
	return len;
}

static int open_socket(const union address *a, socklen_t len)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, both = 0;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a->any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(both));
	if (bind(fd, &a->any, len) == 0 && listen(fd, QUEUE) == 0)
		return fd;
	both = errno;
	(void)close(fd);
	errno = both;
	return -1;
}

int metrics_server_listen(struct metrics_server *s, const char *address, struct err *err)
{
	union address a, v4;
	socklen_t len = parse(address, &a, err);

	if (!len)
		return -1;
	s->fd = open_socket(&a, len);
	if (s->fd < 0 && *address == ':' && errno == EAFNOSUPPORT) {
		v4 = (union address){ .in = { .sin_family = AF_INET,
					      .sin_port = a.in6.sin6_port } };
		s->fd = open_socket(&v4, sizeof(v4.in));
	}
	if (s->fd < 0)
		return err_set(err, ERR_UNAVAILABLE, "--metrics-address=%.64s: %s",
			       address, strerror(errno));
	len = sizeof(a);
	(void)getsockname(s->fd, &a.any, &len);
	s->port = ntohs(a.any.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
	list_init(&s->conns);
	s->retry = (struct clock_timer){ .due_ms = 0 };
	s->n_conns = 0;
	s->is_waiting = false;
	return 0;
}

static void on_connection(uv_stream_t *h, int status)
{
	struct metrics_server *s = CONTAINER_OF(h, struct metrics_server, u.stream);

	s->is_waiting = status == 0;
	op_wake(&s->op);
}

static void on_conn_done(struct op *op)
{
	struct metrics_conn *c = CONTAINER_OF(op, struct metrics_conn, op);
	struct metrics_server *s = c->owner;

	list_remove(&c->node);
	s->n_conns--;
	mem_free(c);
	op_unref_wake(&s->op);
}

static void on_retry(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct metrics_server, retry)->op);
}

static int accept_one(struct metrics_server *s)
{
	struct metrics_conn *c = mem_alloc(sizeof(*c));

	if (!c) {
		log_warn("metrics", "no memory for a connection, trying again");
		clock_timer_start(s->op.loop, &s->retry, RETRY_MS, on_retry);
		return -1;
	}
	s->is_waiting = false; /* before libuv calls on_connection for the next one */
	op_ref(&s->op);
	metrics_conn_start(c, s->op.loop, &s->u.stream, &s->site, on_conn_done);
	c->owner = s;
	list_append(&s->conns, &c->node);
	s->n_conns++;
	return 0;
}

/* One at a time: its end wakes the server. */
static bool has_room(struct metrics_server *s)
{
	struct metrics_conn *oldest = NULL;

	if (s->n_conns < METRICS_MAX_CONNS)
		return true;
	LIST_FOREACH (it, &s->conns) {
		struct metrics_conn *c = CONTAINER_OF(it, struct metrics_conn, node);

		if (op_failed(&c->op))
			return false;
		if (!oldest || c->since_ms < oldest->since_ms)
			oldest = c;
	}
	op_cancel(&oldest->op, ERR_CANCELLED);
	return false;
}

static void do_start(struct metrics_server *s)
{
	int rc;

	(void)uv_tcp_init(s->op.loop, &s->u.tcp);
	s->u.handle.data = &s->op;
	op_ref(&s->op);
	rc = uv_tcp_open(&s->u.tcp, s->fd);
	if (rc)
		(void)close(s->fd);
	else
		rc = uv_listen(&s->u.stream, QUEUE, on_connection);
	if (rc)
		op_fail(&s->op, ERR_UNAVAILABLE, "metrics: %s", uv_strerror(rc));
	op_move(&s->op, ST_LISTENING);
}

static void drain(struct metrics_server *s)
{
	clock_timer_stop(&s->retry);
	op_close_handle(&s->op, &s->u.handle);
	LIST_FOREACH (it, &s->conns)
		op_cancel(&CONTAINER_OF(it, struct metrics_conn, node)->op,
			  ERR_CANCELLED);
	op_move(&s->op, ST_DRAINING);
}

static void step(struct op *op)
{
	struct metrics_server *s = CONTAINER_OF(op, struct metrics_server, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			do_start(s);
			break;
		case ST_LISTENING:
			while (!op_failed(op) && s->is_waiting && has_room(s) &&
			       accept_one(s) == 0)
				continue;
			if (!op_failed(op))
				return;
			drain(s);
			break;
		case ST_DRAINING:
			if (op->refs)
				return;
			op_move(op, ST_DONE);
			break;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	if (op->state == ST_LISTENING)
		op_wake(op);
}

static const struct op_type server_type = {
	.name = "metrics server",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void metrics_server_start(struct metrics_server *s, uv_loop_t *loop,
			  void (*done)(struct op *op))
{
	op_start(&s->op, &server_type, loop, done);
}
