#include "bench/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csi.pb-c.h"

static const char *const paths[] = {
	[RPC_PROBE] = "/csi.v1.Identity/Probe",
	[RPC_CREATE] = "/csi.v1.Controller/CreateVolume",
	[RPC_DELETE] = "/csi.v1.Controller/DeleteVolume",
	[RPC_PUBLISH] = "/csi.v1.Controller/ControllerPublishVolume",
	[RPC_UNPUBLISH] = "/csi.v1.Controller/ControllerUnpublishVolume",
	[RPC_CAPACITY] = "/csi.v1.Controller/GetCapacity",
	[RPC_GET] = "/csi.v1.Controller/ControllerGetVolume",
	[RPC_LIST] = "/csi.v1.Controller/ListVolumes",
};
static char node_a[] = "node-a";

/* What one request is made of, all on the stack of its maker. */
struct parts {
	char id[64], nqn[128], path[160];
	Csi__V1__VolumeCapability__MountVolume mount;
	Csi__V1__VolumeCapability__AccessMode mode;
	Csi__V1__VolumeCapability cap, *caps[1];
	Csi__V1__CapacityRange range;
};

const char *request_path(enum driver_rpc rpc)
{
	return paths[rpc];
}

static void parts_init(struct parts *p, size_t number)
{
	static char ext4[] = "ext4";

	(void)snprintf(p->id, sizeof(p->id), "pvc-0d3b51a4-6c1e-4b7e-9f0a-%012zx",
		       number);
	(void)snprintf(p->nqn, sizeof(p->nqn), "nqn.2000-02.com.mikrotik:%s", p->id);
	(void)snprintf(p->path, sizeof(p->path), "/storage-pool/vol-%s/volume.img",
		       p->id);
	csi__v1__volume_capability__mount_volume__init(&p->mount);
	p->mount.fs_type = ext4;
	csi__v1__volume_capability__access_mode__init(&p->mode);
	p->mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	csi__v1__volume_capability__init(&p->cap);
	p->cap.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	p->cap.mount = &p->mount;
	p->cap.access_mode = &p->mode;
	p->caps[0] = &p->cap;
	csi__v1__capacity_range__init(&p->range);
	p->range.required_bytes = INT64_C(1) << 30;
}

static void pack(const ProtobufCMessage *m, struct h2_call *call)
{
	uint8_t *bytes;

	call->len = protobuf_c_message_get_packed_size(m);
	bytes = malloc(call->len + 1);
	if (bytes == NULL)
		abort();
	(void)protobuf_c_message_pack(m, bytes);
	call->msg = bytes;
}

static void make_create(struct parts *p, struct h2_call *call)
{
	Csi__V1__CreateVolumeRequest m;
	static char k1[] = "csi.storage.k8s.io/pvc/name", v1[] = "data-postgres-0";
	static char k2[] = "csi.storage.k8s.io/pvc/namespace", v2[] = "databases";
	Csi__V1__CreateVolumeRequest__ParametersEntry e[2], *params[2] = { &e[0], &e[1] };

	csi__v1__create_volume_request__parameters_entry__init(&e[0]);
	csi__v1__create_volume_request__parameters_entry__init(&e[1]);
	e[0].key = k1;
	e[0].value = v1;
	e[1].key = k2;
	e[1].value = v2;
	csi__v1__create_volume_request__init(&m);
	m.name = p->id;
	m.capacity_range = &p->range;
	m.n_volume_capabilities = 1;
	m.volume_capabilities = p->caps;
	m.n_parameters = 2;
	m.parameters = params;
	pack(&m.base, call);
}

static void make_publish(struct parts *p, struct h2_call *call)
{
	Csi__V1__ControllerPublishVolumeRequest m;
	Csi__V1__ControllerPublishVolumeRequest__VolumeContextEntry e[5], *ctx[5];
	static char address[] = "127.0.0.1", port[] = "4420";
	static char keys[5][16] = { "rdsAddress", "nvmeAddress", "nvmePort", "nqn",
				    "volumePath" };
	char *values[5] = { address, address, port, p->nqn, p->path };

	for (int i = 0; i < 5; i++) {
		csi__v1__controller_publish_volume_request__volume_context_entry__init(
			&e[i]);
		e[i].key = keys[i];
		e[i].value = values[i];
		ctx[i] = &e[i];
	}
	csi__v1__controller_publish_volume_request__init(&m);
	m.volume_id = p->id;
	m.node_id = node_a;
	m.volume_capability = &p->cap;
	m.n_volume_context = 5;
	m.volume_context = ctx;
	pack(&m.base, call);
}

static void make_by_id(struct parts *p, enum driver_rpc rpc, struct h2_call *call)
{
	Csi__V1__DeleteVolumeRequest del;
	Csi__V1__ControllerGetVolumeRequest get;
	Csi__V1__ControllerUnpublishVolumeRequest unpublish;

	csi__v1__delete_volume_request__init(&del);
	csi__v1__controller_get_volume_request__init(&get);
	csi__v1__controller_unpublish_volume_request__init(&unpublish);
	del.volume_id = get.volume_id = unpublish.volume_id = p->id;
	unpublish.node_id = node_a;
	pack(rpc == RPC_DELETE ? &del.base
	     : rpc == RPC_GET  ? &get.base
			       : &unpublish.base,
	     call);
}

void request_make(enum driver_rpc rpc, size_t number, struct h2_call *call)
{
	struct parts p;

	parts_init(&p, number);
	call->path = paths[rpc];
	switch (rpc) {
	case RPC_CREATE:
		make_create(&p, call);
		break;
	case RPC_PUBLISH:
		make_publish(&p, call);
		break;
	case RPC_DELETE:
	case RPC_UNPUBLISH:
	case RPC_GET:
		make_by_id(&p, rpc, call);
		break;
	default: /* an empty message */
		break;
	}
}

void request_make_list(const char *token, struct h2_call *call)
{
	Csi__V1__ListVolumesRequest m;

	csi__v1__list_volumes_request__init(&m);
	m.starting_token = (char *)(uintptr_t)token;
	call->path = paths[RPC_LIST];
	pack(&m.base, call);
}

void request_free(struct h2_call *call)
{
	free((void *)(uintptr_t)call->msg);
	call->msg = NULL;
}

long request_read_list(const struct h2_call *call, char *ret_token, size_t size)
{
	Csi__V1__ListVolumesResponse *m;
	long n;

	if (call->reply_len < 5)
		return -1;
	m = csi__v1__list_volumes_response__unpack(NULL, call->reply_len - 5,
						   call->reply + 5);
	if (m == NULL)
		return -1;
	n = (long)m->n_entries;
	(void)snprintf(ret_token, size, "%s", m->next_token);
	csi__v1__list_volumes_response__free_unpacked(m, NULL);
	return n;
}
