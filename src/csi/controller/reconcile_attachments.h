#ifndef CSI_CONTROLLER_RECONCILE_ATTACHMENTS_H
#define CSI_CONTROLLER_RECONCILE_ATTACHMENTS_H
#include "csi/controller/reconcile_lost.h"
#include "csi/controller/reconcile_seen.h"

/* Op: one round over the VolumeAttachments of nodes that are no more: those that two
 * looks have shown are cleared, several at a time. */
enum {
	RECONCILE_MAX_ATTACHMENTS = 32, /* in one round */
	RECONCILE_AT_ONCE = 16,		/* a fence waits for writes to settle, mostly */
	/* Between the two looks. Short, for the API server itself is asked about node and
	 * pods before anything is done; long enough for a Node that is only renamed or
	 * made anew to be there again. */
	RECONCILE_LOST_MS = 10 * 1000,
};

struct reconcile_attachments {
	struct op op;
	struct reconcile_shared *shared;
	struct op *parent;
	struct reconcile_seen *seen;
	struct list waiting, running, ended; /* of struct reconcile_lost, owned */
	unsigned n_running, n_troubles;
	/* Result: some were seen, but not for long enough yet. */
	bool has_unripe;
};

/* seen: kept from round to round. Takes a reference on the parent and wakes it. */
void reconcile_attachments_start(struct reconcile_attachments *a,
				 struct reconcile_shared *shared,
				 struct reconcile_seen *seen, struct op *parent);
#endif
