#ifndef E2E_METRIC_ROWS_H
#define E2E_METRIC_ROWS_H
#include <stdbool.h>

/* Each metric of the reference, what makes it move, and how it must: read by
 * prog/metrics.c, which brings the causes about one after the other on real processes and
 * fails when a metric of the reference has no row. */
enum metric_cause {
	CAUSE_START,	 /* both plugins run, the controller leads */
	CAUSE_CALLERS,	 /* somebody keeps connections to the metrics server */
	CAUSE_CREATE,	 /* volumes are created */
	CAUSE_PUBLISH,	 /* one is published to node-a */
	CAUSE_CONFLICT,	 /* node-b wants it too */
	CAUSE_STAGE,	 /* it is staged, published to a pod, written and read */
	CAUSE_WRITES,	 /* a pod writes without an end */
	CAUSE_LEFTOVER,	 /* it is fenced while staged, published again and staged anew */
	CAUSE_FIGURES,	 /* the box measures other values */
	CAUSE_DETACH,	 /* it is taken off in good order */
	CAUSE_GRACE,	 /* and goes to node-b at once */
	CAUSE_MIGRATING, /* a shared volume is published to two nodes */
	CAUSE_MIGRATED,	 /* the first of them lets go */
	CAUSE_PENDING,	 /* one of two that is not ready is let go */
	CAUSE_DISAGREE,	 /* a VolumeAttachment says what the record does not */
	CAUSE_NODE_GONE, /* a Node that holds a volume is deleted */
	CAUSE_SLOW,	 /* the box takes seconds for each script; calls pile up */
	CAUSE_CROWD,	 /* many creates at once */
	CAUSE_MACHINES,	 /* two volumes of one virtual machine */
	CAUSE_OBJECTS,	 /* objects come, one of them cannot be read */
	CAUSE_STREAMS,	 /* watches are ended, the lists fail once */
	CAUSE_EVENTS,	 /* the API server refuses Events, and too many come */
	CAUSE_KEYS,	 /* the private key's file is gone */
	CAUSE_BOX_DOWN,
	CAUSE_BOX_UP,
	CAUSE_ROUNDS, /* a look each second at a box that mounts volumes itself */
	CAUSE_API_DOWN,
	CAUSE_ORPHAN, /* a node plugin is killed between connect and mount */
	CAUSE_STUCK,  /* a child sleeps in the kernel and cannot be killed */
	CAUSE_INSECURE,
	CAUSE_N
};

enum metric_want {
	WANT_UP,   /* more than before the cause; absent counts as 0 */
	WANT_ONE,  /* exactly 1 */
	WANT_ZERO, /* 0 and not absent */
	WANT_SOME, /* at least 1 */
};

struct metric_row {
	const char *name;
	const char *labels; /* a part of them; "" = any */
	enum metric_cause cause;
	enum metric_want want;
	bool is_node; /* asked of the node plugin */
};

extern const struct metric_row metric_rows[]; /* ended by one without a name */
#endif
