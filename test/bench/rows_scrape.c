#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/plane.h"
#include "bench/table.h"

enum { VOLUMES = 1000, PAGE = 256 * 1024 };

static char page[PAGE];

/* n pages, one after the other; ms gets the time of each when not NULL. 0 or -1. */
static int pages(const struct plane *p, size_t n, double *ms)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t start = now_ns();
		int status = web_get(p->kube.metrics_port, "/metrics", page, PAGE);

		if (ms != NULL)
			ms[i] = (double)(now_ns() - start) / 1e6;
		if (status != 200) {
			fprintf(stderr, "bench: a scrape: status %d\n", status);
			return -1;
		}
	}
	return 0;
}

static int fill(struct plane *p)
{
	return api_tell(&p->api, "nodes 100") == 0 ||
			       api_tell(&p->api, "pvs 0 %u", VOLUMES) == 0 ||
			       api_tell(&p->api, "vas 0 %u - 1", VOLUMES) == 0
		       ? -1
		       : 0;
}

static void keep_least(struct child_mem *least, struct child_mem m)
{
	if (m.rss_mib < least->rss_mib)
		least->rss_mib = m.rss_mib;
	if (m.anon_mib < least->anon_mib)
		least->anon_mib = m.anon_mib;
}

/* What the process has more for the metrics: the same controller without their server,
 * each started n times in turn, the least of each. In KiB, though the fields say MiB. */
static int cost_kib(const struct bench *b, struct plane *p, struct child_mem *ret)
{
	enum { N = 5 };
	unsigned port = p->kube.metrics_port;
	struct child_mem least[2] = { { 1e9, 1e9 }, { 1e9, 1e9 } };
	int rc = 0;

	for (int i = 0; rc == 0 && i < 2 * N; i++) {
		p->kube.metrics_port = i % 2 ? port : 0;
		rc = driver_start_kube(&p->d, b->csi, &p->box, &p->kube, b->dir);
		sleep_ms(1500); /* the lists, and the box */
		if (rc == 0 && i % 2)
			rc = pages(p, 20, NULL);
		keep_least(&least[i % 2], child_mem(&p->d.child));
		driver_stop(&p->d);
	}
	p->kube.metrics_port = port;
	*ret = (struct child_mem){ (least[1].rss_mib - least[0].rss_mib) * 1024,
				   (least[1].anon_mib - least[0].anon_mib) * 1024 };
	return rc;
}

/* By the history: as many pages again and again must not cost more memory. */
static int growth_kib(struct plane *p, double *ret)
{
	double before;

	if (pages(p, 200, NULL) != 0)
		return -1;
	before = child_mem(&p->d.child).rss_mib;
	if (pages(p, 10000, NULL) != 0)
		return -1;
	*ret = (child_mem(&p->d.child).rss_mib - before) * 1024;
	return 0;
}

int rows_scrape(const struct bench *b)
{
	enum { N = 1000 };
	static double ms[N];
	double cpu_ms = 0, grown = 0, wall = 0;
	struct child_mem cost;
	struct plane p;
	uint64_t cpu;
	int rc = plane_open(b, &p, "scrape", 0);

	if (rc == 0)
		rc = fill(&p);
	if (rc == 0)
		rc = plane_run(b, &p);
	if (rc == 0 && web_metric(p.kube.metrics_port,
				  "rds_csi_nvme_connections_active") != VOLUMES) {
		fprintf(stderr, "bench: the volumes are not all counted\n");
		rc = -1;
	}
	cpu = child_cpu_ns(&p.d.child);
	if (rc == 0)
		rc = pages(&p, N, ms);
	cpu_ms = (double)(child_cpu_ns(&p.d.child) - cpu) / 1e6 / N;
	if (rc == 0)
		rc = growth_kib(&p, &grown);
	driver_stop(&p.d);
	if (rc == 0)
		rc = cost_kib(b, &p, &cost);
	plane_close(&p);
	if (rc != 0)
		return -1;
	wall = median(ms, N);
	table_add("a scrape with 1,000 volumes", "", "<= 2 ms", wall > 2 || cpu_ms > 2,
		  "%.2f ms, %.2f ms CPU, %zu bytes", wall, cpu_ms, strlen(page));
	table_value("scrape_1000_ms", wall);
	table_value("scrape_1000_cpu_ms", cpu_ms);
	table_add("10,000 scrapes: RSS more than after 200", "", "<= 16 KiB", grown > 16,
		  "%.0f KiB", grown);
	table_value("scrape_growth_kib", grown);
	table_add("RSS / anonymous more than without them", "", "<= 256 KiB",
		  cost.rss_mib > 256, "%.0f / %.0f KiB", cost.rss_mib, cost.anon_mib);
	table_value("scrape_cost_rss_kib", cost.rss_mib);
	table_value("scrape_cost_anon_kib", cost.anon_mib);
	return 0;
}

/* Calls that wait for a box that never answers, from a process of their own. */
static pid_t call_in_vain(const struct plane *p)
{
	pid_t pid = fork();
	struct driver d = p->d;

	if (pid != 0)
		return pid;
	(void)close(STDERR_FILENO); /* that they fail is no news */
	d.h2 = h2_open(d.socket);
	if (d.h2 != NULL)
		(void)driver_run(&d, RPC_CREATE, 0, 16, 16, NULL);
	_exit(0);
}

enum { SECONDS = 30, A_SECOND = 100, SCRAPES = SECONDS * A_SECOND };

struct seen {
	double page_ms[SCRAPES], rpc_ms[SCRAPES];
};

static int ask_all(struct plane *p, struct seen *s)
{
	uint64_t begun = now_ns();

	for (unsigned i = 0; i < SCRAPES; i++) {
		uint64_t due = begun + (uint64_t)i * (1000000000u / A_SECOND);
		uint64_t now = now_ns();

		if (now < due)
			sleep_ms((unsigned)((due - now) / 1000000));
		if (pages(p, 1, &s->page_ms[i]) != 0 ||
		    driver_run(&p->d, RPC_PROBE, 0, 1, 1, &s->rpc_ms[i]) < 0)
			return -1;
	}
	return 0;
}

static double p99(double *ms)
{
	(void)median(ms, SCRAPES);
	return ms[SCRAPES * 99 / 100];
}

int rows_scrape_hang(const struct bench *b)
{
	static struct seen quiet, s;
	double in_flight = -1, before;
	struct plane p;
	pid_t caller = 0;
	int rc = plane_open(b, &p, "scrape-hang", 0);

	if (rc == 0)
		rc = fill(&p);
	if (rc == 0)
		rc = plane_run(b, &p);
	for (unsigned i = 0; rc == 0 && i < SCRAPES; i++)
		rc = driver_run(&p.d, RPC_PROBE, 0, 1, 1, &quiet.rpc_ms[i]) < 0 ? -1 : 0;
	if (rc == 0)
		rc = box_post(&p.box, "/fault?hang=100000");
	if (rc == 0) {
		(void)kill(p.api.child.pid, SIGSTOP);
		caller = call_in_vain(&p);
		sleep_ms(500);
		in_flight = web_metric(p.kube.metrics_port, "rds_csi_rpcs_in_flight");
		rc = ask_all(&p, &s);
		(void)kill(caller, SIGKILL);
		(void)waitpid(caller, NULL, 0);
		(void)kill(p.api.child.pid, SIGCONT);
	}
	plane_close(&p);
	if (rc != 0)
		return -1;
	before = p99(quiet.rpc_ms);
	(void)p99(s.page_ms);
	(void)p99(s.rpc_ms);
	table_add("100 scrapes a second, box and API server hang", "", "p99 < 10 ms",
		  p99(s.page_ms) >= 10, "median %.2f, p99 %.2f, most %.2f ms, of %d",
		  s.page_ms[SCRAPES / 2], p99(s.page_ms), s.page_ms[SCRAPES - 1],
		  SCRAPES);
	table_value("scrape_hang_p99_ms", p99(s.page_ms));
	table_add("the same: Probes meanwhile (all alone before)", "", "p99 < 10 ms",
		  p99(s.rpc_ms) >= 10, "median %.2f, p99 %.2f (%.2f), %.0f calls wait",
		  s.rpc_ms[SCRAPES / 2], p99(s.rpc_ms), before, in_flight);
	table_value("scrape_hang_probe_p99_ms", p99(s.rpc_ms));
	return 0;
}
