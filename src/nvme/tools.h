#ifndef NVME_TOOLS_H
#define NVME_TOOLS_H
#include "core/err.h"

/* Whether the programs are there that the file systems need: one warning for each file
 * system that cannot be served whole, and an error, FAILED_PRECONDITION, when none can be
 * made. The kernel's file systems are not asked for, since a mount loads their modules.
 * dirs: ended by NULL; NULL = where core/proc looks. */
int tools_check(const char *const *dirs, struct err *err);
#endif
