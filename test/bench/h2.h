#ifndef BENCH_H2_H
#define BENCH_H2_H
#include <stddef.h>
#include <stdint.h>

/* A blocking gRPC client for measurements, on plain nghttp2: it shares nothing with
 * src/csi/grpc, so that the driver's own code is never on both ends of a figure. One
 * connection over a unix socket, any number of unary calls in flight on it. */
struct h2;

struct h2_call {
	const char *path;   /* borrowed */
	const uint8_t *msg; /* borrowed; the request message without prefix */
	size_t len;
	/* Results. */
	int status;	/* grpc-status; -1 = none came */
	uint8_t *reply; /* owned, h2_call_fini; with the 5-byte prefix */
	size_t reply_len;
	uint64_t took_ns; /* from submission to the end of the stream */
	size_t sent;	  /* of prefix and message */
};

struct h2 *h2_open(const char *path); /* NULL: nobody listens (yet) */
void h2_close(struct h2 *h);	      /* accepts NULL */
/* Runs all calls, at most in_flight of them open at a time. 0, or -1 when the connection
 * ended before the last answer. */
int h2_run(struct h2 *h, struct h2_call *calls, size_t n, unsigned in_flight);
void h2_call_fini(struct h2_call *c);

uint64_t now_ns(void); /* monotonic */
#endif
