#ifndef VM_CROWD_H
#define VM_CROWD_H
#include "vm/lab.h"

/* Many volumes at once, as after a reboot of a node. */

/* Disks on the box with a file system each, as volumes have that were in use before: not
 * by the driver's own mkfs, of which 300 would take minutes. False, a failed check, when
 * one is not made. The volumes are named after the text, their paths are a kubelet's. */
bool crowd_make(struct lab *l, struct vol *all, unsigned n, const char *name);
/* A check: what is mounted at the staging path is the volume's own file system. */
bool crowd_is_staged(const struct vol *v);

/* One step of all, each on a connection of its own, none repeated; the time in µs until
 * the last has ended, or -1 when one failed, which is a failed check. */
int64_t crowd_do(struct driver *d, struct vol *all, unsigned n, enum vol_step step);

/* A process that looks again and again how many children of the driver connect, and
 * counts in the kernel's log the sessions that were made. Nobody else may connect
 * meanwhile. */
struct crowd_connects {
	_Atomic unsigned n, most, lost; /* lost: records overwritten unread */
};
struct crowd_watch {
	pid_t pid;
	struct crowd_connects *seen; /* shared with it */
};
bool crowd_watch_start(struct crowd_watch *w, const struct driver *d);
/* Once it has counted n sessions, or 10 s have passed. */
struct crowd_connects crowd_watch_end(struct crowd_watch *w, unsigned n);
#endif
