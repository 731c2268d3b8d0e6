#include "bench/plane.h"

#include <stdio.h>
#include <string.h>

int plane_open(const struct bench *b, struct plane *p, const char *name,
	       unsigned latency_ms)
{
	char dir[256], file[32];

	memset(p, 0, sizeof(*p));
	p->api.fd = -1;
	(void)snprintf(file, sizeof(file), "%s-api", name);
	(void)snprintf(dir, sizeof(dir), "%s/%s", b->dir, file);
	if (bench_box(b, &p->box, name, latency_ms) != 0)
		return -1;
	if (api_start(&p->api, b->api, dir) != 0)
		return -1;
	p->kube.metrics_port = web_free_port();
	(void)snprintf(p->kube.kubeconfig, sizeof(p->kube.kubeconfig), "%s/kubeconfig",
		       dir);
	return 0;
}

int plane_run(const struct bench *b, struct plane *p)
{
	char reply[4096];
	uint64_t start = now_ns();

	if (driver_start_kube(&p->d, b->csi, &p->box, &p->kube, b->dir) != 0)
		return -1;
	while (now_ns() - start < 60000000000u) {
		if (web_get(p->kube.metrics_port, "/readyz", reply, sizeof(reply)) ==
		    200) {
			p->ready_ms = (double)(now_ns() - start) / 1e6;
			return 0;
		}
		sleep_ms(5);
	}
	fprintf(stderr, "bench: not ready in a minute: %s\n", reply);
	return -1;
}

void plane_close(struct plane *p)
{
	driver_stop(&p->d);
	api_stop(&p->api);
	box_stop(&p->box);
}
