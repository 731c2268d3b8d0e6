#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H
#include "core/buf.h"
#include "core/http1.h"
#include "metrics/expo.h"

/* What is asked for by HTTP, answered from memory. Pure but for the collectors. */
struct page_site {
	enum metric_roles roles;
	const struct expo_source *sources;
	unsigned n_sources;
	/* Whether this process can do its work; when not, why is one line of text. May be
	 * NULL: ready as soon as it answers. */
	bool (*is_ready)(void *ctx, struct buf *why);
	void *ctx;
};

/* Writes the whole response to out, which is empty: header and body, the header alone for
 * HEAD. GET and HEAD of /metrics, /healthz and /readyz; 404, 405, and 500 for a page that
 * does not fit. is_last: the connection will be closed. 0, or -1 for lack of memory. */
int page_answer(struct buf *out, const struct page_site *site, const struct http1 *req,
		bool is_last);
/* The answer to what is no request; the connection will be closed. */
int page_refuse(struct buf *out, unsigned status);
#endif
