#ifndef NODE_START_H
#define NODE_START_H
#include "core/op.h"
#include "csi/csi.h"
#include "csi/node/adopt.h"
#include "csi/node/kubelet_dirs.h"

/* What the node plugin does between binding its socket and answering on it: makes sure
 * that no other process works on the same records, then brings the record of each volume
 * in line with what is on the node (csi/node/adopt), one volume a turn of the loop, and
 * counts the sessions that are nobody's. Connects nothing. What cannot be read or undone
 * is logged and left; op.err is set only when the records belong to another process, or
 * when it was cancelled. */
struct node_known {
	char (*at)[ID_NQN]; /* owned: the NQNs that the records name */
	size_t n, cap;
};

struct node_start {
	struct op op;
	/* Arguments. */
	struct csi *csi;
	const char *kubelet_dir, *state_dir; /* borrowed */
	/* Results, for the log and for tests. */
	unsigned n_adopted, n_detached, n_forgotten, n_failed, n_unowned;
	/* Private. */
	struct kubelet_volumes volumes;
	char (*ids)[ID_VOLUME]; /* owned: the volumes that have a record alone */
	size_t n_ids, cap_ids, at;
	struct node_known known;
	struct adopt adopt;
	struct clock_timer again;
	uint64_t patience_ms; /* until when an earlier process may finish; absolute */
	uint64_t budget_ms;   /* until when sessions are cleaned away; absolute */
	int lock_fd;	      /* of the records, until the process ends; -1 = none */
};

/* The arguments must have been set. */
void node_start_start(struct node_start *s, void (*done)(struct op *op));
/* Gives the records up. Accepts a zeroed struct with lock_fd -1. */
void node_start_fini(struct node_start *s);
#endif
