#ifndef VM_STORE_H
#define VM_STORE_H
#include <stdbool.h>

#include "e2e/simctl.h"

/* A store below the target that does what a file never does: its head cannot be read, or
 * it stands still. A device-mapper device over a loop device over the image. */
struct store {
	const char *name; /* set before */
	char device[64], loop[64];
};

/* bad_bytes: at the head, unreadable; a multiple of 512. */
bool store_open(struct store *s, const char *image, long bad_bytes);
void store_close(struct store *s);
/* Nothing is read or written any more, until it goes on. */
bool store_stop(struct store *s, bool is_stopped);

/* The box serves the volume from that file from now on, under the same NQN; uuid: of its
 * namespace, "same", "new" or the one to have. file "": its image again. */
bool store_serve(const struct sim *box, const char *id, const char *uuid,
		 const char *file);
#endif
