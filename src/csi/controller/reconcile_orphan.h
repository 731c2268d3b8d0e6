#ifndef CSI_CONTROLLER_RECONCILE_ORPHAN_H
#define CSI_CONTROLLER_RECONCILE_ORPHAN_H
#include "csi/controller/box.h"
#include "csi/controller/reconcile_shared.h"

/* Op: removes one orphan, after the API server itself was asked once more: that no PV
 * bears the handle (a whole list), none its name, and that the claim which the record
 * names, if it is still there, wants another volume. Anything else than these answers,
 * and the disk is kept: is_removed stays false. */
struct reconcile_orphan {
	struct op op;
	struct reconcile_shared *shared;
	struct op *parent;
	const struct rds_volume *volume; /* borrowed */
	struct k8s_request req;
	struct box box;
	char ns[RDS_CLAIM_MAX + 1]; /* of the claim */
	bool is_named;		    /* a PV or a claim names it */
	/* Result. */
	bool is_removed;
};

/* Takes a reference on the parent, and its deadline; wakes it. */
void reconcile_orphan_start(struct reconcile_orphan *o, struct reconcile_shared *shared,
			    const struct rds_volume *volume, struct op *parent);
#endif
