#ifndef CSI_CONTROLLER_UNPUBLISH_H
#define CSI_CONTROLLER_UNPUBLISH_H
#include "csi/controller/change.h"
#include "csi/controller/vmi_turn.h"
#include "csi/dispatch.h"
#include "csi/ids.h"

/* ControllerUnpublishVolume: the node, or with an empty node_id every node, is no holder
 * any more; the last one takes the export with it. A node that is not known is fenced.
 * A volume that is gone is OK: there is nothing left to write to. */
struct ctl_unpublish {
	struct rpc rpc;
	struct vmi_turn *turn; /* in the arena; NULL: none to wait for */
	struct change change;
	char node[ID_NODE];
};

extern const struct op_type ctl_unpublish_type;
int ctl_unpublish_check(const struct rpc *rpc, struct err *err);
const char *ctl_unpublish_volume(const struct rpc *rpc);
#endif
