#ifndef CTL_CLUSTER_H
#define CTL_CLUSTER_H
#include "fakes/call_seam.h"

#include "csi/controller/migrations.h"
#include "csi/controller/watched.h"
#include "metrics/registry.h"

#define GIB (INT64_C(1) << 30)
#define RWO CTL_MODE(SINGLE_NODE_WRITER)
#define RWX CTL_MODE(MULTI_NODE_MULTI_WRITER)
#define ROX CTL_MODE(MULTI_NODE_READER_ONLY)

/* A volume with a PV of another name than its handle. */
static inline void open_with_volume(struct ctl *c)
{
	metric_reset();
	ctl_open_k8s(c);
	fake_k8s_pv(&c->cluster, "pv-1", "pvc-1");
	cr_assert_eq(ctl_create(c, "pvc-1", GIB), ERR_OK);
}

static inline struct rds_volume *row(struct ctl *c)
{
	struct rds_volume *v = fake_rds_find(&c->box, "pvc-1");

	cr_assert_not_null(v);
	return v;
}

/* What the attacher does with the objects around a call. */
static inline void attach_object(struct ctl *c, const char *node, bool is_attached)
{
	char name[64];

	snprintf(name, sizeof(name), "csi-%s", node);
	fake_k8s_va(&c->cluster, name, NULL, node, "pv-1", is_attached);
}

static inline void detach_object(struct ctl *c, const char *node)
{
	char name[64];

	snprintf(name, sizeof(name), "csi-%s", node);
	fake_k8s_remove(&c->cluster, K8S_VA, NULL, name);
}

static inline enum err_code attach(struct ctl *c, const char *node, int mode)
{
	enum err_code code;

	attach_object(c, node, false);
	code = ctl_publish_as(c, "pvc-1", node, mode, false);
	if (code == ERR_OK)
		attach_object(c, node, true);
	return code;
}

static inline enum err_code detach(struct ctl *c, const char *node)
{
	enum err_code code = ctl_unpublish(c, "pvc-1", node);

	if (code == ERR_OK)
		detach_object(c, node);
	return code;
}

/* What the node's kubelet shows while a pod uses the volume, and when that has ended. */
static inline void use_and_leave(struct ctl *c, const char *node)
{
	fake_k8s_node(&c->cluster, node, true, false, "pvc-1");
	fake_k8s_node(&c->cluster, node, true, false, NULL);
}

static inline size_t gauge(struct ctl *c)
{
	size_t n = 99;

	cr_assert(attachments_gauge(c->csi.attachments, &n));
	return n;
}

static inline unsigned n_asked(struct ctl *c)
{
	return fake_k8s_count(&c->cluster, K8S_GET, K8S_NODE) +
	       fake_k8s_count(&c->cluster, K8S_GET, K8S_PV);
}
#endif
