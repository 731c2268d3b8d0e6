#ifndef CSI_CONTROLLER_CREATE_H
#define CSI_CONTROLLER_CREATE_H
#include "csi/controller/box.h"
#include "csi/controller/params.h"
#include "csi/dispatch.h"
#include "csi/ids.h"

/* CreateVolume. The name is the id, so that a repeated call meets its own volume: the
 * script on the box adds the disk only if none of that slot is there, and shows what is
 * there in the end. */
struct ctl_create {
	struct rpc rpc;
	struct box box;
	struct params params; /* borrows from the request */
	struct rds_record record;
	char nqn[ID_NQN];
};

extern const struct op_type ctl_create_type;
int ctl_create_check(const struct rpc *rpc, struct err *err);
const char *ctl_create_volume(const struct rpc *rpc);
#endif
