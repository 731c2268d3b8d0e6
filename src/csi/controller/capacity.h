#ifndef CSI_CONTROLLER_CAPACITY_H
#define CSI_CONTROLLER_CAPACITY_H
#include "csi/controller/box.h"
#include "csi/controller/params.h"
#include "csi/dispatch.h"

/* GetCapacity: what is free in the pool, less the reserve. An answer serves for ten
 * seconds, or until a volume is made, grown or deleted: provisioners ask per class and
 * topology segment, always for the same pool. */
struct ctl_capacity {
	struct rpc rpc;
	struct box box;
	struct params params; /* borrows from the request */
};

extern const struct op_type ctl_capacity_type;
int ctl_capacity_check(const struct rpc *rpc, struct err *err);
#endif
