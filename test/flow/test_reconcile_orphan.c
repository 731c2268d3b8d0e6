#include <string.h>

#include "fakes/call_seam.h"
#include "fakes/reconcile_lab.h"

static struct rlab l;

enum { DAYS_ROUNDS = 24 * 12 };

static void days(unsigned n)
{
	rlab_rounds(&l, n * DAYS_ROUNDS);
}

static void remove_pv(const char *name)
{
	fake_k8s_remove(l.f, K8S_PV, NULL, name);
}

static void open_one(void)
{
	rlab_open(&l);
	rlab_volume(&l, "pvc-1");
	rlab_volume(&l, "pvc-2");
	rlab_start(&l);
}

/* Seen to go with Delete, marked so, and a day older. */
Test(reconcile_orphan, goes_a_day_after_its_pv_was_seen_to_go)
{
	open_one();
	remove_pv("pvc-1");
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_changes(&l), 0, "at the first sight");
	rlab_rounds(&l, 1);
	cr_assert(rlab_find(&l, "pvc-1")->record.is_released);
	days(1);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	cr_assert_eq(rlab_changes(&l), 1);
	rlab_rounds(&l, 2);
	cr_assert_null(rlab_find(&l, "pvc-1"));
	cr_assert_not_null(rlab_find(&l, "pvc-2"));
	cr_assert_eq(rlab_done(&l, RECONCILE_REMOVE), 1);
	rlab_close(&l);
}

/* The mark outlives the process, the day begins anew. */
Test(reconcile_orphan, is_still_known_after_a_restart)
{
	open_one();
	remove_pv("pvc-1");
	rlab_rounds(&l, 2);
	cr_assert(rlab_find(&l, "pvc-1")->record.is_released);
	rlab_restart(&l);
	days(1);
	cr_assert_null(rlab_find(&l, "pvc-1"));
	rlab_close(&l);
}

Test(reconcile_orphan, is_kept_where_the_policy_was_retain)
{
	open_one();
	rlab_pv(&l, "pvc-1", "pvc-1", true);
	remove_pv("pvc-1");
	days(3);
	rlab_restart(&l);
	days(3);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(l.r.shared.stats.orphans, 1, "reported");
	rlab_close(&l);
}

/* Deleted while nobody watched: it may have been set to Retain first. */
Test(reconcile_orphan, is_kept_where_nobody_saw_its_pv_go)
{
	open_one();
	rlab_stop(&l);
	remove_pv("pvc-1");
	rlab_start(&l);
	days(3);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	/* And where a list alone tells. */
	fake_k8s_hold(l.f, K8S_PV);
	remove_pv("pvc-2");
	fake_k8s_release(l.f, K8S_PV);
	days(3);
	cr_assert_not_null(rlab_find(&l, "pvc-2"));
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(l.r.shared.stats.orphans, 2);
	rlab_close(&l);
}

Test(reconcile_orphan, is_none_any_more_when_a_pv_names_it_again)
{
	open_one();
	remove_pv("pvc-1");
	rlab_rounds(&l, 2);
	cr_assert(rlab_find(&l, "pvc-1")->record.is_released);
	/* A PV for what is left, made by hand, with Retain; and deleted again. */
	rlab_pv(&l, "rescue", "pvc-1", true);
	rlab_rounds(&l, 1);
	cr_assert(!rlab_find(&l, "pvc-1")->record.is_released);
	cr_assert(rlab_find(&l, "pvc-1")->record.is_bound);
	remove_pv("rescue");
	days(3);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	rlab_close(&l);
}

Test(reconcile_orphan, published_again_it_is_released_no_more)
{
	open_one();
	remove_pv("pvc-1");
	rlab_rounds(&l, 2);
	cr_assert(rlab_find(&l, "pvc-1")->record.is_released);
	rlab_pv(&l, "pvc-1", "pvc-1", false);
	fake_k8s_va(l.f, "va-1", NULL, "node-b", "pvc-1", false);
	cr_assert_eq(ctl_publish(&l.c, "pvc-1", "node-b"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(ctl_unpublish(&l.c, "pvc-1", "node-b"), ERR_OK, "%s", ctl_message());
	cr_assert(!rlab_find(&l, "pvc-1")->record.is_released);
	rlab_close(&l);
}

/* The driver had another name when it was made, or another driver has the box too. */
Test(reconcile_orphan, stays_where_a_pv_of_another_driver_bears_its_name)
{
	open_one();
	l.f->foreign_pv = "pvc-1";
	remove_pv("pvc-1");
	days(3);
	cr_assert(rlab_find(&l, "pvc-1")->record.is_released);
	l.f->foreign_pv = NULL;
	days(1);
	cr_assert_null(rlab_find(&l, "pvc-1"));
	rlab_close(&l);
}

Test(reconcile_orphan, is_only_told_of_in_a_dry_run)
{
	rlab_open(&l);
	l.conf.is_orphan_dry_run = true;
	rlab_volume(&l, "pvc-1");
	rlab_volume(&l, "pvc-2")->record.is_released = true;
	remove_pv("pvc-2");
	rlab_start(&l);
	remove_pv("pvc-1");
	days(3);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	cr_assert_not_null(rlab_find(&l, "pvc-2"));
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_geq(rlab_counted("release", METRIC_TOLD), 1);
	cr_assert_geq(rlab_counted("remove", METRIC_TOLD), 1);
	cr_assert_eq(l.r.shared.stats.orphans, 1);
	rlab_close(&l);
}

/* All that looks like one, and is not; each is released, and has no PV in the store. */
Test(reconcile_orphan, is_nothing_of_another_s_and_nothing_odd)
{
	struct rds_volume *v;

	rlab_open(&l);
	for (int i = 0; i < 8; i++) {
		char id[16];

		snprintf(id, sizeof(id), i == 7 ? "snap-%d" : "pvc-%d", i);
		v = rlab_volume(&l, id);
		v->record.is_released = true;
		remove_pv(id);
	}
	rlab_find(&l, "pvc-0")->record.kind = RDS_RECORD_FOREIGN;
	rlab_find(&l, "pvc-1")->record.kind = RDS_RECORD_UNREADABLE;
	rlab_find(&l, "pvc-2")->layout = RDS_LAYOUT_AUTO;
	rlab_find(&l, "pvc-3")->is_file_disk = false;
	rlab_find(&l, "pvc-4")->record.is_fencing = true;
	fake_k8s_node(l.f, "node-a", false, false, "pvc-5");
	rlab_find(&l, "pvc-6")->is_mounted = true;
	fake_k8s_node(l.f, "node-b", true, false, "pvc-6");
	for (int i = 0; i < 20; i++) {
		char id[16];

		snprintf(id, sizeof(id), "good-%d", i);
		rlab_volume(&l, id);
	}
	rlab_start(&l);
	days(2);
	cr_assert_eq(l.c.box.n_kind[RDS_DELETE], 0);
	cr_assert_eq(rlab_changes(&l), 0);
	rlab_close(&l);
}

static void ripen(void)
{
	rlab_open(&l);
	rlab_volume(&l, "pvc-1")->record.is_released = true;
	remove_pv("pvc-1");
	rlab_start(&l);
	rlab_rounds(&l, DAYS_ROUNDS - 1);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
}

/* The API server itself is asked last: a PV, whatever its name; one of its name, whatever
 * its volume; a claim that has lost its PV. */
Test(reconcile_orphan, is_kept_by_a_live_word)
{
	struct k8s_pvc pvc = {
		.o = { .kind = K8S_PVC, .ns = "default", .name = "claim-pvc-1" },
		.volume = "pvc-1"
	};

	for (int i = 0; i < 4; i++) {
		ripen();
		if (i < 3)
			fake_k8s_hold(l.f, K8S_PV);
		if (i == 0)
			fake_k8s_pv(l.f, "by-hand", "pvc-1");
		if (i == 1)
			fake_k8s_pv(l.f, "pvc-1", "another");
		if (i == 2)
			fake_k8s_put(l.f, &pvc.o);
		if (i == 3) {
			pvc.volume = "another";
			fake_k8s_put(l.f, &pvc.o);
		}
		rlab_rounds(&l, 3);
		cr_assert_eq(rlab_find(&l, "pvc-1") != NULL, i < 3, "%d", i);
		cr_assert_geq(fake_k8s_count(l.f, K8S_LIST, K8S_PV), 1);
		rlab_close(&l);
	}
}

Test(reconcile_orphan, is_kept_while_the_api_server_does_not_answer)
{
	for (unsigned skip = 0; skip < 3; skip++) {
		ripen();
		l.f->fault = (struct fake_k8s_fault){ FAKE_K8S_REFUSE, ERR_UNAVAILABLE };
		l.f->skip = skip;
		rlab_rounds(&l, 1);
		cr_assert_not_null(rlab_find(&l, "pvc-1"));
		rlab_rounds(&l, 1);
		cr_assert_null(rlab_find(&l, "pvc-1"));
		rlab_close(&l);
	}
}

static unsigned deposed_after;
static struct fake_k8s_fault depose(struct fake_k8s *f, const struct k8s_request *r)
{
	(void)r;
	f->is_leader = f->is_leader && deposed_after--;
	return (struct fake_k8s_fault){ .what = FAKE_K8S_FINE };
}

Test(reconcile_orphan, is_kept_by_who_leads_no_more)
{
	for (unsigned i = 0; i < 3; i++) {
		ripen();
		deposed_after = i;
		l.f->choose = depose;
		rlab_rounds(&l, 3);
		cr_assert_not_null(rlab_find(&l, "pvc-1"));
		cr_assert_eq(l.c.box.n_kind[RDS_DELETE], 0);
		rlab_close(&l);
	}
}

/* A look that breaks the row begins the day anew. */
Test(reconcile_orphan, must_have_been_one_all_day)
{
	ripen();
	fake_k8s_pv(l.f, "pvc-1", "pvc-1");
	rlab_rounds(&l, 1);
	remove_pv("pvc-1");
	rlab_rounds(&l, DAYS_ROUNDS);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	rlab_rounds(&l, 4);
	cr_assert_null(rlab_find(&l, "pvc-1"));
	rlab_close(&l);

	ripen();
	fake_k8s_stale(l.f, true);
	rlab_rounds(&l, 1);
	fake_k8s_stale(l.f, false);
	rlab_rounds(&l, DAYS_ROUNDS);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	rlab_rounds(&l, 1);
	cr_assert_null(rlab_find(&l, "pvc-1"));
	rlab_close(&l);
}

/* Of n volumes the first k are orphans that may go: the most that one round takes. */
static unsigned most_in_a_round(unsigned n, unsigned k)
{
	unsigned most = 0, before = 0;

	rlab_open(&l);
	for (unsigned i = 0; i < n; i++) {
		char id[16];

		snprintf(id, sizeof(id), "pvc-%u", i);
		rlab_volume(&l, id)->record.is_released = i < k;
		if (i < k)
			remove_pv(id);
	}
	rlab_start(&l);
	rlab_rounds(&l, DAYS_ROUNDS - 1);
	for (int i = 0; i < 4; i++) {
		rlab_rounds(&l, 1);
		if (l.c.box.n_kind[RDS_DELETE] - before > most)
			most = l.c.box.n_kind[RDS_DELETE] - before;
		before = l.c.box.n_kind[RDS_DELETE];
	}
	rlab_close(&l);
	return most;
}

Test(reconcile_orphan, few_go_at_once_and_none_where_most_would)
{
	cr_assert_eq(most_in_a_round(100, 20), 5);
	cr_assert_eq(most_in_a_round(30, 12), 3);
	cr_assert_eq(most_in_a_round(20, 11), 0);
}

Test(reconcile_orphan, goes_at_the_orphans_own_interval)
{
	rlab_open(&l);
	l.conf.orphan_interval_ms = 4 * RLAB_INTERVAL_MS;
	for (int i = 0; i < 10; i++) {
		char id[16];

		snprintf(id, sizeof(id), "pvc-%d", i);
		rlab_volume(&l, id)->record.is_released = i < 2;
	}
	remove_pv("pvc-0");
	remove_pv("pvc-1");
	rlab_start(&l);
	rlab_rounds(&l, DAYS_ROUNDS);
	cr_assert_eq(l.c.box.n_kind[RDS_DELETE], 1);
	rlab_rounds(&l, 3);
	cr_assert_eq(l.c.box.n_kind[RDS_DELETE], 1);
	rlab_rounds(&l, 1);
	cr_assert_eq(l.c.box.n_kind[RDS_DELETE], 2);
	rlab_close(&l);
}
