#ifndef CSI_CONTROLLER_DELETE_H
#define CSI_CONTROLLER_DELETE_H
#include "csi/controller/fence.h"
#include "csi/controller/holders.h"
#include "csi/controller/resolve.h"
#include "csi/dispatch.h"

/* DeleteVolume: disk, backing file and subvolume. With Kubernetes no VolumeAttachment may
 * name the volume, in whatever state, and a disk without a record must be named by a PV
 * of ours. The script refuses a volume that a node holds; then it is read, to say which
 * node, or to finish a fence that was cut short and to delete once more. */
struct ctl_delete {
	struct rpc rpc;
	struct box box;
	struct fence fence;
	struct rds_record fencing;
	struct resolve resolve;
	struct holders holders;
	struct err refusal; /* of the first attempt */
};

extern const struct op_type ctl_delete_type;
int ctl_delete_check(const struct rpc *rpc, struct err *err);
const char *ctl_delete_volume(const struct rpc *rpc);
#endif
