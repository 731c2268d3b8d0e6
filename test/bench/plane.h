#ifndef BENCH_PLANE_H
#define BENCH_PLANE_H
#include "bench/api.h"
#include "bench/rows.h"

/* A box, an API server and a controller between them. */
struct plane {
	struct box box;
	struct api api;
	struct driver d;
	struct driver_kube kube;
	double ready_ms; /* from the start to /readyz 200 */
};

/* The box and the API server. 0, or -1 with a line on stderr; to be closed in any case.
 */
int plane_open(const struct bench *b, struct plane *p, const char *name,
	       unsigned latency_ms);
/* The controller, until its lists are whole and the box was reached. */
int plane_run(const struct bench *b, struct plane *p);
void plane_close(struct plane *p);
#endif
