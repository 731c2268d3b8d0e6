#ifndef CSI_NODE_INFO_H
#define CSI_NODE_INFO_H
#include "csi/dispatch.h"

/* NodeGetInfo and NodeGetCapabilities: answered from memory. */
int node_info(struct rpc *rpc, struct err *err);
int node_capabilities(struct rpc *rpc, struct err *err);
#endif
