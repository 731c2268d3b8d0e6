#include <string.h>
#include <time.h>

#include "fakes/call_seam.h"
#include "fakes/reconcile_lab.h"

/* Orphans whose PV went while no controller watched: what the record tells decides. */
static struct rlab l;

static struct rds_record *record(void)
{
	return &rlab_find(&l, "pvc-1")->record;
}

/* Used once while its PV had the policy, and not in use any more. */
static void open_used(bool is_retained)
{
	rlab_open(&l);
	l.conf.is_unseen_removed = true;
	rlab_volume(&l, "pvc-1");
	rlab_volume(&l, "pvc-2");
	rlab_pv(&l, "pvc-1", "pvc-1", is_retained);
	fake_k8s_va(l.f, "va-1", NULL, "node-b", "pvc-1", false);
	cr_assert_eq(ctl_publish(&l.c, "pvc-1", "node-b"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(record()->is_deletable, !is_retained);
	cr_assert_eq(ctl_unpublish(&l.c, "pvc-1", "node-b"), ERR_OK, "%s", ctl_message());
	fake_k8s_remove(l.f, K8S_VA, NULL, "va-1");
	cr_assert_eq(record()->is_deletable, !is_retained);
}

static void vanish_unseen(void)
{
	if (l.is_running)
		rlab_stop(&l);
	fake_k8s_remove(l.f, K8S_PV, NULL, "pvc-1");
	rlab_start(&l);
}

Test(reconcile_unseen, goes_a_day_after_it_was_missed_through_any_restart)
{
	open_used(false);
	vanish_unseen();
	rlab_rounds(&l, 1);
	cr_assert(record()->is_released);
	cr_assert_leq(record()->released_at, (uint32_t)time(NULL));
	cr_assert_geq(record()->released_at + 100, (uint32_t)time(NULL));
	rlab_rounds(&l, 3);
	/* Not yet by the record, and by this process's count not either. */
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	record()->released_at -= (uint32_t)(RLAB_DAY_MS / 1000) - 100;
	rlab_restart(&l);
	rlab_rounds(&l, 3);
	cr_assert_not_null(rlab_find(&l, "pvc-1"), "before its day has passed");
	record()->released_at -= 100;
	rlab_restart(&l);
	cr_assert_not_null(rlab_find(&l, "pvc-1"), "at the first sight");
	rlab_rounds(&l, 2);
	cr_assert_null(rlab_find(&l, "pvc-1"));
	cr_assert_not_null(rlab_find(&l, "pvc-2"));
	rlab_close(&l);
}

/* The default: it may have been set to Retain first. */
Test(reconcile_unseen, is_kept_where_nothing_else_is_asked_for)
{
	open_used(false);
	l.conf.is_unseen_removed = false;
	vanish_unseen();
	rlab_rounds(&l, 4 * 24 * 12);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	cr_assert(record()->is_deletable && !record()->is_released);
	cr_assert_eq(l.r.shared.stats.orphans, 1, "reported");
	rlab_close(&l);
}

Test(reconcile_unseen, is_kept_where_the_policy_was_retain)
{
	open_used(true);
	vanish_unseen();
	rlab_rounds(&l, 4 * 24 * 12);
	cr_assert_not_null(rlab_find(&l, "pvc-1"));
	cr_assert_not(record()->is_released);
	cr_assert_eq(l.r.shared.stats.orphans, 1, "reported");
	rlab_close(&l);
}

/* Set to Retain when nobody holds it: the record is told within seconds, and so knows
 * when the PV goes unseen, or goes so soon after that only its end is seen. */
Test(reconcile_unseen, is_kept_where_the_policy_became_retain)
{
	for (int is_gone = 0; is_gone < 2; is_gone++) {
		open_used(false);
		rlab_start(&l);
		rlab_rounds(&l, 1);
		rlab_pv(&l, "pvc-1", "pvc-1", true);
		if (is_gone)
			fake_k8s_remove(l.f, K8S_PV, NULL, "pvc-1");
		rlab_pass(&l, RECONCILE_HURRY_MS);
		cr_assert_not(record()->is_deletable, "%d", is_gone);
		cr_assert(record()->is_bound);
		if (!is_gone)
			vanish_unseen();
		else
			rlab_restart(&l);
		rlab_rounds(&l, 4 * 24 * 12);
		cr_assert_not_null(rlab_find(&l, "pvc-1"), "%d", is_gone);
		rlab_close(&l);
	}
}

/* A held volume's record is left alone; its detach tells the policy that is. */
Test(reconcile_unseen, is_kept_where_the_policy_became_retain_under_a_holder)
{
	open_used(false);
	rlab_start(&l);
	fake_k8s_va(l.f, "va-1", NULL, "node-b", "pvc-1", false);
	cr_assert_eq(ctl_publish(&l.c, "pvc-1", "node-b"), ERR_OK, "%s", ctl_message());
	rlab_pv(&l, "pvc-1", "pvc-1", true);
	rlab_rounds(&l, 2);
	cr_assert(record()->is_deletable, "the record of a held volume is written");
	cr_assert_eq(ctl_unpublish(&l.c, "pvc-1", "node-b"), ERR_OK, "%s", ctl_message());
	cr_assert_not(record()->is_deletable);
	rlab_close(&l);
}
