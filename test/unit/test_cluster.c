#include "csi/controller/cluster.h"

#include <string.h>

#include "core/log.h"
#include "fakes/fake_k8s.h"
#include "support/t.h"

static unsigned n_done;
static char id[RDS_CLUSTER_MAX + 1];

static void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static void put_namespace(struct fake_k8s *f, const char *uid)
{
	struct k8s_object o = { .kind = K8S_NAMESPACE,
				.name = "kube-system",
				.ns = "",
				.uid = uid,
				.version = "" };

	fake_k8s_put(f, &o);
}

struct fixture {
	struct t_loop l;
	struct fake_k8s k8s;
	struct cluster c;
};

static void open_fixture(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	log_open(LOG_ERROR, true);
	n_done = 0;
	strcpy(id, "old");
	t_loop_open(&f->l);
	clock_hold(&f->l.uv);
	fake_k8s_open(&f->k8s, &f->l.uv, "rds.csi.srvlab.io");
}

static void close_fixture(struct fixture *f)
{
	cr_assert_eq(n_done, 1);
	fake_k8s_close(&f->k8s);
	t_loop_close(&f->l);
	cr_assert_eq(mem_live(), 0);
}

Test(cluster, is_the_uid_of_kube_system)
{
	struct fixture f;

	open_fixture(&f);
	put_namespace(&f.k8s, "01234567-89ab-cdef-0123-456789abcdef");
	cluster_start(&f.c, &f.k8s.k8s, id, on_done);
	cr_assert_str_eq(id, "");
	t_run_until(&f.l, n_done == 1);
	cr_assert_str_eq(id, "01234567-89ab-cdef-0123-456789abcdef");
	close_fixture(&f);
}

Test(cluster, is_asked_for_until_it_is_told)
{
	struct fixture f;

	open_fixture(&f);
	cluster_start(&f.c, &f.k8s.k8s, id, on_done); /* not there: 404 */
	t_run_until(&f.l, fake_k8s_count(&f.k8s, K8S_GET, K8S_NAMESPACE) == 1 &&
				  !strcmp(f.c.op.type->states[f.c.op.state], "waiting"));
	put_namespace(&f.k8s, "not an id");
	clock_advance(&f.l.uv, 1000);
	t_run_until(&f.l, fake_k8s_count(&f.k8s, K8S_GET, K8S_NAMESPACE) == 2 &&
				  !strcmp(f.c.op.type->states[f.c.op.state], "waiting"));
	cr_assert_str_eq(id, "", "what the record cannot hold is no id");
	fake_k8s_remove(&f.k8s, K8S_NAMESPACE, NULL, "kube-system");
	put_namespace(&f.k8s, "uid-1");
	f.k8s.fault = (struct fake_k8s_fault){ .what = FAKE_K8S_REFUSE };
	clock_advance(&f.l.uv, 2000);
	t_run_until(&f.l, fake_k8s_count(&f.k8s, K8S_GET, K8S_NAMESPACE) == 3 &&
				  !strcmp(f.c.op.type->states[f.c.op.state], "waiting"));
	clock_advance(&f.l.uv, 4000);
	t_run_until(&f.l, n_done == 1);
	cr_assert_str_eq(id, "uid-1");
	close_fixture(&f);
}

Test(cluster, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 12; turns++) {
		struct fixture f;

		open_fixture(&f);
		if (turns % 2)
			f.k8s.fault = (struct fake_k8s_fault){ .what = FAKE_K8S_HANG };
		cluster_start(&f.c, &f.k8s.k8s, id, on_done);
		for (int i = 0; i < turns / 2; i++)
			uv_run(&f.l.uv, UV_RUN_NOWAIT);
		op_cancel(&f.c.op, ERR_CANCELLED);
		t_run_until(&f.l, n_done == 1);
		cr_assert_eq(f.c.op.err.code, ERR_CANCELLED);
		cr_assert_str_eq(id, "");
		close_fixture(&f);
	}
}

static void one_run(long nth)
{
	struct fixture f;

	open_fixture(&f);
	put_namespace(&f.k8s, "uid-1");
	mem_fail_at(nth);
	cluster_start(&f.c, &f.k8s.k8s, id, on_done);
	while (!n_done) {
		clock_advance(&f.l.uv, 500);
		uv_run(&f.l.uv, UV_RUN_NOWAIT);
	}
	cr_assert_str_eq(id, "uid-1");
	mem_fail_at(-1);
	close_fixture(&f);
}

Test(cluster, asks_again_after_every_allocation_that_fails)
{
	for (long nth = 0; nth < 8; nth++)
		one_run(nth);
	T_LSAN();
}
