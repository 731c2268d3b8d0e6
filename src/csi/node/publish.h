#ifndef CSI_NODE_PUBLISH_H
#define CSI_NODE_PUBLISH_H
#include "csi/node/work.h"

/* NodePublishVolume: bind the staged file system, or the device's node, onto the target.
 * Never a second mount on top of one; a failing call takes its own mount away. */
extern const struct op_type node_publish_op;
int node_publish_check(const struct rpc *rpc, struct err *err);
const char *node_publish_volume(const struct rpc *rpc);
#endif
