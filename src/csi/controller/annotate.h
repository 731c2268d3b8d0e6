#ifndef CSI_CONTROLLER_ANNOTATE_H
#define CSI_CONTROLLER_ANNOTATE_H
#include <stdbool.h>

/* Writes <driver>/attached-node and <driver>/attached-at to PVs, for people and for those
 * who look there since older drivers. In the background, one at a time, the newest word
 * of each PV only; never read back, never waited for, and dropped when they are too many
 * or the write fails. */
struct csi;
struct annotate;

enum { ANNOTATE_MAX = 256 }; /* PVs that wait */

struct annotate *annotate_new(struct csi *csi); /* NULL for lack of memory */
void annotate_free(struct annotate *a);		/* stopped, or never used; accepts NULL */
/* Takes nothing any more and cancels what is under way: true, and stopped() comes later.
 * False: nothing is. */
bool annotate_stop(struct annotate *a, void (*stopped)(void *arg), void *arg);

/* Of the volume's PV, if there is one. node NULL: nobody has it. */
void annotate_set(struct annotate *a, const char *id, const char *node);
#endif
