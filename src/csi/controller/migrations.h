#ifndef CSI_CONTROLLER_MIGRATIONS_H
#define CSI_CONTROLLER_MIGRATIONS_H
#include <stdbool.h>
#include <stdint.h>

#include "rds/rds.h"

/* Live migrations under way: raw block volumes that two nodes share. One begins when the
 * second node is let in and ends when either leaves: a success when the first did, a
 * failure when the second had to go back. Past its time nothing is cut; it is counted and
 * told once, and what happens then is not counted again. Kept in memory: after a restart
 * the record shows two holders, and the time runs anew. */
struct csi;
struct migrations;

enum {
	MIGRATION_DEFAULT_S = 300,
	MIGRATION_MIN_S = 30,
	MIGRATION_MAX_S = 3600,
};

struct migrations *migrations_new(struct csi *csi); /* NULL for lack of memory */
void migrations_free(struct migrations *m);	    /* accepts NULL */
void migrations_forget(struct migrations *m);	    /* all of them, uncounted */

struct migration_pair {
	const char *source, *target; /* as people name them */
	uint32_t timeout_s;	     /* 0 = the default; held to the limits */
};
/* Nothing when one is under way. */
void migrations_begin(struct migrations *m, const char *id,
		      const struct migration_pair *pair);
/* One of the two has left; "" = both, which is not counted. Nothing when none was under
 * way. */
void migrations_end(struct migrations *m, const char *id, const char *leaver);
bool migrations_is_late(const struct migrations *m, const char *id);

unsigned migrations_active(const struct migrations *m); /* for the gauge */
#endif
