#ifndef VM_SCAN_H
#define VM_SCAN_H
#include "vm/track.h"

/* Where in a file the blocks of a track lie, whoever put them there: two looks at the
 * same file tell what arrived in between. */
struct scan {
	uint64_t *numbers; /* per block of the file: its number and one; 0 = another's */
	uint64_t n;
	uint64_t found;
	uint64_t written_ms; /* the file's mtime when all was read */
};

/* Reads the whole file (its holes are free). False, a failed check, when it cannot. */
bool scan_take(struct scan *s, const char *path, uint64_t seed);
void scan_free(struct scan *s);
/* Blocks that later has and early does not have there. */
uint64_t scan_arrived(const struct scan *early, const struct scan *later);
/* Slots of the track, at their places in this very file, without a block that had to be
 * there. */
uint64_t scan_lost(const struct scan *s, const struct track *t, uint64_t synced);
/* The clock that stamps files, now. */
uint64_t scan_clock_ms(void);
#endif
