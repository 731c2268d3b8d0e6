/* The commands that change /disk. A file disk is made, adopted, set and removed as the
 * manual and transcripts of 7.21 to 7.24 say; where no text of the box is known the error
 * is "failure: …". */
#ifndef SIM_DISK_CMD_H
#define SIM_DISK_CMD_H

#include "sim/menu.h"

int disk_add(struct run *r, struct call *c);
int disk_set(struct run *r, struct call *c);
int disk_unset(struct run *r, struct call *c);
int disk_remove(struct run *r, struct call *c);

#endif
