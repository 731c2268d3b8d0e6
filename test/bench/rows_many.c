#include <stdio.h>
#include <stdlib.h>

#include "bench/rows.h"
#include "bench/table.h"

static int list_times(struct driver *d, size_t want, size_t n, double *wall_ms)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t start = now_ns();
		long got = driver_list(d);

		wall_ms[i] = (double)(now_ns() - start) / 1e6;
		if (got != (long)want) {
			fprintf(stderr, "bench: ListVolumes: %ld volumes, %zu expected\n",
				got, want);
			return -1;
		}
	}
	return 0;
}

int rows_list(const struct bench *b)
{
	enum { VOLUMES = 1000, N = 10 };
	double wall_ms[N], wall, cpu_ms, execs;
	struct child_mem m;
	struct driver d;
	struct box box;
	uint64_t cpu;
	long before;
	int rc;

	if (bench_box(b, &box, "list", 0) != 0)
		return -1;
	rc = driver_start(&d, b->csi, DRIVER_CONTROLLER, &box, b->dir);
	if (rc == 0 && driver_run(&d, RPC_CREATE, 0, VOLUMES, 64, NULL) < 0)
		rc = -1;
	/* A driver that has not seen the box being filled, as after its own restart. */
	driver_stop(&d);
	if (rc == 0)
		rc = driver_start(&d, b->csi, DRIVER_CONTROLLER, &box, b->dir);
	if (rc == 0)
		rc = driver_run(&d, RPC_CAPACITY, 0, 1, 1, NULL) < 0 ? -1 : 0;
	(void)box_post(&box, "/fault?latency-ms=50");
	before = box_stat(&box, "execs");
	cpu = child_cpu_ns(&d.child);
	if (rc == 0)
		rc = list_times(&d, VOLUMES, N, wall_ms);
	cpu_ms = (double)(child_cpu_ns(&d.child) - cpu) / 1e6 / N;
	execs = (double)(box_stat(&box, "execs") - before) / N;
	m = child_mem(&d.child);
	driver_stop(&d);
	box_stop(&box);
	if (rc != 0)
		return -1;
	wall = median(wall_ms, N);
	table_add("ListVolumes of 1,000 (box of 50 ms)", "130 ms, 73 ms CPU",
		  "1 exec, <= 7 ms CPU", execs > 1 || cpu_ms > 7,
		  "%.0f ms, %.1f ms CPU, %.2g exec", wall, cpu_ms, execs);
	table_value("list_1000_ms", wall);
	table_value("list_1000_cpu_ms", cpu_ms);
	table_value("list_1000_execs", execs);
	table_add("RSS / anonymous after ten of them", "45.7 MiB", "<= 11 MiB",
		  m.rss_mib > 11, "%.2f / %.2f MiB", m.rss_mib, m.anon_mib);
	table_value("list_1000_rss_mib", m.rss_mib);
	return 0;
}

enum { STEPS = 4 };

/* Creates, publishes, unpublishes and deletes one volume after the other; the median of
 * each. */
static int life_ms(struct driver *d, size_t first, double ret_ms[STEPS])
{
	enum { N = 50 };
	static const enum driver_rpc step[STEPS] = { RPC_CREATE, RPC_PUBLISH,
						     RPC_UNPUBLISH, RPC_DELETE };
	double ms[N];

	for (size_t i = 0; i < STEPS; i++) {
		if (driver_run(d, step[i], first, N, 1, ms) < 0)
			return -1;
		ret_ms[i] = median(ms, N);
	}
	return 0;
}

static void add_many(const double *few, const double *many, double list_ms)
{
	double life = few[1] + few[2], life_many = many[1] + many[2];

	table_add("10,000 disks or none: publish + unpublish", "", "no slower",
		  life_many > 1.5 * life, "%.1f / %.1f ms, box at 0 ms", life_many, life);
	table_add("the same: create (looks at every NQN)", "", "", false,
		  "%.1f / %.1f ms, box at 0 ms", many[0], few[0]);
	table_add("the same: delete (looks at every path)", "", "", false,
		  "%.1f / %.1f ms, box at 0 ms", many[3], few[3]);
	table_add("ListVolumes of 10,000, box at 0 ms", "", "", false, "%.0f ms",
		  list_ms);
	table_value("life_few_ms", life);
	table_value("life_10000_ms", life_many);
	table_value("delete_few_ms", few[3]);
	table_value("delete_10000_ms", many[3]);
	table_value("list_10000_ms", list_ms);
}

int rows_many(const struct bench *b)
{
	enum { DISKS = 10000, STEP = 1000, N = 3 };
	double few[STEPS], many[STEPS], list_ms[N];
	struct driver d;
	struct box box;
	int rc;

	if (bench_box(b, &box, "many", 0) != 0)
		return -1;
	rc = driver_start(&d, b->csi, DRIVER_CONTROLLER, &box, b->dir);
	if (rc == 0)
		rc = life_ms(&d, 100000, few);
	for (size_t i = 0; rc == 0 && i < DISKS; i += STEP)
		rc = driver_run(&d, RPC_CREATE, i, STEP, 64, NULL) < 0 ? -1 : 0;
	if (rc == 0)
		rc = life_ms(&d, 100000, many);
	if (rc == 0)
		rc = list_times(&d, DISKS, N, list_ms);
	driver_stop(&d);
	box_stop(&box);
	if (rc == 0)
		add_many(few, many, median(list_ms, N));
	return rc;
}
