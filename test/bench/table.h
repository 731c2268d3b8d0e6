#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H
#include <stdbool.h>
#include <stddef.h>

/* The result: rows printed as they are measured, and written as JSON at the end. */
struct table_row {
	const char *what, *go, *wanted; /* static texts */
	char ours[96];
	bool is_over; /* of what was wanted */
};

void table_head(void);
/* ours is a printf format; over: the wish was not met. */
void table_add(const char *what, const char *go, const char *wanted, bool is_over,
	       const char *ours, ...) __attribute__((format(printf, 5, 6)));
/* A bare number for the JSON; name is static. */
void table_value(const char *name, double value);
int table_write(const char *path); /* 0 or -1 */

double median(double *v, size_t n); /* sorts v */
#endif
