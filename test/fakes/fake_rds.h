#ifndef FAKE_RDS_H
#define FAKE_RDS_H
#include "core/list.h"
#include "core/map.h"
#include "rds/rds.h"

/* An in-memory box behind the port rds.h: real ops on the loop, the record's nonce
 * compared and set, and faults. A request takes its effect on one turn of the loop and
 * answers on a later one, so that a test can cut it at each point. */
enum fake_fault {
	FAKE_FINE,
	FAKE_REFUSE, /* not sent: UNAVAILABLE, nothing done, and that is known */
	FAKE_DROP,   /* sent, never ran: UNAVAILABLE, outcome unknown */
	FAKE_LOSE,   /* ran, the answer was lost: UNAVAILABLE, outcome unknown */
	FAKE_LATE,   /* as LOSE, but it runs only at fake_rds_run_late() */
	FAKE_TORN,   /* as LATE, but its comparison was made before it stopped */
	FAKE_HANG,   /* neither runs nor answers until it is cancelled */
};

struct fake_volume {
	struct map_node node;
	struct rds_volume v;
};

struct fake_rds {
	struct rds rds; /* first */
	uv_loop_t *loop;
	const char *cluster_id; /* of the records that are ours */
	bool may_adopt;
	struct map volumes; /* of struct fake_volume */
	struct list late;   /* of struct fake_late */
	struct rds_features features;
	uint64_t free_bytes, total_bytes;
	bool ignores_nonce;  /* a box without compare-and-set: the model must notice */
	uint32_t next_nonce; /* nonces are counted, so that a failing run repeats */
	unsigned n_execs, n_kind[RDS_EXPORT + 1];
	/* One fault, for the request after `skip` others; or one chosen per request. */
	enum fake_fault fault;
	unsigned skip;
	enum fake_fault (*choose)(struct fake_rds *f, const struct rds_req *req);
	/* After each effect on a volume. */
	void (*on_effect)(struct fake_rds *f, const struct rds_volume *v);
	void *arg;
};

void fake_rds_open(struct fake_rds *f, uv_loop_t *loop, const char *cluster_id);
void fake_rds_close(struct fake_rds *f);
/* The volume's row, to look at or to bend; NULL = no such disk. */
struct rds_volume *fake_rds_find(struct fake_rds *f, const char *id);
/* A disk that nobody asked for. Its shape is that of a flat volume, its record empty. */
struct rds_volume *fake_rds_add(struct fake_rds *f, const char *id, uint64_t size_bytes);
/* The scripts that were cut off run on now, oldest first. */
void fake_rds_run_late(struct fake_rds *f);
unsigned fake_rds_n_late(const struct fake_rds *f);
void fake_rds_run_late_nth(struct fake_rds *f, unsigned nth);
#endif
