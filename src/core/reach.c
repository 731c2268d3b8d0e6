#include "core/reach.h"

#include <stdio.h>

/* start -> resolving -> connecting -> closing -> done
 *   resolving -> done: the name has no address, silence, cancel
 *   connecting -> closing in any case: open, refused, no route, silence, cancel. */
enum { ST_START, ST_RESOLVING, ST_CONNECTING, ST_CLOSING, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "resolving", "connecting", "closing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RESOLVING) | OP_BIT(ST_DONE),
	[ST_RESOLVING] = OP_BIT(ST_CONNECTING) | OP_BIT(ST_DONE),
	[ST_CONNECTING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static struct reach *reach_of(struct op *op)
{
	return CONTAINER_OF(op, struct reach, op);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct reach *r = CONTAINER_OF(req, struct reach, resolve);

	(void)res;
	r->status = status;
	op_unref_wake(&r->op);
}

static void on_connected(uv_connect_t *req, int status)
{
	struct reach *r = CONTAINER_OF(req, struct reach, connect);

	r->status = status;
	op_unref_wake(&r->op);
}

/* A look-up that a pool thread is already at cannot be called back: its end is waited
 * for, which the resolver's own patience bounds. */
static void hurry(struct reach *r)
{
	if (r->op.state == ST_RESOLVING)
		(void)uv_cancel((uv_req_t *)&r->resolve);
	else if (r->op.state == ST_CONNECTING && !uv_is_closing((uv_handle_t *)&r->tcp))
		op_close_handle(&r->op, (uv_handle_t *)&r->tcp);
}

static void on_silent(struct clock_timer *t)
{
	struct reach *r = CONTAINER_OF(t, struct reach, patience);

	r->how = REACH_SILENT;
	hurry(r);
}

static void judge(struct reach *r)
{
	clock_timer_stop(&r->patience);
	if (r->how == REACH_SILENT || op_failed(&r->op))
		return;
	switch (r->status) {
	case 0:
		r->how = REACH_OPEN;
		return;
	case UV_ECONNREFUSED:
		r->how = REACH_REFUSED;
		return;
	case UV_EHOSTUNREACH:
	case UV_ENETUNREACH:
		r->how = REACH_NO_ROUTE;
		return;
	case UV_ETIMEDOUT:
		r->how = REACH_SILENT;
		return;
	default:
		r->how = r->op.state == ST_RESOLVING ? REACH_NO_ADDRESS : REACH_ERROR;
		return;
	}
}

static void do_start(struct reach *r)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", r->port);
	clock_timer_start(r->op.loop, &r->patience, r->timeout_ms, on_silent);
	op_move(&r->op, ST_RESOLVING);
	r->status = uv_getaddrinfo(r->op.loop, &r->resolve, on_resolved, r->host, port,
				   &hints);
	if (r->status == 0)
		op_ref(&r->op);
}

static void do_connect(struct reach *r)
{
	r->status = uv_tcp_init(r->op.loop, &r->tcp);
	if (r->status)
		return;
	r->tcp.data = &r->op;
	op_ref(&r->op);
	op_move(&r->op, ST_CONNECTING);
	r->status = uv_tcp_connect(&r->connect, &r->tcp, r->resolve.addrinfo->ai_addr,
				   on_connected);
	if (r->status == 0)
		op_ref(&r->op);
}

/* True: go on. */
static bool do_resolved(struct reach *r)
{
	bool may_go = r->status == 0 && r->how != REACH_SILENT && !op_failed(&r->op);

	if (may_go)
		do_connect(r);
	uv_freeaddrinfo(r->resolve.addrinfo);
	r->resolve.addrinfo = NULL;
	if (r->op.state == ST_CONNECTING)
		return r->status != 0; /* refused before it began */
	judge(r);
	op_move(&r->op, ST_DONE);
	return false;
}

static void do_connected(struct reach *r)
{
	judge(r);
	if (!uv_is_closing((uv_handle_t *)&r->tcp))
		op_close_handle(&r->op, (uv_handle_t *)&r->tcp);
	op_move(&r->op, ST_CLOSING);
}

static void step(struct op *op)
{
	struct reach *r = reach_of(op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			if (op_failed(op)) {
				op_move(op, ST_DONE);
				return;
			}
			do_start(r);
			if (r->status == 0)
				return;
			break;
		case ST_RESOLVING:
			if (!do_resolved(r))
				return;
			break;
		case ST_CONNECTING:
			do_connected(r);
			return;
		case ST_CLOSING:
			op_move(op, ST_DONE);
			return;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	hurry(reach_of(op));
}

static const struct op_type reach_type = {
	.name = "reach",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void reach_start(struct reach *r, uv_loop_t *loop, void (*done)(struct op *op))
{
	r->how = REACH_UNTRIED;
	r->status = 0;
	r->tcp.data = NULL;
	r->resolve.addrinfo = NULL;
	r->patience = (struct clock_timer){ .due_ms = 0 };
	op_start(&r->op, &reach_type, loop, done);
}
