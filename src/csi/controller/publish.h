#ifndef CSI_CONTROLLER_PUBLISH_H
#define CSI_CONTROLLER_PUBLISH_H
#include "csi/controller/change.h"
#include "csi/controller/vmi_turn.h"
#include "csi/dispatch.h"
#include "csi/ids.h"

/* ControllerPublishVolume: the node becomes a holder in the record and the volume is
 * exported. publish_context tells the node plugin where to; rds_csi_ctx=2 marks it as one
 * that may be believed, for older drivers wrote wrong ones. */
struct ctl_publish {
	struct rpc rpc;
	struct vmi_turn *turn; /* in the arena; NULL: none to wait for */
	struct change change;
	char node[ID_NODE];
};

extern const struct op_type ctl_publish_type;
int ctl_publish_check(const struct rpc *rpc, struct err *err);
const char *ctl_publish_volume(const struct rpc *rpc);
#endif
