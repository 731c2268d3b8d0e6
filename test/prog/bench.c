/* Measures speed and size of the driver against the simulated box and prints them as a
 * table; see docs/reference/performance.md for what each row means.
 *   bench --csi PROGRAM --sim PROGRAM --floor PROGRAM --api PROGRAM --dir SCRATCH
 *         [--json FILE] [--idle-s N] [ROW…]
 * Without a row's name all are measured. It asserts nothing: status 1 only when a row
 * could not be measured. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/rows.h"
#include "bench/table.h"

static const struct {
	const char *name;
	int (*run)(const struct bench *b);
} rows[] = {
	{ "start", rows_start },
	{ "size", rows_size },
	{ "list", rows_list },
	{ "probe", rows_probe },
	{ "life", rows_life },
	{ "burst", rows_burst },
	{ "own", rows_own },
	{ "idle", rows_idle },
	{ "many", rows_many },
	{ "kube-size", rows_kube_size },
	{ "kube-life", rows_kube_life },
	{ "kube-burst", rows_kube_burst },
	{ "kube-idle", rows_kube_idle },
	{ "scrape", rows_scrape },
	{ "scrape-hang", rows_scrape_hang },
};

static int is_wanted(const char *name, char **names)
{
	if (names[0] == NULL)
		return 1;
	for (; names[0] != NULL; names++) {
		if (strcmp(names[0], name) == 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = { .idle_s = 20 };
	const char *json = NULL;
	int i, failed = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	for (i = 1; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--csi") == 0)
			b.csi = argv[i + 1];
		else if (strcmp(argv[i], "--sim") == 0)
			b.sim = argv[i + 1];
		else if (strcmp(argv[i], "--floor") == 0)
			b.floor = argv[i + 1];
		else if (strcmp(argv[i], "--api") == 0)
			b.api = argv[i + 1];
		else if (strcmp(argv[i], "--dir") == 0)
			b.dir = argv[i + 1];
		else if (strcmp(argv[i], "--json") == 0)
			json = argv[i + 1];
		else if (strcmp(argv[i], "--idle-s") == 0)
			b.idle_s = (unsigned)atoi(argv[i + 1]);
		else
			return 2;
	}
	if (b.csi == NULL || b.sim == NULL || b.floor == NULL || b.api == NULL ||
	    b.dir == NULL || b.idle_s == 0)
		return 2;
	table_head();
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		if (!is_wanted(rows[r].name, argv + i) || rows[r].run(&b) == 0)
			continue;
		fprintf(stderr, "bench: the row '%s' could not be measured\n",
			rows[r].name);
		failed = 1;
	}
	if (json != NULL && table_write(json) != 0) {
		perror(json);
		failed = 1;
	}
	return failed;
}
