#ifndef METRICS_EXPO_H
#define METRICS_EXPO_H
#include "core/buf.h"
#include "metrics/table.h"

/* The registry as text: Prometheus exposition format 0.0.4, or OpenMetrics 1.0. Pure but
 * for the collectors that it calls. */
enum expo_format { EXPO_PROMETHEUS, EXPO_OPENMETRICS };

struct expo {
	struct buf *out;
	enum expo_format format;
	const struct metric *metric; /* being written */
	bool has_head;
};

/* Says what a metric is now, by expo_put, or says nothing: then it is absent. */
typedef void expo_collect_fn(void *ctx, struct expo *x);

struct expo_source {
	enum metric_id id;
	expo_collect_fn *collect;
	void *ctx;
};

/* sources: the collectors of this process, n of them, any order. Metrics of another role
 * and those with a collector that is not there are left out. 0, or -1 when out is full or
 * for lack of memory. */
int expo_write(struct buf *out, enum expo_format format, enum metric_roles roles,
	       const struct expo_source *sources, unsigned n);
/* For a collector: one series; as many label values as the metric has labels. */
void expo_put(struct expo *x, double value, const char *const *labels);

/* The table as a page of the reference, in Markdown. 0 or -1. */
int expo_reference(struct buf *out);
#endif
