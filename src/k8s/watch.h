#ifndef K8S_WATCH_H
#define K8S_WATCH_H
#include "core/backoff.h"
#include "k8s/call.h"
#include "k8s/fetch.h"
#include "k8s/store.h"

/* Keeps one store as the API server has it: lists it whole, then watches from there,
 * resumes where a stream ended, and lists again where that cannot be. Long-lived; done()
 * comes after k8s_watch_stop alone. The list is a consistent one (no resourceVersion), so
 * that the store never goes back in time, and comes in pages, each decoded as it arrives.
 * The store is never emptied: a new list replaces what is there, object by object. */
struct k8s_watch {
	struct op op;
	/* Arguments. */
	struct k8s_calls *calls;
	struct k8s_store *store;
	/* Counters since the start. */
	uint64_t n_lists, n_streams, n_events, n_failures;
	/* Private. */
	struct k8s_turn turn;
	struct clock_timer rest, silence;
	struct backoff backoff;
	struct buf target;
	struct k8s_fetch page;
	char more[K8S_TEXT_MAX + 1];	   /* the page to come; "" = the first */
	char version[K8S_VERSION_MAX + 1]; /* to watch from: of the last event */
	struct k8s_exchange stream;
	struct k8s_line_split lines;
	uint64_t began_ms;     /* of the list or the stream */
	uint64_t first_events; /* n_events when the stream began */
	unsigned how;	       /* enum k8s_stream_end, as far as is known */
	unsigned code;	       /* of an ERROR line */
	unsigned timeout_s;    /* of the stream */
	bool is_quiet;	       /* no bookmark came in time once: short streams */
};

void k8s_watch_start(struct k8s_watch *w, void (*done)(struct op *op));
void k8s_watch_stop(struct k8s_watch *w);
#endif
