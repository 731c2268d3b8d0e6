#ifndef RDS_PROBE_H
#define RDS_PROBE_H
#include <stdbool.h>

struct ros;

/* op: one exec that learns what the box can do, for all who wait in ros->waiting. Asks
 * anew after the connection was lost altogether: the box may have been updated meanwhile.
 */
enum { PROBE_MS = 15000 };

/* Whether requests may go out as they are; false: wait, the probe is under way. */
bool probe_is_fresh(struct ros *r);
void probe_stop(struct ros *r);
#endif
