#ifndef VM_BARE_H
#define VM_BARE_H
#include <stdint.h>

#include "vm/hand.h"

/* What no driver can save: the kernel's own connect, its device, one Identify, a look at
 * the file system's head, mount(2). For the benchmark to be compared with. */
struct bare {
	struct hand_session session;
	const char *fs, *dir; /* dir exists */
	int number;
};

/* Connects and mounts; the time that took in µs, or -1 as a failed check. */
int64_t bare_stage(struct bare *b);
bool bare_unstage(struct bare *b);

/* Each as bare_stage, five at a time in processes of their own, so all must be in shared
 * memory. The time in µs until the last is done, or -1. */
enum { BARE_AT_A_TIME = 5 };
int64_t bare_stage_all(struct bare *all, unsigned n);
#endif
