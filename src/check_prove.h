#ifndef CHECK_PROVE_H
#define CHECK_PROVE_H
#include "check_args.h"
#include "core/buf.h"
#include "nvme/track.h"

/* `rds-csi check --prove-fence`: a whole fence on a scratch volume of the real box, with
 * a live writer on this machine, and whether any of its writes arrived afterwards. */
enum prove_status { PROVE_PROVEN, PROVE_LEAKS, PROVE_BAD_FLAG, PROVE_UNTRIED };

int prove_main(const struct check_args *args);

/* What one run has seen. Times of CLOCK_MONOTONIC, in ms. */
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
 * new name had been read back. Pure. */
unsigned prove_arrived(const struct prove_facts *f);
bool prove_is_accepted_late(const struct prove_facts *f);
/* Sentences and one line of JSON. -1 for lack of memory. Pure. */
int prove_report(const struct prove_facts *f, struct buf *out);
#endif
