/* Every Event that the controller can tell: provoked by its cause, on the right claim,
 * and on the page that lists them. */
#include <stdio.h>
#include <string.h>

#include "csi/controller/tell.h"
#include "fakes/call_seam.h"
#include "fakes/reconcile_lab.h"
#include "metrics/registry.h"

#define RWX CTL_MODE(MULTI_NODE_MULTI_WRITER)
#define GIB (INT64_C(1) << 30)

static struct rlab l;

static void object(const char *node, bool is_attached)
{
	char name[64];

	snprintf(name, sizeof(name), "va-%s", node);
	fake_k8s_va(l.f, name, NULL, node, "pvc-1", is_attached);
}

static enum err_code attach_as(const char *node, int mode)
{
	enum err_code code;

	object(node, false);
	code = ctl_publish_as(&l.c, "pvc-1", node, mode, false);
	if (code == ERR_OK)
		object(node, true);
	return code;
}

static enum err_code attach(const char *node)
{
	return attach_as(node, CTL_MODE(SINGLE_NODE_WRITER));
}

static enum err_code detach(const char *node)
{
	char name[64];
	enum err_code code = ctl_unpublish(&l.c, "pvc-1", node);

	snprintf(name, sizeof(name), "va-%s", node);
	if (code == ERR_OK)
		fake_k8s_remove(l.f, K8S_VA, NULL, name);
	return code;
}

static void use_and_leave(const char *node)
{
	fake_k8s_node(l.f, node, true, false, "pvc-1");
	fake_k8s_node(l.f, node, true, false, NULL);
}

/* ---- the causes ---- */
static void attached(void)
{
	cr_assert_eq(attach("node-a"), ERR_OK, "%s", ctl_message());
}

static void detached(void)
{
	attached();
	use_and_leave("node-a");
	cr_assert_eq(detach("node-a"), ERR_OK, "%s", ctl_message());
}

static void conflict(void)
{
	attached();
	cr_assert_eq(attach("node-b"), ERR_PRECONDITION);
}

static void stale(void)
{
	object("lost", true);
	rlab_start(&l);
	rlab_rounds(&l, 2);
}

static void migration(void)
{
	cr_assert_eq(attach_as("node-a", RWX), ERR_OK, "%s", ctl_message());
	cr_assert_eq(attach_as("node-b", RWX), ERR_OK, "%s", ctl_message());
}

static void migrated(void)
{
	migration();
	use_and_leave("node-a");
	cr_assert_eq(detach("node-a"), ERR_OK);
}

static void migration_failed(void)
{
	migration();
	use_and_leave("node-b");
	cr_assert_eq(detach("node-b"), ERR_OK);
}

static void lose_node_a(void)
{
	attached();
	fake_k8s_remove(l.f, K8S_NODE, NULL, "node-a");
}

static void fenced(void)
{
	lose_node_a();
	cr_assert_eq(attach("node-b"), ERR_OK, "%s", ctl_message());
}

static void fence_pending(void)
{
	migration();
	fake_k8s_remove(l.f, K8S_NODE, NULL, "node-a");
	cr_assert_eq(detach("node-a"), ERR_OK, "%s", ctl_message());
}

static enum fake_fault refuse_fences(struct fake_rds *f, const struct rds_req *req)
{
	(void)f;
	return req->kind == RDS_FENCE_FINISH ? FAKE_LOSE : FAKE_FINE;
}

static void fence_failed(void)
{
	lose_node_a();
	l.c.box.choose = refuse_fences;
	cr_assert_neq(attach("node-b"), ERR_OK);
}

static void box_away(void)
{
	l.c.box.fault = FAKE_REFUSE;
	cr_assert_eq(attach("node-a"), ERR_UNAVAILABLE);
}

static void box_back(void)
{
	box_away();
	cr_assert_eq(fake_k8s_count_events(l.f, "ConnectionRecovery"), 0);
	attached();
	cr_assert_eq(fake_k8s_count_events(l.f, "ConnectionRecovery"), 1);
	use_and_leave("node-a");
	cr_assert_eq(detach("node-a"), ERR_OK);
	cr_assert_eq(fake_k8s_count_events(l.f, "ConnectionRecovery"), 1, "told once");
}

static void old_plugin(void)
{
	struct k8s_csinode o = { .o = { .kind = K8S_CSINODE, .name = "node-b" },
				 .has_driver = true,
				 .node_id = "node-b",
				 .n_keys = 1,
				 .keys = "topology.rds.csi.srvlab.io/zone" };

	snprintf(rlab_find(&l, "pvc-1")->nqn, RDS_NQN_MAX,
		 "nqn.2000-02.com.mikrotik:pvc-1.g0-0123abcd");
	fake_k8s_put(l.f, &o.o);
	cr_assert_eq(attach("node-b"), ERR_PRECONDITION, "%s", ctl_message());
}

/* As external-provisioner asks with --extra-create-metadata. */
static void provisioning(void)
{
	static char pvc[] = "csi.storage.k8s.io/pvc/name", name[] = "claim-pvc-1";
	static char key[] = "csi.storage.k8s.io/pvc/namespace", ns[] = "default";
	static char id[] = "pvc-2";
	Csi__V1__CreateVolumeRequest__ParametersEntry e[2], *list[2] = { &e[0], &e[1] };
	Csi__V1__CreateVolumeRequest req;
	struct grpc_call call;
	struct ctl_cap cap;

	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	csi__v1__create_volume_request__init(&req);
	for (int i = 0; i < 2; i++)
		csi__v1__create_volume_request__parameters_entry__init(&e[i]);
	e[0].key = pvc;
	e[0].value = name;
	e[1].key = key;
	e[1].value = ns;
	req.name = id;
	req.n_parameters = 2;
	req.parameters = list;
	req.n_volume_capabilities = 1;
	req.volume_capabilities = cap.list;
	l.c.box.fault = FAKE_REFUSE;
	cr_assert_eq(ctl_call(&l.c, &call, "CreateVolume", &req), ERR_UNAVAILABLE);
	ctl_call_free(&call);
}

static void mounted(void)
{
	rlab_find(&l, "pvc-1")->is_mounted = true;
	object("node-b", true);
	rlab_start(&l);
}

static void (*const causes[TELL_REASONS])(void) = {
	[TELL_ATTACHED] = attached,
	[TELL_DETACHED] = detached,
	[TELL_CONFLICT] = conflict,
	[TELL_STALE] = stale,
	[TELL_MIGRATION_STARTED] = migration,
	[TELL_MIGRATION_COMPLETED] = migrated,
	[TELL_MIGRATION_FAILED] = migration_failed,
	[TELL_FENCED] = fenced,
	[TELL_FENCE_PENDING] = fence_pending,
	[TELL_FENCE_FAILED] = fence_failed,
	[TELL_BOX_AWAY] = box_away,
	[TELL_BOX_BACK] = box_back,
	[TELL_OLD_PLUGIN] = old_plugin,
	[TELL_PROVISIONING] = provisioning,
	[TELL_MOUNTED] = mounted,
};

Test(ctl_events, each_is_told_by_its_cause_on_the_claim)
{
	for (int i = 0; i < TELL_REASONS; i++) {
		const struct fake_k8s_event *e;

		cr_assert(causes[i], "no cause for %s", tell_name(i));
		rlab_open(&l);
		rlab_volume(&l, "pvc-1");
		causes[i]();
		cr_assert_geq(fake_k8s_count_events(l.f, tell_name(i)), 1, "%s",
			      tell_name(i));
		e = fake_k8s_last_event(l.f, tell_name(i));
		cr_assert_eq(e->is_warning, tell_is_warning(i), "%s", e->reason);
		cr_assert_str_eq(e->ns, "default");
		cr_assert_str_eq(e->claim, "claim-pvc-1");
		cr_assert(i == TELL_PROVISIONING ||
				  strncmp(e->message, "[pvc-1]: ", 9) == 0,
			  "%s: %s", e->reason, e->message);
		rlab_close(&l);
	}
}

/* What the box said is for the log: addresses do not get into an Event of a tenant. */
Test(ctl_events, a_fault_that_lasts_is_one_text)
{
	char first[1025];

	rlab_open(&l);
	rlab_volume(&l, "pvc-1");
	box_away();
	snprintf(first, sizeof(first), "%s",
		 fake_k8s_last_event(l.f, "ConnectionFailure")->message);
	box_away();
	cr_assert_eq(fake_k8s_count_events(l.f, "ConnectionFailure"), 2);
	cr_assert_str_eq(fake_k8s_last_event(l.f, "ConnectionFailure")->message, first);
	rlab_close(&l);
}

/* ---- the page ---- */
static char page[64 * 1024];

static void read_page(void)
{
	FILE *f = fopen("docs/reference/events.md", "r");
	size_t n;

	cr_assert_not_null(f, "run from the top of the tree");
	n = fread(page, 1, sizeof(page) - 1, f);
	page[n] = '\0';
	fclose(f);
}

Test(ctl_events, the_page_lists_them_all_and_no_other)
{
	unsigned n = 0;
	char row[128];

	read_page();
	for (int i = 0; i < TELL_REASONS; i++) {
		snprintf(row, sizeof(row), "\n| `%s` | %s | ", tell_name(i),
			 tell_is_warning(i) ? "Warning" : "Normal");
		cr_assert_not_null(strstr(page, row), "%s", row);
	}
	for (const char *s = page; (s = strstr(s, "\n| `")); s++)
		n++;
	cr_assert_eq(n, TELL_REASONS);
}

/* One that is not in its list would be counted as "other". */
Test(ctl_events, each_has_a_series_of_its_own)
{
	unsigned other = metric_label_value(METRIC_EVENTS_POSTED, 0, "?");

	for (int i = 0; i < TELL_REASONS; i++)
		cr_assert_neq(metric_label_value(METRIC_EVENTS_POSTED, 0, tell_name(i)),
			      other, "%s", tell_name(i));
}
