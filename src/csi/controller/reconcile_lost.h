#ifndef CSI_CONTROLLER_RECONCILE_LOST_H
#define CSI_CONTROLLER_RECONCILE_LOST_H
#include "csi/controller/change.h"
#include "csi/controller/reconcile_shared.h"
#include "csi/ids.h"
#include "csi/inflight.h"

/* Op: clears one VolumeAttachment of a node that is no more. Once the API server itself
 * says that the node is gone and no pod there refers to the claim (deleted earlier, the
 * attach-detach controller would make the object anew for the dead node), the node is
 * unpublished, which fences it, and then the object is deleted, by its UID.
 *
 * The external attacher answers that deletion by an Unpublish of its own before it lets
 * the object go (its finalizer); the fence comes first all the same, for an object that
 * it never saw has no finalizer, and no attacher may be there. */
struct reconcile_lost {
	struct op op;
	struct list list; /* the round's */
	struct reconcile_shared *shared;
	void *ctx; /* the starter's */
	/* Copied from the stores. */
	char name[254], uid[64], object_node[254], handle[ID_VOLUME];
	char claim_ns[64], claim[254];
	/* Work. */
	bool is_referenced; /* by a pod */
	struct k8s_request req;
	char query[320], body[128];
	struct inflight inflight;
	struct change change;
	char node[ID_NODE]; /* as a record names it */
};

/* As the stores have it: a VolumeAttachment of a node that they do not have. */
bool reconcile_is_lost(const struct k8s *k, const struct k8s_object *va);
/* A heap block; NULL: no memory, or not one whose volume, node and claim are known. */
struct reconcile_lost *reconcile_lost_new(const struct k8s *k,
					  const struct k8s_object *va);
void reconcile_lost_free(struct reconcile_lost *l); /* done, or never started */
/* Left alone is no error. */
void reconcile_lost_start(struct reconcile_lost *l, struct reconcile_shared *shared,
			  void (*done)(struct op *op));
#endif
