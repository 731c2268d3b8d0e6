#ifndef CSI_CONTROLLER_EXPAND_H
#define CSI_CONTROLLER_EXPAND_H
#include "csi/controller/box.h"
#include "csi/dispatch.h"

/* ControllerExpandVolume: grows the backing file; a volume that is large enough already
 * is OK and unchanged. The node has work to do for every mounted file system, also when a
 * retry finds the volume grown: only the node knows whether the file system has followed.
 */
struct ctl_expand {
	struct rpc rpc;
	struct box box;
};

extern const struct op_type ctl_expand_type;
int ctl_expand_check(const struct rpc *rpc, struct err *err);
const char *ctl_expand_volume(const struct rpc *rpc);
#endif
