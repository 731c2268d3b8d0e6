#ifndef CTL_TWO_WIRE_H
#define CTL_TWO_WIRE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "k8s/api.h"
#include "support/api_sim.h"
#include "support/t.h"

/* For ctl_two.h: each controller has the real client, which lists and watches the
 * simulated API server over HTTP, in the time that the test holds. Its watches run behind
 * by times of their own; a controller that starts anew lists all. */
struct view;

struct cluster {
	struct api_sim sim;
	char dir[128], path[256];
	struct view *views[2];
};

struct view {
	struct k8s_api *api;
	struct cluster *cluster;
	bool is_leader, is_stopped;
	uint64_t delay_ms[K8S_WATCHED];
	char agent[24];
};

static const char *const wire_kinds[K8S_WATCHED] = {
	[K8S_VA] = "volumeattachments",
	[K8S_PV] = "persistentvolumes",
	[K8S_NODE] = "nodes",
	[K8S_CSINODE] = "csinodes",
};

static uint64_t wire_delay(const struct api_sim *s, const char *agent, const char *kind)
{
	const struct cluster *c = s->arg;

	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < K8S_WATCHED; k++)
			if (c->views[i] && strcmp(c->views[i]->agent, agent) == 0 &&
			    strcmp(wire_kinds[k], kind) == 0)
				return c->views[i]->delay_ms[k];
	return 0;
}

static void cluster_open(struct cluster *c, uv_loop_t *loop)
{
	api_sim_open(&c->sim, loop);
	c->sim.bookmark_ms = 60000;
	c->sim.delay_of = wire_delay;
	c->sim.arg = c;
	t_mkdir(c->dir);
	snprintf(c->path, sizeof(c->path), "%s/config", c->dir);
	api_sim_token(&c->sim, c->path, "token-one");
	api_sim_kubeconfig(&c->sim, c->path);
}

static void cluster_close(struct cluster *c)
{
	api_sim_close(&c->sim);
	t_rmdir(c->dir);
}

/* in_use: handles with a NUL behind each. */
static void cluster_put_node(struct cluster *c, const struct k8s_node *node)
{
	char json[2048];
	const char *handle = node->in_use;
	int n = snprintf(json, sizeof(json),
			 "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s},\"status\":{"
			 "\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}],"
			 "\"volumesInUse\":[",
			 node->o.name,
			 node->is_out_of_service
				 ? "\"taints\":[{\"key\":\"node.kubernetes.io/"
				   "out-of-service\",\"effect\":\"NoExecute\"}]"
				 : "",
			 node->is_ready ? "True" : "Unknown");

	for (unsigned i = 0; i < node->n_in_use; i++) {
		n += snprintf(json + n, sizeof(json) - (size_t)n,
			      "%s\"kubernetes.io/csi/rds.csi.srvlab.io^%s\"",
			      i ? "," : "", handle);
		handle += strlen(handle) + 1;
	}
	snprintf(json + n, sizeof(json) - (size_t)n, "]}}");
	api_sim_put(&c->sim, "nodes", json);
}

static void cluster_put_va(struct cluster *c, const struct k8s_va *va)
{
	char json[2048];

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"%s\"%s},\"spec\":{\"attacher\":"
		 "\"rds.csi.srvlab.io\",\"nodeName\":\"%s\",\"source\":{"
		 "\"persistentVolumeName\":\"%s\"}},\"status\":{\"attached\":%s}}",
		 va->o.name,
		 va->o.is_deleting ? ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\""
				   : "",
		 va->node, va->pv, va->is_attached ? "true" : "false");
	api_sim_put(&c->sim, "volumeattachments", json);
}

static void cluster_put_pv(struct cluster *c, const char *name, const char *handle)
{
	api_sim_pv(&c->sim, name, handle);
}

static void cluster_put_csinode(struct cluster *c, const char *name)
{
	char json[512];

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"drivers\":[{\"name\":"
		 "\"rds.csi.srvlab.io\",\"nodeID\":\"%s\",\"topologyKeys\":null}]}}",
		 name, name);
	api_sim_put(&c->sim, "csinodes", json);
}

static void cluster_remove(struct cluster *c, enum k8s_kind kind, const char *name)
{
	api_sim_remove(&c->sim, wire_kinds[kind], NULL, name);
}

static void cluster_forget(struct cluster *c)
{
	(void)c;
}

static bool wire_is_leader(void *ctx)
{
	return ((const struct view *)ctx)->is_leader;
}

static void wire_begin(struct view *v)
{
	struct k8s_client_conf conf = { .kubeconfig = v->cluster->path,
					.user_agent = v->agent };
	struct k8s_api_hooks hooks = { .is_leader = wire_is_leader, .ctx = v };
	struct err err = { .code = ERR_OK };

	v->api = k8s_api_new(v->cluster->sim.loop, &conf, "rds.csi.srvlab.io", &err);
	cr_assert_not_null(v->api, "%s", err.msg);
	k8s_api_set(v->api, &hooks);
	v->is_stopped = false;
}

static void wire_on_stopped(void *arg)
{
	((struct view *)arg)->is_stopped = true;
}

static void view_open(struct view *v, struct cluster *c, unsigned number)
{
	*v = (struct view){ .cluster = c };
	snprintf(v->agent, sizeof(v->agent), "controller-%u", number);
	c->views[number] = v;
	wire_begin(v);
	k8s_api_start(v->api, wire_on_stopped, v);
}

static struct k8s *view_port(struct view *v)
{
	return k8s_api_port(v->api);
}

static void view_turn(struct view *v)
{
	(void)v;
}

static void view_close(struct view *v, void (*turn)(void))
{
	k8s_api_stop(v->api);
	while (!v->is_stopped)
		turn();
	k8s_api_free(v->api);
	v->api = NULL;
}

static void view_restart(struct view *v, void (*turn)(void))
{
	view_close(v, turn);
	wire_begin(v);
	k8s_api_start(v->api, wire_on_stopped, v);
}

/* 0 = there is none. */
static uint64_t wire_version(const struct cluster *c, enum k8s_kind kind,
			     const char *name)
{
	const char *json = api_sim_find(&c->sim, wire_kinds[kind], NULL, name);
	const char *at = json ? strstr(json, "\"resourceVersion\":\"") : NULL;

	return at ? strtoull(at + 19, NULL, 10) : 0;
}

static bool view_has_node(const struct view *v, const char *name)
{
	const struct k8s *k = k8s_api_port(v->api);
	const struct k8s_object *o = k8s_store_find(&k->stores[K8S_NODE], name);
	uint64_t version = o ? strtoull(o->version, NULL, 10) : 0;

	return k->stores[K8S_NODE].is_complete &&
	       version == wire_version(v->cluster, K8S_NODE, name);
}

static bool view_is_even(const struct view *v)
{
	const struct k8s *k = k8s_api_port(v->api);

	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		const struct k8s_object *o = NULL;
		size_t pos = 0;

		if (k->stores[i].objects.count !=
		    api_sim_count(&v->cluster->sim, wire_kinds[i]))
			return false;
		while ((o = k8s_store_next(&k->stores[i], &pos, o)))
			if (strtoull(o->version, NULL, 10) !=
			    wire_version(v->cluster, (enum k8s_kind)i, o->name))
				return false;
	}
	return k8s_is_current(k);
}
#endif
