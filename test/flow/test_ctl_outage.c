/* The controller's calls over the real API client and a simulated API server that goes
 * away, is frozen, forgets its history: 90 s after it was last heard of they answer
 * UNAVAILABLE, nothing is forgotten, and soon after it is back they work again. */
#include <stdio.h>
#include <string.h>

#include "fakes/call_seam.h"
#include "fakes/ctl_drive.h"
#include "k8s/api.h"
#include "support/api_sim.h"

#define GIB (INT64_C(1) << 30)

static struct {
	struct ctl c;
	struct api_sim sim;
	struct k8s_api *api;
	struct k8s *k;
	char dir[128], path[256];
	bool is_stopped;
} x;

static bool leads(void *ctx)
{
	(void)ctx;
	return true;
}

static void on_stopped(void *arg)
{
	(void)arg;
	x.is_stopped = true;
}

static void turn(uint64_t ms)
{
	clock_advance(&x.c.l.uv, ms);
	for (int i = 0; i < 6; i++)
		(void)uv_run(&x.c.l.uv, UV_RUN_NOWAIT);
}

static void pass(uint64_t ms)
{
	for (uint64_t at = 0; at < ms; at += 50)
		turn(50);
}

static bool settle(uint64_t ms)
{
	for (uint64_t at = 0; at < ms && !k8s_is_current(x.k); at += 10)
		turn(10);
	return k8s_is_current(x.k);
}

static void start_client(void)
{
	const struct k8s_client_conf conf = { .kubeconfig = x.path,
					      .user_agent = "test" };
	const struct k8s_api_hooks hooks = { .is_leader = leads };
	struct err err = { .code = ERR_OK };

	x.api = k8s_api_new(&x.c.l.uv, &conf, x.c.csi.driver_name, &err);
	cr_assert_not_null(x.api, "%s", err.msg);
	k8s_api_set(x.api, &hooks);
	x.k = k8s_api_port(x.api);
	x.c.csi.k8s = x.k;
	x.c.csi.attach = (struct csi_attach){ .grace_ms = 30000, .interval_ms = 300000 };
	ctl_restart(&x.c);
	k8s_api_start(x.api, on_stopped, NULL);
}

static void open_all(void)
{
	memset(&x, 0, sizeof(x));
	ctl_open(&x.c);
	clock_hold(&x.c.l.uv);
	api_sim_open(&x.sim, &x.c.l.uv);
	x.sim.bookmark_ms = 60000;
	t_mkdir(x.dir);
	snprintf(x.path, sizeof(x.path), "%s/config", x.dir);
	api_sim_token(&x.sim, x.path, "token-one");
	api_sim_kubeconfig(&x.sim, x.path);
	api_sim_node(&x.sim, "node-a", true);
	api_sim_node(&x.sim, "node-b", true);
	api_sim_pv(&x.sim, "pvc-1", "pvc-1");
	start_client();
}

static void close_all(void)
{
	attachments_free(x.c.csi.attachments);
	x.c.csi.attachments = NULL;
	k8s_api_stop(x.api);
	for (int i = 0; i < 1000 && !x.is_stopped; i++)
		turn(1);
	cr_assert(x.is_stopped);
	k8s_api_free(x.api);
	x.c.csi.k8s = NULL;
	api_sim_close(&x.sim);
	t_rmdir(x.dir);
	ctl_close(&x.c);
}

/* The three that need to know who holds what, of a volume that node-a has. */
static void expect(enum err_code a, enum err_code b, enum err_code gone)
{
	cr_assert_eq(ctl_publish(&x.c, "pvc-1", "node-a"), a, "%s", ctl_message());
	cr_assert_eq(ctl_publish(&x.c, "pvc-1", "node-b"), b, "%s", ctl_message());
	cr_assert_eq(ctl_delete(&x.c, "pvc-1"), gone, "%s", ctl_message());
}

static void expect_answers(void)
{
	size_t n = 0;

	expect(ERR_OK, ERR_PRECONDITION, ERR_PRECONDITION);
	cr_assert(attachments_gauge(x.c.csi.attachments, &n) && n == 1);
}

static void expect_none(void)
{
	unsigned execs = x.c.box.n_execs;
	size_t n = 0;

	expect(ERR_UNAVAILABLE, ERR_UNAVAILABLE, ERR_UNAVAILABLE);
	cr_assert_eq(ctl_unpublish(&x.c, "pvc-1", "node-a"), ERR_UNAVAILABLE);
	cr_assert_eq(x.c.box.n_execs, execs, "the box was asked");
	/* What was known stays known. */
	cr_assert(attachments_gauge(x.c.csi.attachments, &n) && n == 1);
}

/* What asks nothing of Kubernetes goes on. */
static void expect_the_rest(const char *id)
{
	cr_assert_eq(ctl_create(&x.c, id, GIB), ERR_OK, "%s", ctl_message());
}

static void attach(void)
{
	size_t n;

	cr_assert_eq(ctl_create(&x.c, "pvc-1", GIB), ERR_OK);
	cr_assert(!attachments_gauge(x.c.csi.attachments, &n), "before the first list");
	expect(ERR_UNAVAILABLE, ERR_UNAVAILABLE, ERR_UNAVAILABLE);
	cr_assert(settle(5000));
	api_sim_va(&x.sim, "va-1", "node-a", "pvc-1", false);
	pass(500);
	cr_assert_eq(ctl_publish(&x.c, "pvc-1", "node-a"), ERR_OK, "%s", ctl_message());
	api_sim_va(&x.sim, "va-1", "node-a", "pvc-1", true);
	pass(500);
	expect_answers();
}

enum how { DOWN, FROZEN, GONE_410, REFUSING };

static void go(enum how how)
{
	struct api_sim_fault fault = { .what = SIM_STATUS,
				       .status = how == GONE_410 ? 410 : 500,
				       .times = 1000 * 1000 };

	switch (how) {
	case DOWN:
		api_sim_down(&x.sim, true);
		return;
	case FROZEN:
		api_sim_freeze(&x.sim, true);
		return;
	case GONE_410:
	case REFUSING:
		api_sim_fault(&x.sim, fault);
		api_sim_compact(&x.sim);
		api_sim_cut_all(&x.sim);
		return;
	}
}

static void come_back(enum how how)
{
	if (how == DOWN)
		api_sim_down(&x.sim, false);
	else if (how == FROZEN)
		api_sim_freeze(&x.sim, false);
	else
		memset(x.sim.faults, 0, sizeof(x.sim.faults));
}

Test(ctl_outage, calls_wait_and_nothing_is_forgotten)
{
	for (enum how how = DOWN; how <= REFUSING; how++) {
		char id[32];
		uint64_t waited = 0;

		open_all();
		attach();
		go(how);
		/* Between two bookmarks nothing is heard either: it is trusted for a
		 * while. */
		pass(80 * 1000);
		expect_answers();
		pass(15 * 1000);
		expect_none();
		snprintf(id, sizeof(id), "pvc-other-%d", (int)how);
		expect_the_rest(id);
		pass(10 * 60 * 1000);
		expect_none();
		come_back(how);
		while (!k8s_is_current(x.k) && waited < 60000) {
			pass(500);
			waited += 500;
		}
		cr_assert_leq(waited, 45000, "way %d: %llu ms", (int)how,
			      (unsigned long long)waited);
		expect_answers();
		close_all();
	}
}

/* What happened meanwhile is seen before anything is decided. */
Test(ctl_outage, a_change_during_the_outage_is_known_at_the_first_answer)
{
	open_all();
	attach();
	api_sim_down(&x.sim, true);
	pass(K8S_STALE_MS + 1000);
	expect_none();
	api_sim_remove(&x.sim, "nodes", NULL, "node-b");
	api_sim_node(&x.sim, "node-c", true);
	api_sim_down(&x.sim, false);
	cr_assert(settle(60000));
	cr_assert_eq(ctl_publish(&x.c, "pvc-1", "node-b"), ERR_NOT_FOUND);
	cr_assert_eq(ctl_publish(&x.c, "pvc-1", "node-c"), ERR_PRECONDITION);
	close_all();
}
