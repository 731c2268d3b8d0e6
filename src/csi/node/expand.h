#ifndef CSI_NODE_EXPAND_H
#define CSI_NODE_EXPAND_H
#include "csi/node/work.h"

/* NodeExpandVolume: take notice of the device's new size, grow the file system into it,
 * answer with the size that is there. Late, twice or with nothing to grow, it succeeds.
 */
extern const struct op_type node_expand_op;
int node_expand_check(const struct rpc *rpc, struct err *err);
const char *node_expand_volume(const struct rpc *rpc);
#endif
