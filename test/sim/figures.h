/* What the box measures: the board's sensors (/system/health), a disk's traffic
 * (/disk monitor-traffic) and what a drive says of itself. Figures stand still unless a
 * test sets them by the control port:
 *     POST /figures?cpu-temperature=71&read-rate=8000&nvme1.temperature=64
 * A sensor or a traffic figure by its name, a disk's property as SLOT.PROPERTY; an empty
 * value takes the figure away, "-" takes the test's value back. */
#ifndef SIM_FIGURES_H
#define SIM_FIGURES_H

#include "sim/menu.h"

/* -1: too many or too long. */
int figures_set(struct box *b, const char *name, const char *value);
/* SLOT.PROPERTY of a disk; nothing: no figure that this file knows. */
struct value figures_disk(struct run *r, const struct disk *d, const char *prop);
int figures_monitor(struct run *r, struct call *c);

#endif
