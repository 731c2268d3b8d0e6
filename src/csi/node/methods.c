#include "csi/dispatch.h"
#include "csi/node/expand.h"
#include "csi/node/info.h"
#include "csi/node/publish.h"
#include "csi/node/stage.h"
#include "csi/node/stats.h"
#include "csi/node/unpublish.h"
#include "csi/node/unstage.h"
#include "metrics/registry.h"

#define MESSAGES(x)                                     \
	.request = &csi__v1__##x##_request__descriptor, \
	.response = &csi__v1__##x##_response__descriptor

/* Stats runs beside anything: the kubelet asks every minute and must not be told ABORTED
 * for a volume that is being grown. */
const struct rpc_method node_methods[] = {
	{ .path = "/csi.v1.Node/NodeStageVolume",
	  .operation = 1 + METRIC_STAGE,
	  MESSAGES(node_stage_volume),
	  .check = node_stage_check,
	  .volume_id = node_stage_volume,
	  .is_exclusive = true,
	  .work = &node_stage_op,
	  .size = sizeof(struct node_stage) },
	{ .path = "/csi.v1.Node/NodeUnstageVolume",
	  .operation = 1 + METRIC_UNSTAGE,
	  MESSAGES(node_unstage_volume),
	  .check = node_unstage_check,
	  .volume_id = node_unstage_volume,
	  .is_exclusive = true,
	  .work = &node_unstage_op,
	  .size = sizeof(struct node_work) },
	{ .path = "/csi.v1.Node/NodePublishVolume",
	  .operation = 1 + METRIC_NODE_PUBLISH,
	  MESSAGES(node_publish_volume),
	  .check = node_publish_check,
	  .volume_id = node_publish_volume,
	  .is_exclusive = true,
	  .work = &node_publish_op,
	  .size = sizeof(struct node_work) },
	{ .path = "/csi.v1.Node/NodeUnpublishVolume",
	  .operation = 1 + METRIC_NODE_UNPUBLISH,
	  MESSAGES(node_unpublish_volume),
	  .check = node_unpublish_check,
	  .volume_id = node_unpublish_volume,
	  .is_exclusive = true,
	  .work = &node_unpublish_op,
	  .size = sizeof(struct node_work) },
	{ .path = "/csi.v1.Node/NodeExpandVolume",
	  .operation = 1 + METRIC_NODE_EXPAND,
	  MESSAGES(node_expand_volume),
	  .check = node_expand_check,
	  .volume_id = node_expand_volume,
	  .is_exclusive = true,
	  .work = &node_expand_op,
	  .size = sizeof(struct node_work) },
	{ .path = "/csi.v1.Node/NodeGetVolumeStats",
	  MESSAGES(node_get_volume_stats),
	  .check = node_stats_check,
	  .volume_id = node_stats_volume,
	  .work = &node_stats_op,
	  .size = sizeof(struct node_work) },
	{ .path = "/csi.v1.Node/NodeGetInfo",
	  MESSAGES(node_get_info),
	  .answer = node_info },
	{ .path = "/csi.v1.Node/NodeGetCapabilities",
	  MESSAGES(node_get_capabilities),
	  .answer = node_capabilities },
	{ .path = NULL },
};
