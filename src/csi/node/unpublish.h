#ifndef CSI_NODE_UNPUBLISH_H
#define CSI_NODE_UNPUBLISH_H
#include "csi/node/work.h"

/* NodeUnpublishVolume: every layer at the target, then the empty directory, empty file or
 * device node that is left. Content that is not ours stays, and the call says so. */
extern const struct op_type node_unpublish_op;
int node_unpublish_check(const struct rpc *rpc, struct err *err);
const char *node_unpublish_volume(const struct rpc *rpc);
#endif
