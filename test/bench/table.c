#include "bench/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct table_row rows[64];
static size_t n_rows;
static struct {
	const char *name;
	double value;
} values[128];
static size_t n_values;

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *v, size_t n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void line(const char *what, const char *ours, const char *wanted, const char *go,
		 const char *mark)
{
	printf("%-43s | %-38s | %-25s | %-22s | %s\n", what, ours, wanted, go, mark);
	(void)fflush(stdout);
}

void table_head(void)
{
	line("", "rds-csi", "wanted", "Go driver (published)", "");
}

void table_add(const char *what, const char *go, const char *wanted, bool is_over,
	       const char *ours, ...)
{
	struct table_row *r = &rows[n_rows];
	va_list ap;

	if (n_rows == sizeof(rows) / sizeof(rows[0]))
		abort();
	n_rows++;
	r->what = what;
	r->go = go;
	r->wanted = wanted;
	r->is_over = is_over;
	va_start(ap, ours);
	(void)vsnprintf(r->ours, sizeof(r->ours), ours, ap);
	va_end(ap);
	line(what, r->ours, wanted, go, wanted[0] == '\0' ? "" : is_over ? "over" : "ok");
}

void table_value(const char *name, double value)
{
	if (n_values == sizeof(values) / sizeof(values[0]))
		abort();
	values[n_values].name = name;
	values[n_values++].value = value;
}

int table_write(const char *path)
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		return -1;
	fprintf(f, "{\n\"rows\": [\n");
	for (size_t i = 0; i < n_rows; i++) {
		const struct table_row *r = &rows[i];

		/* None of the texts holds a quote or a backslash. */
		fprintf(f,
			"  {\"what\": \"%s\", \"ours\": \"%s\", \"wanted\": \"%s\", "
			"\"go\": \"%s\", \"ok\": %s}%s\n",
			r->what, r->ours, r->wanted, r->go, r->is_over ? "false" : "true",
			i + 1 < n_rows ? "," : "");
	}
	fprintf(f, "],\n\"values\": {\n");
	for (size_t i = 0; i < n_values; i++)
		fprintf(f, "  \"%s\": %.4g%s\n", values[i].name, values[i].value,
			i + 1 < n_values ? "," : "");
	fprintf(f, "}\n}\n");
	return fclose(f) == 0 ? 0 : -1;
}
