#ifndef K8S_EXCHANGE_H
#define K8S_EXCHANGE_H
#include "core/buf.h"
#include "core/op.h"

/* One HTTP/1.1 exchange with the API server, over TLS: a request goes out, a response
 * comes in, its body handed on in pieces as it arrives. No retries, no meaning: whoever
 * starts it decides. Ordinary exchanges share a few kept-alive connections; a long one
 * (a watch) has a connection of its own. */
struct k8s_client; /* configuration, TLS context, connections: k8s/client.h */

enum {
	K8S_HEADER_MAX = 16 * 1024,
	K8S_BODY_OUT_MAX = 64 * 1024,
	K8S_TARGET_MAX = 2048,
	K8S_EXCHANGE_MS = 30 * 1000, /* of one that is not long */
};

struct k8s_exchange {
	struct op op;
	void *impl; /* gone at done() */
	/* Arguments, borrowed until done(). */
	const char *method;		 /* "GET" … */
	const char *target;		 /* path and query */
	const char *content_type, *body; /* NULL when there is none */
	bool is_long; /* a watch: an own connection, no deadline of the exchange's own */
	/* Called for every piece of the body of a response, once its status is known;
	 * never with n = 0. Returning -1 (after op_fail on x->op) ends the exchange. */
	int (*on_body)(struct k8s_exchange *x, const char *p, size_t n);
	void *ctx; /* the starter's */
	/* Results. */
	unsigned status;	 /* 0 until the header is complete */
	uint32_t retry_after_ms; /* 0 = not said; at most 60 s */
	bool is_sent; /* bytes of the request have left: it may have been carried out */
};

/* op.err: UNAVAILABLE for everything between the socket and the last chunk (refused, cut,
 * truncated, TLS, not HTTP), EXHAUSTED for headers beyond the limits, too many waiting
 * and no memory, DEADLINE, INVALID for a target that is none. Any status at all is a
 * success here. A GET whose kept connection the server had closed is sent once more. */
void k8s_exchange_start(struct k8s_exchange *x, struct k8s_client *c,
			void (*done)(struct op *op));
#endif
