#ifndef CSI_NODE_STATS_H
#define CSI_NODE_STATS_H
#include "csi/node/work.h"

/* NodeGetVolumeStats: bytes and inodes of the file system, by a child with a deadline;
 * for raw block the device's size. */
extern const struct op_type node_stats_op;
int node_stats_check(const struct rpc *rpc, struct err *err);
const char *node_stats_volume(const struct rpc *rpc);
#endif
