#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "csi/ids.h"
#include "fakes/fake_nvme.h"
#include "support/node_lab.h"

/* The node's operations over sessions that may be lost, refused, silent or another's. */

enum { SIZE = 64 * 1024 * 1024, MAX_TURNS = 300, N_STORM = 2048 };
static const struct lab_args vol = { .id = "pvc-x", .fs_type = "ext4" };
static const struct lab_args block = { .id = "pvc-x" };

static struct node_lab lab;
static struct fake_nvme fake;
static char base[ID_NQN], second[ID_NQN];
static struct lab_args fenced; /* vol under its second name */

static void open_fake(void)
{
	lab_open(&lab, &fake.nvme);
	id_base_nqn(vol.id, base);
	id_new_nqn(vol.id, 1, second);
	fenced = vol;
	fenced.nqn = second;
	fake_nvme_init(&fake, &lab.loop.uv, base, SIZE);
	fake.has_sessions = true;
}

static void forget_counts(void)
{
	memset(fake.n_requests, 0, sizeof(fake.n_requests));
}

static void check_gone(void)
{
	cr_assert(!fake.is_attached && !fake.has_record && !fake.n_mounts);
}

#define GOOD(call)                                           \
	do {                                                 \
		struct err e_ = (call);                      \
		cr_assert_eq(e_.code, ERR_OK, "%s", e_.msg); \
	} while (0)
#define BAD(want, text, call)                                                     \
	do {                                                                      \
		struct err e_ = (call);                                           \
		cr_assert_eq(e_.code, want, "%s: %s", err_name(e_.code), e_.msg); \
		cr_assert(strstr(e_.msg, text), "%s", e_.msg);                    \
	} while (0)

/* ---- unstage */

Test(node_session, a_refused_target_is_cut_and_the_volume_comes_off)
{
	open_fake();
	GOOD(lab_stage(&lab, &vol));
	fake.state = NVME_RECOVERING;
	fake.is_refused = true;
	forget_counts();
	GOOD(lab_unstage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_CUT], 1);
	cr_assert_eq(fake.n_requests[NVME_SYNC], 0);
	cr_assert_eq(fake.n_requests[NVME_DETACH], 0);
	check_gone();
	GOOD(lab_unstage(&lab, &vol));
	lab_close(&lab);
}

Test(node_session, a_silent_target_is_told_of_and_nothing_is_begun)
{
	open_fake();
	GOOD(lab_stage(&lab, &vol));
	fake.state = NVME_RECOVERING;
	fake.is_silent = true;
	forget_counts();
	for (int i = 0; i < 3; i++)
		BAD(ERR_UNAVAILABLE, "stuck", lab_unstage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_ASK], 3);
	cr_assert_eq(fake.n_requests[NVME_CUT] + fake.n_requests[NVME_SYNC] +
			     fake.n_requests[NVME_UNMOUNT],
		     0);
	cr_assert(fake.has_record && fake.n_mounts == 1);
	fake.is_silent = false;
	fake.state = NVME_LIVE;
	GOOD(lab_unstage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_CUT], 0);
	cr_assert_eq(fake.n_requests[NVME_SYNC], 1);
	check_gone();
	lab_close(&lab);
}

Test(node_session, a_target_that_comes_back_loses_nothing)
{
	open_fake();
	GOOD(lab_stage(&lab, &vol));
	fake.state = NVME_RECOVERING;
	fake.is_back = true;
	forget_counts();
	GOOD(lab_unstage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_SYNC], 1);
	cr_assert_eq(fake.n_requests[NVME_CUT], 0);
	check_gone();
	lab_close(&lab);
}

Test(node_session, a_stuck_child_leaves_only_the_cut)
{
	int64_t bytes;

	open_fake();
	GOOD(lab_stage(&lab, &vol));
	fake.stuck = "unmount";
	forget_counts();
	BAD(ERR_ABORTED, "unmount", lab_unstage(&lab, &vol));
	GOOD(lab_stage(&lab, &vol)); /* staged already: nothing is to be done */
	struct lab_args at = vol;

	at.target = lab.staging;
	BAD(ERR_ABORTED, "unmount", lab_expand(&lab, &at, &bytes));
	fake.state = NVME_RECOVERING;
	BAD(ERR_ABORTED, "unmount", lab_unstage(&lab, &vol));
	cr_assert(fake.has_record);
	fake.is_refused = true;
	GOOD(lab_unstage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_CUT], 1);
	check_gone();
	lab_close(&lab);
}

/* A session without a device, whether mounted over or not. */
Test(node_session, a_dead_device_comes_off)
{
	static const enum nvme_state states[] = { NVME_EMPTY, NVME_ABSENT };

	for (int i = 0; i < 2; i++) {
		open_fake();
		GOOD(lab_stage(&lab, &vol));
		GOOD(lab_publish(&lab, &vol));
		fake_nvme_lose(&fake, states[i]);
		BAD(ERR_PRECONDITION, "published", lab_unstage(&lab, &vol));
		BAD(ERR_ABORTED, "pods must end", lab_stage(&lab, &vol));
		GOOD(lab_unpublish(&lab, &vol));
		forget_counts();
		GOOD(lab_unstage(&lab, &vol));
		cr_assert_eq(fake.n_requests[NVME_SYNC], 0);
		cr_assert_eq(fake.n_requests[NVME_CUT], states[i] == NVME_EMPTY);
		check_gone();
		lab_close(&lab);
	}
}

Test(node_session, a_lost_record_loses_no_volume)
{
	open_fake();
	GOOD(lab_stage(&lab, &vol));
	fake.has_record = false;
	GOOD(lab_unstage(&lab, &vol));
	check_gone();
	/* Another boot's tells of a name that is no more. */
	GOOD(lab_stage(&lab, &vol));
	fake.record.is_this_boot = false;
	strcpy(fake.record.nqn, second);
	GOOD(lab_unstage(&lab, &vol));
	check_gone();
	lab_close(&lab);
}

/* ---- stage */

Test(node_session, a_dead_mount_is_cleared_and_staged_anew)
{
	open_fake();
	GOOD(lab_stage(&lab, &vol));
	fake_nvme_lose(&fake, NVME_EMPTY);
	forget_counts();
	GOOD(lab_stage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_CUT], 1);
	cr_assert_eq(fake.n_requests[NVME_FORMAT], 0);
	cr_assert_eq(fake_nvme_mounts_at(&fake, lab.staging), 1);
	cr_assert(!fake.mounts[0].is_dead);
	GOOD(lab_unstage(&lab, &vol));
	check_gone();
	lab_close(&lab);
}

static void stage_leftover(void)
{
	open_fake();
	GOOD(lab_stage(&lab, &vol));
	GOOD(lab_publish(&lab, &vol));
	fake.state = NVME_RECOVERING;
	strcpy(fake.exported, second);
	forget_counts();
}

static void check_staged_anew(void)
{
	cr_assert_eq(fake_nvme_mounts_at(&fake, lab.staging), 1);
	cr_assert_eq(fake.n_mounts, 1);
	cr_assert_str_eq(fake.session, second);
	cr_assert_str_eq(fake.record.nqn, second);
	cr_assert_eq(fake.n_requests[NVME_FORMAT], 0);
	GOOD(lab_unstage(&lab, &fenced));
	check_gone();
}

Test(node_session, a_fenced_leftover_is_cut_with_all_its_mounts)
{
	stage_leftover();
	BAD(ERR_PRECONDITION, "another NQN", lab_publish(&lab, &fenced));
	GOOD(lab_stage(&lab, &fenced));
	cr_assert_eq(fake.n_requests[NVME_CUT], 1);
	cr_assert_eq(fake.n_requests[NVME_SYNC], 0, "it would hang");
	check_staged_anew();
	lab_close(&lab);
}

/* The node was made anew: no record, but the mount is there. */
Test(node_session, a_fenced_leftover_without_a_record_is_found)
{
	stage_leftover();
	fake.has_record = false;
	GOOD(lab_stage(&lab, &fenced));
	cr_assert_eq(fake.n_requests[NVME_CUT], 1);
	check_staged_anew();
	lab_close(&lab);
}

Test(node_session, a_late_stage_ends_no_newer_session)
{
	open_fake();
	strcpy(fake.exported, second);
	GOOD(lab_stage(&lab, &fenced));
	forget_counts();
	BAD(ERR_ABORTED, "in use here", lab_stage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_CUT] + fake.n_requests[NVME_UNMOUNT], 0);
	cr_assert_str_eq(fake.record.nqn, second);
	GOOD(lab_stage(&lab, &fenced));
	GOOD(lab_unstage(&lab, &fenced));
	lab_close(&lab);
}

Test(node_session, older_sessions_go_before_the_connect)
{
	open_fake();
	fake.n_others = 2;
	fake.fail_at = 0;
	BAD(ERR_PRECONDITION, "as told", lab_stage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_ATTACH], 0);
	check_gone();
	GOOD(lab_stage(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_CUT_OTHERS], 2);
	GOOD(lab_unstage(&lab, &vol));
	lab_close(&lab);
}

/* Somebody else's: a failing stage leaves it as it was. */
Test(node_session, a_session_that_was_there_is_not_ours_to_end)
{
	open_fake();
	fake.is_attached = fake.is_joined = true;
	strcpy(fake.session, base);
	fake.state = NVME_LIVE;
	fake.content = (struct nvme_content){ .kind = NVME_OTHER, .found = "a cat" };
	BAD(ERR_PRECONDITION, "a cat", lab_stage(&lab, &vol));
	cr_assert(fake.is_attached && !fake.has_record);
	fake.content.kind = NVME_BLANK;
	GOOD(lab_stage(&lab, &vol));
	cr_assert(fake.record.is_adopted);
	GOOD(lab_unstage(&lab, &vol));
	check_gone();
	lab_close(&lab);
}

Test(node_session, another_namespace_uuid_refuses_nothing)
{
	open_fake();
	strcpy(fake.ns_id, "5c9a3a3c-0b53-44b5-a0c6-6a6a0a5a5a5a");
	GOOD(lab_stage(&lab, &vol));
	cr_assert_str_eq(fake.record.ns_id, fake.ns_id);
	fake_nvme_lose(&fake, NVME_EMPTY);
	fake.ns_id[0] = '6';
	GOOD(lab_stage(&lab, &vol));
	cr_assert_str_eq(fake.record.ns_id, fake.ns_id);
	GOOD(lab_unstage(&lab, &vol));
	lab_close(&lab);
}

/* ---- cut and failing at each point of these ways */

static void cut_after(const struct lab_args *a, bool is_stage, int turns, struct err *ret)
{
	Csi__V1__NodeUnstageVolumeRequest req;
	struct rpc *rpc;
	char id[64];

	csi__v1__node_unstage_volume_request__init(&req);
	snprintf(id, sizeof(id), "%s", a->id);
	req.volume_id = id;
	req.staging_target_path = lab.staging;
	rpc = is_stage ? lab_begin(&lab, "NodeStageVolume", lab_stage_request(&lab, a))
		       : lab_begin(&lab, "NodeUnstageVolume", &req.base);
	for (int i = 0; i < turns && !lab.n_done; i++)
		uv_run(&lab.loop.uv, UV_RUN_ONCE);
	if (!lab.n_done)
		op_cancel(&rpc->op, ERR_DEADLINE);
	*ret = lab_end(&lab, rpc);
}

Test(node_session, clearing_cut_after_any_number_of_turns_converges)
{
	struct err e = { .code = ERR_DEADLINE };
	int turns;

	for (turns = 0; turns < MAX_TURNS && e.code != ERR_OK; turns++) {
		stage_leftover();
		fake.fails_after = turns % 2;
		cut_after(&fenced, true, turns, &e);
		fake.fails_after = false;
		GOOD(lab_stage(&lab, &fenced));
		check_staged_anew();
		lab_close(&lab);
	}
	cr_assert(turns > 12 && turns < MAX_TURNS, "%d", turns);
}

Test(node_session, unstage_of_a_refused_target_cut_or_failing_anywhere_converges)
{
	struct err e = { .code = ERR_DEADLINE };
	int turns;

	for (turns = 0; turns < MAX_TURNS && e.code != ERR_OK; turns++) {
		open_fake();
		GOOD(lab_stage(&lab, &vol));
		fake.state = NVME_RECOVERING;
		fake.is_refused = true;
		fake.fails_after = turns % 2;
		cut_after(&vol, false, turns, &e);
		fake.fails_after = false;
		cr_assert_eq(e.code == ERR_OK, !fake.has_record);
		GOOD(lab_unstage(&lab, &vol));
		check_gone();
		lab_close(&lab);
	}
	cr_assert(turns > 6 && turns < MAX_TURNS, "%d", turns);
}

Test(node_session, clearing_fails_at_each_request_without_a_final_code)
{
	for (int n = 0; n < 3; n++) { /* cut, unmount, unmount of the target */
		stage_leftover();
		fake.fail_at = n;
		BAD(ERR_ABORTED, "as told", lab_stage(&lab, &fenced));
		cr_assert(fake.has_record);
		GOOD(lab_stage(&lab, &fenced));
		check_staged_anew();
		lab_close(&lab);
	}
}

static void clear_once(long fail_at)
{
	stage_leftover();
	mem_fail_at(fail_at);
	(void)lab_stage(&lab, &fenced);
}

Test(node_session, clearing_without_memory_anywhere_converges)
{
	long n;

	clear_once(-1);
	n = mem_count();
	check_staged_anew();
	lab_close(&lab);
	cr_assert_gt(n, 5);
	for (long i = 0; i < n; i++) {
		clear_once(i);
		mem_fail_at(-1);
		GOOD(lab_stage(&lab, &fenced));
		check_staged_anew();
		lab_close(&lab);
	}
}

/* ---- what the user is told */

Test(node_session, the_condition_says_what_is_wrong)
{
	Csi__V1__VolumeUsage usage[2];
	int64_t bytes;
	struct lab_args grown = vol;

	grown.bytes = SIZE;
	open_fake();
	GOOD(lab_stage(&lab, &vol));
	GOOD(lab_publish(&lab, &vol));
	GOOD(lab_stats(&lab, &vol, usage));
	cr_assert(!lab.is_abnormal && lab.n_usage == 2);
	forget_counts();
	fake.state = NVME_RECOVERING;
	GOOD(lab_stats(&lab, &vol, usage));
	cr_assert(lab.is_abnormal && strstr(lab.condition, "does not answer"));
	BAD(ERR_UNAVAILABLE, "does not answer", lab_expand(&lab, &grown, &bytes));
	fake.state = NVME_LIVE;
	fake.stuck = "sync";
	GOOD(lab_stats(&lab, &vol, usage));
	cr_assert(lab.is_abnormal && strstr(lab.condition, "sync"));
	fake.stuck = "";
	fake_nvme_lose(&fake, NVME_EMPTY);
	GOOD(lab_stats(&lab, &vol, usage));
	cr_assert(lab.is_abnormal && strstr(lab.condition, "is gone"));
	cr_assert_eq(lab.n_usage, 0);
	BAD(ERR_PRECONDITION, "gone", lab_expand(&lab, &grown, &bytes));
	cr_assert_eq(fake.n_requests[NVME_STATS], 0, "nothing is asked of a dead one");
	GOOD(lab_unpublish(&lab, &vol));
	GOOD(lab_unstage(&lab, &vol));
	lab_close(&lab);
}

/* ---- publish */

Test(node_session, a_storm_of_publishes_leaves_one_mount)
{
	open_fake();
	GOOD(lab_stage(&lab, &vol));
	for (int i = 0; i < N_STORM; i++)
		GOOD(lab_publish(&lab, &vol));
	cr_assert_eq(fake.n_requests[NVME_BIND], 1);
	GOOD(lab_unpublish(&lab, &vol));
	GOOD(lab_unstage(&lab, &vol));
	lab_close(&lab);
}

Test(node_session, a_dead_target_is_replaced)
{
	open_fake();
	GOOD(lab_stage(&lab, &block));
	GOOD(lab_publish(&lab, &block));
	fake.mounts[0].is_dead = true; /* of an earlier session of the volume */
	forget_counts();
	GOOD(lab_publish(&lab, &block));
	cr_assert_eq(fake.n_requests[NVME_UNMOUNT], 1);
	cr_assert_eq(fake.n_requests[NVME_BIND], 1);
	cr_assert(fake.n_mounts == 1 && !fake.mounts[0].is_dead);
	fake.mounts[0].is_dead = true;
	fake.fail_at = 0;
	cr_assert_neq(lab_publish(&lab, &block).code, ERR_OK);
	GOOD(lab_publish(&lab, &block));
	GOOD(lab_unpublish(&lab, &block));
	GOOD(lab_unstage(&lab, &block));
	lab_close(&lab);
}

/* As the earlier driver published: a device node, and no mount. */
Test(node_session, a_plain_device_node_is_served)
{
	Csi__V1__VolumeUsage usage[2];
	struct lab_args grown = block;
	int64_t bytes = 0;

	open_fake();
	GOOD(lab_stage(&lab, &block));
	if (mknod(lab.target, S_IFBLK | 0600, makedev(300, 0)))
		t_skip("device nodes cannot be made here");
	forget_counts();
	GOOD(lab_publish(&lab, &block));
	cr_assert_eq(fake.n_requests[NVME_BIND], 0);
	GOOD(lab_stats(&lab, &block, usage));
	cr_assert(!lab.is_abnormal && lab.n_usage == 1 && usage[0].total == SIZE);
	grown.bytes = fake.size_bytes = 2 * SIZE;
	GOOD(lab_expand(&lab, &grown, &bytes));
	cr_assert_eq(bytes, 2 * SIZE);
	cr_assert_eq(unlink(lab.target), 0);
	cr_assert_eq(mknod(lab.target, S_IFBLK | 0600, makedev(300, 1)), 0);
	GOOD(lab_stats(&lab, &block, usage));
	cr_assert(lab.is_abnormal && lab.n_usage == 0, "it leads elsewhere");
	BAD(ERR_NOT_FOUND, "", lab_expand(&lab, &grown, &bytes));
	GOOD(lab_publish(&lab, &block));
	cr_assert_eq(fake.n_requests[NVME_BIND], 1, "replaced");
	cr_assert_eq(unlink(lab.target), 0);
	GOOD(lab_unpublish(&lab, &block));
	GOOD(lab_unstage(&lab, &block));
	lab_close(&lab);
}
