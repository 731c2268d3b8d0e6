#include "csi/node/plan.h"

#include <string.h>

#include "support/t.h"

/* The decisions that the flow tests do not reach from outside. */

static struct err err;
static struct nvme_record rec;
static enum plan_content content_plan;

static const struct plan_stage ext4 = { .nqn = "n", .fs_type = "ext4" };

static int judge(struct nvme_content c)
{
	return plan_stage_content(&ext4, &c, &rec, &content_plan, &err);
}

Test(plan, another_identity_than_recorded_is_refused)
{
	struct nvme_content c = { .kind = NVME_FS, .fs_type = "ext4", .fs_uuid = "b" };

	rec = (struct nvme_record){ .fs_uuid = "a" };
	cr_assert_eq(judge(c), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
	strcpy(rec.fs_uuid, "b");
	cr_assert_eq(judge(c), 0);
	cr_assert_eq(content_plan, PLAN_MOUNT);
	c.is_dirty = true;
	cr_assert_eq(judge(c), 0);
	cr_assert_eq(content_plan, PLAN_CHECK);
}

/* Another node may have formatted and used it since: its file system decides. */
Test(plan, a_mkfs_record_never_destroys_a_file_system)
{
	struct nvme_content c = { .kind = NVME_FS, .fs_type = "ext4", .fs_uuid = "own" };

	for (int boot = 0; boot < 2; boot++) {
		rec = (struct nvme_record){ .stage = NVME_FORMATTING,
					    .is_this_boot = boot };
		cr_assert_eq(judge(c), 0);
		cr_assert_eq(content_plan, PLAN_MOUNT);
	}
	c.kind = NVME_OTHER;
	cr_assert_eq(judge(c), 0);
	cr_assert_eq(content_plan, PLAN_FORMAT_ANEW);
	rec.was_mounted = true;
	cr_assert_eq(judge(c), -1);
}

Test(plan, a_device_must_not_have_shrunk)
{
	struct nvme_device dev = { .path = "/dev/x", .size_bytes = 100 };

	rec = (struct nvme_record){ .size_bytes = 100 };
	cr_assert_eq(plan_stage_device(&ext4, &dev, &rec, &err), 0);
	rec.size_bytes = 101;
	cr_assert_eq(plan_stage_device(&ext4, &dev, &rec, &err), -1);
	rec.size_bytes = dev.size_bytes = 0;
	cr_assert_eq(plan_stage_device(&ext4, &dev, &rec, &err), -1, "unknown size");
}

Test(plan, a_record_of_another_boot_is_a_hint_only)
{
	struct plan_stage block = { .nqn = "n", .fs_type = "", .is_block = true };
	struct nvme_view v = { .device = { .path = "/dev/x" } };
	enum plan_begin plan;

	rec = (struct nvme_record){ .stage = NVME_STAGED, .is_block = true };
	cr_assert_eq(plan_stage_begin(&block, &v, &rec, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_ATTACH);
	rec.is_this_boot = true;
	cr_assert_eq(plan_stage_begin(&block, &v, &rec, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_STAGED);
	cr_assert_eq(plan_stage_begin(&ext4, &v, NULL, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_ATTACH);
	v.n_elsewhere = 1;
	cr_assert_eq(plan_stage_begin(&ext4, &v, NULL, &plan, &err), -1);
}

Test(plan, a_mount_that_no_record_tells_of_is_adopted_or_refused)
{
	struct nvme_view v = { .device = { .path = "/dev/x" },
			       .n_layers = 1,
			       .top = NVME_TOP_OURS,
			       .fs_type = "ext4" };
	enum plan_begin plan;

	cr_assert_eq(plan_stage_begin(&ext4, &v, NULL, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_ADOPT);
	v.is_readonly = true;
	cr_assert_eq(plan_stage_begin(&ext4, &v, NULL, &plan, &err), -1);
	cr_assert_eq(err.code, ERR_EXISTS);
	v.n_foreign_layers = 1;
	cr_assert_eq(plan_stage_begin(&ext4, &v, NULL, &plan, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
}

Test(plan, block_targets_agree_on_read_only)
{
	struct plan_publish want = { .nqn = "n", .is_block = true, .readonly = true };
	struct nvme_view staging = { .device = { .path = "/dev/x" } };
	struct nvme_view target = { .n_elsewhere = 1, .n_elsewhere_writable = 1 };
	struct plan_facts f = { &staging, &target, NULL };
	enum plan_target plan;

	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1);
	target.n_elsewhere_writable = 0;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0);
	want.readonly = false;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1);
	target.n_elsewhere = 0;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_BIND);
	staging.device.path[0] = '\0';
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1);
}

Test(plan, growth_is_a_mebibyte_at_least)
{
	struct nvme_content c = { .fs_size_bytes = 100 << 20 };

	cr_assert(!plan_needs_growth(&c, 100 << 20));
	cr_assert(!plan_needs_growth(&c, (101 << 20) - 1));
	cr_assert(plan_needs_growth(&c, 101 << 20));
	cr_assert(!plan_needs_growth(&c, 1 << 20));
	c.fs_size_bytes = 0;
	cr_assert(!plan_needs_growth(&c, 1 << 30), "size not known");
}
