#include "metrics/expo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Backslash, quote and newline are escaped; other bytes that are no printable ASCII are
 * not expected in our labels and become '?'. */
static void put_escaped(struct buf *out, const char *s, bool is_label)
{
	for (; *s; s++) {
		if (*s == '\\' || (is_label && *s == '"'))
			(void)buf_printf(out, "\\%c", *s);
		else if (*s == '\n')
			(void)buf_puts(out, "\\n");
		else
			(void)buf_putc(out, (unsigned char)*s < ' ' ? '?' : *s);
	}
}

static const char *type_name(enum metric_type type)
{
	static const char *const names[] = { "counter", "gauge", "histogram" };

	return names[type];
}

/* OpenMetrics names the family of a counter without its suffix. */
static void put_family(struct expo *x)
{
	const char *name = x->metric->name;
	size_t n = strlen(name);

	if (x->format == EXPO_OPENMETRICS && x->metric->type == METRIC_COUNTER && n > 6 &&
	    strcmp(name + n - 6, "_total") == 0)
		n -= 6;
	(void)buf_append(x->out, name, n);
}

static void put_head(struct expo *x)
{
	if (x->has_head)
		return;
	x->has_head = true;
	(void)buf_puts(x->out, "# HELP ");
	put_family(x);
	(void)buf_putc(x->out, ' ');
	put_escaped(x->out, x->metric->help, false);
	(void)buf_puts(x->out, "\n# TYPE ");
	put_family(x);
	(void)buf_printf(x->out, " %s\n", type_name(x->metric->type));
}

static unsigned n_labels(const struct metric *m)
{
	unsigned n = 0;

	while (n < METRIC_LABELS && m->labels[n].name)
		n++;
	return n;
}

/* {a="x",b="y",le="0.1"}; nothing when there is none. */
static void put_labels(struct expo *x, const char *const *values, const char *le)
{
	unsigned n = n_labels(x->metric);
	const char *sep = "{";

	for (unsigned i = 0; i < n; i++, sep = ",") {
		(void)buf_printf(x->out, "%s%s=\"", sep, x->metric->labels[i].name);
		put_escaped(x->out, values[i], true);
		(void)buf_putc(x->out, '"');
	}
	if (le)
		(void)buf_printf(x->out, "%sle=\"%s\"", sep, le);
	if (n || le)
		(void)buf_putc(x->out, '}');
}

static void put_name(struct expo *x, const char *suffix)
{
	(void)buf_puts(x->out, x->metric->name);
	(void)buf_puts(x->out, suffix);
}

void expo_put(struct expo *x, double value, const char *const *labels)
{
	put_head(x);
	put_name(x, "");
	put_labels(x, labels, NULL);
	(void)buf_printf(x->out, " %.15g\n", value);
}

static void put_histogram(struct expo *x, const uint64_t *cells,
			  const char *const *labels)
{
	const struct metric *m = x->metric;
	uint64_t n = 0;
	char le[32];

	for (unsigned i = 0; i <= m->n_buckets; i++) {
		n += cells[i];
		if (i < m->n_buckets) {
			double s = (double)m->buckets_ms[i] / 1000;
			bool is_whole = x->format == EXPO_OPENMETRICS &&
					m->buckets_ms[i] % 1000 == 0;

			(void)snprintf(le, sizeof(le), is_whole ? "%.1f" : "%g", s);
		} else {
			(void)snprintf(le, sizeof(le), "+Inf");
		}
		put_name(x, "_bucket");
		put_labels(x, labels, le);
		(void)buf_printf(x->out, " %" PRIu64 "\n", n);
	}
	put_name(x, "_sum");
	put_labels(x, labels, NULL);
	(void)buf_printf(x->out, " %.15g\n", (double)cells[m->n_buckets + 1] / 1e6);
	put_name(x, "_count");
	put_labels(x, labels, NULL);
	(void)buf_printf(x->out, " %" PRIu64 "\n", n);
}

static bool is_untouched(const struct metric *m, const uint64_t *cells)
{
	unsigned n = m->type == METRIC_HISTOGRAM ? m->n_buckets + 1 : 1;

	for (unsigned i = 0; i < n; i++)
		if (cells[i])
			return false;
	return true;
}

static void put_counted(struct expo *x, enum metric_id id)
{
	const struct metric *m = x->metric;
	unsigned n2 = n_labels(m) == 2 ? m->labels[1].n : 1;

	for (unsigned i = 0; i < metric_series(m); i++) {
		const uint64_t *cells = metric_cells(id, i);
		const char *labels[2] = { NULL };

		if (m->is_sparse && is_untouched(m, cells))
			continue;
		put_head(x);
		if (n_labels(m) >= 1)
			labels[0] = m->labels[0].values[i / n2];
		if (n_labels(m) == 2)
			labels[1] = m->labels[1].values[i % n2];
		if (m->type == METRIC_HISTOGRAM) {
			put_histogram(x, cells, labels);
			continue;
		}
		put_name(x, "");
		put_labels(x, labels, NULL);
		(void)buf_printf(x->out, " %" PRIu64 "\n", *cells);
	}
}

int expo_write(struct buf *out, enum expo_format format, enum metric_roles roles,
	       const struct expo_source *sources, unsigned n)
{
	for (unsigned id = 0; id < METRIC_N; id++) {
		const struct metric *m = &metrics_table[id];
		struct expo x = { .out = out, .format = format, .metric = m };

		if (!((unsigned)m->roles & (unsigned)roles))
			continue;
		if (!m->has_collector)
			put_counted(&x, (enum metric_id)id);
		for (unsigned i = 0; i < n && m->has_collector; i++)
			if (sources[i].id == (enum metric_id)id)
				sources[i].collect(sources[i].ctx, &x);
	}
	if (format == EXPO_OPENMETRICS)
		(void)buf_puts(out, "# EOF\n");
	return buf_failed(out) ? -1 : 0;
}

int expo_reference(struct buf *out)
{
	static const char *const roles[] = { "", "controller", "node", "both" };

	(void)buf_puts(out, "| metric | type | labels | where | meaning |\n"
			    "|---|---|---|---|---|\n");
	for (unsigned id = 0; id < METRIC_N; id++) {
		const struct metric *m = &metrics_table[id];

		(void)buf_printf(out, "| `%s` | %s |", m->name, type_name(m->type));
		for (unsigned i = 0; i < n_labels(m); i++)
			(void)buf_printf(out, " %s", m->labels[i].name);
		(void)buf_printf(out, " | %s | %s |\n", roles[m->roles], m->help);
	}
	return buf_failed(out) ? -1 : 0;
}
