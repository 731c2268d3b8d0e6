#ifndef VM_TRACK_H
#define VM_TRACK_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "e2e/e2e.h"

/* Numbered blocks of 4 KiB, each with the name of its track, its number and a checksum,
 * in a file or on a device: whoever reads them can tell which writes arrived, in whose
 * name. Block n lies in slot n mod slots, so that a track can go on for ever in little
 * room. */
enum { TRACK_BLOCK = 4096 };

struct track {
	char path[E2E_PATH];
	uint64_t seed; /* the name of the track, and its content */
	uint64_t base; /* bytes before the first slot */
	uint32_t slots;
	bool is_direct; /* O_DIRECT */
};

/* Writes the blocks from…from+n-1 and fsyncs; false on an error (errno). */
bool track_write(const struct track *s, uint64_t from, uint64_t n);
/* The same without the fsync. */
bool track_dirty(const struct track *s, uint64_t from, uint64_t n);
/* Whether these TRACK_BLOCK bytes, aligned as numbers are, are a block of that name. */
bool track_is_block(const void *block, uint64_t seed, uint64_t *ret_number);
/* The least number that the slot must hold when all below synced is there, plus one; 0:
 * none. */
uint64_t track_least(const struct track *s, uint32_t slot, uint64_t synced);

struct track_seen {
	uint64_t right;	  /* blocks of the track */
	uint64_t lost;	  /* slots without a block they had to hold */
	uint64_t damaged; /* neither zeroes nor a block of any track */
	uint64_t foreign; /* blocks of another track */
	uint64_t next;	  /* above the highest number found */
};

/* Reads all slots: each block below synced must be there, or a later one in its slot.
 * False when the file cannot be read. */
bool track_read(const struct track *s, uint64_t synced, struct track_seen *ret);
/* The same as a check: nothing lost, damaged or foreign. */
bool track_check(const struct track *s, uint64_t synced);

/* A process that writes the track without pause, batch blocks at a time and then fsync.
 * It goes on after errors: the same batch again, 20 ms later. */
struct writer {
	pid_t pid;
	struct writer_shared *shared;
	unsigned pause_ms; /* between two batches, so that others have the CPU too; 0 */
};

struct writer_shared {
	_Atomic uint64_t next;	 /* begun to be written */
	_Atomic uint64_t synced; /* below this all is fsync'd */
	_Atomic uint64_t errors;
	_Atomic int last_errno;
	_Atomic uint64_t longest_ms; /* that a batch took which was written */
	_Atomic bool must_end;
};

bool writer_start(struct writer *w, const struct track *s, uint32_t batch);
/* Waits until it has synced that many blocks more; false at the time's end. */
bool writer_advances(struct writer *w, uint64_t blocks, unsigned timeout_ms);
/* Tells it to end and waits; false when it hangs in the kernel (it can be called again).
 * The counts stay readable until writer_free. */
bool writer_end(struct writer *w, unsigned timeout_ms);
void writer_free(struct writer *w); /* ends it by SIGKILL where need be */
#endif
