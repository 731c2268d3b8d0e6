#ifndef METRICS_SERVER_H
#define METRICS_SERVER_H
#include "metrics/conn.h"

/* Op: serves the pages of metrics/page.h on a TCP address until it is cancelled, which
 * cuts what is connected. When there are METRICS_MAX_CONNS of them, the one that has
 * waited longest for its peer gives way to the next: however many are slow or silent,
 * who asks at once is answered at once. */
enum { METRICS_MAX_CONNS = 16 };

struct metrics_server {
	struct op op;
	struct page_site site; /* set by the owner before the start */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
	} u;
	struct list conns; /* of struct metrics_conn, owned */
	unsigned n_conns, port;
	struct clock_timer retry; /* after an accept without memory */
	int fd;			  /* until the start */
	bool is_waiting; /* a connection waits to be accepted; libuv tells only once */
};

/* Listens on ":9809" (every address, IPv6 too where there is any), "10.0.0.1:9809" or
 * "[::1]:9809"; port 0 = any, told by port. -1 leaves nothing open. */
int metrics_server_listen(struct metrics_server *s, const char *address, struct err *err);
/* After a listen that succeeded. Ends when it is cancelled. */
void metrics_server_start(struct metrics_server *s, uv_loop_t *loop,
			  void (*done)(struct op *op));
#endif
