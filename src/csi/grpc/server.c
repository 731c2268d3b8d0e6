#include "csi/grpc/server.h"

#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "csi/grpc/endpoint.h"
#include "csi/grpc/h2conn.h"

/* start ─► listening ─► draining ─► closing ─► done
 *   ╰───────────╰───────────────────────▲
 *
 * listening: connections are child ops       draining: no listener; they end by
 * themselves closing: the listener's handle closes (when it was never open: nothing to
 * wait for)
 *
 * Failure modes: the listening socket cannot be watched (start); no memory for a
 * connection (it waits, and is tried again). */
enum { ST_START, ST_LISTENING, ST_DRAINING, ST_CLOSING, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "listening", "draining", "closing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LISTENING) | OP_BIT(ST_CLOSING),
	[ST_LISTENING] = OP_BIT(ST_DRAINING),
	[ST_DRAINING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

enum { RETRY_MS = 100 };

struct grpc_server_impl {
	struct grpc_server *server;
	struct endpoint_listener listener;
	char address[ENDPOINT_TEXT];
	struct grpc_service service;
	const struct h2_user *user;
	void *user_ctx;
	uint64_t grace_ms;
	uv_loop_t *loop;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	} u;
	struct list conns; /* struct h2conn.node, owned */
	unsigned n_conns;
	bool is_waiting; /* a connection waits to be accepted; libuv tells only once */
	struct clock_timer retry; /* after an accept for which there was no memory */
};

static void on_connection(uv_stream_t *h, int status)
{
	struct grpc_server_impl *i = CONTAINER_OF(h, struct grpc_server_impl, u.stream);

	i->is_waiting = status == 0;
	op_wake(h->data);
}

static void on_conn_done(struct op *op)
{
	struct h2conn *c = CONTAINER_OF(op, struct h2conn, op);
	struct grpc_server *s = c->owner;

	log_debug("grpc", "connection closed", KS("why", op->err.msg));
	list_remove(&c->node);
	s->impl->n_conns--;
	mem_free(c);
	op_unref_wake(&s->op);
}

static void on_retry(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct grpc_server_impl, retry)->server->op);
}

static int accept_one(struct grpc_server *s)
{
	struct grpc_server_impl *i = s->impl;
	struct h2conn *c = mem_alloc(sizeof(*c));
	struct h2conn_conf conf = {
		.user = i->user,
		.ctx = i->user_ctx,
		.loop = s->op.loop,
		.listener = &i->u.stream,
		.owner = s,
	};

	if (!c)
		return -1;
	i->is_waiting = false; /* before libuv calls on_connection for the next one */
	op_ref(&s->op);
	h2conn_start(c, &conf, on_conn_done);
	list_append(&i->conns, &c->node);
	i->n_conns++;
	return 0;
}

static void accept_waiting(struct grpc_server *s)
{
	struct grpc_server_impl *i = s->impl;

	while (i->is_waiting && i->n_conns < GRPC_MAX_CONNECTIONS) {
		if (accept_one(s) == 0)
			continue;
		log_warn("grpc", "no memory for a connection, trying again");
		clock_timer_start(s->op.loop, &i->retry, RETRY_MS, on_retry);
		return;
	}
}

static void do_start(struct grpc_server *s)
{
	struct grpc_server_impl *i = s->impl;
	bool is_unix = endpoint_is_unix(&i->listener.where);
	int rc;

	if (op_failed(&s->op)) {
		endpoint_unlink(&i->listener);
		op_move(&s->op, ST_CLOSING);
		return;
	}
	if (is_unix)
		(void)uv_pipe_init(s->op.loop, &i->u.pipe, 0);
	else
		(void)uv_tcp_init(s->op.loop, &i->u.tcp);
	i->u.handle.data = &s->op;
	op_ref(&s->op);
	rc = is_unix ? uv_pipe_open(&i->u.pipe, i->listener.fd)
		     : uv_tcp_open(&i->u.tcp, i->listener.fd);
	if (rc == 0)
		i->listener.fd = -1; /* the handle's now */
	if (rc == 0)
		rc = uv_listen(&i->u.stream, ENDPOINT_QUEUE, on_connection);
	if (rc)
		op_fail(&s->op, ERR_UNAVAILABLE, "%s: %s", i->address, uv_strerror(rc));
	op_move(&s->op, ST_LISTENING);
}

static void do_listening(struct grpc_server *s)
{
	struct grpc_server_impl *i = s->impl;

	clock_timer_stop(&i->retry);
	endpoint_unlink(&i->listener);
	op_close_handle(&s->op, &i->u.handle);
	LIST_FOREACH (it, &i->conns) {
		h2conn_stop(CONTAINER_OF(it, struct h2conn, node), i->grace_ms);
	}
	op_move(&s->op, ST_DRAINING);
}

static void free_impl(struct grpc_server *s)
{
	if (s->impl->listener.fd >= 0)
		(void)close(s->impl->listener.fd);
	mem_free(s->impl);
	s->impl = NULL;
}

static void step(struct op *op)
{
	struct grpc_server *s = CONTAINER_OF(op, struct grpc_server, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			do_start(s);
			break;
		case ST_LISTENING:
			if (!op_failed(op)) {
				accept_waiting(s);
				return;
			}
			do_listening(s);
			break;
		case ST_DRAINING:
			if (s->impl->n_conns)
				return;
			op_move(op, ST_CLOSING);
			break;
		case ST_CLOSING:
			if (op->refs)
				return;
			free_impl(s);
			op_move(op, ST_DONE);
			break;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	if (!op->stepping)
		op_wake(op);
}

static const struct op_type server_type = {
	.name = "grpc server",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

int grpc_server_listen(struct grpc_server *s, uv_loop_t *loop,
		       const struct grpc_server_conf *conf, struct err *err)
{
	struct grpc_server_impl *i;
	struct endpoint where;

	if (endpoint_parse(conf->address, &where, err))
		return -1;
	i = mem_calloc(1, sizeof(*i));
	if (!i)
		return err_nomem(err);
	if (endpoint_listen(&where, &i->listener, err)) {
		mem_free(i);
		return -1;
	}
	endpoint_format(&i->listener.where, i->address);
	list_init(&i->conns);
	i->server = s;
	i->loop = loop;
	i->grace_ms = conf->grace_ms;
	i->service = (struct grpc_service){ loop, conf->on_call, conf->ctx };
	i->user = conf->user ? conf->user : &grpc_call_user;
	i->user_ctx = conf->user ? conf->ctx : &i->service;
	s->impl = i;
	return 0;
}

void grpc_server_start(struct grpc_server *s, void (*done)(struct op *op))
{
	op_start(&s->op, &server_type, s->impl->loop, done);
}

void grpc_server_stop(struct grpc_server *s)
{
	op_cancel(&s->op, ERR_CANCELLED);
}

const char *grpc_server_address(const struct grpc_server *s)
{
	return s->impl->address;
}
