#include "e2e/metrics/world.h"

#include <string.h>

#include "e2e/logs.h"

struct world w;

static void open_controller(void)
{
	unsigned n = 0;
	char path[E2E_PATH];

	w.ctl_port = scrape_free_port();
	w.node_port = scrape_free_port();
	snprintf(w.flags[0], sizeof(w.flags[0]), "--metrics-address=127.0.0.1:%u",
		 w.ctl_port);
	snprintf(w.flags[1], sizeof(w.flags[1]), "--kubeconfig=%s",
		 e2e_path(path, "kubeconfig"));
	w.ctl_args[n++] = "--kubernetes=on";
	w.ctl_args[n++] = w.flags[0];
	w.ctl_args[n++] = w.flags[1];
	w.ctl_args[n++] = "--enable-vmi-serialization";
	w.ctl_args[n++] = "--rds-sessions=2";
	w.ctl_args[n++] = "--rds-metrics-interval=1s";
	w.ctl = (struct driver){
		.name = "ctl", .sim = &w.sim, .is_controller = true, .args = w.ctl_args
	};
	driver_open(&w.ctl);
	api_sim_open(&w.api, &w.ctl.loop);
	w.api.bookmark_ms = 5000;
	api_sim_token(&w.api, path, LOGS_SECRET);
	api_sim_kubeconfig(&w.api, path);
	api_sim_put(&w.api, "namespaces",
		    "{\"metadata\":{\"name\":\"kube-system\",\"uid\":\"e2e\"}}");
	api_sim_node(&w.api, "node-a", true);
	api_sim_node(&w.api, "node-b", true);
	api_sim_node(&w.api, "node-c", true);
}

static void open_node(void)
{
	static char flag[64];

	snprintf(flag, sizeof(flag), "--metrics-address=127.0.0.1:%u", w.node_port);
	w.node_args[0] = flag;
	w.node = (struct driver){
		.name = "node", .sim = &w.sim, .is_node = true, .args = w.node_args
	};
	driver_open(&w.node);
}

static void va_name(char out[80], const struct vol *v, const char *node)
{
	snprintf(out, 80, "csi-%.40s-%s", v->id, node);
}

void world_put_va(const struct vol *v, const char *node, bool is_attached)
{
	char name[80], pv[80];

	va_name(name, v, node);
	snprintf(pv, sizeof(pv), "pv-%.60s", v->id);
	api_sim_va(&w.api, name, node, pv, is_attached);
}

void world_drop_va(const struct vol *v, const char *node)
{
	char name[80];

	va_name(name, v, node);
	api_sim_remove(&w.api, "volumeattachments", NULL, name);
}

/* So that the watch has told it before the next call comes. */
void world_settle(void)
{
	uint64_t end = e2e_now_ms() + 200;

	while (e2e_now_ms() < end)
		rpc_turn(&w.ctl, 20);
}

bool world_create(struct vol *v, const char *id, bool is_shared)
{
	char pv[80];

	vol_init(v, id);
	v->is_block = is_shared;
	v->mode = is_shared ? RWX : 0;
	if (!vol_must(&w.ctl, v, VOL_CREATE))
		return false;
	snprintf(pv, sizeof(pv), "pv-%.60s", id);
	api_sim_pv(&w.api, pv, id);
	world_settle();
	return true;
}

bool world_attach(struct vol *v, const char *node)
{
	world_put_va(v, node, false);
	world_settle();
	v->node = node;
	if (!vol_must(&w.ctl, v, VOL_PUBLISH))
		return false;
	world_put_va(v, node, true);
	world_settle();
	return true;
}

bool world_detach(struct vol *v, const char *node)
{
	v->node = node;
	if (!vol_must(&w.ctl, v, VOL_UNPUBLISH))
		return false;
	world_drop_va(v, node);
	world_settle();
	return true;
}

void world_begin(struct driver *d, struct vol *v, enum vol_step step)
{
	vol_start(d, v, step, &w.calls[w.n_calls++]);
}

/* Whatever their outcome. */
void world_end_calls(struct driver *d)
{
	for (unsigned i = 0; i < w.n_calls; i++) {
		(void)rpc_wait(d, &w.calls[i]);
		rpc_free(&w.calls[i]);
	}
	w.n_calls = 0;
}

void world_open(void)
{
	char path[E2E_PATH];

	w = (struct world){ .sim = { .pid = 0 } };
	(void)snprintf(w.sim.dir, sizeof(w.sim.dir), "%s", e2e_path(path, "box"));
	if (!sim_start(&w.sim))
		return;
	open_controller();
	open_node();
}

void world_close(void)
{
	driver_close(&w.node);
	if (w.ctl.pid > 0)
		driver_stop(&w.ctl);
	api_sim_close(&w.api);
	driver_close(&w.ctl);
	sim_stop(&w.sim);
}
