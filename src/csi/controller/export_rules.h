#ifndef CSI_CONTROLLER_EXPORT_RULES_H
#define CSI_CONTROLLER_EXPORT_RULES_H
#include <stdbool.h>

#include "core/err.h"
#include "rds/rds.h"

/* Which volumes may be exported under the plain NQN, for the way back to a driver that
 * knows no other. Pure.
 *
 * A kernel that was cut off asks for the NQN that it had for as long as it runs, and one
 * that is let in again writes what it could not write then. So the plain NQN is given
 * back only where no host can still ask for it: the volume was never fenced, nobody holds
 * it, and either it bears the plain NQN already (whoever had it was let go cleanly), or
 * it was made under an NQN of its own and its name ends in a UUID, so that no older
 * volume of that name ever had the plain one. All else is left, with the reason, and
 * waits for a human being who knows (is_even). */
enum export_verdict {
	EXPORT_WAS,  /* it is on under the plain NQN */
	EXPORT_MAY,  /* to be done: plan.record, plan.nqn */
	EXPORT_LEFT, /* plan.why */
};

struct export_plan {
	struct rds_record record;
	char nqn[RDS_NQN_MAX + 1];
	struct err why;
};

/* is_even: somebody vouches that no host asks for this volume's plain NQN any more. */
enum export_verdict export_decide(const struct rds_volume *v, bool is_even,
				  struct export_plan *ret);
#endif
