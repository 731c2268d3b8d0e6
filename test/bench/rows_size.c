#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/rows.h"
#include "bench/table.h"

int bench_box(const struct bench *b, struct box *box, const char *name,
	      unsigned latency_ms)
{
	char dir[240];

	(void)snprintf(dir, sizeof(dir), "%s/%s", b->dir, name);
	(void)mkdir(dir, 0700);
	return box_start(box, b->sim, dir, latency_ms);
}

/* The median of n starts; < 0 when one failed. */
static double start_ms(const struct bench *b, enum driver_role role,
		       const struct box *box)
{
	enum { N = 21 };
	double ms[N];

	for (int i = 0; i < N; i++) {
		struct driver d;

		if (driver_start(&d, b->csi, role, box, b->dir) != 0)
			return -1;
		ms[i] = d.ready_ms;
		driver_stop(&d);
	}
	return median(ms, N);
}

int rows_start(const struct bench *b)
{
	static const struct {
		const char *what, *name;
		enum driver_role role;
		bool is_up;
	} row[] = {
		{ "start to first ready Probe, controller", "start_controller_ms",
		  DRIVER_CONTROLLER, true },
		{ "the same, the box is down", "start_box_down_ms", DRIVER_CONTROLLER,
		  false },
		{ "the same, node only", "start_node_ms", DRIVER_NODE, true },
	};
	struct box box;
	int rc = bench_box(b, &box, "start", BENCH_LATENCY_MS);

	for (size_t i = 0; rc == 0 && i < sizeof(row) / sizeof(row[0]); i++) {
		double ms;

		if (!row[i].is_up)
			box_stop(&box);
		ms = start_ms(b, row[i].role, &box);
		if (ms < 0) {
			rc = -1;
			break;
		}
		table_add(row[i].what, i == 0 ? "22 ms" : "", "<= 10 ms", ms > 10,
			  "%.1f ms", ms);
		table_value(row[i].name, ms);
	}
	box_stop(&box);
	return rc;
}

static int floor_mem(const struct bench *b, const struct box *box, struct child_mem *ret)
{
	char out[300], key[320], port[16], word[16] = "";
	const char *ssh[] = { b->floor, "--ssh", "127.0.0.1", port, key, NULL };
	const char *plain[] = { b->floor, "--plain", NULL };
	struct child c;

	(void)snprintf(out, sizeof(out), "%s/floor.out", b->dir);
	if (box != NULL) {
		(void)snprintf(key, sizeof(key), "%s/client_key", box->dir);
		(void)snprintf(port, sizeof(port), "%u", box->ssh_port);
	}
	child_start(&c, box != NULL ? ssh : plain, out, "/dev/stderr");
	for (int i = 0; i < 500 && strcmp(word, "ready") != 0; i++) {
		FILE *f = fopen(out, "re");

		if (f != NULL && fscanf(f, "%15s", word) != 1)
			word[0] = '\0';
		if (f != NULL)
			(void)fclose(f);
		sleep_ms(10);
	}
	*ret = child_mem(&c);
	(void)child_stop(&c);
	if (strcmp(word, "ready") == 0)
		return 0;
	fprintf(stderr, "bench: the floor program did not get ready\n");
	return -1;
}

static void add_mem(const char *what, struct child_mem m, struct child_mem floor,
		    bool is_controller)
{
	bool is_over = is_controller ? m.rss_mib > floor.rss_mib + 1.2 ||
					       m.anon_mib > floor.anon_mib + 0.5
				     : m.rss_mib > 5 || m.anon_mib > 1;
	table_add(what, is_controller ? "33.0 / 6.8 MiB" : "32.3 / 6.8 MiB",
		  is_controller ? "floor + 1.2 / + 0.5 MiB" : "<= 5 / 1 MiB", is_over,
		  "%.2f / %.2f, floor %.2f / %.2f MiB", m.rss_mib, m.anon_mib,
		  floor.rss_mib, floor.anon_mib);
}

static int size_of(const struct bench *b, enum driver_role role, const struct box *box)
{
	bool is_controller = role == DRIVER_CONTROLLER;
	struct child_mem m, floor;
	struct driver d;

	if (floor_mem(b, is_controller ? box : NULL, &floor) != 0 ||
	    driver_start(&d, b->csi, role, box, b->dir) != 0)
		return -1;
	/* A controller is idle once it has had to do with its box. */
	if (is_controller && driver_run(&d, RPC_CAPACITY, 0, 1, 1, NULL) < 0) {
		driver_stop(&d);
		return -1;
	}
	sleep_ms(500);
	m = child_mem(&d.child);
	driver_stop(&d);
	add_mem(is_controller ? "RSS / anonymous, idle, controller"
			      : "RSS / anonymous, idle, node only",
		m, floor, is_controller);
	table_value(is_controller ? "rss_controller_mib" : "rss_node_mib", m.rss_mib);
	table_value(is_controller ? "anon_controller_mib" : "anon_node_mib", m.anon_mib);
	table_value(is_controller ? "rss_floor_ssh_mib" : "rss_floor_plain_mib",
		    floor.rss_mib);
	table_value(is_controller ? "anon_floor_ssh_mib" : "anon_floor_plain_mib",
		    floor.anon_mib);
	return 0;
}

int rows_size(const struct bench *b)
{
	struct box box;
	int rc = bench_box(b, &box, "size", 0);

	if (rc == 0 && size_of(b, DRIVER_CONTROLLER, &box) != 0)
		rc = -1;
	if (rc == 0 && size_of(b, DRIVER_NODE, &box) != 0)
		rc = -1;
	box_stop(&box);
	return rc;
}

int rows_idle(const struct bench *b)
{
	unsigned n_threads, n_ran;
	uint64_t cpu, wakes;
	struct driver d;
	struct box box;
	double per_minute_ms;

	if (bench_box(b, &box, "idle", 0) != 0 ||
	    driver_start(&d, b->csi, DRIVER_CONTROLLER, &box, b->dir) != 0) {
		box_stop(&box);
		return -1;
	}
	/* Some work first, so that whatever work leaves behind is there to be seen. */
	(void)driver_run(&d, RPC_CREATE, 0, 4, 4, NULL);
	(void)driver_run(&d, RPC_PUBLISH, 0, 4, 4, NULL);
	sleep_ms(1000);
	cpu = child_cpu_ns(&d.child);
	wakes = child_voluntary_switches(&d.child);
	sleep_ms(b->idle_s * 1000);
	cpu = child_cpu_ns(&d.child) - cpu;
	wakes = child_voluntary_switches(&d.child) - wakes;
	child_threads(&d.child, &n_threads, &n_ran);
	driver_stop(&d);
	box_stop(&box);
	per_minute_ms = (double)cpu / 1e6 * 60 / b->idle_s;
	table_add("idle, CPU per minute (wake-ups in the time)", "1.8 ms",
		  "<= 1 ms, no polling", per_minute_ms > 1, "%.2f ms (%u in %u s)",
		  per_minute_ms, (unsigned)wakes, b->idle_s);
	table_value("idle_cpu_ms_per_minute", per_minute_ms);
	table_add("threads that ever ran", "", "1", n_ran != 1, "%u of %u", n_ran,
		  n_threads);
	table_value("threads_ran", n_ran);
	return 0;
}
