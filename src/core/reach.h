#ifndef CORE_REACH_H
#define CORE_REACH_H
#include "core/op.h"

/* op: whether a TCP port can be reached from here. Connects, says nothing, hangs up. The
 * op itself succeeds whatever was found; it fails when cancelled or for lack of means. */
enum reach_how {
	REACH_UNTRIED,
	REACH_OPEN,
	REACH_NO_ADDRESS, /* the name has none */
	REACH_REFUSED,
	REACH_NO_ROUTE, /* host or network unreachable */
	REACH_SILENT,	/* no answer in time */
	REACH_ERROR,	/* anything else: text says */
};

struct reach {
	struct op op;
	const char *host; /* name or number, borrowed until done */
	uint16_t port;
	uint64_t timeout_ms;
	enum reach_how how; /* the result */
	int status;	    /* of libuv, behind it; 0 = open or silent */
	uv_getaddrinfo_t resolve;
	uv_tcp_t tcp;
	uv_connect_t connect;
	struct clock_timer patience;
};

/* host, port and timeout_ms are set by the caller. */
void reach_start(struct reach *r, uv_loop_t *loop, void (*done)(struct op *op));
#endif
