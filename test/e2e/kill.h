#ifndef E2E_KILL_H
#define E2E_KILL_H
#include "e2e/life.h"

/* One kill of a life's driver (opened with its hook), at the place that was armed in
 * l->crash, and its next start. */

/* Arms that: from here on the driver dies where l->crash says. */
void kill_arm(struct life *l, enum crash_how how);
/* Runs the step until it ends or the armed place was met; whether it was, and the driver
 * is dead then. What was started by a driver that is stopped has happened. */
bool kill_run(struct life *l, enum vol_step step, enum err_code *ret_code);
/* The next driver, at once or after the helpers of the last one have ended. */
bool kill_come_back(struct life *l);
#endif
