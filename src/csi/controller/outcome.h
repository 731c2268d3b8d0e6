#ifndef CSI_CONTROLLER_OUTCOME_H
#define CSI_CONTROLLER_OUTCOME_H
#include <stdbool.h>

/* What follows from a change of attachment: the marks on the VolumeAttachments, counts,
 * Events, the PV's annotations, the clock of a live migration. Nothing here can fail or
 * wait. */
struct change;
struct err;

/* What it asked of the box failed. */
void outcome_box_failed(struct change *c, const struct err *err, bool is_fence);
void outcome_ended(struct change *c); /* well or not, before its last move */
/* Its fence was done; its Unpublish is in the record. What is still to come of the call
 * must not find those nodes among the holders. */
void outcome_fenced(struct change *c);
void outcome_let_go(struct change *c);
#endif
