#ifndef CSI_GRPC_SERVER_H
#define CSI_GRPC_SERVER_H
#include "core/list.h"
#include "core/op.h"
#include "csi/grpc/call.h"

/* A gRPC server for unary calls on one listening socket. A long-lived op:
 * grpc_server_stop drains (GOAWAY, calls in flight finish within grace_ms), then done().
 * Owned by the caller. A connection more than GRPC_MAX_CONNECTIONS waits in the kernel's
 * queue until another one ends. */
enum { GRPC_MAX_CONNECTIONS = 128 };

struct grpc_server {
	struct op op;
	struct grpc_server_impl *impl; /* owned, made by listen, freed before done() */
};

struct grpc_server_conf {
	const char *address; /* unix:///path/x.sock, /path/x.sock, tcp://127.0.0.1:port */
	grpc_call_fn *on_call;
	void *ctx;
	uint64_t grace_ms; /* how long stop waits for calls in flight */
	/* NULL: gRPC calls go to on_call. Else the streams go to this user, whose h2.ctx
	 * is ctx: plain HTTP/2, for tests. */
	const struct h2_user *user;
};

/* Binds and listens at once, so that a start-up error is seen where it happens: a stale
 * unix socket is replaced atomically, a live one refused; mode 0600; tcp takes loopback
 * only. 0 or -1. After success, start must follow. */
int grpc_server_listen(struct grpc_server *s, uv_loop_t *loop,
		       const struct grpc_server_conf *conf, struct err *err);
void grpc_server_start(struct grpc_server *s, void (*done)(struct op *op));
/* Stops listening and removes the socket's file at once, then drains. op.err is
 * ERR_CANCELLED afterwards: ended as asked. */
void grpc_server_stop(struct grpc_server *s);
/* The bound address in the form of conf.address (with the real port for tcp port 0). */
const char *grpc_server_address(const struct grpc_server *s);
#endif
