#ifndef CSI_CONTROLLER_DELETE_H
#define CSI_CONTROLLER_DELETE_H
#include "csi/controller/fence.h"
#include "csi/controller/holders.h"
#include "csi/controller/resolve.h"
#include "csi/dispatch.h"

/* DeleteVolume: disk, backing file and subvolume. With Kubernetes no VolumeAttachment may
 * name the volume, in whatever state, and a disk without a record must be named by a PV
 * of ours. Only the disk that was read, or is believed in, is removed: the script demands
 * its nonce and its NQN, so that one which runs on after its connection was cut takes no
 * volume that was made under the id since. */
struct ctl_delete {
	struct rpc rpc;
	struct box box;
	struct fence fence;
	struct rds_record fencing;
	struct resolve resolve;
	struct holders holders;
	struct rds_volume seen;
	char nonce[RDS_NONCE + 1], nqn[RDS_NQN_MAX + 1]; /* of the disk that is to go */
	unsigned rounds;
};

extern const struct op_type ctl_delete_type;
int ctl_delete_check(const struct rpc *rpc, struct err *err);
const char *ctl_delete_volume(const struct rpc *rpc);
#endif
