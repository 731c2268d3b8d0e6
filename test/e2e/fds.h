#ifndef E2E_FDS_H
#define E2E_FDS_H
#include <stdbool.h>

#include "e2e/driver.h"

/* What a driver's descriptors are, from /proc: a number alone tells neither a leak nor a
 * connection that is just being closed. */
struct fds {
	unsigned calls; /* connections accepted on its socket */
	unsigned box;	/* TCP connections with the box */
	unsigned own;	/* all others */
};

/* False when the driver is not there any more. */
bool fds_of(const struct driver *d, struct fds *ret);
/* Waits, for 20 s at most, until no accepted connection is left, whose end may still be
 * on its way to the driver, and its own are as many as wanted (0: any number). False, as
 * a failed check, when that does not come; ret is what was seen last. */
bool fds_settle(const struct driver *d, unsigned wanted, struct fds *ret);
#endif
