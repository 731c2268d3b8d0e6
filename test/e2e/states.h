#ifndef E2E_STATES_H
#define E2E_STATES_H
#include <stdbool.h>

#include "crash/crash.h"

/* Which states of which ops were seen, and in which the driver was killed. The names come
 * from the driver's own op tables at run time, so a new state cannot be forgotten here.
 */
enum states_mark {
	STATES_SEEN = 1,   /* on the successful way */
	STATES_KILLED = 2, /* the driver was killed when it was entered */
	STATES_MET = 4,	   /* entered in a retry or under a fault */
};

/* States that killing and retrying does not enter, with the fault that does, and the test
 * that shows it. The table ends with a row without type. */
struct states_beyond {
	const char *type, *state, *fault;
};

struct states {
	unsigned char marks[CRASH_TYPES][CRASH_STATES];
};

void states_mark(struct states *s, const struct crash_file *c, const struct crash_move *m,
		 enum states_mark mark);
/* Fails for a state of the successful way that was never killed in, and for a state off
 * that way which was never met and has no line in the table of faults. */
void states_check(const struct states *s, const struct crash_file *c);
bool states_is_beyond(const struct states_beyond *table, const char *type,
		      const char *state);
/* Fails for a line of the table about an op that ran here which names no state of it. */
void states_check_table(const struct states_beyond *table, const struct crash_file *c);
#endif
