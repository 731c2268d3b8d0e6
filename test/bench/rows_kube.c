#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plane.h"
#include "bench/rows.h"
#include "bench/table.h"

static const char active[] = "rds_csi_nvme_connections_active";

/* Until the gauge says so; its delay in ms, < 0 after a minute. */
static double await_gauge(const struct plane *p, double want, uint64_t since)
{
	while (now_ns() - since < 60000000000u) {
		if (web_metric(p->kube.metrics_port, active) == want)
			return (double)(now_ns() - since) / 1e6;
		sleep_ms(1);
	}
	fprintf(stderr, "bench: %s is %g, %g expected\n", active,
		web_metric(p->kube.metrics_port, active), want);
	return -1;
}

static int await_leader(const struct plane *p)
{
	for (int i = 0; i < 6000; i++) {
		if (web_metric(p->kube.metrics_port, "rds_csi_leader") == 1)
			return 0;
		sleep_ms(10);
	}
	fprintf(stderr, "bench: no leader\n");
	return -1;
}

/* Until the controller tells as much or more of what it has seen of the API server. */
static int await_seen(const struct plane *p, const char *metric, double want)
{
	for (int i = 0; i < 6000; i++) {
		if (web_metric(p->kube.metrics_port, metric) >= want)
			return 0;
		sleep_ms(10);
	}
	fprintf(stderr, "bench: %s is not %g\n", metric, want);
	return -1;
}

enum { VOLUMES = 10000, NODES = 500, CHANGES = 50 };

/* Attachments come and go; how late the gauge follows each. */
static int seen_ms(struct plane *p, double *ms)
{
	if (await_gauge(p, VOLUMES, now_ns()) < 0)
		return -1;
	for (unsigned i = 0; i < CHANGES; i++) {
		uint64_t sent = i % 2 ? api_tell(&p->api, "vas %u 1 - 1", VOLUMES - i)
				      : api_tell(&p->api, "unvas %u 1", VOLUMES - 1 - i);

		if (sent == 0)
			return -1;
		ms[i] = await_gauge(p, i % 2 ? VOLUMES : VOLUMES - 1, sent);
		if (ms[i] < 0)
			return -1;
	}
	return 0;
}

static void add_size(struct plane *p, double *ms)
{
	long requests = api_stat(&p->api, "requests");
	struct child_mem m = child_mem(&p->d.child);
	double peak = child_peak_mib(&p->d.child), middle = median(ms, CHANGES);

	table_add("10,000 PVs and VAs, 500 nodes: start to ready", "", "<= 5 s",
		  p->ready_ms > 5000, "%.0f ms, %ld requests", p->ready_ms, requests);
	table_value("kube_10000_requests", (double)requests);
	table_value("kube_10000_ready_ms", p->ready_ms);
	table_add("the same: RSS / anonymous, most ever", "", "<= 32 MiB", peak > 32,
		  "%.1f / %.1f, %.1f MiB", m.rss_mib, m.anon_mib, peak);
	table_value("kube_10000_rss_mib", m.rss_mib);
	table_value("kube_10000_peak_mib", peak);
	table_add("the same: a change is seen after, of 50", "", "<= 100 ms",
		  ms[CHANGES - 1] > 100, "median %.1f, longest %.1f ms", middle,
		  ms[CHANGES - 1]);
	table_value("kube_10000_seen_ms", middle);
	table_value("kube_10000_seen_longest_ms", ms[CHANGES - 1]);
}

int rows_kube_size(const struct bench *b)
{
	double ms[CHANGES];
	struct plane p;
	int rc = plane_open(b, &p, "kube-size", BENCH_LATENCY_MS);

	if (rc == 0 && (api_tell(&p.api, "nodes %u", NODES) == 0 ||
			api_tell(&p.api, "pvs 0 %u", VOLUMES) == 0 ||
			api_tell(&p.api, "vas 0 %u - 1", VOLUMES) == 0 ||
			api_tell(&p.api, "expire") == 0))
		rc = -1;
	if (rc == 0)
		rc = plane_run(b, &p);
	if (rc == 0)
		rc = seen_ms(&p, ms);
	if (rc == 0)
		add_size(&p, ms);
	plane_close(&p);
	return rc;
}

/* Volumes first … on the box, their objects, and a controller that has seen them. */
static int make_volumes(const struct bench *b, struct plane *p, size_t first, size_t n)
{
	unsigned from = (unsigned)first, count = (unsigned)n;

	if (api_tell(&p->api, "nodes 2") == 0 || plane_run(b, p) != 0 ||
	    await_leader(p) != 0 ||
	    driver_run(&p->d, RPC_CREATE, first, n, 64, NULL) < 0 ||
	    api_tell(&p->api, "pvs %u %u", from, count) == 0 ||
	    api_tell(&p->api, "vas %u %u node-a 0", from, count) == 0 ||
	    await_seen(p, "rds_csi_watch_objects{kind=\"persistentvolumes\"}",
		       (double)n) != 0 ||
	    await_seen(p, "rds_csi_watch_objects{kind=\"volumeattachments\"}",
		       (double)n) != 0)
		return -1;
	return 0;
}

/* The kubelet mounts them, and lets them go: only then is an Unpublish clean. */
static int use_and_let_go(struct plane *p, size_t first, size_t n)
{
	static const char events[] = "rds_csi_watch_events_total{kind=\"nodes\"}";
	unsigned from = (unsigned)first, count = (unsigned)n;
	double had = web_metric(p->kube.metrics_port, events);

	if (had < 0 || api_tell(&p->api, "use %u %u", from, count) == 0 ||
	    await_seen(p, events, had + 1) != 0 || api_tell(&p->api, "use 0 0") == 0 ||
	    await_seen(p, events, had + 2) != 0)
		return -1;
	return 0;
}

struct cost {
	double ms, execs, requests;
};

/* A look of the background's at the box may fall among the calls, 0.04 of each.
 * While the API server stands still: what is on the way of a call would never end. What
 * is asked of it afterwards, the Lease excepted, is counted when it goes on. */
static int life_step(struct plane *p, enum driver_rpc rpc, size_t n, struct cost *ret)
{
	double ms[64];
	long others = api_stat(&p->api, "others");
	long execs = box_stat(&p->box, "execs");
	int rc;

	(void)kill(p->api.child.pid, SIGSTOP);
	rc = driver_run(&p->d, rpc, 1, n, 1, ms) < 0 ? -1 : 0;
	execs = box_stat(&p->box, "execs") - execs;
	(void)kill(p->api.child.pid, SIGCONT);
	if (rc != 0)
		return -1;
	sleep_ms(5000);
	others = api_stat(&p->api, "others") - others;
	*ret = (struct cost){ median(ms, n), (double)execs / (double)n,
			      (double)others / (double)n };
	return 0;
}

int rows_kube_life(const struct bench *b)
{
	enum { N = 25 };
	static const struct {
		enum driver_rpc rpc;
		const char *what, *ms, *execs;
	} step[] = {
		{ RPC_PUBLISH, "Publish, API server stopped meanwhile", "kube_publish_ms",
		  "kube_publish_execs" },
		{ RPC_UNPUBLISH, "clean Unpublish, the same", "kube_unpublish_ms",
		  "kube_unpublish_execs" },
	};
	struct plane p;
	int rc = plane_open(b, &p, "kube-life", BENCH_LATENCY_MS);

	if (rc == 0)
		rc = make_volumes(b, &p, 1, N);
	for (size_t i = 0; rc == 0 && i < 2; i++) {
		struct cost c;

		if (i == 1)
			rc = use_and_let_go(&p, 1, N);
		if (rc == 0)
			rc = life_step(&p, step[i].rpc, N, &c);
		if (rc != 0)
			break;
		table_add(step[i].what, "400 ms, two API calls", "1 exec, no API call",
			  c.execs > 1.1, "%.1f ms, %.2g exec, later %.2g requests", c.ms,
			  c.execs, c.requests);
		table_value(step[i].ms, c.ms);
		table_value(step[i].execs, c.execs);
	}
	plane_close(&p);
	return rc;
}

int rows_kube_burst(const struct bench *b)
{
	enum { N = 1000 };
	struct child_mem m;
	struct plane p;
	double wall = 0, cpu_ms;
	uint64_t cpu = 0;
	long execs = 0;
	int rc = plane_open(b, &p, "kube-burst", 0);

	if (rc == 0)
		rc = make_volumes(b, &p, 0, N);
	if (rc == 0)
		rc = box_post(&p.box, "/fault?latency-ms=50");
	if (rc == 0) {
		execs = box_stat(&p.box, "execs");
		cpu = child_cpu_ns(&p.d.child);
		wall = driver_run(&p.d, RPC_PUBLISH, 0, N, N, NULL);
	}
	execs = box_stat(&p.box, "execs") - execs;
	cpu_ms = (double)(child_cpu_ns(&p.d.child) - cpu) / 1e6;
	if (rc == 0 && (wall < 0 || await_gauge(&p, N, now_ns()) < 0))
		rc = -1;
	m = child_mem(&p.d.child);
	plane_close(&p);
	if (rc != 0)
		return -1;
	table_add("1,000 attaches of 1,000 volumes at once", "", "<= 5 s", wall > 5000,
		  "%.0f ms, %ld execs, %.0f ms CPU", wall, execs, cpu_ms);
	table_value("kube_burst_1000_ms", wall);
	table_value("kube_burst_1000_execs", (double)execs);
	table_value("kube_burst_1000_cpu_ms", cpu_ms);
	table_value("kube_burst_1000_rss_mib", m.rss_mib);
	return 0;
}

/* What one minute costs, in which the Lease is renewed. */
int rows_kube_idle(const struct bench *b)
{
	enum { N = 1000 };
	long others = 0, lease = 0, watches = 0;
	struct plane p;
	double cpu_ms = 0, per_minute = 60.0 / (3 * b->idle_s);
	int rc = plane_open(b, &p, "kube-idle", 0);

	if (rc == 0 &&
	    (api_tell(&p.api, "nodes 50") == 0 || api_tell(&p.api, "pvs 0 %u", N) == 0 ||
	     api_tell(&p.api, "vas 0 %u - 1", N) == 0 || api_tell(&p.api, "expire") == 0))
		rc = -1;
	if (rc == 0)
		rc = plane_run(b, &p);
	if (rc == 0)
		rc = await_leader(&p);
	if (rc == 0) {
		uint64_t cpu;

		sleep_ms(3000);
		watches = api_stat(&p.api, "watches");
		others = api_stat(&p.api, "others");
		lease = api_stat(&p.api, "lease");
		cpu = child_cpu_ns(&p.d.child);
		sleep_ms(3 * b->idle_s * 1000);
		cpu_ms = (double)(child_cpu_ns(&p.d.child) - cpu) / 1e6 * per_minute;
		others = api_stat(&p.api, "others") - others;
		lease = api_stat(&p.api, "lease") - lease;
	}
	plane_close(&p);
	if (rc != 0)
		return -1;
	table_add("idle with Kubernetes, CPU per minute", "", "<= 5 ms", cpu_ms > 5,
		  "%.2f ms", cpu_ms);
	table_value("kube_idle_cpu_ms_per_minute", cpu_ms);
	table_add("the same: watches; requests beside the Lease's", "",
		  "one watch per kind, 0", watches != 4 || others != 0,
		  "%ld; %ld beside %ld", watches, others, lease);
	table_value("kube_idle_requests", (double)others);
	table_value("kube_idle_lease_requests", (double)lease);
	return 0;
}
