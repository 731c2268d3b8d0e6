#ifndef CSI_GRPC_H2CONN_H
#define CSI_GRPC_H2CONN_H
#include "core/op.h"
#include "core/stream.h"
#include "csi/grpc/h2.h"

/* One HTTP/2 connection, server or client: an op that carries bytes between a socket and
 * a struct h2. It ends when the peer hangs up, at an error of either, when it is
 * cancelled, or drained by h2conn_stop. It never ends because it is idle: the CSI
 * sidecars exit when they lose their connection. Embedded in its owner; reusable after
 * done(). */
struct h2conn {
	struct op op;
	struct h2 h2; /* usable from the start call until done() */
	struct stream stream;
	uv_idle_t turn;	  /* runs between the two GOAWAYs */
	struct list node; /* for the owner's set; not linked at first */
	void *owner;	  /* the owner's; from conf */
	const struct sockaddr *to;
	uint64_t grace_ms;
	bool is_stopping; /* h2conn_stop was called */
};

struct h2conn_conf {
	const struct h2_user *user;
	void *ctx; /* h2.ctx */
	uv_loop_t *loop;
	uv_stream_t *listener;	   /* server: take the connection that waits there */
	const struct sockaddr *to; /* client: whom to call; borrowed until done() */
	void *owner;
};

/* One of listener and to is set. A client may submit requests at once. */
void h2conn_start(struct h2conn *c, const struct h2conn_conf *conf,
		  void (*done)(struct op *op));
/* Drains: announces the end (GOAWAY), lets the streams finish and closes; after grace_ms
 * what is left is cut off. A client that is still connecting is ended. */
void h2conn_stop(struct h2conn *c, uint64_t grace_ms);
#endif
