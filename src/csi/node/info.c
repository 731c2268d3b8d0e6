#include "csi/node/info.h"

#include "csi.pb-c.h"
#include "csi/ids.h"

/* Nodes bear topology.<driver>/zone=default since the earlier driver. The other one tells
 * the controller, by CSINode, that this plugin heeds the publish_context. Neither key nor
 * value may ever change: the kubelet refuses a value other than the Node's label, and an
 * entry of CSINode cannot be changed but only taken away and made anew (the kubelet does,
 * where a plugin of other keys took the socket over). Volumes are bound to neither. */
static const struct {
	const char *key, *value;
} topology[] = {
	{ ID_TOPOLOGY_ZONE, "default" },
	{ ID_TOPOLOGY_PLUGIN, "rds-csi" },
};
enum { N_TOPOLOGY = sizeof(topology) / sizeof(topology[0]) };

static int add_topology(struct rpc *rpc, Csi__V1__NodeGetInfoResponse *resp)
{
	struct arena *a = &rpc->arena;
	Csi__V1__Topology *t = arena_alloc(a, sizeof(*t));
	Csi__V1__Topology__SegmentsEntry *e = arena_alloc(a, N_TOPOLOGY * sizeof(*e));
	Csi__V1__Topology__SegmentsEntry **list =
		arena_alloc(a, N_TOPOLOGY * sizeof(*list));

	if (!t || !e || !list)
		return -1;
	csi__v1__topology__init(t);
	for (size_t i = 0; i < N_TOPOLOGY; i++) {
		csi__v1__topology__segments_entry__init(&e[i]);
		e[i].key = arena_printf(a, "topology.%s/%s", rpc->csi->driver_name,
					topology[i].key);
		e[i].value = arena_strdup(a, topology[i].value);
		if (!e[i].key || !e[i].value)
			return -1;
		list[i] = &e[i];
	}
	t->segments = list;
	t->n_segments = N_TOPOLOGY;
	resp->accessible_topology = t;
	return 0;
}

int node_info(struct rpc *rpc, struct err *err)
{
	Csi__V1__NodeGetInfoResponse *resp = rpc_new_response(rpc);

	if (!resp)
		return err_nomem(err);
	resp->node_id = arena_strdup(&rpc->arena, rpc->csi->node_id);
	resp->max_volumes_per_node = rpc->csi->max_volumes;
	if (!resp->node_id || add_topology(rpc, resp))
		return err_nomem(err);
	rpc->resp = &resp->base;
	return 0;
}

#define RPC_TYPE(x) CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__##x

int node_capabilities(struct rpc *rpc, struct err *err)
{
	static const Csi__V1__NodeServiceCapability__RPC__Type types[] = {
		RPC_TYPE(STAGE_UNSTAGE_VOLUME),
		RPC_TYPE(GET_VOLUME_STATS),
		RPC_TYPE(EXPAND_VOLUME),
		RPC_TYPE(VOLUME_CONDITION),
		RPC_TYPE(SINGLE_NODE_MULTI_WRITER),
	};
	enum { N = sizeof(types) / sizeof(types[0]) };
	Csi__V1__NodeGetCapabilitiesResponse *resp = rpc_new_response(rpc);
	Csi__V1__NodeServiceCapability **list =
		arena_alloc(&rpc->arena, N * sizeof(*list));

	if (!resp || !list)
		return err_nomem(err);
	for (size_t i = 0; i < N; i++) {
		Csi__V1__NodeServiceCapability__RPC *r =
			arena_alloc(&rpc->arena, sizeof(*r));

		list[i] = arena_alloc(&rpc->arena, sizeof(**list));
		if (!r || !list[i])
			return err_nomem(err);
		csi__v1__node_service_capability__rpc__init(r);
		csi__v1__node_service_capability__init(list[i]);
		r->type = types[i];
		list[i]->type_case = CSI__V1__NODE_SERVICE_CAPABILITY__TYPE_RPC;
		list[i]->rpc = r;
	}
	resp->capabilities = list;
	resp->n_capabilities = N;
	rpc->resp = &resp->base;
	return 0;
}
