/* A volume that the box itself has mounted: two writers, should a node get it too. */
#include "fakes/ctl_cluster.h"

static void open_mounted(struct ctl *c)
{
	open_with_volume(c);
	row(c)->is_mounted = row(c)->mount_filesystem = true;
}

static void expect_mounted(struct ctl *c, bool is_mounted)
{
	cr_assert_eq(row(c)->is_mounted, is_mounted);
	cr_assert_eq(row(c)->mount_filesystem, is_mounted);
	cr_assert_eq(c->box.n_kind[RDS_NO_MOUNT], is_mounted ? 0 : 1);
}

Test(ctl_mounted, nobody_s_volume_is_unmounted_before_it_is_published)
{
	for (int is_cold = 0; is_cold < 2; is_cold++) {
		struct ctl c;

		open_mounted(&c);
		if (is_cold)
			ctl_restart(&c);
		cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK, "%s", ctl_message());
		expect_mounted(&c, false);
		cr_assert(row(&c)->is_exported);
		cr_assert_str_eq(row(&c)->record.holders[0].node, "node-a");
		ctl_close(&c);
	}
}

Test(ctl_mounted, under_a_holder_it_stays_as_it_is)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_OK, "%s", ctl_message());
	row(&c)->is_mounted = row(&c)->mount_filesystem = true;
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_PRECONDITION);
	expect_mounted(&c, true);
	ctl_close(&c);

	/* One that an attachment alone names. */
	open_mounted(&c);
	attach_object(&c, "node-a", true);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_PRECONDITION);
	expect_mounted(&c, true);
	ctl_close(&c);
}

/* Where there is no record, nobody knows who holds it. */
Test(ctl_mounted, without_a_record_it_stays_as_it_is)
{
	struct ctl c;

	open_mounted(&c);
	c.box.may_adopt = true;
	row(&c)->record = (struct rds_record){ .kind = RDS_RECORD_NONE };
	ctl_restart(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_PRECONDITION);
	expect_mounted(&c, true);
	cr_assert_not(row(&c)->is_exported);
	ctl_close(&c);
}
