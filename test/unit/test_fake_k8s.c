#include "fakes/fake_k8s.h"

#include <string.h>

#include "support/t.h"

/* The fake that the csi tests trust keeps its own promises. */
struct lab {
	struct t_loop l;
	struct fake_k8s f;
	unsigned n_done, n_told;
};

static struct lab *lab;

static void on_done(struct op *op)
{
	(void)op;
	lab->n_done++;
}

static void on_each(struct k8s_request *r, const struct k8s_object *o)
{
	(void)r;
	cr_assert_str_eq(o->name, "pod-1");
	lab->n_told++;
}

static void open_lab(struct lab *x)
{
	*x = (struct lab){ .n_done = 0 };
	lab = x;
	t_loop_open(&x->l);
	fake_k8s_open(&x->f, &x->l.uv, "rds.csi.srvlab.io");
}

static void close_lab(struct lab *x)
{
	fake_k8s_close(&x->f);
	t_loop_close(&x->l);
}

static enum err_code run(struct lab *x, struct k8s_request *r)
{
	unsigned before = x->n_done;

	k8s_request_start(&x->f.k8s, r, on_done);
	cr_assert_eq(x->n_done, before);
	t_run_until(&x->l, x->n_done > before);
	return r->op.err.code;
}

Test(fake_k8s, stores_follow_the_server_unless_held)
{
	struct lab x;
	struct k8s_store *vas = &x.f.k8s.stores[K8S_VA];
	const struct k8s_object *o;

	open_lab(&x);
	cr_assert(k8s_is_current(&x.f.k8s));
	fake_k8s_va(&x.f, "va-1", "uid-x", "node-a", "pv-1", true);
	o = k8s_store_find(vas, "va-1");
	cr_assert_str_eq(o->uid, "uid-x");
	cr_assert_str_eq(K8S_VA_OF(o)->node, "node-a");
	fake_k8s_hold(&x.f, K8S_VA);
	fake_k8s_remove(&x.f, K8S_VA, NULL, "va-1");
	fake_k8s_va(&x.f, "va-2", NULL, "node-b", "pv-1", false);
	cr_assert_not_null(k8s_store_find(vas, "va-1"));
	cr_assert_null(k8s_store_find(vas, "va-2"));
	fake_k8s_release(&x.f, K8S_VA);
	cr_assert_null(k8s_store_find(vas, "va-1"));
	cr_assert_not_null(k8s_store_find(vas, "va-2"));
	fake_k8s_stale(&x.f, true);
	cr_assert_not(k8s_is_current(&x.f.k8s));
	fake_k8s_stale(&x.f, false);
	cr_assert(k8s_is_current(&x.f.k8s));
	fake_k8s_incomplete(&x.f);
	cr_assert_not(k8s_is_current(&x.f.k8s));
	cr_assert_null(k8s_store_find(vas, "va-2"));
	fake_k8s_relist(&x.f);
	cr_assert_not_null(k8s_store_find(vas, "va-2"));
	close_lab(&x);
}

Test(fake_k8s, answers_requests_from_what_the_server_has)
{
	struct lab x;
	struct k8s_request get = { .verb = K8S_GET, .kind = K8S_VA, .name = "va-1" };
	struct k8s_request del = { .verb = K8S_DELETE, .kind = K8S_VA, .name = "va-1" };
	struct k8s_request list = { .verb = K8S_LIST,
				    .kind = K8S_POD,
				    .query = "fieldSelector=spec.nodeName%3Dnode-a",
				    .each = on_each };
	struct k8s_request make = {
		.verb = K8S_CREATE,
		.kind = K8S_LEASE,
		.ns = "ns",
		.body = "{\"metadata\":{\"name\":\"l\"},\"spec\":{\"holderIdentity\":"
			"\"me\",\"leaseDurationSeconds\":15}}",
	};

	open_lab(&x);
	cr_assert_eq(run(&x, &get), ERR_NOT_FOUND);
	fake_k8s_va(&x.f, "va-1", "u1", "node-a", "pv-1", true);
	cr_assert_eq(run(&x, &get), ERR_OK);
	cr_assert_str_eq(get.object->uid, "u1");
	k8s_object_free(get.object);
	del.body = "{\"preconditions\":{\"uid\":\"u2\"}}";
	cr_assert_eq(run(&x, &del), ERR_ABORTED);
	del.body = "{\"preconditions\":{\"uid\":\"u1\"}}";
	cr_assert_eq(run(&x, &del), ERR_OK);
	cr_assert_null(fake_k8s_find(&x.f, K8S_VA, NULL, "va-1"));
	fake_k8s_pod(&x.f, "default", "pod-1", "node-a", "claim-1", NULL);
	fake_k8s_pod(&x.f, "default", "pod-2", "node-b", "claim-1", NULL);
	cr_assert_eq(run(&x, &list), ERR_OK);
	cr_assert_eq(x.n_told, 1);
	cr_assert_eq(run(&x, &make), ERR_OK);
	cr_assert_str_eq(K8S_LEASE_OF(make.object)->holder, "me");
	k8s_object_free(make.object);
	cr_assert_eq(run(&x, &make), ERR_EXISTS);
	make.verb = K8S_UPDATE;
	make.name = "l";
	make.body = "{\"metadata\":{\"resourceVersion\":\"1\"}}";
	cr_assert_eq(run(&x, &make), ERR_ABORTED);
	cr_assert_eq(fake_k8s_count(&x.f, K8S_DELETE, K8S_VA), 2);
	close_lab(&x);
}

Test(fake_k8s, faults_do_or_do_not_what_they_say)
{
	struct lab x;
	struct k8s_request del = { .verb = K8S_DELETE, .kind = K8S_VA, .name = "va-1" };

	open_lab(&x);
	fake_k8s_va(&x.f, "va-1", NULL, "node-a", "pv-1", true);
	x.f.fault = (struct fake_k8s_fault){ FAKE_K8S_REFUSE, ERR_PERMISSION };
	cr_assert_eq(run(&x, &del), ERR_PERMISSION);
	cr_assert_not_null(fake_k8s_find(&x.f, K8S_VA, NULL, "va-1"));
	x.f.fault = (struct fake_k8s_fault){ FAKE_K8S_LOSE, ERR_OK };
	cr_assert_eq(run(&x, &del), ERR_UNAVAILABLE);
	cr_assert_null(fake_k8s_find(&x.f, K8S_VA, NULL, "va-1"));
	fake_k8s_va(&x.f, "va-1", NULL, "node-a", "pv-1", true);
	x.f.fault = (struct fake_k8s_fault){ FAKE_K8S_HANG, ERR_OK };
	k8s_request_start(&x.f.k8s, &del, on_done);
	for (int i = 0; i < 5; i++)
		(void)uv_run(&x.l.uv, UV_RUN_NOWAIT);
	cr_assert_eq(x.n_done, 2);
	op_cancel(&del.op, ERR_CANCELLED);
	t_run_until(&x.l, x.n_done == 3);
	cr_assert_eq(del.op.err.code, ERR_CANCELLED);
	cr_assert_not_null(fake_k8s_find(&x.f, K8S_VA, NULL, "va-1"));
	close_lab(&x);
}

Test(fake_k8s, a_cancel_at_any_turn_is_answered_once)
{
	for (int n = 0; n < 12; n++) {
		struct lab x;
		struct k8s_request get = { .verb = K8S_GET,
					   .kind = K8S_VA,
					   .name = "va-1" };

		open_lab(&x);
		fake_k8s_va(&x.f, "va-1", NULL, "node-a", "pv-1", true);
		k8s_request_start(&x.f.k8s, &get, on_done);
		for (int i = 0; i < n; i++)
			(void)uv_run(&x.l.uv, UV_RUN_NOWAIT);
		if (!x.n_done)
			op_cancel(&get.op, ERR_CANCELLED);
		t_run_until(&x.l, x.n_done);
		k8s_object_free(get.object);
		close_lab(&x);
	}
}
