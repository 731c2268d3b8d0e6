#include "csi.pb-c.h"
#include "csi/controller/capacity.h"
#include "csi/controller/create.h"
#include "csi/controller/delete.h"
#include "csi/controller/expand.h"
#include "csi/controller/list.h"
#include "csi/controller/message.h"
#include "csi/controller/publish.h"
#include "csi/controller/query.h"
#include "csi/controller/unpublish.h"
#include "metrics/registry.h"

/* The Controller service's methods. A create or a grow of a large file takes the box
 * minutes; what a caller's deadline cuts off runs on. */
enum { QUICK_MS = 60 * 1000, LONG_MS = 30 * 60 * 1000 };

#define CAP(x) CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__##x

/* Of the interface that is built: advertised and working are the same thing. */
static int get_capabilities(struct rpc *rpc, struct err *err)
{
	static const Csi__V1__ControllerServiceCapability__RPC__Type types[] = {
		CAP(CREATE_DELETE_VOLUME), CAP(PUBLISH_UNPUBLISH_VOLUME),
		CAP(LIST_VOLUMES),	   CAP(LIST_VOLUMES_PUBLISHED_NODES),
		CAP(GET_CAPACITY),	   CAP(EXPAND_VOLUME),
		CAP(GET_VOLUME),	   CAP(VOLUME_CONDITION),
		CAP(PUBLISH_READONLY),	   CAP(SINGLE_NODE_MULTI_WRITER),
	};
	enum { N = sizeof(types) / sizeof(types[0]) };
	struct arena *a = &rpc->arena;
	Csi__V1__ControllerGetCapabilitiesResponse *resp =
		message_new(a, rpc->method->response);
	Csi__V1__ControllerServiceCapability **list = arena_alloc(a, N * sizeof(*list));

	if (!resp || !list)
		return err_nomem(err);
	for (size_t i = 0; i < N; i++) {
		list[i] = message_new(
			a, &csi__v1__controller_service_capability__descriptor);
		if (!list[i])
			return err_nomem(err);
		list[i]->type_case = CSI__V1__CONTROLLER_SERVICE_CAPABILITY__TYPE_RPC;
		list[i]->rpc = message_new(
			a, &csi__v1__controller_service_capability__rpc__descriptor);
		if (!list[i]->rpc)
			return err_nomem(err);
		list[i]->rpc->type = types[i];
	}
	resp->n_capabilities = N;
	resp->capabilities = list;
	rpc->resp = &resp->base;
	return 0;
}

#define PATH(x) "/csi.v1.Controller/" x

const struct rpc_method controller_methods[] = {
	{
		.path = PATH("CreateVolume"),
		.operation = 1 + METRIC_CREATE,
		.request = &csi__v1__create_volume_request__descriptor,
		.response = &csi__v1__create_volume_response__descriptor,
		.check = ctl_create_check,
		.volume_id = ctl_create_volume,
		.is_exclusive = true,
		.work = &ctl_create_type,
		.size = sizeof(struct ctl_create),
		.work_timeout_ms = LONG_MS,
	},
	{
		.path = PATH("DeleteVolume"),
		.operation = 1 + METRIC_DELETE,
		.request = &csi__v1__delete_volume_request__descriptor,
		.response = &csi__v1__delete_volume_response__descriptor,
		.check = ctl_delete_check,
		.volume_id = ctl_delete_volume,
		.is_exclusive = true,
		.work = &ctl_delete_type,
		.size = sizeof(struct ctl_delete),
		.work_timeout_ms = LONG_MS,
	},
	{
		.path = PATH("ControllerPublishVolume"),
		.operation = 1 + METRIC_PUBLISH,
		.request = &csi__v1__controller_publish_volume_request__descriptor,
		.response = &csi__v1__controller_publish_volume_response__descriptor,
		.check = ctl_publish_check,
		.volume_id = ctl_publish_volume,
		.is_exclusive = true,
		.work = &ctl_publish_type,
		.size = sizeof(struct ctl_publish),
	},
	{
		.path = PATH("ControllerUnpublishVolume"),
		.operation = 1 + METRIC_UNPUBLISH,
		.request = &csi__v1__controller_unpublish_volume_request__descriptor,
		.response = &csi__v1__controller_unpublish_volume_response__descriptor,
		.check = ctl_unpublish_check,
		.volume_id = ctl_unpublish_volume,
		.is_exclusive = true,
		.work = &ctl_unpublish_type,
		.size = sizeof(struct ctl_unpublish),
	},
	{
		.path = PATH("ControllerExpandVolume"),
		.operation = 1 + METRIC_EXPAND,
		.request = &csi__v1__controller_expand_volume_request__descriptor,
		.response = &csi__v1__controller_expand_volume_response__descriptor,
		.check = ctl_expand_check,
		.volume_id = ctl_expand_volume,
		.is_exclusive = true,
		.work = &ctl_expand_type,
		.size = sizeof(struct ctl_expand),
		.work_timeout_ms = LONG_MS,
	},
	{
		.path = PATH("ControllerGetVolume"),
		.request = &csi__v1__controller_get_volume_request__descriptor,
		.response = &csi__v1__controller_get_volume_response__descriptor,
		.check = ctl_get_volume_check,
		.volume_id = ctl_get_volume_id,
		.work = &ctl_get_volume_type,
		.size = sizeof(struct ctl_query),
		.work_timeout_ms = QUICK_MS,
	},
	{
		.path = PATH("ValidateVolumeCapabilities"),
		.request = &csi__v1__validate_volume_capabilities_request__descriptor,
		.response = &csi__v1__validate_volume_capabilities_response__descriptor,
		.check = ctl_validate_check,
		.volume_id = ctl_validate_id,
		.work = &ctl_validate_type,
		.size = sizeof(struct ctl_query),
		.work_timeout_ms = QUICK_MS,
	},
	{
		.path = PATH("ListVolumes"),
		.request = &csi__v1__list_volumes_request__descriptor,
		.response = &csi__v1__list_volumes_response__descriptor,
		.check = ctl_list_check,
		.work = &ctl_list_type,
		.size = sizeof(struct ctl_list),
		.work_timeout_ms = QUICK_MS,
		.fini = ctl_list_fini,
	},
	{
		.path = PATH("GetCapacity"),
		.request = &csi__v1__get_capacity_request__descriptor,
		.response = &csi__v1__get_capacity_response__descriptor,
		.check = ctl_capacity_check,
		.work = &ctl_capacity_type,
		.size = sizeof(struct ctl_capacity),
		.work_timeout_ms = QUICK_MS,
	},
	{
		.path = PATH("ControllerGetCapabilities"),
		.request = &csi__v1__controller_get_capabilities_request__descriptor,
		.response = &csi__v1__controller_get_capabilities_response__descriptor,
		.answer = get_capabilities,
	},
	{ .path = NULL },
};
