#ifndef E2E_WALK_H
#define E2E_WALK_H
#include "e2e/kill.h"
#include "e2e/states.h"

/* Kills the driver of a life in each state of the ops named: as the state is entered, so
 * that what it starts never happens; after its child has ended, whose answer nobody
 * reads; and in some while its child runs, which goes on. Nothing is planned beforehand:
 * the hook is told which of these are still wanting, the first that comes kills, and life
 * after life is lived until one meets none. E2E_FULL does so at each place where an RPC
 * stands in a life and in all three ways, else each state once with a file system and
 * once as raw block, wherever it is first met. */
enum {
	WALK_OPS = 8,
	WALK_PLACES = 16 * LIFE_MAX,
};

struct walk {
	const char *const *ops;		    /* their names, ended by NULL */
	bool (*after_kill)(struct life *l); /* the next driver is up, no child is left */
	unsigned way;			    /* of life: which items; set by the test */
	unsigned kills, chained;	    /* chained: the retry of a kill was killed */
	unsigned char marks[WALK_PLACES][WALK_OPS][CRASH_STATES];
};

/* After life_open: starts the driver anew; l->arg and l->rpc are the walk's from here on.
 */
bool walk_open(struct walk *w, struct life *l);
/* Lives until one meets no kill that is wanting. False when a check failed. */
bool walk_way(struct walk *w, struct life *l);
/* Each state of the ops was killed in, in each way that it has, or is in the table. */
void walk_check(const struct walk *w, const struct life *l,
		const struct states_beyond *table);
#endif
