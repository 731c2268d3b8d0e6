#ifndef CSI_NODE_UNSTAGE_H
#define CSI_NODE_UNSTAGE_H
#include "csi/node/work.h"

/* NodeUnstageVolume, in the order that loses nothing: syncfs, unmount, proof that the
 * kernel has let go of the device, detach, proof, and only then the record. Whatever is
 * not there any more counts as done. */
extern const struct op_type node_unstage_op;
int node_unstage_check(const struct rpc *rpc, struct err *err);
const char *node_unstage_volume(const struct rpc *rpc);
#endif
