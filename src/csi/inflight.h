#ifndef CSI_INFLIGHT_H
#define CSI_INFLIGHT_H
#include "core/err.h"
#include "core/map.h"

/* One operation per volume at a time; the second caller gets ABORTED, which every sidecar
 * takes as "may still be running, retry". The entry is embedded in the operation. */
struct inflight {
	struct map_node node;
	const char *what; /* the method's name, for the second caller's message; static */
	struct map *map;  /* NULL = not entered */
};

/* 0, or -1 with ERR_ABORTED naming the running operation. key lives until leave. */
int inflight_enter(struct map *map, struct inflight *in, const char *key,
		   const char *what, struct err *err);
void inflight_leave(struct inflight *in); /* accepts one that was not entered */
#endif
