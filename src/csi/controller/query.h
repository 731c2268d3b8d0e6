#ifndef CSI_CONTROLLER_QUERY_H
#define CSI_CONTROLLER_QUERY_H
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

/* The CSI names of a record's holders, in the arena; -1 for lack of memory. */
int query_holders(struct rpc *rpc, const struct rds_record *record, size_t *ret_n,
		  char ***ret);
#endif
