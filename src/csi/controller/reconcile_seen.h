#ifndef CSI_CONTROLLER_RECONCILE_SEEN_H
#define CSI_CONTROLLER_RECONCILE_SEEN_H
#include "core/list.h"
#include "core/map.h"

/* Since when a thing has been seen without a break. What a look does not show is
 * forgotten at its end. Pure but for its memory; without memory, or beyond the limit,
 * nothing is ever seen twice. */
enum { RECONCILE_SEEN_MAX = 8192, RECONCILE_SEEN_KEY = 320 };

struct reconcile_seen {
	struct map map;
	struct list list;
	uint64_t look, look_ms;
};

void reconcile_seen_init(struct reconcile_seen *s);
/* Forgets all: the next look is a first one. Also the end of its life. */
void reconcile_seen_clear(struct reconcile_seen *s);

/* The last look must not be longer ago than max_gap_ms, or all is forgotten: of what
 * happened in so long a gap two looks tell nothing. */
void reconcile_seen_begin(struct reconcile_seen *s, uint64_t now_ms, uint64_t max_gap_ms);
/* How long ago the first of an unbroken row of looks was that showed the key; 0 when this
 * is the first. */
uint64_t reconcile_seen_mark(struct reconcile_seen *s, const char *key);
void reconcile_seen_end(struct reconcile_seen *s);
#endif
