#ifndef GAUGES_H
#define GAUGES_H
#include "metrics/expo.h"

/* The collectors of what the storage box measures: from what the SSH pool's background
 * round last read, which a scrape neither causes nor waits for. */
struct rds;

enum { GAUGES_N = 30 };

/* Appends them to sources, which must have room for GAUGES_N more; returns the new number
 * of sources. */
unsigned gauges_add(struct expo_source *sources, unsigned n, struct rds *rds);
#endif
