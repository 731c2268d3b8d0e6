/* --export-policy=always: the export outlives its holders, and nothing else changes. */
#include "fakes/ctl_cluster.h"

Test(ctl_kept, an_export_stays_on_when_its_last_holder_lets_go)
{
	for (int is_kept = 0; is_kept < 2; is_kept++) {
		struct ctl c;
		char nonce[RDS_NONCE + 1];

		open_with_volume(&c);
		c.csi.is_export_kept = is_kept;
		cr_assert_not(row(&c)->is_exported, "before anybody held it");
		cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
		use_and_leave(&c, "node-a");
		cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%d %s", is_kept,
			     ctl_message());
		cr_assert_eq(row(&c)->record.n_holders, 0);
		cr_assert_eq(row(&c)->is_exported, is_kept);
		/* Once more: a new nonce against late scripts, the export as it was. */
		memcpy(nonce, row(&c)->record.nonce, sizeof(nonce));
		cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
		cr_assert_str_neq(row(&c)->record.nonce, nonce);
		cr_assert_eq(row(&c)->is_exported, is_kept);
		cr_assert_eq(attach(&c, "node-b", RWO), ERR_OK, "%s", ctl_message());
		cr_assert(row(&c)->is_exported);
		ctl_close(&c);
	}
}

Test(ctl_kept, the_record_decides_as_ever_and_a_fence_switches_off)
{
	struct ctl c;

	open_with_volume(&c);
	c.csi.is_export_kept = true;
	c.csi.fence_settle_ms = 0;
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_PRECONDITION);
	/* Still in use: unclean. */
	fake_k8s_node(&c.cluster, "node-a", true, false, "pvc-1");
	cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_not(row(&c)->is_exported);
	cr_assert_eq(row(&c)->record.generation, 1);
	cr_assert_not_null(strstr(row(&c)->nqn, ".g1-"));
	detach_object(&c, "node-b");
	ctl_idle(&c);
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_OK, "%s", ctl_message());
	cr_assert_null(fake_rds_find(&c.box, "pvc-1"));
	ctl_close(&c);
}
