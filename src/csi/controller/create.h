#ifndef CSI_CONTROLLER_CREATE_H
#define CSI_CONTROLLER_CREATE_H
#include "csi/controller/box.h"
#include "csi/controller/params.h"
#include "csi/dispatch.h"
#include "csi/ids.h"

/* CreateVolume. The name is the id, so that a repeated call meets its own volume: the
 * script on the box adds the disk only if none of that slot is there, and shows what is
 * there in the end.
 *
 * Each volume made gets an NQN that never was, so that a host which still retries the one
 * of a deleted volume of the same name finds nothing. Where it is exported under is in
 * the publish_context alone. The volume_context names the base NQN, as that of the driver
 * before this one does, whose node plugin knows no other way to a volume than these two:
 * it stages what the volume_context names and disconnects what it makes of the id. */
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
