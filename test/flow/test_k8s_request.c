#include <stdio.h>
#include <string.h>

#include "support/api_lab.h"

/* Requests of the port over the real wire. */
static struct api_lab x;
static unsigned n_done, n_told;

static void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static void on_each(struct k8s_request *r, const struct k8s_object *o)
{
	(void)r, (void)o;
	n_told++;
}

static void open_lab(void)
{
	api_lab_open(&x);
	api_sim_node(&x.sim, "node-a", true);
	api_sim_pv(&x.sim, "pv-1", "pv-1");
	api_sim_va(&x.sim, "va-1", "node-a", "pv-1", true);
	api_lab_start(&x);
	cr_assert(api_lab_settle(&x, 5000));
}

static enum err_code run(struct k8s_request *r)
{
	n_done = 0;
	k8s_request_start(x.k, r, on_done);
	for (int i = 0; i < 10000 && !n_done; i++)
		api_lab_turn(&x, 10);
	cr_assert_eq(n_done, 1);
	return r->op.err.code;
}

static const char *server(const char *kind, const char *ns, const char *name)
{
	const char *s = api_sim_find(&x.sim, kind, ns, name);

	return s ? s : "";
}

Test(k8s_request, a_lease_is_made_read_and_changed_under_its_version)
{
	struct k8s_request r = {
		.verb = K8S_CREATE,
		.kind = K8S_LEASE,
		.ns = "kube-system",
		.body = "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
			"\"metadata\":{\"name\":\"l\",\"namespace\":\"kube-system\"},"
			"\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15}"
			"}",
	};
	char body[512], version[64];

	open_lab();
	cr_assert_eq(run(&r), ERR_OK, "%s", r.op.err.msg);
	cr_assert_str_eq(K8S_LEASE_OF(r.object)->holder, "me");
	snprintf(version, sizeof(version), "%s", r.object->version);
	k8s_object_free(r.object);
	cr_assert_eq(run(&r), ERR_EXISTS);
	r.verb = K8S_UPDATE;
	r.name = "l";
	r.body = body;
	for (int i = 0; i < 2; i++) {
		snprintf(body, sizeof(body),
			 "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
			 "\"metadata\":{\"name\":\"l\",\"namespace\":\"kube-system\","
			 "\"resourceVersion\":\"%s\"},\"spec\":{\"holderIdentity\":"
			 "\"you\"}}",
			 version);
		cr_assert_eq(run(&r), i ? ERR_ABORTED : ERR_OK, "%s", r.op.err.msg);
		if (!i)
			cr_assert_str_eq(K8S_LEASE_OF(r.object)->holder, "you");
		k8s_object_free(r.object);
	}
	r.verb = K8S_GET;
	r.body = NULL;
	cr_assert_eq(run(&r), ERR_OK);
	cr_assert_str_eq(K8S_LEASE_OF(r.object)->holder, "you");
	k8s_object_free(r.object);
	r.name = "other";
	cr_assert_eq(run(&r), ERR_NOT_FOUND);
	api_lab_close(&x);
}

Test(k8s_request, a_patch_changes_what_it_names_and_the_store_follows)
{
	struct k8s_request r = {
		.verb = K8S_PATCH,
		.kind = K8S_PV,
		.name = "pv-1",
		.body = "{\"metadata\":{\"annotations\":{\"rds.csi.srvlab.io/"
			"attached-node\":\"node-a\"}}}",
	};

	open_lab();
	cr_assert_eq(run(&r), ERR_OK, "%s", r.op.err.msg);
	cr_assert_str_eq(K8S_PV_OF(r.object)->attached_node, "node-a");
	cr_assert_str_eq(K8S_PV_OF(r.object)->handle, "pv-1");
	k8s_object_free(r.object);
	api_lab_pass(&x, 500);
	cr_assert(api_lab_is_same(&x));
	cr_assert_str_eq(
		K8S_PV_OF(k8s_store_find(&x.k->stores[K8S_PV], "pv-1"))->attached_node,
		"node-a");
	/* The answer is lost: asked again, the outcome is the same. */
	api_sim_fault(&x.sim,
		      (struct api_sim_fault){ .what = SIM_LOSE, .method = "PATCH" });
	cr_assert_eq(run(&r), ERR_OK, "%s", r.op.err.msg);
	k8s_object_free(r.object);
	/* Another object by now. */
	r.body = "{\"metadata\":{\"uid\":\"another\",\"annotations\":{\"a\":\"b\"}}}";
	cr_assert_eq(run(&r), ERR_ABORTED);
	/* Status goes by its subresource alone. */
	r = (struct k8s_request){ .verb = K8S_PATCH,
				  .kind = K8S_VA,
				  .name = "va-1",
				  .subresource = "status",
				  .body = "{\"status\":{\"attached\":false}}" };
	cr_assert_eq(run(&r), ERR_OK, "%s", r.op.err.msg);
	cr_assert_not(K8S_VA_OF(r.object)->is_attached);
	k8s_object_free(r.object);
	api_lab_close(&x);
}

Test(k8s_request, a_delete_is_of_the_uid_it_names)
{
	struct k8s_request r = { .verb = K8S_DELETE, .kind = K8S_VA, .name = "va-1" };
	char body[256];

	open_lab();
	r.body = "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{"
		 "\"uid\":\"another\"}}";
	cr_assert_eq(run(&r), ERR_ABORTED);
	cr_assert(*server("volumeattachments", NULL, "va-1"));
	snprintf(body, sizeof(body), "{\"preconditions\":{\"uid\":\"%s\"}}",
		 k8s_store_find(&x.k->stores[K8S_VA], "va-1")->uid);
	r.body = body;
	/* Done, but the answer was lost: asked again it is found gone. */
	api_sim_fault(&x.sim,
		      (struct api_sim_fault){ .what = SIM_LOSE, .method = "DELETE" });
	cr_assert_eq(run(&r), ERR_NOT_FOUND, "%s", r.op.err.msg);
	cr_assert(!*server("volumeattachments", NULL, "va-1"));
	/* Without a uid it is not asked again: another one could be hit. */
	api_sim_va(&x.sim, "va-1", "node-a", "pv-1", true);
	r.body = NULL;
	api_sim_fault(&x.sim,
		      (struct api_sim_fault){ .what = SIM_LOSE, .method = "DELETE" });
	cr_assert_eq(run(&r), ERR_UNAVAILABLE);
	api_lab_close(&x);
}

Test(k8s_request, a_list_is_told_whole_or_not_at_all)
{
	struct k8s_request r = { .verb = K8S_LIST,
				 .kind = K8S_POD,
				 .query = "fieldSelector=spec.nodeName%3Dnode-a",
				 .each = on_each };
	char json[512];

	open_lab();
	for (int i = 0; i < 1200; i++) {
		snprintf(json, sizeof(json),
			 "{\"metadata\":{\"name\":\"p%d\",\"namespace\":\"ns%d\"},"
			 "\"spec\":{\"nodeName\":\"node-%c\"}}",
			 i, i % 3, i % 6 ? 'a' : 'b');
		api_sim_put(&x.sim, "pods", json);
	}
	api_sim_fault(&x.sim, (struct api_sim_fault){ .what = SIM_STATUS,
						      .match = "continue",
						      .status = 410 });
	api_sim_fault(&x.sim,
		      (struct api_sim_fault){
			      .what = SIM_CUT, .match = "pods", .skip = 1, .at = 30000 });
	cr_assert_eq(run(&r), ERR_OK, "%s", r.op.err.msg);
	cr_assert_eq(n_told, 1000);
	n_told = 0;
	r.query = NULL;
	r.ns = "ns1";
	cr_assert_eq(run(&r), ERR_OK);
	cr_assert_eq(n_told, 400);
	n_told = 0;
	api_sim_fault(&x.sim, (struct api_sim_fault){ .what = SIM_STATUS,
						      .match = "pods",
						      .times = 100,
						      .status = 503 });
	cr_assert_eq(run(&r), ERR_DEADLINE);
	cr_assert_eq(n_told, 0);
	api_lab_close(&x);
}

Test(k8s_request, a_frozen_server_ends_requests_by_their_deadline)
{
	struct k8s_request r = { .verb = K8S_GET, .kind = K8S_NODE, .name = "node-a" };
	uint64_t began;

	open_lab();
	api_lab_pass(&x, 1000);
	api_sim_freeze(&x.sim, true);
	began = clock_now_ms(&x.l.uv);
	cr_assert_eq(run(&r), ERR_DEADLINE);
	cr_assert_leq(clock_now_ms(&x.l.uv) - began, 31000);
	api_sim_freeze(&x.sim, false);
	cr_assert_eq(run(&r), ERR_OK, "%s", r.op.err.msg);
	k8s_object_free(r.object);
	api_lab_close(&x);
}

Test(k8s_request, is_cancelled_at_any_turn)
{
	for (int n = 0; n < 30; n++) {
		struct k8s_request r = { .verb = K8S_GET,
					 .kind = K8S_NODE,
					 .name = "node-a" };

		open_lab();
		n_done = 0;
		k8s_request_start(x.k, &r, on_done);
		for (int i = 0; i < n; i++) {
			clock_advance(&x.l.uv, 1);
			(void)uv_run(&x.l.uv, UV_RUN_NOWAIT);
		}
		op_cancel(&r.op, ERR_CANCELLED);
		for (int i = 0; i < 100 && !n_done; i++)
			api_lab_turn(&x, 1);
		cr_assert_eq(n_done, 1);
		cr_assert(!r.object || r.op.err.code == ERR_OK);
		k8s_object_free(r.object);
		api_lab_close(&x);
	}
}
