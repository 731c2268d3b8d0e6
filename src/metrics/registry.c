#include "metrics/registry.h"

#include <string.h>

#include "core/mem.h"
#include "metrics/table.h"

enum { CELLS = 2048 };

static uint64_t cells[CELLS];
static unsigned first[METRIC_N]; /* of each metric's cells */
static unsigned n_cells;	 /* 0 = not laid out yet */

static unsigned stride(const struct metric *m)
{
	return m->type == METRIC_HISTOGRAM ? m->n_buckets + 2 : 1;
}

static void lay_out(void)
{
	unsigned n = 0;

	if (n_cells)
		return;
	for (unsigned id = 0; id < METRIC_N; id++) {
		const struct metric *m = &metrics_table[id];

		first[id] = n;
		if (!m->has_collector)
			n += metric_series(m) * stride(m);
	}
	bug_on(n > CELLS);
	n_cells = n;
}

static uint64_t *series(enum metric_id id, unsigned label1, unsigned label2)
{
	const struct metric *m = &metrics_table[id];
	unsigned n2 = m->labels[0].name && m->labels[1].name ? m->labels[1].n : 1;

	bug_on(m->has_collector || label2 >= n2 || label1 * n2 >= metric_series(m));
	lay_out();
	return &cells[first[id] + (label1 * n2 + label2) * stride(m)];
}

void metric_count(enum metric_id id, unsigned label1, unsigned label2)
{
	bug_on(metrics_table[id].type != METRIC_COUNTER);
	++*series(id, label1, label2);
}

void metric_observe(enum metric_id id, unsigned label1, uint64_t microseconds)
{
	const struct metric *m = &metrics_table[id];
	uint64_t *c = series(id, label1, 0);
	unsigned i = 0;

	bug_on(m->type != METRIC_HISTOGRAM);
	while (i < m->n_buckets && microseconds > (uint64_t)m->buckets_ms[i] * 1000)
		i++;
	c[i]++;
	c[m->n_buckets + 1] += microseconds;
}

unsigned metric_label_value(enum metric_id id, unsigned label, const char *value)
{
	const struct metric_label *l = &metrics_table[id].labels[label];
	unsigned i = 0;

	while (i + 1 < l->n && strcmp(l->values[i], value) != 0)
		i++;
	return i;
}

uint64_t metric_counted(enum metric_id id, unsigned label1, unsigned label2)
{
	return *series(id, label1, label2);
}

const uint64_t *metric_cells(enum metric_id id, unsigned n)
{
	lay_out();
	return &cells[first[id] + n * stride(&metrics_table[id])];
}

void metric_reset(void)
{
	memset(cells, 0, sizeof(cells));
}
