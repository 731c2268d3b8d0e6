#ifndef CSI_CONTROLLER_EXPORT_WALK_H
#define CSI_CONTROLLER_EXPORT_WALK_H
#include "core/op.h"
#include "csi/controller/export_rules.h"

/* Op: goes over all volumes of our cluster on the box, sorted by their names, and
 * switches the export of each on under its plain NQN where export_rules allow it, one
 * exec each, under the record that was listed. Nothing is ever switched off. It may be
 * cut anywhere and run again. */
enum export_outcome { EXPORTED, WOULD_EXPORT, WAS_EXPORTED, NOT_EXPORTED, EXPORT_N };

struct export_walk {
	struct op op;
	/* Set before the start; borrowed. */
	struct rds *rds;
	bool is_acting;	  /* false: only told */
	const char *even; /* ids parted by commas that somebody vouches for; "" */
	/* Once for each volume. why is NULL unless NOT_EXPORTED. */
	void (*tell)(struct export_walk *w, const char *id, enum export_outcome outcome,
		     const char *why);
	/* Results. */
	unsigned count[EXPORT_N];
	/* Within. */
	struct rds_req req;
	struct rds_volume *rows; /* heap, until done() */
	size_t n, cap, at;
	struct export_plan plan;
	char nonce[RDS_NONCE + 1];
	unsigned n_failed; /* one after the other, the box being away */
	bool is_too_long;
};

void export_walk_start(struct export_walk *w, uv_loop_t *loop,
		       void (*done)(struct op *op));
/* Whether the comma-separated list names it. */
bool export_is_named(const char *list, const char *id);
#endif
