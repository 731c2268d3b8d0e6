#ifndef K8S_WATCH_RULES_H
#define K8S_WATCH_RULES_H
#include <stdbool.h>
#include <stdint.h>

/* What follows the end of a watch's stream or of one page of its list. Pure. */
enum {
	K8S_WATCH_SHORT_MS = 1000, /* ended sooner without an event: something is wrong */
	K8S_WATCH_HEALTHY_MS = 120000, /* lived so long: earlier failures are forgiven */
	/* Bookmarks come each minute, though none is promised. Later than this the
	 * stream is taken for dead; K8S_STALE_MS is not over yet. */
	K8S_WATCH_SILENT_MS = 80000,
	/* Heard of so long ago when a stream failed: a list says at once that all is
	 * current, a resumed watch maybe only after a minute. */
	K8S_WATCH_RELIST_MS = 45000,
	K8S_WATCH_RETRY_MS = 800,
	K8S_WATCH_RETRY_MAX_MS = 30000,
	/* Where no bookmark came (seen with 1.36 over an etcd that notifies of no
	 * progress: a kind without changes gets none) the streams are short, and their
	 * end in due time tells as much as a bookmark. */
	K8S_WATCH_QUIET_S = 45, /* at random up to a third more */
	K8S_WATCH_MIN_S = 300,	/* timeoutSeconds: at random up to twice that */
	K8S_WATCH_GUARD_S = 30,
};

enum k8s_stream_end {
	K8S_STREAM_ENDED,  /* by the API server, whole */
	K8S_STREAM_FAILED, /* cut, refused, a status that is no 200 */
	K8S_STREAM_ERROR,  /* an ERROR line */
	K8S_STREAM_JUNK,   /* bytes that are no events */
	K8S_STREAM_SILENT, /* given up by us */
	K8S_STREAM_NO_MEMORY,
};

struct k8s_ended {
	enum k8s_stream_end how;
	unsigned status;	      /* FAILED: of HTTP, 0 = none; ERROR: its code */
	uint64_t lived_ms, silent_ms; /* of the stream; since anything was heard */
	uint64_t timeout_ms;	      /* that was asked for */
	bool has_events;
	unsigned failures; /* in a row before this one */
};

struct k8s_verdict {
	bool is_relist;	 /* else the watch is resumed where it was */
	bool is_failure; /* counts for the back-off */
	bool is_pause;	 /* wait before */
	bool is_token;	 /* the token is read anew */
	bool is_heard;	 /* all that happened before was told */
};

struct k8s_verdict k8s_watch_judge(const struct k8s_ended *e);
/* A page of the list failed with the status (0 = none came), or came and was no page.
 * is_relist: from the first page; else the same page again. */
struct k8s_verdict k8s_watch_judge_page(unsigned status, bool is_unreadable,
					unsigned failures);
#endif
