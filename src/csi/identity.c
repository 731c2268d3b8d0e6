#include "csi/dispatch.h"

#include "csi.pb-c.h"

static int get_plugin_info(struct rpc *rpc, struct err *err)
{
	Csi__V1__GetPluginInfoResponse *resp = rpc_new_response(rpc);

	if (!resp)
		return err_nomem(err);
	/* The answer is packed and forgotten, never written through. */
	resp->name = arena_strdup(&rpc->arena, rpc->csi->driver_name);
	resp->vendor_version = arena_strdup(&rpc->arena, rpc->csi->vendor_version);
	if (!resp->name || !resp->vendor_version)
		return err_nomem(err);
	rpc->resp = &resp->base;
	return 0;
}

/* One list whatever the mode: "all instances return the same set" (spec.md v1.12.0,
 * GetPluginCapabilities), and csi-sanity asks the node plugin for the controller's. */
static int get_plugin_capabilities(struct rpc *rpc, struct err *err)
{
	static Csi__V1__PluginCapability__Service controller = {
		.base = PROTOBUF_C_MESSAGE_INIT(
			&csi__v1__plugin_capability__service__descriptor),
		.type = CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__CONTROLLER_SERVICE,
	};
	static Csi__V1__PluginCapability__Service topology = {
		.base = PROTOBUF_C_MESSAGE_INIT(
			&csi__v1__plugin_capability__service__descriptor),
		.type = CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__VOLUME_ACCESSIBILITY_CONSTRAINTS,
	};
	static Csi__V1__PluginCapability__VolumeExpansion online = {
		.base = PROTOBUF_C_MESSAGE_INIT(
			&csi__v1__plugin_capability__volume_expansion__descriptor),
		.type = CSI__V1__PLUGIN_CAPABILITY__VOLUME_EXPANSION__TYPE__ONLINE,
	};
	static Csi__V1__PluginCapability caps[] = {
		{ .base = PROTOBUF_C_MESSAGE_INIT(
			  &csi__v1__plugin_capability__descriptor),
		  .type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_SERVICE,
		  .service = &controller },
		{ .base = PROTOBUF_C_MESSAGE_INIT(
			  &csi__v1__plugin_capability__descriptor),
		  .type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_SERVICE,
		  .service = &topology },
		{ .base = PROTOBUF_C_MESSAGE_INIT(
			  &csi__v1__plugin_capability__descriptor),
		  .type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_VOLUME_EXPANSION,
		  .volume_expansion = &online },
	};
	static Csi__V1__PluginCapability *list[] = { &caps[0], &caps[1], &caps[2] };
	Csi__V1__GetPluginCapabilitiesResponse *resp = rpc_new_response(rpc);

	if (!resp)
		return err_nomem(err);
	resp->n_capabilities = sizeof(list) / sizeof(list[0]);
	resp->capabilities = list;
	rpc->resp = &resp->base;
	return 0;
}

/* Whoever can ask is answered: the configuration is loaded and the socket bound. The
 * box's state is never in it, or an outage of the box would restart every plugin. */
static int probe(struct rpc *rpc, struct err *err)
{
	static Csi__V1__BoolValue yes = {
		.base = PROTOBUF_C_MESSAGE_INIT(&csi__v1__bool_value__descriptor),
		.value = true,
	};
	Csi__V1__ProbeResponse *resp = rpc_new_response(rpc);

	if (!resp)
		return err_nomem(err);
	resp->ready = &yes;
	rpc->resp = &resp->base;
	return 0;
}

const struct rpc_method identity_methods[] = {
	{ .path = "/csi.v1.Identity/GetPluginInfo",
	  .request = &csi__v1__get_plugin_info_request__descriptor,
	  .response = &csi__v1__get_plugin_info_response__descriptor,
	  .answer = get_plugin_info },
	{ .path = "/csi.v1.Identity/GetPluginCapabilities",
	  .request = &csi__v1__get_plugin_capabilities_request__descriptor,
	  .response = &csi__v1__get_plugin_capabilities_response__descriptor,
	  .answer = get_plugin_capabilities },
	{ .path = "/csi.v1.Identity/Probe",
	  .request = &csi__v1__probe_request__descriptor,
	  .response = &csi__v1__probe_response__descriptor,
	  .answer = probe },
	{ .path = NULL },
};
