#ifndef CTL_TWO_FAKE_H
#define CTL_TWO_FAKE_H
#include "fakes/slow_k8s.h"
#include "support/t.h"

/* For ctl_two.h: the cluster is the port's double, and no byte is sent. */
struct cluster {
	struct fake_k8s api;
};
#define view slow_k8s /* it has is_leader and delay_ms[] */

static void cluster_open(struct cluster *c, uv_loop_t *loop)
{
	fake_k8s_open(&c->api, loop, "rds.csi.srvlab.io");
}

static void cluster_close(struct cluster *c)
{
	fake_k8s_close(&c->api);
}

static void cluster_put_node(struct cluster *c, const struct k8s_node *node)
{
	fake_k8s_put(&c->api, &node->o);
}

static void cluster_put_va(struct cluster *c, const struct k8s_va *va)
{
	fake_k8s_put(&c->api, &va->o);
}

static void cluster_put_pv(struct cluster *c, const char *name, const char *handle)
{
	fake_k8s_pv(&c->api, name, handle);
}

static void cluster_put_csinode(struct cluster *c, const char *name)
{
	fake_k8s_csinode(&c->api, name, true);
}

static void cluster_remove(struct cluster *c, enum k8s_kind kind, const char *name)
{
	fake_k8s_remove(&c->api, kind, NULL, name);
}

/* It keeps every request until it is told to forget them. */
static void cluster_forget(struct cluster *c)
{
	if (c->api.n_requests <= 1000)
		return;
	for (unsigned i = 0; i < c->api.n_requests; i++)
		if (!c->api.requests[i].is_over)
			return;
	for (unsigned i = 0; i < c->api.n_requests; i++)
		free(c->api.requests[i].body);
	c->api.n_requests = 0;
}

static void view_open(struct view *v, struct cluster *c, unsigned number)
{
	(void)number;
	slow_k8s_open(v, &c->api);
}

static struct k8s *view_port(struct view *v)
{
	return &v->k8s;
}

static void view_turn(struct view *v)
{
	slow_k8s_turn(v);
}

/* turn is what makes time go on. */
static void view_restart(struct view *v, void (*turn)(void))
{
	(void)turn;
	slow_k8s_restart(v);
}

static void view_close(struct view *v, void (*turn)(void))
{
	(void)turn;
	slow_k8s_close(v);
}

static bool view_is_even(const struct view *v)
{
	return slow_k8s_is_even(v);
}

/* It sees the node as it is. */
static bool view_has_node(const struct view *v, const char *name)
{
	const struct k8s_object *truth = fake_k8s_find(v->api, K8S_NODE, NULL, name);
	const struct k8s_object *o = k8s_store_find(&v->k8s.stores[K8S_NODE], name);

	return !o == !truth && (!o || strcmp(o->version, truth->version) == 0);
}
#endif
