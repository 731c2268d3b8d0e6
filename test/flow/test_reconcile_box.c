#include <string.h>

#include "fakes/call_seam.h"
#include "fakes/reconcile_lab.h"

static struct rlab l;

/* ---- records whose holder has no object ---- */
Test(reconcile_box, a_record_without_an_object_gives_way)
{
	rlab_open(&l);
	rlab_held(&l, "pvc-1", "lost");
	rlab_held(&l, "pvc-2", "node-b");
	rlab_held(&l, "pvc-3", "node-b");
	fake_k8s_va(l.f, "va-3", NULL, "node-b", "pvc-3", false);
	rlab_start(&l);
	cr_assert_eq(rlab_changes(&l), 0);
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_done(&l, RECONCILE_GIVE_WAY), 2);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.n_holders, 0);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.generation, 1, "a fence");
	cr_assert_eq(rlab_find(&l, "pvc-2")->record.n_holders, 0);
	cr_assert_eq(rlab_find(&l, "pvc-2")->record.generation, 0, "clean");
	cr_assert(!rlab_find(&l, "pvc-2")->is_exported);
	cr_assert_eq(rlab_find(&l, "pvc-3")->record.n_holders, 1);
	cr_assert(rlab_find(&l, "pvc-3")->is_exported);
	cr_assert_eq(fake_k8s_count_events(l.f, "StaleAttachmentCleared"), 2);
	rlab_close(&l);
}

Test(reconcile_box, a_record_that_moves_or_is_in_use_does_not_give_way)
{
	rlab_open(&l);
	fake_k8s_node(l.f, "node-b", true, false, "pvc-1");
	rlab_held(&l, "pvc-1", "node-b");
	rlab_held(&l, "pvc-2", "lost");
	rlab_start(&l);
	for (int i = 0; i < 4; i++) {
		/* Each round another record: somebody works on it. */
		snprintf(rlab_find(&l, "pvc-2")->record.nonce, RDS_NONCE + 1, "aaaa%04d",
			 i);
		rlab_rounds(&l, 1);
	}
	cr_assert_eq(rlab_changes(&l), 0);
	rlab_close(&l);
}

/* An API server that was restored lacks the objects of most holders. */
Test(reconcile_box, too_many_records_without_an_object_are_no_accident)
{
	char id[32];

	rlab_open(&l);
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "pvc-%d", i);
		rlab_held(&l, id, "lost");
		if (i < 3)
			fake_k8s_va(l.f, id, NULL, "node-a", id, true);
	}
	rlab_start(&l);
	rlab_rounds(&l, 3);
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(l.r.shared.stats.stale_holders, 8);
	rlab_close(&l);
}

/* node-a was let go uncleanly beside an attachment of node-b that the record knows
 * nothing of. Nobody else asks for the volume. */
static void put_off(const char *in_use_on_b)
{
	rlab_open(&l);
	rlab_held(&l, "pvc-1", "node-a");
	fake_k8s_node(l.f, "node-a", true, false, "pvc-1");
	fake_k8s_node(l.f, "node-b", true, false, in_use_on_b);
	fake_k8s_va(l.f, "va-2", NULL, "node-b", "pvc-1", true);
	cr_assert_eq(ctl_unpublish(&l.c, "pvc-1", "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.holders[0].use, 'u');
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.generation, 0, "cut off at once");
	fake_k8s_node(l.f, "node-a", false, false, NULL);
	rlab_start(&l);
}

Test(reconcile_box, a_fence_that_was_put_off_for_a_stale_object_is_finished)
{
	put_off(NULL);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.generation, 0, "after one sighting");
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_done(&l, RECONCILE_GIVE_WAY), 1);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.n_holders, 0);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.generation, 1);
	cr_assert_not(rlab_find(&l, "pvc-1")->record.is_fencing);
	cr_assert_not(rlab_find(&l, "pvc-1")->is_exported);
	cr_assert_not_null(strstr(rlab_find(&l, "pvc-1")->nqn, ".g1-"));
	cr_assert_eq(fake_k8s_count_events(l.f, "NodeFenced"), 1);
	rlab_rounds(&l, 3);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.generation, 1, "once");
	rlab_close(&l);
}

Test(reconcile_box, it_stays_put_off_while_the_object_s_node_uses_the_volume)
{
	put_off("pvc-1");
	rlab_rounds(&l, 3);
	cr_assert_eq(rlab_done(&l, RECONCILE_GIVE_WAY), 0);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.generation, 0, "a user is cut off");
	cr_assert(rlab_find(&l, "pvc-1")->is_exported);
	/* It stops. */
	fake_k8s_node(l.f, "node-b", true, false, NULL);
	rlab_rounds(&l, 2);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.generation, 1);
	rlab_close(&l);
}

/* ---- exports for nobody ---- */
Test(reconcile_box, an_export_for_nobody_goes_off)
{
	char nonce[RDS_NONCE + 1];

	rlab_open(&l);
	rlab_volume(&l, "pvc-1")->is_exported = true;
	rlab_volume(&l, "pvc-2")->is_exported = true;
	fake_k8s_va(l.f, "va-2", NULL, "node-b", "pvc-2", false);
	rlab_volume(&l, "pvc-3")->is_exported = true;
	rlab_find(&l, "pvc-3")->record.kind = RDS_RECORD_NONE;
	memcpy(nonce, rlab_find(&l, "pvc-1")->record.nonce, sizeof(nonce));
	rlab_start(&l);
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(l.r.shared.stats.idle_exports, 1);
	rlab_rounds(&l, 2);
	cr_assert(!rlab_find(&l, "pvc-1")->is_exported);
	cr_assert_str_neq(rlab_find(&l, "pvc-1")->record.nonce, nonce);
	cr_assert(rlab_find(&l, "pvc-2")->is_exported);
	cr_assert(rlab_find(&l, "pvc-3")->is_exported);
	cr_assert_eq(rlab_changes(&l), 1);
	rlab_close(&l);
}

Test(reconcile_box, exports_that_are_to_stay_stay)
{
	rlab_open(&l);
	l.conf.is_export_kept = true;
	rlab_volume(&l, "pvc-1")->is_exported = true;
	rlab_start(&l);
	rlab_rounds(&l, 3);
	cr_assert_eq(rlab_changes(&l), 0);
	rlab_close(&l);
}

/* Between the list and the script a Publish went through: the record is another one. */
static enum fake_fault publish_first(struct fake_rds *f, const struct rds_req *req)
{
	struct rds_volume *v = fake_rds_find(f, "pvc-1");

	if (req->kind == RDS_UNPUBLISH) {
		v->record.n_holders = 1;
		v->record.holders[0] = (struct rds_holder){ "node-b", 'w' };
		snprintf(v->record.nonce, sizeof(v->record.nonce), "bbbbbbbb");
	}
	return FAKE_FINE;
}

Test(reconcile_box, an_export_is_switched_off_under_compare_and_set)
{
	rlab_open(&l);
	rlab_volume(&l, "pvc-1")->is_exported = true;
	rlab_start(&l);
	l.c.box.choose = publish_first;
	rlab_rounds(&l, 1);
	cr_assert_eq(l.c.box.n_kind[RDS_UNPUBLISH], 1);
	cr_assert(rlab_find(&l, "pvc-1")->is_exported);
	cr_assert_eq(rlab_skipped(), 1);
	rlab_close(&l);
}

/* While the first of two is worked on, somebody comes to want the other one. */
static enum fake_fault want_the_other(struct fake_rds *f, const struct rds_req *req)
{
	const char *other = strcmp(req->id ? req->id : "", "pvc-1") ? "pvc-1" : "pvc-2";

	(void)f;
	if (req->kind == RDS_UNPUBLISH)
		fake_k8s_va(l.f, "va-new", NULL, "node-b", other, false);
	return FAKE_FINE;
}

Test(reconcile_box, what_is_wanted_since_the_list_is_left_alone)
{
	rlab_open(&l);
	rlab_volume(&l, "pvc-1")->is_exported = true;
	rlab_volume(&l, "pvc-2")->is_exported = true;
	rlab_start(&l);
	l.c.box.choose = want_the_other;
	rlab_rounds(&l, 1);
	cr_assert_eq(l.c.box.n_kind[RDS_UNPUBLISH], 1);
	cr_assert_eq(rlab_find(&l, "pvc-1")->is_exported +
			     rlab_find(&l, "pvc-2")->is_exported,
		     1);
	cr_assert_eq(rlab_skipped(), 1);
	rlab_close(&l);
}

Test(reconcile_box, a_volume_that_a_call_works_on_is_left_to_it)
{
	struct inflight in = { .map = NULL };
	struct err err;

	rlab_open(&l);
	rlab_volume(&l, "pvc-1")->is_exported = true;
	rlab_start(&l);
	cr_assert_eq(inflight_enter(&l.c.csi.inflight, &in, "pvc-1", "test", &err), 0);
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(rlab_skipped(), 1);
	inflight_leave(&in);
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_done(&l, RECONCILE_SWITCH_OFF), 1);
	rlab_close(&l);
}

/* ---- mount-filesystem ---- */
Test(reconcile_box, the_box_mounts_no_volume)
{
	rlab_open(&l);
	rlab_held(&l, "pvc-1", "node-b")->mount_filesystem = true;
	fake_k8s_va(l.f, "va-1", NULL, "node-b", "pvc-1", true);
	rlab_volume(&l, "pvc-2")->mount_filesystem = true;
	rlab_find(&l, "pvc-2")->is_mounted = true;
	rlab_held(&l, "pvc-3", "node-b")->mount_filesystem = true;
	rlab_find(&l, "pvc-3")->is_mounted = true;
	fake_k8s_va(l.f, "va-3", NULL, "node-b", "pvc-3", true);
	/* The record knows of nobody, an object does. */
	rlab_volume(&l, "pvc-4")->mount_filesystem = true;
	rlab_find(&l, "pvc-4")->is_mounted = true;
	fake_k8s_va(l.f, "va-4", NULL, "node-b", "pvc-4", false);
	rlab_start(&l);
	cr_assert_eq(rlab_done(&l, RECONCILE_NO_MOUNT), 1);
	cr_assert_eq(rlab_done(&l, RECONCILE_UNMOUNT), 1);
	cr_assert(!rlab_find(&l, "pvc-1")->mount_filesystem);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.n_holders, 1);
	cr_assert(!rlab_find(&l, "pvc-2")->is_mounted);
	cr_assert(rlab_find(&l, "pvc-3")->is_mounted);
	cr_assert(rlab_find(&l, "pvc-4")->is_mounted);
	cr_assert_eq(l.r.shared.stats.alarms, 2);
	cr_assert_eq(fake_k8s_count_events(l.f, "VolumeMountedOnBox"), 2);
	cr_assert(fake_k8s_last_event(l.f, "VolumeMountedOnBox")->is_warning);
	cr_assert_eq(rlab_changes(&l), 2);
	rlab_close(&l);
}
