#ifndef CSI_CONTROLLER_TROUBLES_H
#define CSI_CONTROLLER_TROUBLES_H
#include <stdbool.h>

#include "core/map.h"

/* The volumes whose owners were told that the box does not answer, so that they are told
 * when it does again. Bounded: what has no room, or no memory, is told of the trouble and
 * not of its end. Zeroed it is empty. No I/O; owned by attachments. */
enum { TROUBLES_MAX = 4096 };

struct troubles {
	struct map ids;
};

void troubles_init(struct troubles *t);
void troubles_clear(struct troubles *t); /* accepts a zeroed one */
void troubles_add(struct troubles *t, const char *id);
/* Whether it was there. */
bool troubles_remove(struct troubles *t, const char *id);
#endif
