#ifndef METRICS_TABLE_H
#define METRICS_TABLE_H
#include <stdbool.h>

#include "metrics/registry.h"

/* What each metric is called, means and may be labelled with. For the exposition and the
 * generated reference. */
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_roles { METRIC_ON_CONTROLLER = 1, METRIC_ON_NODE = 2, METRIC_ON_BOTH = 3 };

struct metric_label {
	const char *name;
	const char *const *values; /* NULL: the collector names them */
	unsigned n;
};

enum { METRIC_LABELS = 3, METRIC_BUCKETS = 10 };

struct metric {
	const char *name, *help;
	enum metric_type type;
	enum metric_roles roles;
	/* Shown only once it was counted; else from the start, so that a rate sees the
	 * first one. */
	bool is_sparse;
	bool has_collector;
	struct metric_label labels[METRIC_LABELS]; /* the first without a name ends it */
	const uint32_t *buckets_ms;		   /* upper bounds, in order */
	unsigned n_buckets;
};

extern const struct metric metrics_table[METRIC_N];

/* How many series its labels make: 1 without labels. */
unsigned metric_series(const struct metric *m);
/* The cells of one series: a counter's value; a histogram's buckets (each its own, not
 * cumulative), what is beyond them, and the sum in microseconds. */
const uint64_t *metric_cells(enum metric_id id, unsigned series);
#endif
