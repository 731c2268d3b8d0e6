#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/rows.h"
#include "bench/table.h"

/* A trivial script: what one exec costs, whoever sends it. */
static const char one_exec[] = ":put 1";

static double exec_ms(struct box *box, size_t n)
{
	double *ms = calloc(n, sizeof(*ms)), m;

	if (ms == NULL)
		abort();
	(void)box_exec(box, one_exec, NULL, 0);
	for (size_t i = 0; i < n; i++)
		ms[i] = (double)box_exec(box, one_exec, NULL, 0) / 1e6;
	m = median(ms, n);
	free(ms);
	return m;
}

/* The driver, warm: one session is up, the features of the box are known. */
static int start_both(const struct bench *b, const char *name, unsigned latency_ms,
		      struct box *box, struct driver *d)
{
	if (bench_box(b, box, name, latency_ms) == 0 &&
	    driver_start(d, b->csi, DRIVER_CONTROLLER, box, b->dir) == 0) {
		if (driver_run(d, RPC_CREATE, 0xffff0000, 1, 1, NULL) >= 0 &&
		    driver_run(d, RPC_DELETE, 0xffff0000, 1, 1, NULL) >= 0)
			return 0;
		driver_stop(d);
	}
	box_stop(box);
	return -1;
}

static void stop_both(struct box *box, struct driver *d)
{
	driver_stop(d);
	box_stop(box);
}

int rows_probe(const struct bench *b)
{
	enum { N = 20000, TIMES = 5 };
	double cpu_ms[TIMES];
	struct driver d;
	struct box box;
	double ms;

	if (start_both(b, "probe", 0, &box, &d) != 0)
		return -1;
	(void)driver_run(&d, RPC_PROBE, 0, 1000, 64, NULL);
	for (int i = 0; i < TIMES; i++) {
		uint64_t cpu = child_cpu_ns(&d.child);

		if (driver_run(&d, RPC_PROBE, 0, N, 64, NULL) < 0) {
			stop_both(&box, &d);
			return -1;
		}
		cpu_ms[i] = (double)(child_cpu_ns(&d.child) - cpu) / 1e6 / (N / 1000);
	}
	stop_both(&box, &d);
	ms = median(cpu_ms, TIMES);
	table_add("CPU per 1,000 Probes, 64 in flight", "19.6 ms", "<= 3 ms", ms > 3,
		  "%.2f ms", ms);
	table_value("probe_cpu_ms_per_1000", ms);
	return 0;
}

int rows_life(const struct bench *b)
{
	enum { N = 25 };
	static const struct {
		enum driver_rpc rpc;
		const char *what, *go, *name;
	} step[] = {
		{ RPC_CREATE, "CreateVolume, new, session warm", "156 ms, 3 execs",
		  "create_ms" },
		{ RPC_PUBLISH, "Publish, record known", "400 ms with Kubernetes",
		  "publish_ms" },
		{ RPC_UNPUBLISH, "Unpublish, clean, record known",
		  "400 ms with Kubernetes", "unpublish_ms" },
		{ RPC_DELETE, "DeleteVolume, record known", "208 ms, 4 execs",
		  "delete_ms" },
	};
	double ms[N], exec, took;
	struct driver d;
	struct box box;
	int rc = 0;

	if (start_both(b, "life", BENCH_LATENCY_MS, &box, &d) != 0)
		return -1;
	exec = exec_ms(&box, N);
	table_add("one exec, box of 50 ms", "", "", false, "%.1f ms", exec);
	table_value("one_exec_ms", exec);
	for (size_t i = 0; rc == 0 && i < sizeof(step) / sizeof(step[0]); i++) {
		long execs = box_stat(&box, "execs");
		double per;

		if (driver_run(&d, step[i].rpc, 1, N, 1, ms) < 0) {
			rc = -1;
			break;
		}
		per = (double)(box_stat(&box, "execs") - execs) / N;
		took = median(ms, N);
		table_add(step[i].what, step[i].go, "1 exec, <= 1.1 x one exec",
			  per > 1 || took > 1.1 * exec, "%.1f ms, %.2f x, %.2g exec",
			  took, took / exec, per);
		table_value(step[i].name, took);
	}
	stop_both(&box, &d);
	return rc;
}

int rows_burst(const struct bench *b)
{
	enum { N = 100, TIMES = 5 };
	double wall[TIMES], w, execs = 0;
	long channels, running, connections;
	struct driver d;
	struct box box;
	int rc = 0;

	if (start_both(b, "burst", BENCH_LATENCY_MS, &box, &d) != 0)
		return -1;
	(void)box_post(&box, "/peaks");
	for (int i = 0; rc == 0 && i < TIMES; i++) {
		long before = box_stat(&box, "execs");

		wall[i] = driver_run(&d, RPC_CREATE, (size_t)i * 1000, N, N, NULL);
		execs += (double)(box_stat(&box, "execs") - before) / TIMES;
		if (wall[i] < 0)
			rc = -1;
	}
	connections = box_stat(&box, "connections");
	channels = box_stat(&box, "channels_peak");
	running = box_stat(&box, "execs_peak");
	stop_both(&box, &d);
	if (rc != 0)
		return -1;
	w = wall[0]; /* cold: the further sessions are made in it */
	table_value("burst_100_cold_ms", w);
	table_add("100 CreateVolume at once, one session warm", "200 ms", "<= 300 ms",
		  w > 300, "%.0f ms", w);
	w = median(wall, TIMES);
	table_add("the same, median of 5 in a row", "", "<= 300 ms", w > 300,
		  "%.0f ms, %.1f execs", w, execs);
	table_value("burst_100_ms", w);
	table_add("the same: channels, commands at once", "101, 100",
		  "<= 4 connections, 1 each",
		  connections > 4 || channels > 4 || running > 4,
		  "%ld, %ld on %ld connections", channels, running, connections);
	table_value("burst_100_channels_peak", (double)channels);
	table_value("burst_100_execs_peak", (double)running);
	return 0;
}

/* The box's part is one exec and the CPU that its interpreter burns beyond the trivial
 * script's; the rest of a create's wall time is the driver's. */
int rows_own(const struct bench *b)
{
	enum { N = 200 };
	double ms[N], exec, wall, cpu_ms, box_ms;
	uint64_t cpu, box_cpu, box_trivial;
	struct driver d;
	struct box box;
	long log;

	if (start_both(b, "own", 0, &box, &d) != 0)
		return -1;
	(void)exec_ms(&box, 50);
	box_trivial = child_cpu_ns(&box.child);
	exec = exec_ms(&box, N - 1);
	box_trivial = child_cpu_ns(&box.child) - box_trivial;
	log = driver_log_bytes(&d);
	cpu = child_cpu_ns(&d.child);
	box_cpu = child_cpu_ns(&box.child);
	if (driver_run(&d, RPC_CREATE, 1, N, 1, ms) < 0) {
		stop_both(&box, &d);
		return -1;
	}
	cpu_ms = (double)(child_cpu_ns(&d.child) - cpu) / 1e6 / N;
	box_ms = ((double)(child_cpu_ns(&box.child) - box_cpu) - (double)box_trivial) /
		 1e6 / N;
	log = driver_log_bytes(&d) - log;
	stop_both(&box, &d);
	wall = median(ms, N);
	table_add("driver's own time of a create, box at 0 ms", "1.4 ms", "<= 0.4 ms",
		  wall - exec - box_ms > 0.4, "%.2f ms (%.2f - exec %.2f - box %.2f)",
		  wall - exec - box_ms, wall, exec, box_ms);
	table_value("create_own_ms", wall - exec - box_ms);
	table_value("create_0ms_wall_ms", wall);
	table_value("exec_0ms_ms", exec);
	table_add("driver's CPU of a create", "", "", false, "%.2f ms", cpu_ms);
	table_value("create_cpu_ms", cpu_ms);
	table_add("log bytes per RPC, default level", "", "<= 400", log / N > 400, "%ld",
		  log / N);
	table_value("log_bytes_per_rpc", (double)log / N);
	return 0;
}
