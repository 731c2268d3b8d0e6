#ifndef CSI_CONTROLLER_RECONCILE_WORLD_H
#define CSI_CONTROLLER_RECONCILE_WORLD_H
#include <stdbool.h>

#include "core/arena.h"
#include "k8s/k8s.h"
#include "rds/rds.h"

/* What all stores say at one moment, by volume: the reconcilers' own index, made for one
 * look and thrown away, so that nothing which some other part remembers can mislead them.
 * In doubt it says that a volume is wanted. */
enum {
	WORLD_PV = 1,
	WORLD_VA = 2,	     /* in any state */
	WORLD_IN_USE = 4,    /* a Node's status.volumesInUse names it */
	WORLD_RETAINED = 16, /* a PV with the reclaim policy Retain */
	WORLD_NAMELESS = 8,  /* of a VolumeAttachment it cannot be told whose it is */
};

struct reconcile_world {
	struct map entries; /* "<handle>" and "<handle>/<record's node name>" */
	struct arena arena;
	/* A VolumeAttachment names a PV that is not there, or one of either could not be
	 * read: any volume may be its. */
	bool is_unclear;
};

/* only: a handle, or NULL for all volumes. -1 for lack of memory; end it in either case.
 */
int reconcile_world_open(struct reconcile_world *w, const struct k8s *k,
			 const char *only);
void reconcile_world_close(struct reconcile_world *w); /* accepts a zeroed struct */

unsigned reconcile_world_of(const struct reconcile_world *w, const char *handle);
/* A holder of the record that neither a VolumeAttachment nor its own Ready node knows of:
 * its index, or -1. */
int reconcile_world_stale_holder(const struct reconcile_world *w,
				 const struct rds_volume *v);
#endif
