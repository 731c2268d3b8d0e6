/* From the configuration to the modules of this mode. */
#include "app.h"

#include <stdio.h>
#include <string.h>

#include "core/audit.h"
#include "csi/controller/attachments.h"
#include "nvme/host.h"
#include "nvme/loop.h"
#include "nvme/tcp.h"
#include "nvme/tools.h"
#include "rds/ros.h"

enum { GRACE_MS = 5000, NVME_PORT = 4420 };
/* Two sightings must be further apart than the stores may be behind. */
enum { SIGHTINGS_MS = K8S_STALE_MS + 30 * 1000 };

static int build_kube(struct app *a, struct err *err)
{
	const struct config *c = &a->config;
	const struct kube_conf conf = {
		.kubeconfig = c->kubeconfig,
		.ns = c->lease_namespace,
		.cluster_id = c->cluster_id,
		.reconcile = {
			.attachment_interval_ms = c->attachment_interval_ms,
			.orphan_interval_ms = c->orphan_interval_ms,
			.orphan_grace_ms = c->orphan_grace_ms,
			.is_orphan_hunted = c->orphans,
			.is_orphan_dry_run = c->orphan_dry_run,
			.is_unseen_removed = c->orphan_unseen == CONFIG_UNSEEN_REMOVE,
			.is_export_kept = c->export_policy == CONFIG_EXPORT_ALWAYS,
			.is_attachment_dry_run = c->attachment_dry_run,
			.is_export_dry_run = c->export_dry_run,
			.is_mount_dry_run = c->mount_dry_run,
		},
	};

	if (kube_open(&a->kube, &a->csi, &conf, err))
		return -1;
	if (c->vmi_serialization) {
		vmi_init(&a->vmi, a->csi.k8s, c->vmi_cache_ttl_ms);
		a->csi.vmi = &a->vmi;
	}
	return 0;
}

static int build_controller(struct app *a, struct err *err)
{
	const struct config *c = &a->config;
	bool has_kube = c->kubernetes == CONFIG_KUBERNETES_ON;
	struct ros_conf conf = ros_conf_of(c);

	if (has_kube && build_kube(a, err))
		return -1;
	conf.is_cluster_awaited = has_kube;
	conf.max_sessions = (unsigned)c->rds_sessions;
	/* Nobody could ask for them. */
	conf.figures_interval_ms = *c->metrics_address ? c->figures_interval_ms : 0;
	/* With Kubernetes a PV of ours decides, and the controller knows them. */
	conf.adopt_unmarked = c->adopt_unmarked || has_kube;
	conf.cluster_id = a->csi.cluster_id;
	if (ros_new(&a->csi.rds, &a->loop.uv, &conf, err))
		return -1;
	a->csi.attachments = attachments_new(&a->csi, c->known_nodes);
	if (!a->csi.attachments)
		return err_nomem(err);
	if (c->rds_insecure) {
		log_warn("main",
			 "the box's host key is not verified: whoever answers at "
			 "its address gets every command",
			 KS("flag", "--rds-insecure-skip-verify"));
		log_audit(AUDIT_HOST_KEY_UNVERIFIED, "main",
			  "host key verification is off", KS("address", c->rds_address));
	}
	return 0;
}

static int build_loop(struct app *a, struct err *err)
{
	const struct nvme_loop_conf conf = {
		.exports_dir = a->config.loop_exports,
		.state_dir = a->config.state_dir,
	};

	a->csi.nvme = nvme_loop_new(&a->loop.uv, &conf, err);
	return a->csi.nvme ? 0 : -1;
}

/* The host's identity comes from the node's name, so that a target knows the node again
 * after everything on it was lost. */
static int build_tcp(struct app *a, struct err *err)
{
	const struct config *c = &a->config;
	const struct nvme_tcp_conf conf = {
		.state_dir = c->state_dir,
		.host_nqn = a->host_nqn,
		.host_id = a->host_id,
		.max_connects = (unsigned)c->max_connects,
		.refusal_settle_ms = (unsigned)c->refusal_settle_ms,
	};

	id_host(c->node_id, a->host_id, a->host_nqn);
	if (*c->host_id)
		(void)snprintf(a->host_id, sizeof(a->host_id), "%s", c->host_id);
	if (*c->host_nqn)
		(void)snprintf(a->host_nqn, sizeof(a->host_nqn), "%s", c->host_nqn);
	if (nvme_tcp_check_network(err) || nvme_tcp_check_kernel(err) ||
	    host_check_rights(err))
		return -1;
	a->csi.nvme = nvme_tcp_new(&a->loop.uv, &conf, err);
	return a->csi.nvme ? 0 : -1;
}

static int build_node(struct app *a, struct err *err)
{
	a->start = (struct node_start){
		.csi = &a->csi,
		.kubelet_dir = a->config.kubelet_dir,
		.state_dir = a->config.state_dir,
		.lock_fd = -1,
	};
	a->registration.conf = (struct registration_conf){
		.csi = &a->csi,
		.socket = a->config.registry,
		.endpoint = a->config.registered,
	};
	if (host_check_kubelet_dir(a->config.kubelet_dir, err) || tools_check(NULL, err))
		return -1;
	if (a->config.node_backend == CONFIG_BACKEND_LOOP)
		return build_loop(a, err);
	return build_tcp(a, err);
}

static void fill_csi(struct app *a)
{
	const struct config *c = &a->config;

	a->csi = (struct csi){
		.loop = &a->loop.uv,
		.driver_name = c->driver_name,
		.vendor_version = RDS_CSI_VERSION,
		.is_controller = c->is_controller,
		.is_node = c->is_node,
		.node_id = c->node_id,
		.cluster_id = c->cluster_id,
		.volume_base = c->first_base,
		.rds_address = c->rds_address,
		.nvme_port = NVME_PORT,
		.fence_settle_ms = c->fence_settle_ms,
		.is_export_kept = c->export_policy == CONFIG_EXPORT_ALWAYS,
		.attach = { .grace_ms = c->attachment_grace_ms,
			    .interval_ms = c->attachment_interval_ms > SIGHTINGS_MS
						   ? c->attachment_interval_ms
						   : SIGHTINGS_MS },
		.may_adopt_unmarked = c->adopt_unmarked,
		.nqn_prefix = c->nqn_prefix,
		.max_volumes = (int64_t)c->max_volumes,
	};
	map_init(&a->csi.inflight);
}

int app_build(struct app *a, struct err *err)
{
	const struct grpc_server_conf conf = {
		.address = a->config.endpoint,
		.on_call = dispatch_call,
		.ctx = &a->dispatch,
		.grace_ms = GRACE_MS,
	};
	unsigned n = 0;

	fill_csi(a);
	a->tables[n++] = identity_methods;
	if (a->csi.is_controller)
		a->tables[n++] = controller_methods;
	if (a->csi.is_node)
		a->tables[n++] = node_methods;
	dispatch_init(&a->dispatch, &a->csi, a->tables, n);
	if (a->csi.is_controller && build_controller(a, err))
		return -1;
	if (a->csi.is_node && build_node(a, err))
		return -1;
	if (*a->config.metrics_address && app_metrics(a, err))
		return -1;
	return grpc_server_listen(&a->server, &a->loop.uv, &conf, err);
}
