#include <string.h>

#include "csi/ids.h"
#include "fakes/fake_nvme.h"
#include "support/node_lab.h"

/* The node's operations over the port in memory: whatever fails, whenever it is cut. */

enum { SIZE = 64 * 1024 * 1024 };
static const struct lab_args vol = { .id = "pvc-x", .fs_type = "ext4" };
static const struct lab_args block = { .id = "pvc-x" };

static struct node_lab lab;
static struct fake_nvme fake;

static void open_fake(void)
{
	char nqn[ID_NQN];

	lab_open(&lab, &fake.nvme);
	id_base_nqn(vol.id, nqn);
	fake_nvme_init(&fake, &lab.loop.uv, nqn, SIZE);
}

/* csi.md: what the kubelet takes as "may still be running"; all else means "certainly
 * nothing is there". */
static bool is_final(enum err_code code)
{
	return code != ERR_OK && code != ERR_CANCELLED && code != ERR_DEADLINE &&
	       code != ERR_UNAVAILABLE && code != ERR_EXHAUSTED && code != ERR_ABORTED;
}

static void check_stage_end(const struct err *e)
{
	if (e->code == ERR_OK) {
		cr_assert_eq(fake_nvme_mounts_at(&fake, lab.staging), 1);
		cr_assert(fake.has_record && fake.record.stage == NVME_STAGED);
	} else if (is_final(e->code)) {
		cr_assert_eq(fake.n_mounts, 0, "%s", e->msg);
		cr_assert(!fake.is_attached, "%s", e->msg);
	}
	/* Whatever happened, a retry converges, and then the whole way back. */
	fake.fail_at = fake.fail_write_at = fake.fail_look_at = -1;
	fake.fails_after = false;
	struct err again = lab_stage(&lab, &vol);

	cr_assert_eq(again.code, ERR_OK, "after %s: %s", e->msg, again.msg);
	cr_assert_eq(fake_nvme_mounts_at(&fake, lab.staging), 1);
	cr_assert_leq(fake.n_requests[NVME_FORMAT], 2);
	again = lab_unstage(&lab, &vol);
	cr_assert_eq(again.code, ERR_OK, "%s", again.msg);
	cr_assert(!fake.is_attached && fake.n_mounts == 0 && !fake.has_record);
}

Test(node_faults, stage_fails_at_each_request)
{
	for (int after = 0; after < 2; after++)
		for (int n = 0; n < 5; n++) {
			open_fake();
			fake.fail_at = n;
			fake.fails_after = after;
			struct err e = lab_stage(&lab, &vol);

			cr_assert(n > 3 || e.code != ERR_OK, "request %d", n);
			check_stage_end(&e);
			lab_close(&lab);
		}
}

/* The undoing fails too: then nothing final may be said. */
Test(node_faults, stage_that_cannot_be_undone_is_aborted)
{
	open_fake();
	fake.content = (struct nvme_content){ .kind = NVME_OTHER, .found = "a cat" };
	fake.fail_at = 2; /* attach, probe, detach */
	struct err e = lab_stage(&lab, &vol);

	cr_assert_eq(e.code, ERR_ABORTED, "%s", e.msg);
	cr_assert_not_null(strstr(e.msg, "a cat"));
	cr_assert(fake.is_attached && fake.has_record);
	e = lab_stage(&lab, &vol);
	cr_assert_eq(e.code, ERR_PRECONDITION);
	cr_assert(!fake.is_attached && !fake.has_record);
	lab_close(&lab);
}

Test(node_faults, stage_with_a_record_or_a_look_that_fails)
{
	for (int n = 0; n < 6; n++) {
		open_fake();
		fake.fail_write_at = n;
		struct err e = lab_stage(&lab, &vol);
		check_stage_end(&e);
		lab_close(&lab);
		open_fake();
		fake.fail_look_at = n;
		e = lab_stage(&lab, &vol);
		check_stage_end(&e);
		lab_close(&lab);
	}
}

static void cut(const char *method, const ProtobufCMessage *req, int turns,
		struct err *ret)
{
	struct rpc *rpc = lab_begin(&lab, method, req);

	for (int i = 0; i < turns && !lab.n_done; i++)
		uv_run(&lab.loop.uv, UV_RUN_ONCE);
	if (!lab.n_done)
		op_cancel(&rpc->op, ERR_DEADLINE);
	*ret = lab_end(&lab, rpc);
	cr_assert_eq(lab.n_done, 1);
}

Test(node_faults, stage_cut_after_any_number_of_turns)
{
	struct err e = { .code = ERR_DEADLINE };
	int turns;

	for (turns = 0; turns < 200; turns++) {
		open_fake();
		fake.fails_after = turns % 2;
		cut("NodeStageVolume", lab_stage_request(&lab, &vol), turns, &e);
		bool is_ok = e.code == ERR_OK;
		check_stage_end(&e);
		lab_close(&lab);
		if (is_ok)
			break;
	}
	cr_assert_gt(turns, 8, "too few turns: nothing was cut");
	cr_assert_lt(turns, 200);
}

Test(node_faults, publish_cut_after_any_number_of_turns)
{
	struct err e = { .code = ERR_DEADLINE };
	int turns;

	for (turns = 0; turns < 100; turns++) {
		open_fake();
		cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
		fake.fails_after = turns % 2;
		cut("NodePublishVolume", lab_publish_request(&lab, &vol), turns, &e);
		bool is_ok = e.code == ERR_OK;

		cr_assert_eq(fake_nvme_mounts_at(&fake, lab.target), is_ok);
		fake.fails_after = false;
		cr_assert_eq(lab_publish(&lab, &vol).code, ERR_OK);
		cr_assert_eq(fake_nvme_mounts_at(&fake, lab.target), 1);
		cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_PRECONDITION);
		cr_assert_eq(lab_unpublish(&lab, &vol).code, ERR_OK);
		cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
		lab_close(&lab);
		if (is_ok)
			break;
	}
	cr_assert_gt(turns, 2);
}

static void unstage_failing(int n, bool after)
{
	open_fake();
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	fake.fail_at = n;
	fake.fails_after = after;
	struct err e = lab_unstage(&lab, &vol);

	/* The first is syncfs: it is reported, and the volume comes off. */
	cr_assert_eq(e.code == ERR_OK, n == 0 || n > 3, "request %d: %s", n, e.msg);
	cr_assert_eq(e.code == ERR_OK, !fake.has_record);
	fake.fail_at = -1;
	cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
	cr_assert(!fake.is_attached && !fake.has_record && fake.n_mounts == 0);
	lab_close(&lab);
}

Test(node_faults, unstage_fails_at_each_request)
{
	for (int n = 0; n < 5; n++) {
		unstage_failing(n, false);
		unstage_failing(n, true);
	}
}

static void whole_life(const struct lab_args *a)
{
	Csi__V1__VolumeUsage usage[2];
	int64_t bytes;
	struct lab_args grown = *a;

	grown.bytes = SIZE;
	open_fake();
	mem_fail_at(-1);
	(void)lab_stage(&lab, a);
	(void)lab_publish(&lab, a);
	(void)lab_stats(&lab, a, usage);
	(void)lab_expand(&lab, &grown, &bytes);
	(void)lab_unpublish(&lab, a);
	(void)lab_unstage(&lab, a);
}

/* Each allocation of a whole life fails once; then the same life goes well. */
static void life_without_memory_at(const struct lab_args *a, long nth)
{
	Csi__V1__VolumeUsage usage[2];
	int64_t bytes;
	struct lab_args grown = *a;

	grown.bytes = SIZE;
	open_fake();
	mem_fail_at(nth);
	(void)lab_stage(&lab, a);
	(void)lab_publish(&lab, a);
	(void)lab_stats(&lab, a, usage);
	(void)lab_expand(&lab, &grown, &bytes);
	(void)lab_unpublish(&lab, a);
	(void)lab_unstage(&lab, a);
	mem_fail_at(-1);
	cr_assert_eq(lab_unpublish(&lab, a).code, ERR_OK);
	cr_assert_eq(lab_unstage(&lab, a).code, ERR_OK);
	cr_assert_eq(lab_stage(&lab, a).code, ERR_OK);
	cr_assert_eq(lab_publish(&lab, a).code, ERR_OK);
	cr_assert_eq(lab_expand(&lab, &grown, &bytes).code, ERR_OK);
	cr_assert_eq(bytes, SIZE);
	cr_assert_eq(lab_unpublish(&lab, a).code, ERR_OK);
	cr_assert_eq(lab_unstage(&lab, a).code, ERR_OK);
	cr_assert(!fake.is_attached && !fake.has_record && fake.n_mounts == 0);
	lab_close(&lab);
}

static void every_allocation(const struct lab_args *a)
{
	long n;

	whole_life(a);
	n = mem_count();
	lab_close(&lab);
	cr_assert_gt(n, 10);
	for (long i = 0; i < n; i++)
		life_without_memory_at(a, i);
}

Test(node_faults, every_allocation_may_fail)
{
	every_allocation(&vol);
}

Test(node_faults, every_allocation_may_fail_for_block)
{
	every_allocation(&block);
}

/* ---- rules ---- */

Test(node_faults, a_fenced_leftover_comes_off_first)
{
	struct lab_args fenced = vol;
	char nqn[ID_NQN];

	open_fake();
	id_new_nqn(vol.id, 1, nqn);
	fenced.nqn = nqn;
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	cr_assert_eq(lab_publish(&lab, &fenced).code, ERR_PRECONDITION);
	strcpy(fake.exported, nqn);
	cr_assert_eq(lab_publish(&lab, &vol).code, ERR_OK);
	cr_assert_eq(lab_stage(&lab, &fenced).code, ERR_ABORTED, "still published");
	cr_assert_eq(lab_unpublish(&lab, &vol).code, ERR_OK);
	cr_assert_eq(lab_stage(&lab, &fenced).code, ERR_OK);
	cr_assert_str_eq(fake.record.nqn, nqn);
	cr_assert_eq(fake.n_requests[NVME_FORMAT], 1);
	cr_assert_eq(lab_unstage(&lab, &fenced).code, ERR_OK);
	lab_close(&lab);
}

Test(node_faults, one_writer_means_one_target)
{
	struct lab_args a = vol, b = vol;

	a.mode = b.mode =
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_SINGLE_WRITER;
	open_fake();
	b.target = "/tmp/other";
	cr_assert_eq(lab_stage(&lab, &a).code, ERR_OK);
	cr_assert_eq(lab_publish(&lab, &a).code, ERR_OK);
	cr_assert_eq(lab_publish(&lab, &a).code, ERR_OK);
	cr_assert_eq(lab_publish(&lab, &b).code, ERR_PRECONDITION);
	a.mode = b.mode =
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_MULTI_WRITER;
	cr_assert_eq(lab_publish(&lab, &b).code, ERR_OK);
	b.readonly = true;
	cr_assert_eq(lab_publish(&lab, &b).code, ERR_EXISTS);
	cr_assert_eq(lab_unpublish(&lab, &a).code, ERR_OK);
	cr_assert_eq(lab_unpublish(&lab, &b).code, ERR_OK);
	cr_assert_eq(lab_unstage(&lab, &a).code, ERR_OK);
	lab_close(&lab);
}

Test(node_faults, what_cannot_grow_online_grows_at_the_next_stage)
{
	fake.is_offline_only = true;
	open_fake();
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
	fake.size_bytes = 2 * SIZE;
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	cr_assert_eq(fake.n_requests[NVME_CHECK], 1);
	cr_assert_eq(fake.n_requests[NVME_GROW], 1);
	cr_assert_eq(fake.content.fs_size_bytes, 2 * SIZE);
	cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
	lab_close(&lab);
}

/* Killed when it had mounted what was grown elsewhere, and before it grew it. */
Test(node_faults, what_was_mounted_and_not_grown_is_grown_by_the_retry)
{
	open_fake();
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	fake.record.stage = NVME_READY;
	fake.size_bytes = 2 * SIZE;
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	cr_assert_eq(fake.content.fs_size_bytes, 2 * SIZE);
	cr_assert_eq(fake.record.stage, NVME_STAGED);
	cr_assert_eq(fake.record.size_bytes, 2 * SIZE);
	cr_assert_eq(fake.n_requests[NVME_MOUNT], 1);
	cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
	lab_close(&lab);
}

/* What another driver mounted is served as it is. */
Test(node_faults, what_was_mounted_by_others_is_not_grown)
{
	open_fake();
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	fake.has_record = false;
	fake.size_bytes = 2 * SIZE;
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	cr_assert_eq(fake.content.fs_size_bytes, SIZE);
	cr_assert_eq(fake.record.stage, NVME_STAGED);
	cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
	lab_close(&lab);
}

Test(node_faults, bad_requests)
{
	struct lab_args a = vol;
	Csi__V1__VolumeUsage usage[2];
	int64_t bytes;

	open_fake();
	a.flag = "bind";
	cr_assert_eq(lab_stage(&lab, &a).code, ERR_INVALID);
	a = vol;
	a.nqn = "nqn.2014-08.org.example:disk";
	cr_assert_eq(lab_stage(&lab, &a).code, ERR_PRECONDITION);
	a.nqn = ID_NQN_PREFIX "../../etc/passwd";
	cr_assert_eq(lab_stage(&lab, &a).code, ERR_INVALID);
	a = vol;
	a.id = "../pvc";
	cr_assert_eq(lab_stage(&lab, &vol).code, ERR_OK);
	cr_assert_eq(lab_unpublish(&lab, &a).code, ERR_OK,
		     "a malformed id does not exist");
	cr_assert_eq(lab_unstage(&lab, &a).code, ERR_OK);
	cr_assert_eq(lab_stats(&lab, &a, usage).code, ERR_NOT_FOUND);
	cr_assert_eq(lab_expand(&lab, &a, &bytes).code, ERR_NOT_FOUND);
	a = vol;
	a.target = "some/path";
	cr_assert_eq(lab_stats(&lab, &a, usage).code, ERR_NOT_FOUND);
	cr_assert_eq(lab_expand(&lab, &a, &bytes).code, ERR_NOT_FOUND);
	cr_assert_eq(lab_publish(&lab, &a).code, ERR_INVALID);
	a.target = "/tmp/../etc";
	cr_assert_eq(lab_publish(&lab, &a).code, ERR_INVALID);
	cr_assert_eq(lab_unpublish(&lab, &a).code, ERR_INVALID);
	a.target = "/tmp/a\nb";
	cr_assert_eq(lab_publish(&lab, &a).code, ERR_INVALID);
	cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
	lab_close(&lab);
}
