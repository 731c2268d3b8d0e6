#ifndef CORE_STREAM_H
#define CORE_STREAM_H
#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

#include "core/buf.h"
#include "core/op.h"

/* A byte stream over a unix or TCP socket, embedded in the op that owns it. Each thing
 * that happens (connected, bytes came, bytes left, the end) wakes that op, which then
 * looks at the fields; the handle, the connect and the write hold one reference of it
 * each. Input stops by itself while the fixed buffer is full. Output is queued, bounded
 * by STREAM_OUT_MAX, and written at once as far as the kernel takes it. */
enum {
	STREAM_IN_BYTES = 16 * 1024,
	STREAM_OUT_MAX = 448 * 1024 /* hard limit of out; owners stop earlier */
};

struct stream {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	} u;
	uv_connect_t connect;
	uv_write_t write;
	struct buf out;	   /* to be written; fill it, then stream_flush */
	struct buf flight; /* of the write under way */
	int status;	   /* why it ended: UV_EOF or another libuv error; 0 = it lives */
	bool is_connected, is_open; /* open: the handle must be closed */
	size_t in_len;
	char in[STREAM_IN_BYTES]; /* in_len bytes that the owner has not consumed */
};

void stream_init(struct stream *s); /* memory only: stream_fini may follow any time */
/* Takes a connection from the listener; owner's loop. 0 or a libuv error; the handle is
 * open either way. */
int stream_accept(struct stream *s, struct op *owner, uv_stream_t *listener);
/* AF_UNIX, AF_INET or AF_INET6. Failure is told later, through status. */
void stream_connect(struct stream *s, struct op *owner, const struct sockaddr *to);
/* Lets input flow (again) when there is room; no-op when it flows already. */
void stream_read(struct stream *s);
void stream_consume(struct stream *s, size_t n); /* drops the first n bytes of in */
void stream_flush(struct stream *s);		 /* writes out, as far as possible now */
/* The peer reads the end of what was written; input goes on. Nothing may be queued. */
void stream_end(struct stream *s);
size_t stream_queued(const struct stream *s); /* bytes the kernel has not taken */
void stream_close(struct stream *s);	      /* no-op unless open */
void stream_fini(struct stream *s);	      /* when the owner's references are gone */
#endif
