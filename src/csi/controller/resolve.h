#ifndef CSI_CONTROLLER_RESOLVE_H
#define CSI_CONTROLLER_RESOLVE_H
#include "csi/csi.h"
#include "k8s/k8s.h"

/* Op: finds the handle of every VolumeAttachment whose PV no store has, by a live read of
 * that PV. One that is not there any more is taken for a volume of its own name, as the
 * provisioner names them. Until this is done any volume may be the one that such a
 * VolumeAttachment holds. */
struct resolve {
	struct op op;
	struct csi *csi;
	struct op *parent;
	struct k8s_request req;
	char pv[254];
	unsigned n; /* reads so far */
};

/* Takes a reference on the parent, and its deadline; wakes it. */
void resolve_start(struct resolve *r, struct csi *csi, struct op *parent);
void resolve_cancel(struct resolve *r); /* for the parent's interrupt */
#endif
