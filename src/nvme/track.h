#ifndef NVME_TRACK_H
#define NVME_TRACK_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Numbered blocks with checksums on a raw device, by which somebody who reads them can
 * tell which writes arrived: what `rds-csi check --prove-fence` writes and reads in
 * children. Each of a few writers has a ring of slots of its own; block n lies in slot
 * n mod TRACK_SLOTS. */
enum {
	TRACK_BLOCK = 4096,
	TRACK_WRITERS = 4,
	TRACK_SLOTS = 64,
	TRACK_BASE = 1 << 20, /* bytes before the first ring */
};

struct track_writer {
	_Atomic uint64_t accepted;    /* blocks that the kernel said are written */
	_Atomic uint64_t accepted_ms; /* when it last did, CLOCK_MONOTONIC; 0 = never */
	_Atomic uint64_t errors;
};

/* In memory shared with the children, which get it as their descriptor 3. */
struct track_shared {
	_Atomic uint32_t must_end;
	struct track_writer writers[TRACK_WRITERS];
	/* Of the last reading: the block's number plus one; 0 = none of this track. */
	uint64_t seen[TRACK_WRITERS][TRACK_SLOTS];
};

/* Fills TRACK_BLOCK bytes. Pure. */
void track_fill(uint64_t *block, uint64_t seed, unsigned writer, uint64_t number);
/* The number plus one of a whole block of this track and writer, else 0. Pure. */
uint64_t track_number(const uint64_t *block, uint64_t seed, unsigned writer);
/* Where the block lies on the device. Pure. */
uint64_t track_offset(unsigned writer, uint64_t number);
#endif
