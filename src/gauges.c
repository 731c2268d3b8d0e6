#include "gauges.h"

#include <math.h>
#include <stddef.h>

#include "rds/figures.h"
#include "rds/rds.h"
#include "rds/ros.h"

_Static_assert(METRIC_DISK_ACTIVE - METRIC_DISK_READ_OPS == FIGURES_ACTIVE_MS,
	       "one metric for each figure of the traffic");
_Static_assert(METRIC_DISK_FAILED - METRIC_DISK_CELSIUS == FIGURES_FAILED,
	       "one metric for each figure of a drive");
_Static_assert(METRIC_SENSOR_STATE - METRIC_FIGURES_TIME + 1 == GAUGES_N,
	       "each has a collector");

static void put(struct expo *x, double value, const char *label1, const char *label2)
{
	const char *const labels[] = { label1, label2 };

	if (!isnan(value))
		expo_put(x, value, labels);
}

static unsigned id_of(const struct expo *x)
{
	return (unsigned)(x->metric - metrics_table);
}

static void collect_time(void *ctx, struct expo *x)
{
	uint64_t us = ros_figures_time(ctx);

	if (us)
		put(x, (double)us / 1e6, NULL, NULL);
}

static void collect_traffic(void *ctx, struct expo *x)
{
	const struct figures *f = ros_figures(ctx);

	if (f)
		put(x, f->traffic[id_of(x) - METRIC_DISK_READ_OPS], f->pool_slot, NULL);
}

static void collect_drive(void *ctx, struct expo *x)
{
	const struct figures *f = ros_figures(ctx);

	for (unsigned i = 0; f && i < f->n_disks; i++)
		put(x, f->disks[i].v[id_of(x) - METRIC_DISK_CELSIUS], f->disks[i].slot,
		    NULL);
}

static void collect_raid(void *ctx, struct expo *x)
{
	const struct figures *f = ros_figures(ctx);

	for (unsigned i = 0; f && i < f->n_disks; i++)
		if (f->disks[i].state[0])
			put(x, 1, f->disks[i].slot, f->disks[i].state);
}

static void collect_named(void *ctx, struct expo *x)
{
	static const char *const names[] = {
		"cpu-temperature",  "board-temperature1", "fan1-speed",
		"fan2-speed",	    "psu1-power",	  "psu2-power",
		"psu1-temperature", "psu2-temperature",
	};
	const struct figures *f = ros_figures(ctx);

	if (f)
		put(x, figures_sensor(f, names[id_of(x) - METRIC_CPU_CELSIUS]), NULL,
		    NULL);
}

static void collect_pool(void *ctx, struct expo *x)
{
	const struct figures *f = ros_figures(ctx);

	if (f)
		put(x, id_of(x) == METRIC_POOL_SIZE ? f->pool_size : f->pool_used, NULL,
		    NULL);
}

static void collect_sensors(void *ctx, struct expo *x)
{
	const struct figures *f = ros_figures(ctx);

	for (unsigned i = 0; f && i < f->n_sensors; i++)
		put(x, f->sensors[i].value, f->sensors[i].name, f->sensors[i].unit);
}

static void collect_states(void *ctx, struct expo *x)
{
	const struct figures *f = ros_figures(ctx);

	for (unsigned i = 0; f && i < f->n_sensors; i++)
		if (f->sensors[i].state[0])
			put(x, 1, f->sensors[i].name, f->sensors[i].state);
}

unsigned gauges_add(struct expo_source *sources, unsigned n, struct rds *rds)
{
	static const struct {
		enum metric_id first, last;
		expo_collect_fn *collect;
	} table[] = {
		{ METRIC_FIGURES_TIME, METRIC_FIGURES_TIME, collect_time },
		{ METRIC_DISK_READ_OPS, METRIC_DISK_ACTIVE, collect_traffic },
		{ METRIC_DISK_CELSIUS, METRIC_DISK_FAILED, collect_drive },
		{ METRIC_DISK_RAID_STATE, METRIC_DISK_RAID_STATE, collect_raid },
		{ METRIC_CPU_CELSIUS, METRIC_PSU2_CELSIUS, collect_named },
		{ METRIC_POOL_SIZE, METRIC_POOL_USED, collect_pool },
		{ METRIC_SENSOR, METRIC_SENSOR, collect_sensors },
		{ METRIC_SENSOR_STATE, METRIC_SENSOR_STATE, collect_states },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		for (unsigned id = table[i].first; id <= table[i].last; id++)
			sources[n++] = (struct expo_source){ (enum metric_id)id,
							     table[i].collect, rds };
	return n;
}
