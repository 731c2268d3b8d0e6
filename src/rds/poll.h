#ifndef RDS_POLL_H
#define RDS_POLL_H
#include "core/op.h"
#include "rds/batch.h"
#include "rds/figures.h"

/* Long-lived op: reads the box's figures every interval_ms, one exec a round, in the lane
 * that everything else goes before. Every controller does, whether it leads or not: the
 * figures are the box's, and a scrape of the one that does not lead must not lack them.
 * What was read is known for POLL_KEEP intervals; nobody waits for a round. */
enum { POLL_KEEP = 3, POLL_QUEUE_MS = 10000, POLL_EXEC_MS = 30000 };

struct poll {
	struct op op;
	uint64_t interval_ms; /* set by the owner, as pool is */
	struct pool *pool;
	void (*begins)(struct poll *p); /* a round; NULL = nobody is told */
	struct pool_item item;
	struct clock_timer timer;	/* the pause, or the patience with the queue */
	struct err end;			/* how the exec ended */
	struct figures seen;		/* by the round that runs */
	struct figures last;		/* by the last good one */
	uint64_t last_ms, last_wall_us; /* when that was; 0 = never */
	bool has_failed;		/* the last round */
};

void poll_start(struct poll *p, uv_loop_t *loop, void (*done)(struct op *op));
/* What the last good round read; NULL when there was none, or too long ago. */
const struct figures *poll_figures(const struct poll *p);
#endif
