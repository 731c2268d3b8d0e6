#ifndef CORE_HTTP1_H
#define CORE_HTTP1_H
#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/err.h"

/* One side of an HTTP/1.1 connection as a parser: bytes in, one message at a time out
 * (RFC 9112), by llhttp in its strict mode. Pure. Requests and responses alike;
 * informational responses (1xx) are passed over, but 101 is refused. Header bytes and
 * header lines are limited; the body is handed on in pieces as it comes, unbounded, so
 * its limit is the owner's. A parser that has failed says the same error again and never
 * feeds llhttp any more. */
enum { HTTP1_HEAD_MAX = 16 * 1024, HTTP1_LINES_MAX = 64 };

struct http1 {
	/* The owner's, set after http1_init. Each may be NULL; -1 ends the parsing. */
	int (*on_head)(struct http1 *h); /* the final header is there */
	int (*on_body)(struct http1 *h, const char *p, size_t n); /* never n = 0 */
	void *ctx;
	bool is_to_head; /* the response to a HEAD: it has no body, whatever it says */

	/* To be read by the owner; the header from on_head on until http1_next. */
	bool is_begun;	   /* a byte of a message has come */
	bool is_head_done; /* status, method, target and http1_header() are valid */
	bool is_done;	   /* the message is complete, no byte beyond it was taken */
	bool keeps_alive;  /* with is_done: the peer lets the connection live */
	bool is_until_end; /* with is_head_done: only the end of the connection ends it */
	unsigned status;   /* of a response */
	const char *method; /* of a request; static */

	/* Private. */
	llhttp_t parser;
	struct buf head; /* "target\0", then "name\0value\0" for each line */
	size_t fed;	 /* bytes taken while the header was not done */
	unsigned n_lines;
	int piece; /* what the last piece belonged to */
	struct err err;
};

void http1_init(struct http1 *h, llhttp_type_t kind); /* HTTP_REQUEST, HTTP_RESPONSE */
void http1_fini(struct http1 *h);
/* Ready for the next message of the same connection; the one before must be done. */
void http1_next(struct http1 *h);

/* Takes bytes up to the end of the message: *ret_used of n. Errors: INVALID for what is
 * no HTTP/1.1, EXHAUSTED beyond the limits or without memory, ABORTED when a callback
 * said -1. */
int http1_feed(struct http1 *h, const char *p, size_t n, size_t *ret_used,
	       struct err *err);
/* The connection has ended in good order. 0 when no message was begun or the end
 * completes it (is_done tells); INVALID when it is cut short. */
int http1_finish(struct http1 *h, struct err *err);

const char *http1_target(const struct http1 *h); /* of a request */
/* The value of the first header line of that name, in whatever case; NULL without. */
const char *http1_header(const struct http1 *h, const char *name);
#endif
