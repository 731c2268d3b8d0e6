#include "support/api_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[K8S_WATCHED] = {
	[K8S_VA] = "volumeattachments",
	[K8S_PV] = "persistentvolumes",
	[K8S_NODE] = "nodes",
	[K8S_CSINODE] = "csinodes",
};

static bool has_text(const char *json, const char *key, const char *value)
{
	char want[512];

	snprintf(want, sizeof(want), "\"%s\":\"%s\"", key, value);
	return json && strstr(json, want);
}

static void on_change(struct k8s_listener *l, const struct k8s_object *before,
		      const struct k8s_object *after)
{
	struct api_lab_ear *ear = CONTAINER_OF(l, struct api_lab_ear, l);
	const struct k8s_object *o = after ? after : before;
	const char *now = api_sim_find(&ear->lab->sim, kinds[o->kind], NULL, o->name);

	if (!after) {
		cr_assert_not(has_text(now, "uid", before->uid),
			      "%s was told as deleted, and is not", o->name);
		ear->n_deleted++;
		return;
	}
	ear->n_added += !before;
	ear->n_changed += before != NULL;
	if (before)
		cr_assert_gt(strtoull(after->version, NULL, 10),
			     strtoull(before->version, NULL, 10), "%s went back in time",
			     o->name);
}

void api_lab_open(struct api_lab *x)
{
	memset(x, 0, sizeof(*x));
	t_loop_open(&x->l);
	clock_hold(&x->l.uv);
	api_sim_open(&x->sim, &x->l.uv);
	x->sim.bookmark_ms = 60000;
	t_mkdir(x->dir);
	snprintf(x->path, sizeof(x->path), "%s/config", x->dir);
	api_sim_token(&x->sim, x->path, "token-one");
	api_sim_kubeconfig(&x->sim, x->path);
}

static void on_stopped(void *arg)
{
	((struct api_lab *)arg)->is_stopped = true;
}

void api_lab_start(struct api_lab *x)
{
	struct k8s_client_conf conf = { .kubeconfig = x->path, .user_agent = "test" };
	struct err err = { .code = ERR_OK };

	x->api = k8s_api_new(&x->l.uv, &conf, "rds.csi.srvlab.io", &err);
	cr_assert_not_null(x->api, "%s", err.msg);
	x->k = k8s_api_port(x->api);
	x->is_stopped = false;
	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		x->ears[i] = (struct api_lab_ear){ .lab = x, .l.changed = on_change };
		k8s_store_listen(&x->k->stores[i], &x->ears[i].l);
	}
	k8s_api_start(x->api, on_stopped, x);
}

void api_lab_stop(struct api_lab *x)
{
	k8s_api_stop(x->api);
	for (int i = 0; i < 1000 && !x->is_stopped; i++)
		api_lab_turn(x, 1);
	cr_assert(x->is_stopped);
	k8s_api_free(x->api);
	x->api = NULL;
	x->k = NULL;
}

void api_lab_close(struct api_lab *x)
{
	if (x->api)
		api_lab_stop(x);
	api_sim_close(&x->sim);
	t_rmdir(x->dir);
	t_loop_close(&x->l);
	cr_assert_eq(mem_live(), 0);
}

void api_lab_turn(struct api_lab *x, uint64_t ms)
{
	clock_advance(&x->l.uv, ms);
	for (int i = 0; i < 6; i++)
		(void)uv_run(&x->l.uv, UV_RUN_NOWAIT);
}

void api_lab_pass(struct api_lab *x, uint64_t ms)
{
	for (uint64_t at = 0; at < ms; at += 50)
		api_lab_turn(x, 50);
}

bool api_lab_settle(struct api_lab *x, uint64_t ms)
{
	for (uint64_t at = 0; at < ms; at += 10) {
		if (k8s_is_current(x->k))
			return true;
		api_lab_turn(x, 10);
	}
	return false;
}

bool api_lab_is_same(const struct api_lab *x)
{
	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		const struct k8s_store *s = &x->k->stores[i];
		const struct k8s_object *o = NULL;
		size_t pos = 0;

		if (s->objects.count != api_sim_count(&x->sim, kinds[i]))
			return false;
		while ((o = k8s_store_next(s, &pos, o)))
			if (!has_text(api_sim_find(&x->sim, kinds[i], NULL, o->name),
				      "resourceVersion", o->version))
				return false;
	}
	return true;
}
