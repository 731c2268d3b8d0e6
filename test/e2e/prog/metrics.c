/* Every metric of the reference moves for its cause, on real processes: the causes are
 * brought about one after the other (e2e/metric_rows.h), with a scrape before and scrapes
 * after each. */
#include <stdlib.h>
#include <string.h>

#include "e2e/metrics/world.h"

enum { MOVES_MS = 60000 };

static char *before[2]; /* of the controller and of the node; NULL: it did not run */

static char *scrape(bool is_node)
{
	return scrape_get(is_node ? w.node_port : w.ctl_port, "/metrics", NULL, NULL);
}

static double value(const char *page, const struct metric_row *r, bool *ret_there)
{
	double v = 0;

	*ret_there = page && scrape_sum(page, r->name, r->labels, &v);
	return v;
}

static bool has_moved(const struct metric_row *r, const char *now)
{
	bool is_there, was_there;
	double v = value(now, r, &is_there);

	switch (r->want) {
	case WANT_UP:
		return v > value(before[r->is_node], r, &was_there);
	case WANT_ONE:
		return v == 1;
	case WANT_ZERO:
		return is_there && v == 0;
	default:
		return v >= 1;
	}
}

/* Of this cause, what has not moved yet. A gauge that was seen as wanted once may have
 * gone on. */
static unsigned look(enum metric_cause cause, bool *seen)
{
	char *now[2] = { scrape(false), scrape(true) };
	unsigned n = 0, i = 0;

	for (const struct metric_row *r = metric_rows; r->name; r++, i++) {
		if (r->cause != cause || seen[i])
			continue;
		seen[i] = has_moved(r, now[r->is_node]);
		n += !seen[i];
	}
	free(now[0]);
	free(now[1]);
	return n;
}

static void tell_missing(enum metric_cause cause, const bool *seen)
{
	unsigned i = 0;

	for (const struct metric_row *r = metric_rows; r->name; r++, i++)
		if (r->cause == cause)
			CHECK(seen[i], "%s{%s} did not move by: %s", r->name, r->labels,
			      world_causes[cause].name);
}

/* For whoever wants to see them: what was told before the last cause, and where
 * (conformance_metrics.sh). */
static void keep(const char *page, const char *name)
{
	const char *dir = getenv("METRICS_PAGES");
	char path[300];
	FILE *f;

	if (!dir || !page)
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (CHECK(f != NULL, "%s cannot be written", path)) {
		fputs(page, f);
		fclose(f);
	}
}

static void bring_about(enum metric_cause cause)
{
	const struct world_cause *c = &world_causes[cause];
	uint64_t begun = e2e_now_ms(), end = begun + MOVES_MS;
	static bool seen[256];

	memset(seen, 0, sizeof(seen));
	before[0] = w.ctl.pid > 0 ? scrape(false) : NULL;
	before[1] = w.node.pid > 0 && cause != CAUSE_ORPHAN ? scrape(true) : NULL;
	keep(before[0], "controller.txt");
	keep(before[1], "node.txt");
	if (c->begin())
		while (look(cause, seen) && e2e_now_ms() < end) {
			rpc_turn(&w.ctl, 40);
			rpc_turn(&w.node, 10);
		}
	tell_missing(cause, seen);
	if (c->end)
		c->end();
	free(before[0]);
	free(before[1]);
	e2e_note("%s: %llu ms", c->name, (unsigned long long)(e2e_now_ms() - begun));
}

static void each_moves(void)
{
	char targets[200];

	world_open();
	snprintf(targets, sizeof(targets),
		 "[{\"targets\":[\"127.0.0.1:%u\",\"127.0.0.1:%u\"]}]\n", w.ctl_port,
		 w.node_port);
	keep(targets, "targets.json");
	for (int c = 0; c < CAUSE_N && !e2e_failed(); c++)
		bring_about((enum metric_cause)c);
	world_close();
}

/* One answer of each page of both; the longest time of one. */
static uint64_t ask_both(void)
{
	static const char *const paths[] = { "/metrics", "/healthz", "/readyz" };
	uint64_t longest = 0;

	for (unsigned i = 0; i < 6; i++) {
		uint64_t start = e2e_now_ms(), took;
		int status = 0;

		free(scrape_get(i % 2 ? w.node_port : w.ctl_port, paths[i / 2], NULL,
				&status));
		took = e2e_now_ms() - start;
		longest = took > longest ? took : longest;
		CHECK(status == 200 || (i / 2 == 2 && status == 503),
		      "%s of the %s: status %d", paths[i / 2], i % 2 ? "node" : "ctl",
		      status);
	}
	return longest;
}

/* Calls to which neither the box nor the API server has anything to say. */
static void call_both(void)
{
	static const char *const asked[] = { "GetPluginInfo",
					     "ControllerGetCapabilities" };

	CHECK(rpc_probe(&w.ctl) && rpc_probe(&w.node), "a Probe says not ready");
	for (unsigned i = 0; i < 2; i++)
		CHECK(rpc_do(&w.ctl, asked[i], rpc_request(asked[i])) == ERR_OK, "%s: %s",
		      asked[i], rpc_message());
	CHECK(vol_do(&w.node, &w.one, VOL_NODE_PUBLISH) == ERR_OK, "%s", rpc_message());
	CHECK(vol_do(&w.node, &w.one, VOL_NODE_UNPUBLISH) == ERR_OK, "%s", rpc_message());
}

static void answers_while_nobody_answers_it(void)
{
	uint64_t longest = 0;
	double waiting = 0;
	char *page;

	world_open();
	if (driver_start(&w.ctl) && driver_start(&w.node) &&
	    world_create(&w.one, "m-one", false) && world_attach(&w.one, "node-a") &&
	    vol_must(&w.node, &w.one, VOL_STAGE) && sim_fault(&w.sim, "hang=100000")) {
		api_sim_down(&w.api, true);
		for (unsigned i = 0; i < 8; i++) {
			char id[40];

			snprintf(id, sizeof(id), "m-hang-%u", i);
			vol_init(&w.many[i], id);
			world_begin(&w.ctl, &w.many[i], VOL_CREATE);
		}
		for (unsigned i = 0; i < 100 && !e2e_failed(); i++) {
			uint64_t took = ask_both();

			longest = took > longest ? took : longest;
			call_both();
		}
		page = scrape(false);
		CHECK(page && scrape_sum(page, "rds_csi_rpcs_in_flight", "", &waiting) &&
			      waiting == 8,
		      "%g calls wait for the box", waiting);
		free(page);
		e2e_note("600 pages, the slowest %llu ms", (unsigned long long)longest);
		vol_must(&w.node, &w.one, VOL_UNSTAGE);
	}
	driver_kill(&w.ctl);
	world_end_calls(&w.ctl);
	world_close();
}

static bool is_ready(bool is_node)
{
	int status = 0;

	free(scrape_get(is_node ? w.node_port : w.ctl_port, "/readyz", NULL, &status));
	return status == 200;
}

/* The value, or -1 where it is absent. */
static double attached(bool is_node)
{
	char *page = scrape(is_node);
	double n = -1;

	if (CHECK(page != NULL, "no page") &&
	    !scrape_sum(page, "rds_csi_nvme_connections_active", "", &n))
		n = -1;
	free(page);
	return n;
}

enum { ATTACHED = 16 };

static void put_attached(void)
{
	for (unsigned i = 0; i < ATTACHED; i++) {
		char id[40], pv[80];

		snprintf(id, sizeof(id), "m-old-%u", i);
		snprintf(pv, sizeof(pv), "pv-%s", id);
		vol_init(&w.many[i], id);
		api_sim_pv(&w.api, pv, id);
		world_put_va(&w.many[i], "node-a", true);
	}
}

/* The API server does not answer while it is frozen: nothing is known, and nothing told.
 */
static void counts_what_is_attached_after_a_restart(void)
{
	world_open();
	put_attached();
	for (unsigned i = 0; i < 3 && !e2e_failed(); i++) {
		uint64_t end = e2e_now_ms() + 60000;

		api_sim_freeze(&w.api, true);
		if (!driver_start(&w.ctl))
			break;
		CHECK(!is_ready(false), "ready before it knows anything");
		CHECK(attached(false) == -1, "%g attached, by a guess", attached(false));
		api_sim_freeze(&w.api, false);
		while (!is_ready(false) && e2e_now_ms() < end) {
			double n = attached(false);

			CHECK(n == -1 || n == ATTACHED, "%g attached", n);
			rpc_turn(&w.ctl, 1);
		}
		CHECK(attached(false) == ATTACHED, "%g attached", attached(false));
		driver_kill(&w.ctl);
	}
	if (driver_start(&w.node))
		CHECK(attached(true) == -1, "the node plugin counts attachments");
	world_close();
}

static bool has_row(const char *name)
{
	for (const struct metric_row *r = metric_rows; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return true;
	return false;
}

/* The reference is the program's own list. */
static void each_has_a_row(void)
{
	static char text[256 * 1024];
	const char *const argv[] = { getenv("RDS_CSI"), "--print-metrics-reference",
				     NULL };
	unsigned n = 0;

	CHECK(child_run(argv, text, sizeof(text)) == 0, "no reference");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char name[128];

		if (sscanf(line, "| `%127[^`]`", name) != 1)
			continue;
		n++;
		CHECK(has_row(name), "%s: nothing shows that it moves (metric_rows.c)",
		      name);
	}
	CHECK(n > 50, "%u metrics only", n);
	for (const struct metric_row *r = metric_rows; r->name; r++)
		CHECK(world_causes[r->cause].begin != NULL, "%s: no cause", r->name);
}

static const struct e2e_test tests[] = {
	{ "each metric has a row", each_has_a_row, false },
	{ "answers while nobody answers it", answers_while_nobody_answers_it, true },
	{ "counts what is attached after a restart",
	  counts_what_is_attached_after_a_restart, true },
	{ "each metric moves", each_moves, true },
	{ NULL, NULL, false },
};

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
