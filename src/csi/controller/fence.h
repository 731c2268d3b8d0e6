#ifndef CSI_CONTROLLER_FENCE_H
#define CSI_CONTROLLER_FENCE_H
#include "csi/controller/box.h"

/* Op: cuts every holder of a volume off. The export goes off under a record that says
 * so; after the settle time, in which writes in flight drain, the volume gets an NQN
 * that never was and a record without holders. A nonce that is not the expected one ends
 * it early with RDS_STALE; the caller looks at the volume again. It may be cut anywhere:
 * the record says "fencing", and whoever finds that starts the same fence again. */
struct fence {
	struct op op;
	struct csi *csi;
	struct op *parent;
	struct box box;		  /* the last exec: outcome and volume are the result */
	const char *id;		  /* borrowed */
	struct rds_record record; /* what to write */
	char nonce[RDS_NONCE + 1];
	bool has_nonce; /* false: there was no record */
	char nqn[RDS_NQN_MAX + 1];
	struct clock_timer settle;
	/* When the box read back: not exported; the new name. Seconds since 1970. */
	int64_t off_at, renamed_at;
	uint64_t off_ms, renamed_ms; /* the same by CLOCK_MONOTONIC */
};

/* from: the record as it is on the box. fencing: the one to write first, with the new
 * generation, is_fencing set and the holders that are cut off. Takes a reference on the
 * parent and wakes it. */
void fence_prepare(struct fence *f, const char *id, const struct rds_record *from,
		   const struct rds_record *fencing);
void fence_start(struct fence *f, struct csi *csi, struct op *parent);
#endif
