#include "csi/node/plan.h"

#include <string.h>

#include "support/t.h"

/* The decisions that the flow tests do not reach from outside. */

static struct err err;
static struct nvme_record rec;
static enum plan_content content_plan;

static const struct plan_stage ext4 = { .nqn = "n", .fs_type = "ext4" };

static int judge_at(const struct plan_stage *want, struct nvme_content c, uint64_t bytes)
{
	struct plan_found found = { &c, bytes, &rec };

	return plan_stage_content(want, &found, &content_plan, &err);
}

static int judge(struct nvme_content c)
{
	return judge_at(&ext4, c, rec.size_bytes);
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

Test(plan, what_has_no_checker_replays_its_log_at_mount)
{
	struct nvme_content c = {
		.kind = NVME_FS, .fs_type = "btrfs", .fs_uuid = "b", .is_dirty = true
	};
	struct plan_stage want = { .nqn = "n", .fs_type = "btrfs" };

	rec = (struct nvme_record){ .size_bytes = 0 };
	cr_assert_eq(judge_at(&want, c, 0), 0);
	cr_assert_eq(content_plan, PLAN_MOUNT);
	want.readonly = true;
	cr_assert_eq(judge_at(&want, c, 0), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
}

/* On a node without a record too. */
Test(plan, a_volume_made_here_bears_its_own_identity)
{
	struct nvme_content c = { .kind = NVME_FS, .fs_type = "ext4", .fs_uuid = "b" };
	struct plan_stage own = { .nqn = "n", .fs_type = "ext4", .fs_uuid = "own" };

	rec = (struct nvme_record){ .size_bytes = 0 };
	cr_assert_eq(judge_at(&own, c, 0), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
	cr_assert(strstr(err.msg, "is b") && strstr(err.msg, "is own"), "%s", err.msg);
	cr_assert_eq(judge(c), 0, "another driver's: first seen");
	strcpy(c.fs_uuid, "own");
	cr_assert_eq(judge_at(&own, c, 0), 0);
	c = (struct nvme_content){ .kind = NVME_BLANK };
	cr_assert_eq(judge_at(&own, c, 0), 0);
	cr_assert_eq(content_plan, PLAN_FORMAT);
}

Test(plan, readers_of_many_nodes_take_only_what_is_whole)
{
	struct nvme_content c = {
		.kind = NVME_FS, .fs_type = "ext4", .fs_uuid = "b", .is_dirty = true
	};
	struct plan_stage ro = { .nqn = "n", .fs_type = "ext4", .readonly = true };

	rec = (struct nvme_record){ .size_bytes = 0 };
	cr_assert_eq(judge_at(&ro, c, 0), -1, "a dirty journal");
	cr_assert_eq(err.code, ERR_PRECONDITION);
	c.is_dirty = false;
	cr_assert_eq(judge_at(&ro, c, 0), 0);
	cr_assert_eq(content_plan, PLAN_MOUNT);
	c.kind = NVME_BLANK;
	cr_assert_eq(judge_at(&ro, c, 0), -1, "blank");
	cr_assert_eq(err.code, ERR_PRECONDITION);
	rec.stage = NVME_FORMATTING;
	c.kind = NVME_OTHER;
	c.is_remains = true;
	cr_assert_eq(judge_at(&ro, c, 0), -1, "cut short");
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
	cr_assert_eq(judge(c), -1, "what could not be read, or is another's");
	cr_assert_eq(err.code, ERR_PRECONDITION);
	c.is_remains = true;
	cr_assert_eq(judge(c), 0);
	cr_assert_eq(content_plan, PLAN_FORMAT_ANEW);
	cr_assert_eq(judge_at(&ext4, c, 4096), -1, "of another size");
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

Test(plan, a_dead_staging_mount_is_cleared_once_its_pods_have_ended)
{
	struct nvme_view v = { .n_layers = 1,
			       .n_dead = 2,
			       .n_elsewhere = 1,
			       .is_dead = true,
			       .top = NVME_TOP_OURS,
			       .fs_type = "ext4" };
	enum plan_begin plan;

	rec = (struct nvme_record){ .stage = NVME_STAGED, .is_this_boot = true };
	cr_assert_eq(plan_stage_begin(&ext4, &v, &rec, &plan, &err), -1);
	cr_assert_eq(err.code, ERR_ABORTED, "a final code would lose the Unstage");
	v.n_elsewhere = 0;
	cr_assert_eq(plan_stage_begin(&ext4, &v, &rec, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_CLEAR);
	cr_assert_eq(plan_stage_begin(&ext4, &v, NULL, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_CLEAR);
	/* Only targets are dead: they hinder nothing. */
	v = (struct nvme_view){ .n_dead = 2, .n_elsewhere = 2 };
	cr_assert_eq(plan_stage_begin(&ext4, &v, &rec, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_ATTACH);
	v.n_other_sessions = 1;
	cr_assert_eq(plan_stage_begin(&ext4, &v, &rec, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_CUT_OTHERS);
}

Test(plan, nothing_is_published_from_a_dead_or_fenced_volume)
{
	struct plan_publish want = { .nqn = "n" };
	struct nvme_view staging = { .top = NVME_TOP_OURS, .is_dead = true };
	struct nvme_view target = { .top = NVME_TOP_NONE };
	struct plan_facts f = { .staging = &staging, .target = &target, .rec = &rec };
	enum plan_target plan;

	rec = (struct nvme_record){ .nqn = "n" };
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
	staging.is_dead = false;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0);
	want.nqn = "n.g1";
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
}

Test(plan, a_dead_target_is_replaced)
{
	struct plan_publish want = { .nqn = "n", .is_single_writer = true };
	struct nvme_view staging = { .top = NVME_TOP_OURS };
	struct nvme_view target = { .top = NVME_TOP_OURS,
				    .n_layers = 1,
				    .n_dead = 2,
				    .n_elsewhere = 1,
				    .is_dead = true };
	struct plan_facts f = { .staging = &staging, .target = &target };
	enum plan_target plan;

	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0, "%s", err.msg);
	cr_assert_eq(plan, PLAN_REPLACE);
	target.is_dead = false;
	target.n_dead = 0;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1, "one writer, one target");
	target.n_elsewhere = 0;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_PUBLISHED);
}

Test(plan, a_plain_node_serves_writers)
{
	struct plan_publish want = { .nqn = "n", .is_block = true };
	struct nvme_view staging = { .device = { .path = "/dev/x" } };
	struct nvme_view target = { .top = NVME_TOP_NONE };
	struct plan_facts f = { .staging = &staging,
				.target = &target,
				.has_node = true };
	enum plan_target plan;

	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_PUBLISHED);
	want.readonly = true;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_BIND);
	f.has_node = want.readonly = false;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0);
	cr_assert_eq(plan, PLAN_BIND, "a node that leads elsewhere");
}

Test(plan, readers_and_a_writer_never_share_a_node)
{
	struct plan_publish want = { .nqn = "n" };
	struct nvme_view staging = { .top = NVME_TOP_OURS, .is_readonly = true };
	struct nvme_view target = { .top = NVME_TOP_NONE };
	struct plan_facts f = { .staging = &staging, .target = &target, .rec = &rec };
	enum plan_target plan;

	rec = (struct nvme_record){ .nqn = "n", .is_readonly = true };
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1, "a writer");
	cr_assert_eq(err.code, ERR_PRECONDITION);
	want.readonly = true;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1, "through a second claim");
	want.is_reader = true;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0);
	rec.is_readonly = staging.is_readonly = false;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), -1, "readers");
	rec.is_adopted = true;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0, "staged by other rules");
	rec.is_adopted = want.is_reader = false;
	cr_assert_eq(plan_publish(&want, &f, &plan, &err), 0, "a pod's own read-only");
}

Test(plan, block_targets_agree_on_read_only)
{
	struct plan_publish want = { .nqn = "n", .is_block = true, .readonly = true };
	struct nvme_view staging = { .device = { .path = "/dev/x" } };
	struct nvme_view target = { .n_elsewhere = 1, .n_elsewhere_writable = 1 };
	struct plan_facts f = { .staging = &staging, .target = &target };
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
