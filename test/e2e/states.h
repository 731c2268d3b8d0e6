#ifndef E2E_STATES_H
#define E2E_STATES_H
#include "crash/crash.h"

/* Which states of which ops were seen, and in which the driver was killed. The names come
 * from the driver's own op tables at run time, so a new state cannot be forgotten here.
 */
enum states_mark {
	STATES_SEEN = 1,   /* on the successful way */
	STATES_KILLED = 2, /* the driver was killed when it was entered */
	STATES_MET = 4,	   /* entered in a retry or under a fault */
};

struct states {
	unsigned char marks[CRASH_TYPES][CRASH_STATES];
};

void states_mark(struct states *s, const struct crash_file *c, const struct crash_move *m,
		 enum states_mark mark);
/* Fails for a state of the successful way that was never killed in, and for a state off
 * that way which was never met and has no line in the table of faults. */
void states_check(const struct states *s, const struct crash_file *c);
#endif
