#ifndef FAKE_CALL_H
#define FAKE_CALL_H
#include "csi.pb-c.h"
#include "csi/dispatch.h"

/* A grpc_call without a connection. A test that links it gets these definitions instead
 * of those of grpc/call.c. */
struct grpc_call {
	const char *path;
	const void *message;
	size_t len;
	unsigned n_answers;
	struct err err;	     /* of the answer */
	uint8_t reply[4096]; /* its first bytes */
	size_t reply_len;
};
#endif
