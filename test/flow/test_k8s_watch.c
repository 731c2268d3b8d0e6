#include <stdio.h>
#include <string.h>

#include "k8s/watch_rules.h"
#include "support/api_lab.h"

static struct api_lab x;

/* Three volumes, attached, on two nodes. */
static void open_cluster(void)
{
	char name[32], pv[32];

	api_lab_open(&x);
	api_sim_node(&x.sim, "node-a", true);
	api_sim_node(&x.sim, "node-b", true);
	for (int i = 0; i < 3; i++) {
		snprintf(pv, sizeof(pv), "pv-%d", i);
		snprintf(name, sizeof(name), "va-%d", i);
		api_sim_pv(&x.sim, pv, pv);
		api_sim_va(&x.sim, name, "node-a", pv, true);
	}
}

static void start(void)
{
	api_lab_start(&x);
	cr_assert_not(k8s_is_current(x.k));
	cr_assert(api_lab_settle(&x, 5000));
	cr_assert(api_lab_is_same(&x));
}

static size_t count(enum k8s_kind kind)
{
	return x.k->stores[kind].objects.count;
}

static struct k8s_api_stats stats(void)
{
	struct k8s_api_stats s;

	k8s_api_stats(x.api, &s);
	return s;
}

Test(k8s_watch, stores_fill_and_follow)
{
	open_cluster();
	start();
	cr_assert_eq(count(K8S_VA), 3);
	cr_assert_eq(count(K8S_NODE), 2);
	api_lab_pass(&x, 500);
	api_sim_va(&x.sim, "va-3", "node-b", "pv-0", false);
	api_sim_node(&x.sim, "node-a", false);
	api_sim_remove(&x.sim, "volumeattachments", NULL, "va-1");
	api_lab_turn(&x, 50);
	cr_assert(api_lab_is_same(&x));
	cr_assert_not(
		K8S_NODE_OF(k8s_store_find(&x.k->stores[K8S_NODE], "node-a"))->is_ready);
	cr_assert_eq(x.sim.n_lists, K8S_WATCHED);
	cr_assert_eq(x.sim.n_watches, K8S_WATCHED);
	api_lab_close(&x);
}

/* Half an hour in which nothing happens: one watch a kind at a time, no list, current at
 * every moment. */
Test(k8s_watch, an_idle_cluster_costs_nothing_but_its_watches)
{
	open_cluster();
	start();
	for (int i = 0; i < 1800 * 2; i++) {
		api_lab_turn(&x, 500);
		cr_assert(k8s_is_current(x.k), "%d ms", i * 500);
	}
	cr_assert_eq(x.sim.n_lists, K8S_WATCHED);
	cr_assert_leq(x.sim.n_watches, K8S_WATCHED * (1800 / 300 + 1));
	cr_assert_leq(x.sim.n_open, K8S_WATCHED + 4);
	cr_assert(api_lab_is_same(&x));
	api_lab_close(&x);
}

/* One list more a kind, then only short watches; current at every moment. */
Test(k8s_watch, a_server_without_bookmarks_is_not_listed_again_and_again)
{
	open_cluster();
	x.sim.bookmark_ms = 0;
	start();
	for (int i = 0; i < 1800 * 2; i++) {
		api_lab_turn(&x, 500);
		cr_assert(k8s_is_current(x.k), "%d ms", i * 500);
	}
	cr_assert_eq(x.sim.n_lists, 2 * K8S_WATCHED);
	cr_assert_leq(x.sim.n_watches, K8S_WATCHED * (1800 / K8S_WATCH_QUIET_S + 2));
	cr_assert(api_lab_is_same(&x));
	api_lab_close(&x);
}

Test(k8s_watch, a_cut_at_every_byte_of_an_event_loses_nothing)
{
	char name[32];
	unsigned lists;
	size_t len;

	open_cluster();
	start();
	api_lab_pass(&x, 500);
	lists = x.sim.n_lists;
	len = strlen(api_sim_find(&x.sim, "volumeattachments", NULL, "va-0")) + 60;
	for (size_t cut = 0; cut <= len; cut++) {
		snprintf(name, sizeof(name), "va-c%zu", cut);
		api_sim_cut_watches(&x.sim, cut);
		api_sim_va(&x.sim, name, "node-b", "pv-1", true);
		api_lab_pass(&x, 200);
		cr_assert_geq(count(K8S_VA), 3 + cut);
		for (int i = 0; i < 800 && !api_lab_is_same(&x); i++)
			api_lab_turn(&x, 100);
		cr_assert(api_lab_is_same(&x), "cut at %zu", cut);
	}
	cr_assert_eq(x.ears[K8S_VA].n_deleted, 0);
	cr_assert_eq(x.ears[K8S_VA].n_added, count(K8S_VA));
	cr_assert_eq(x.ears[K8S_VA].n_changed, 0);
	/* A watch that fails again and again may be listed anew, not each time. */
	cr_assert_leq(x.sim.n_lists - lists, len);
	api_lab_close(&x);
}

Test(k8s_watch, a_list_cut_at_every_byte_is_asked_for_again)
{
	open_cluster();
	for (size_t at = 0; at < 1500; at += 7) {
		struct api_sim_fault cut = { .what = SIM_CUT,
					     .method = "GET",
					     .match = "volumeattachments?limit",
					     .at = at };

		api_sim_fault(&x.sim, cut);
		api_lab_start(&x);
		cr_assert(api_lab_settle(&x, 20000), "cut at %zu", at);
		cr_assert(api_lab_is_same(&x));
		api_lab_stop(&x);
		memset(x.sim.faults, 0, sizeof(x.sim.faults));
	}
	api_lab_close(&x);
}

Test(k8s_watch, a_server_away_for_a_minute_and_then_without_history)
{
	unsigned requests;

	open_cluster();
	start();
	api_lab_pass(&x, 20000);
	requests = x.sim.n_requests;
	api_sim_down(&x.sim, true);
	api_sim_remove(&x.sim, "volumeattachments", NULL, "va-1");
	api_sim_va(&x.sim, "va-9", "node-b", "pv-1", true);
	api_lab_pass(&x, 60000);
	cr_assert_eq(count(K8S_VA), 3);
	cr_assert_eq(x.ears[K8S_VA].n_deleted, 0);
	api_lab_pass(&x, 60000);
	cr_assert_not(k8s_is_current(x.k));
	cr_assert_eq(count(K8S_VA), 3);
	cr_assert_eq(x.sim.n_requests, requests);
	api_sim_down(&x.sim, false);
	cr_assert(api_lab_settle(&x, 35000));
	cr_assert(api_lab_is_same(&x));
	cr_assert_eq(x.ears[K8S_VA].n_deleted, 1);
	cr_assert_leq(x.sim.n_requests - requests, 3 * K8S_WATCHED);
	api_lab_close(&x);
}

Test(k8s_watch, a_short_outage_is_resumed_without_a_list)
{
	open_cluster();
	start();
	api_lab_pass(&x, 5000);
	api_sim_cut_all(&x.sim);
	api_sim_va(&x.sim, "va-9", "node-b", "pv-1", true);
	api_lab_pass(&x, 5000);
	cr_assert(k8s_is_current(x.k));
	cr_assert(api_lab_is_same(&x));
	cr_assert_eq(x.sim.n_lists, K8S_WATCHED);
	api_lab_close(&x);
}

Test(k8s_watch, a_frozen_server)
{
	static const uint64_t times[] = { 60000, 300000 };

	for (int i = 0; i < 2; i++) {
		unsigned requests;

		open_cluster();
		start();
		api_lab_pass(&x, 1000);
		requests = x.sim.n_requests;
		api_sim_freeze(&x.sim, true);
		api_sim_va(&x.sim, "va-9", "node-b", "pv-1", true);
		api_lab_pass(&x, times[i]);
		cr_assert_eq(k8s_is_current(x.k), times[i] < 80000);
		cr_assert_eq(count(K8S_VA), 3);
		api_sim_freeze(&x.sim, false);
		cr_assert(api_lab_settle(&x, 65000));
		api_lab_pass(&x, 65000);
		cr_assert(api_lab_is_same(&x));
		cr_assert_leq(x.sim.n_requests - requests, times[i] / 1000);
		api_lab_close(&x);
	}
}

/* The machine was suspended, and what it had heard before is old. */
Test(k8s_watch, nothing_is_current_after_a_long_sleep)
{
	open_cluster();
	start();
	api_lab_pass(&x, 1000);
	api_sim_freeze(&x.sim, true);
	api_sim_va(&x.sim, "va-9", "node-b", "pv-1", true);
	clock_pause(&x.l.uv, K8S_STALE_MS / 2);
	cr_assert(k8s_is_current(x.k));
	clock_pause(&x.l.uv, K8S_STALE_MS / 2);
	cr_assert_not(k8s_is_current(x.k));
	api_sim_freeze(&x.sim, false);
	cr_assert(api_lab_settle(&x, 90000));
	api_lab_pass(&x, 65000);
	cr_assert(api_lab_is_same(&x));
	api_lab_close(&x);
}

Test(k8s_watch, gone_at_the_start_of_a_watch_and_as_a_line)
{
	for (int by_line = 0; by_line < 2; by_line++) {
		struct api_sim_fault gone = { .what = by_line ? SIM_LINE : SIM_STATUS,
					      .match = "volumeattachments?watch",
					      .status = 410 };

		open_cluster();
		start();
		api_lab_pass(&x, 500);
		api_sim_fault(&x.sim, gone);
		api_sim_end_watches(&x.sim);
		api_sim_hold(&x.sim, "volumeattachments", true);
		api_sim_remove(&x.sim, "volumeattachments", NULL, "va-0");
		api_lab_pass(&x, 3000);
		cr_assert(api_lab_is_same(&x));
		cr_assert_eq(x.sim.n_lists, K8S_WATCHED + 1);
		cr_assert_eq(x.ears[K8S_VA].n_deleted, 1);
		cr_assert_eq(x.ears[K8S_VA].n_added, 3);
		api_lab_close(&x);
	}
}

Test(k8s_watch, pages_that_expire_are_begun_anew)
{
	char name[32];

	open_cluster();
	for (int i = 0; i < 1200; i++) {
		snprintf(name, sizeof(name), "va-p%d", i);
		api_sim_va(&x.sim, name, "node-a", "pv-1", true);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct api_sim_fault gone = {
			.what = SIM_STATUS,
			.match = "volumeattachments?limit=500&continue",
			.skip = i,
			.status = 410
		};

		api_sim_fault(&x.sim, gone);
	}
	api_lab_start(&x);
	cr_assert(api_lab_settle(&x, 20000));
	cr_assert(api_lab_is_same(&x));
	cr_assert_eq(x.ears[K8S_VA].n_added, 1203);
	cr_assert_eq(x.ears[K8S_VA].n_changed + x.ears[K8S_VA].n_deleted, 0);
	api_lab_close(&x);
}

Test(k8s_watch, refusals_are_waited_out)
{
	static const struct api_sim_fault faults[] = {
		{ .what = SIM_STATUS, .status = 429, .retry_after_s = 5, .times = 8 },
		{ .what = SIM_STATUS, .status = 503, .times = 12 },
		{ .what = SIM_STATUS, .status = 500, .times = 12 },
		{ .what = SIM_CLOSE, .times = 12 },
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		open_cluster();
		api_sim_fault(&x.sim, faults[i]);
		api_lab_start(&x);
		if (faults[i].retry_after_s) {
			api_lab_pass(&x, 4500);
			cr_assert_eq(x.sim.n_requests, K8S_WATCHED);
		}
		cr_assert(api_lab_settle(&x, 60000), "fault %zu", i);
		cr_assert(api_lab_is_same(&x));
		cr_assert_leq(x.sim.n_requests, 12 + 3 * K8S_WATCHED + 4);
		api_lab_close(&x);
	}
}

Test(k8s_watch, a_token_that_is_changed_is_read_anew)
{
	open_cluster();
	start();
	api_lab_pass(&x, 1000);
	api_sim_token(&x.sim, x.path, "token-two");
	api_sim_end_watches(&x.sim);
	api_lab_pass(&x, 3000);
	api_sim_va(&x.sim, "va-9", "node-b", "pv-1", true);
	api_lab_pass(&x, 500);
	cr_assert(api_lab_is_same(&x));
	cr_assert_eq(x.sim.n_lists, K8S_WATCHED);
	/* The file comes later than the change. */
	x.sim.token = "token-three";
	api_sim_end_watches(&x.sim);
	api_lab_pass(&x, 10000);
	api_sim_token(&x.sim, x.path, "token-three");
	api_sim_va(&x.sim, "va-10", "node-b", "pv-1", true);
	api_lab_pass(&x, 35000);
	cr_assert(api_lab_is_same(&x));
	api_lab_close(&x);
}

Test(k8s_watch, others_objects_and_unreadable_ones)
{
	static const char foreign[] =
		"{\"metadata\":{\"name\":\"foreign\"},\"spec\":{\"attacher\":\"other\","
		"\"nodeName\":\"n\",\"source\":{\"persistentVolumeName\":\"p\"}}}";
	static const char broken[] =
		"{\"metadata\":{\"name\":\"va-0\",\"annotations\":{\"x\":\"a\\u0000b\"}},"
		"\"spec\":{\"attacher\":\"rds.csi.srvlab.io\",\"nodeName\":7}}";

	open_cluster();
	api_sim_put(&x.sim, "volumeattachments", foreign);
	api_lab_start(&x);
	cr_assert(api_lab_settle(&x, 5000));
	cr_assert_eq(count(K8S_VA), 3);
	api_sim_put(&x.sim, "volumeattachments", broken);
	api_lab_pass(&x, 500);
	cr_assert_eq(count(K8S_VA), 3);
	cr_assert(k8s_store_is_unreadable(&x.k->stores[K8S_VA], "va-0"));
	cr_assert_eq(stats().kinds[K8S_VA].unreadable, 1);
	cr_assert(k8s_is_current(x.k));
	api_sim_remove(&x.sim, "volumeattachments", NULL, "foreign");
	api_sim_remove(&x.sim, "volumeattachments", NULL, "va-0");
	api_lab_pass(&x, 500);
	cr_assert_eq(count(K8S_VA), 2);
	cr_assert_eq(stats().kinds[K8S_VA].unreadable, 0);
	api_lab_close(&x);
}

Test(k8s_watch, is_stopped_at_any_turn)
{
	for (int n = 0; n < 60; n++) {
		open_cluster();
		x.sim.piece = 200;
		api_lab_start(&x);
		for (int i = 0; i < n; i++) {
			clock_advance(&x.l.uv, 5);
			(void)uv_run(&x.l.uv, UV_RUN_NOWAIT);
		}
		api_lab_close(&x);
	}
}

/* Random changes, faults and delays: the listeners watch each step, and when all is quiet
 * again the stores are as the API server. */
Test(k8s_watch, random_changes_and_faults_end_in_the_same_state)
{
	static const enum api_sim_what whats[] = { SIM_STATUS, SIM_CLOSE, SIM_CUT,
						   SIM_LINE };
	static const unsigned codes[] = { 410, 429, 500, 503, 401 };

	for (unsigned seed = 1; seed <= 12; seed++) {
		srand(seed);
		open_cluster();
		x.sim.piece = seed % 3 ? 0 : 100;
		start();
		for (int i = 0; i < 300; i++) {
			char name[16];
			int what = rand() % 12;

			snprintf(name, sizeof(name), "va-%d", rand() % 20);
			if (what < 5)
				api_sim_va(&x.sim, name, rand() % 2 ? "node-a" : "node-b",
					   "pv-1", rand() % 2);
			else if (what < 8)
				api_sim_remove(&x.sim, "volumeattachments", NULL, name);
			else if (what == 8)
				api_sim_cut_watches(&x.sim, (size_t)(rand() % 400));
			else if (what == 9 &&
				 x.sim.faults[SIM_FAULTS - 1].what == SIM_NONE)
				api_sim_fault(&x.sim,
					      (struct api_sim_fault){
						      .what = whats[rand() % 4],
						      .status = codes[rand() % 5],
						      .at = (size_t)(rand() % 900) });
			else if (what == 10)
				api_sim_delay(&x.sim, "volumeattachments",
					      (uint64_t)(rand() % 3000));
			else if (rand() % 8 == 0)
				api_sim_compact(&x.sim);
			api_lab_turn(&x, (uint64_t)(rand() % 500));
		}
		memset(x.sim.faults, 0, sizeof(x.sim.faults));
		api_sim_delay(&x.sim, "volumeattachments", 0);
		api_lab_pass(&x, 130000);
		cr_assert(k8s_is_current(x.k), "seed %u", seed);
		cr_assert(api_lab_is_same(&x), "seed %u", seed);
		api_lab_close(&x);
	}
}
