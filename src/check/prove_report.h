#ifndef CHECK_PROVE_REPORT_H
#define CHECK_PROVE_REPORT_H
#include "core/buf.h"
#include "nvme/track.h"

/* What one run of `rds-csi check --prove-fence` has seen, and what is said of it. Pure.
 * Times of CLOCK_MONOTONIC, in ms. */
struct prove_facts {
	const char *routeros, *kernel, *driver;
	uint64_t settle_ms, watched_ms;
	uint64_t off_ms, renamed_ms; /* export read back as off; new name read back */
	uint64_t accepted;	     /* blocks before the fence began */
	uint64_t accepted_ms;	     /* the last that any writer was told is written */
	uint64_t errors;	     /* writes that failed, at the end */
	uint64_t early[TRACK_WRITERS][TRACK_SLOTS]; /* read right after the fence */
	uint64_t late[TRACK_WRITERS][TRACK_SLOTS];  /* and after watched_ms */
};

/* Blocks that changed between the two readings, or that a writer was told of after the
 * new name had been read back. */
unsigned prove_arrived(const struct prove_facts *f);
bool prove_is_accepted_late(const struct prove_facts *f);
/* Whether the first reading shows of each writer what it had written before the fence
 * began; begun counts those blocks. */
bool prove_is_written(const struct prove_facts *f, const uint64_t begun[TRACK_WRITERS]);
/* Sentences and one line of JSON. -1 for lack of memory. */
int prove_report(const struct prove_facts *f, struct buf *out);
#endif
