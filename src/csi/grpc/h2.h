#ifndef CSI_GRPC_H2_H
#define CSI_GRPC_H2_H
#include <nghttp2/nghttp2.h>
#include <stdbool.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/list.h"
#include "csi/grpc/fields.h"

/* One HTTP/2 connection without its socket: an nghttp2 session that is fed bytes and
 * asked for bytes, server or client. nghttp2 must not be re-entered from its callbacks,
 * so these only record; what happened is told to the user afterwards, from the top level
 * of h2_feed, h2_take and h2_fini. Embedded in its owner. No libuv, no clock. */
enum {
	H2_MAX_STREAMS = 256,		   /* one sidecar alone runs 100 workers */
	H2_WINDOW = 1024 * 1024,	   /* of a stream and of the connection */
	H2_MAX_HELD = 16 * 1024 * 1024,	   /* request bytes of one connection */
	H2_MAX_REPLIES = 32 * 1024 * 1024, /* reply bytes that one connection may hold */
	H2_MAX_IDLE_FRAMES = 1000	   /* frames that move nothing, in a row */
};

enum h2_event {
	H2_EV_HEADERS = 1, /* the (first) header section is complete */
	H2_EV_DATA = 2,	   /* on_data was called */
	H2_EV_END = 4,	   /* the peer has sent all: END_STREAM */
	H2_EV_CLOSED = 8   /* the stream is gone; s is freed after this event */
};

#define H2_LOST UINT32_MAX /* close_code: the connection went away under the stream */

struct h2;

struct h2stream {
	struct list node;  /* of h2.streams */
	struct list ready; /* of h2.ready while events is not 0 */
	struct h2 *h2;
	int32_t id;
	unsigned events;     /* not told yet */
	uint32_t close_code; /* of RST_STREAM, H2_LOST, or 0 = ended well */
	struct fields in;    /* what the peer sent: headers, then trailers */
	uint64_t n_in;	     /* body bytes received */
	struct buf out;	     /* owned: the body to send */
	size_t n_out;	     /* of it, handed to nghttp2 */
	bool is_answered;    /* h2_respond or h2_reset was called: only CLOSED follows */
	const struct h2_field *trailers; /* borrowed until sent */
	size_t n_trailers;
	void *user; /* the user's */
};

struct h2_user {
	/* May submit and reset, must not feed or take. */
	void (*on_event)(struct h2stream *s, unsigned events);
	/* Called from within nghttp2: may only record. */
	void (*on_data)(struct h2stream *s, const uint8_t *p, size_t n);
};

struct h2 {
	nghttp2_session *session;
	const struct h2_user *user; /* borrowed */
	void *ctx;		    /* the user's */
	void (*kick)(struct h2 *h); /* there is something to take; may be NULL */
	struct list streams, ready;
	size_t n_held, n_replies; /* bytes of request and reply bodies */
	unsigned n_idle_frames;
	bool is_client, is_inside; /* inside: nghttp2 is on the stack */
};

struct h2_field {
	const char *name, *value; /* copied */
};

struct h2_message {
	const struct h2_field *fields; /* pseudo-header fields first */
	size_t n_fields;
	struct buf *body_take;		 /* NULL: the headers end the stream */
	const struct h2_field *trailers; /* NULL: the body ends the stream */
	size_t n_trailers;
};

/* Submits SETTINGS, which so become the first frame. -1: memory. */
int h2_init(struct h2 *h, bool is_client, const struct h2_user *user, void *ctx);
void h2_fini(struct h2 *h); /* tells H2_EV_CLOSED for every stream that is left */
/* -1: the connection cannot go on; what h2_take still yields may be sent before closing.
 */
int h2_feed(struct h2 *h, const void *p, size_t n, struct err *err);
/* Appends what is to be sent until out holds limit bytes or a frame more. */
int h2_take(struct h2 *h, struct buf *out, size_t limit, struct err *err);
bool h2_is_over(const struct h2 *h); /* nothing more to read or to send */

/* NULL for lack of memory; body_take is consumed in any case. */
struct h2stream *h2_request(struct h2 *h, const struct h2_message *m, void *user);
/* Once a stream. After the last frame RST_STREAM(NO_ERROR) follows when the client has
 * not finished its request. -1 for lack of memory: the stream is reset. */
int h2_respond(struct h2stream *s, const struct h2_message *m);
void h2_reset(struct h2stream *s, uint32_t code);
/* GOAWAY in two steps, as grpc-go's clients want it: first with the id 2^31-1, a turn
 * later with the last id that was seen. */
void h2_shutdown_notice(struct h2 *h);
void h2_goaway(struct h2 *h);
void h2_kick(struct h2 *h);
#endif
