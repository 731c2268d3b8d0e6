#ifndef CSI_CONTROLLER_RECONCILE_ATTACHMENTS_H
#define CSI_CONTROLLER_RECONCILE_ATTACHMENTS_H
#include "csi/controller/change.h"
#include "csi/controller/reconcile_seen.h"
#include "csi/controller/reconcile_shared.h"
#include "csi/ids.h"
#include "csi/inflight.h"

/* Op: one round over the VolumeAttachments of nodes that are no more. Once the API server
 * itself says that the node is gone and no pod there refers to the claim (deleted
 * earlier, the attach-detach controller would make the object anew for the dead node),
 * the node is unpublished, which fences it, and then the object is deleted, by its UID.
 *
 * The external attacher answers that deletion by an Unpublish of its own before it lets
 * the object go (its finalizer); the fence comes first all the same, for an object that
 * it never saw has no finalizer, and no attacher may be there. */
enum { RECONCILE_MAX_ATTACHMENTS = 32 }; /* in one round */

struct reconcile_lost { /* one of them, copied from the stores */
	struct list list;
	char name[254], uid[64], node[254], handle[ID_VOLUME];
	char claim_ns[64], claim[254];
};

struct reconcile_attachments {
	struct op op;
	struct reconcile_shared *shared;
	struct op *parent;
	struct reconcile_seen *seen;
	struct list lost; /* owned; the first is being worked on */
	unsigned n_troubles;
	bool is_referenced; /* by a pod */
	struct k8s_request req;
	char query[320], body[128];
	struct inflight inflight;
	struct change change;
	char node[ID_NODE]; /* as a record names it */
};

/* seen: kept from round to round. Takes a reference on the parent and wakes it. */
void reconcile_attachments_start(struct reconcile_attachments *a,
				 struct reconcile_shared *shared,
				 struct reconcile_seen *seen, struct op *parent);
#endif
