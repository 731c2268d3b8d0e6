#include "fakes/ctl_drive.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"

static const struct rpc_method *const tables[] = { controller_methods };
static char last_message[sizeof(((struct err *)0)->msg)];

static void open_box(struct ctl *c)
{
	*c = (struct ctl){ .csi = { .driver_name = "rds.csi.srvlab.io",
				    .is_controller = true,
				    .node_id = "node-a",
				    .cluster_id = "cluster-1",
				    .volume_base = "/pool/csi",
				    .rds_address = "10.0.0.1",
				    .nvme_port = 4420,
				    .fence_settle_ms = 1 } };
	log_open(LOG_ERROR, false);
	t_loop_open(&c->l);
	fake_rds_open(&c->box, &c->l.uv, c->csi.cluster_id);
	c->csi.loop = &c->l.uv;
	c->csi.rds = &c->box.rds;
	map_init(&c->csi.inflight);
	dispatch_init(&c->dispatch, &c->csi, tables, 1);
}

void ctl_open(struct ctl *c)
{
	open_box(c);
	ctl_restart(c);
}

void ctl_open_k8s(struct ctl *c)
{
	static const char *const nodes[] = { "node-a", "node-b", "node-c" };

	open_box(c);
	fake_k8s_open(&c->cluster, &c->l.uv, c->csi.driver_name);
	c->csi.k8s = &c->cluster.k8s;
	c->csi.attach =
		(struct csi_attach){ .grace_ms = 30 * 1000, .interval_ms = 300 * 1000 };
	for (unsigned i = 0; i < 3; i++) {
		fake_k8s_node(&c->cluster, nodes[i], true, false, NULL);
		fake_k8s_csinode(&c->cluster, nodes[i], true);
	}
	ctl_restart(c);
}

static void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

/* As main ends it: what runs in the background first. */
static void stop_attachments(struct ctl *c)
{
	bool is_stopped = false;

	if (c->csi.attachments &&
	    attachments_stop(c->csi.attachments, on_stopped, &is_stopped))
		t_run_until(&c->l, is_stopped);
	attachments_free(c->csi.attachments);
	c->csi.attachments = NULL;
}

void ctl_idle(struct ctl *c)
{
	for (int i = 0; i < 50; i++)
		uv_run(&c->l.uv, UV_RUN_NOWAIT);
}

void ctl_restart(struct ctl *c)
{
	stop_attachments(c);
	c->csi.attachments = attachments_new(&c->csi, "node-b,node-c");
	cr_assert_not_null(c->csi.attachments);
	c->csi.capacity.is_known = false;
}

void ctl_close(struct ctl *c)
{
	stop_attachments(c);
	cr_assert_eq(c->csi.inflight.count, 0);
	map_fini(&c->csi.inflight);
	cr_assert(dispatch_is_idle(&c->dispatch));
	fake_rds_close(&c->box);
	if (c->csi.k8s)
		fake_k8s_close(&c->cluster);
	t_loop_close(&c->l);
	cr_assert_eq(mem_live(), 0);
}

void ctl_start(struct ctl *c, struct grpc_call *call, const char *method,
	       const void *request)
{
	char path[128];

	snprintf(path, sizeof(path), "/csi.v1.Controller/%s", method);
	*call = (struct grpc_call){ .path = strdup(path) };
	call->len = protobuf_c_message_get_packed_size(request);
	call->message = malloc(call->len + 1);
	protobuf_c_message_pack(request, call->message);
	dispatch_call(&c->dispatch, call);
}

void ctl_finish(struct ctl *c, struct grpc_call *call)
{
	t_run_until(&c->l, call->n_answers);
	cr_assert_eq(call->n_answers, 1);
}

enum err_code ctl_call(struct ctl *c, struct grpc_call *call, const char *method,
		       const void *request)
{
	ctl_start(c, call, method, request);
	ctl_finish(c, call);
	return call->err.code;
}

void *ctl_reply(const struct grpc_call *call, const ProtobufCMessageDescriptor *desc)
{
	void *m;

	cr_assert_eq(call->err.code, ERR_OK, "%s", call->err.msg);
	m = protobuf_c_message_unpack(desc, NULL, call->reply_len, call->reply);
	cr_assert_not_null(m);
	return m;
}

void ctl_call_free(struct grpc_call *call)
{
	free((void *)(uintptr_t)call->path);
	free(call->message);
	free(call->reply);
	*call = (struct grpc_call){ .path = NULL };
}

static enum err_code run_short(struct ctl *c, const char *method, const void *request)
{
	struct grpc_call call;
	enum err_code code = ctl_call(c, &call, method, request);

	snprintf(last_message, sizeof(last_message), "%s", call.err.msg);
	ctl_call_free(&call);
	return code;
}

const char *ctl_message(void)
{
	return last_message;
}

void ctl_cap(struct ctl_cap *cap, int mode)
{
	csi__v1__volume_capability__init(&cap->cap);
	csi__v1__volume_capability__access_mode__init(&cap->mode);
	csi__v1__volume_capability__block_volume__init(&cap->block);
	csi__v1__volume_capability__mount_volume__init(&cap->mount);
	cap->mode.mode = mode;
	cap->cap.access_mode = &cap->mode;
	if (mode == CTL_MODE(MULTI_NODE_MULTI_WRITER)) {
		cap->cap.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
		cap->cap.block = &cap->block;
	} else {
		cap->cap.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
		cap->cap.mount = &cap->mount;
	}
	cap->list[0] = &cap->cap;
}

enum err_code ctl_create(struct ctl *c, const char *id, int64_t bytes)
{
	Csi__V1__CreateVolumeRequest req;
	Csi__V1__CapacityRange range;
	struct ctl_cap cap;

	csi__v1__create_volume_request__init(&req);
	csi__v1__capacity_range__init(&range);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	range.required_bytes = bytes;
	req.name = (char *)(uintptr_t)id;
	req.capacity_range = &range;
	req.n_volume_capabilities = 1;
	req.volume_capabilities = cap.list;
	return run_short(c, "CreateVolume", &req);
}

enum err_code ctl_publish_as(struct ctl *c, const char *id, const char *node, int mode,
			     bool readonly)
{
	Csi__V1__ControllerPublishVolumeRequest req;
	struct ctl_cap cap;

	csi__v1__controller_publish_volume_request__init(&req);
	ctl_cap(&cap, mode);
	req.volume_id = (char *)(uintptr_t)id;
	req.node_id = (char *)(uintptr_t)node;
	req.volume_capability = &cap.cap;
	req.readonly = readonly;
	return run_short(c, "ControllerPublishVolume", &req);
}

enum err_code ctl_publish(struct ctl *c, const char *id, const char *node)
{
	return ctl_publish_as(c, id, node, CTL_MODE(SINGLE_NODE_WRITER), false);
}

enum err_code ctl_unpublish(struct ctl *c, const char *id, const char *node)
{
	Csi__V1__ControllerUnpublishVolumeRequest req;

	csi__v1__controller_unpublish_volume_request__init(&req);
	req.volume_id = (char *)(uintptr_t)id;
	req.node_id = (char *)(uintptr_t)node;
	return run_short(c, "ControllerUnpublishVolume", &req);
}

enum err_code ctl_delete(struct ctl *c, const char *id)
{
	Csi__V1__DeleteVolumeRequest req;

	csi__v1__delete_volume_request__init(&req);
	req.volume_id = (char *)(uintptr_t)id;
	return run_short(c, "DeleteVolume", &req);
}
