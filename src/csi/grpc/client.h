#ifndef CSI_GRPC_CLIENT_H
#define CSI_GRPC_CLIENT_H
#include "core/buf.h"
#include "core/op.h"

/* One unary call over a connection of its own: connect, send, receive, close. For
 * `rds-csi call` and for tests. The caller owns the struct and frees reply with buf_fini
 * after done(). */
struct grpc_client {
	struct op op; /* op.err carries the server's status when the call failed */
	struct grpc_client_impl *impl; /* owned; gone at done() */
	const char *address;	       /* borrowed until done(); as in grpc_server_conf */
	const char *path;	       /* borrowed until done() */
	const void *message;	       /* borrowed until done() */
	size_t message_len;
	uint64_t timeout_ms; /* sent as grpc-timeout and kept by the client too; 0 = none
			      */
	struct buf reply;    /* the response message, without prefix */
};

/* The fields from address to timeout_ms must be set. */
void grpc_client_start(struct grpc_client *c, uv_loop_t *loop,
		       void (*done)(struct op *op));
#endif
