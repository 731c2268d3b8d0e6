#include "csi/controller/reconcile_rules.h"

/* rds-csi for which a day is six seconds long where the age of an orphan is asked for: no
 * flag can say less than a day, and no test can wait for one. Linked with
 * --wrap=reconcile_is_ripe; all the rest is the program as it is. */
enum { DAY_MS = 6000 };

bool __real_reconcile_is_ripe(enum reconcile_action action, uint64_t age_ms,
			      const struct reconcile_times *times);
bool __wrap_reconcile_is_ripe(enum reconcile_action action, uint64_t age_ms,
			      const struct reconcile_times *times);

bool __wrap_reconcile_is_ripe(enum reconcile_action action, uint64_t age_ms,
			      const struct reconcile_times *times)
{
	if (action == RECONCILE_REMOVE || action == RECONCILE_REPORT)
		age_ms *= RECONCILE_MIN_GRACE_MS / DAY_MS;
	return __real_reconcile_is_ripe(action, age_ms, times);
}
