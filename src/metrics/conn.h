#ifndef METRICS_CONN_H
#define METRICS_CONN_H
#include "core/list.h"
#include "core/stream.h"
#include "metrics/page.h"

/* Op: one connection of somebody who asks: HTTP/1.1, one request after the other, each
 * answered from memory. Ends when the peer leaves, says nothing for CONN_IDLE_MS, does
 * not finish a request or take an answer within CONN_BUSY_MS, or sends what is no
 * request. */
enum { CONN_IDLE_MS = 120 * 1000, CONN_BUSY_MS = 10 * 1000 };

struct metrics_conn {
	struct op op;
	struct stream stream;
	struct http1 http;
	struct clock_timer patience;
	const struct page_site *site;
	size_t answer_bytes; /* of the one under way */
	uint64_t since_ms;   /* clock_now_ms since which it waits for its peer */
	struct list node;    /* the owner's */
	void *owner;
};

void metrics_conn_start(struct metrics_conn *c, uv_loop_t *loop, uv_stream_t *listener,
			const struct page_site *site, void (*done)(struct op *op));
#endif
