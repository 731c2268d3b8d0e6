#ifndef E2E_LOGS_H
#define E2E_LOGS_H
#include "e2e/driver.h"

/* Whatever a driver has written until its ordered end: each line is JSON with the fixed
 * keys, and none holds a piece of the private key that it was given. Lines of a killed
 * one before it may be cut short only at the very end. */
void logs_check(const struct driver *d);
#endif
