#ifndef CTL_SCENARIO_H
#define CTL_SCENARIO_H
#include "fakes/ctl_drive.h"

/* A call that is cut at some point, or is short of memory, and is then repeated: the
 * retry must find its way. A scenario is a state of the box, a request, and what must be
 * true in the end. */
struct ctl_scenario {
	const char *name, *method;
	void (*prepare)(struct ctl *c);
	const void *(*request)(void);
	void (*check)(struct ctl *c);
};

/* Makes the controller: ctl_open, or one with a cluster. */
typedef void ctl_open_fn(struct ctl *c);

/* The same request once more, without any fault: OK, and everything as it should be.
 * Closes c. what and n say what came before. */
void ctl_scenario_repeat(struct ctl *c, const struct ctl_scenario *s, const char *what,
			 long n);
/* Cancelled after so many turns of the loop, and repeated. false when the call was over
 * before; adds to ret_cancelled when the call was answered so. */
bool ctl_scenario_cancel(ctl_open_fn *open, const struct ctl_scenario *s, int turns,
			 int *ret_cancelled);
/* Without its nth allocation, and repeated. false when there was none. */
bool ctl_scenario_starve(ctl_open_fn *open, const struct ctl_scenario *s, long nth);
#endif
