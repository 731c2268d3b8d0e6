#ifndef CSI_CONTROLLER_QUERY_H
#define CSI_CONTROLLER_QUERY_H
#include "csi.pb-c.h"
#include "csi/controller/box.h"
#include "csi/dispatch.h"

/* ControllerGetVolume and ValidateVolumeCapabilities: one volume, read from the box; what
 * differs is the answer. */
struct ctl_query {
	struct rpc rpc;
	struct box box;
};

extern const struct op_type ctl_get_volume_type, ctl_validate_type;
int ctl_get_volume_check(const struct rpc *rpc, struct err *err);
const char *ctl_get_volume_id(const struct rpc *rpc);
int ctl_validate_check(const struct rpc *rpc, struct err *err);
const char *ctl_validate_id(const struct rpc *rpc);

/* The nodes that a volume is published to, as its record has them, borrowed; how many.
 * The box's record and nothing else, for it is what they can use: the attacher compares
 * this each minute with the VolumeAttachments, and where one of the two lacks a node it
 * calls ControllerPublish or ControllerUnpublish once more, which makes them agree (seen
 * with external-attacher 4.12). Told of the VolumeAttachments' own view it would never
 * find anything. One that was let go and only is not cut off yet is not among them. */
unsigned query_nodes(const struct rds_record *record, const char *ret[RDS_MAX_HOLDERS]);
/* Their CSI names, in the arena; -1 for lack of memory. */
int query_holders(struct rpc *rpc, const struct rds_record *record, size_t *ret_n,
		  char ***ret);
/* In the arena: abnormal while a live migration of the volume is late. id NULL: of a
 * volume that is well. NULL for lack of memory. */
Csi__V1__VolumeCondition *query_condition(struct rpc *rpc, const char *id);
#endif
