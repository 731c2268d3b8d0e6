#ifndef CSI_CONTROLLER_BOX_H
#define CSI_CONTROLLER_BOX_H
#include "csi/csi.h"
#include "rds/rds.h"

/* One request to the box as the child of an op. The parent embeds it, fills in req's
 * arguments, starts it and finds the result in req when it is woken. */
struct box {
	struct rds_req req;
	struct op *parent;
	struct csi *csi;
	bool is_listing; /* RDS_LIST and RDS_CAPACITY teach nothing about one volume */
};

/* Clears all of *box but leaves kind and id set. */
void box_prepare(struct box *box, enum rds_kind kind, const char *id);
/* Takes a reference on the parent, and its deadline. */
void box_start(struct box *box, struct csi *csi, struct op *parent);
/* For the parent's interrupt. */
void box_cancel(struct box *box);
/* The volume as the box just showed it, or NULL: failed, or no such disk. */
const struct rds_volume *box_volume(const struct box *box);
#endif
