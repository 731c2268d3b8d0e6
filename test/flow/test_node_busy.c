#include <stdio.h>
#include <string.h>

#include "csi/ids.h"
#include "fakes/fake_nvme.h"
#include "support/node_lab.h"

/* Unpublish of a target that a process of the pod holds: one that waits for its target
 * cannot be killed, and only the end of the session frees it. */

enum { SIZE = 64 * 1024 * 1024, MAX_TURNS = 300 };
static const struct lab_args fs = { .id = "pvc-x", .fs_type = "ext4" };
static const struct lab_args block = { .id = "pvc-x" };
static const struct lab_args *const kinds[] = { &fs, &block };

static struct node_lab lab;
static struct fake_nvme fake;

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

/* Published, and held by a process of the pod. */
static void open_held(const struct lab_args *a, enum nvme_state state)
{
	char nqn[ID_NQN];

	lab_open(&lab, &fake.nvme);
	id_base_nqn(a->id, nqn);
	fake_nvme_init(&fake, &lab.loop.uv, nqn, SIZE);
	fake.has_sessions = true;
	GOOD(lab_stage(&lab, a));
	GOOD(lab_publish(&lab, a));
	memset(fake.n_requests, 0, sizeof(fake.n_requests));
	fake.is_busy = true;
	fake.state = state;
}

static void check_off(const struct lab_args *a)
{
	cr_assert_eq(fake_nvme_mounts_at(&fake, lab.target), 0);
	GOOD(lab_unstage(&lab, a));
	cr_assert(!fake.is_attached && !fake.has_record && !fake.n_mounts);
	lab_close(&lab);
}

static void check_untouched(void)
{
	cr_assert_eq(fake.n_requests[NVME_CUT], 0);
	cr_assert_eq(fake_nvme_mounts_at(&fake, lab.target), 1);
	cr_assert(fake.is_attached && fake.has_record);
}

Test(node_busy, a_refused_target_is_cut_and_the_target_path_comes_off)
{
	for (int i = 0; i < 2; i++) {
		open_held(kinds[i], NVME_RECOVERING);
		fake.is_refused = true;
		GOOD(lab_unpublish(&lab, kinds[i]));
		cr_assert_eq(fake.n_requests[NVME_ASK], 1);
		cr_assert_eq(fake.n_requests[NVME_CUT], 1);
		GOOD(lab_unpublish(&lab, kinds[i]));
		check_off(kinds[i]);
	}
}

/* A pod that is slow to end, and nothing else: not even asked. */
Test(node_busy, a_live_session_is_not_cut)
{
	open_held(&fs, NVME_LIVE);
	fake.is_refused = true;
	BAD(ERR_ABORTED, "busy", lab_unpublish(&lab, &fs));
	cr_assert_eq(fake.n_requests[NVME_ASK], 0);
	check_untouched();
	fake.is_busy = false;
	GOOD(lab_unpublish(&lab, &fs));
	check_off(&fs);
}

Test(node_busy, a_target_that_may_come_back_is_waited_for)
{
	open_held(&fs, NVME_RECOVERING);
	BAD(ERR_ABORTED, "wait for the target", lab_unpublish(&lab, &fs));
	check_untouched();
	fake.is_silent = true;
	BAD(ERR_UNAVAILABLE, "does not answer", lab_unpublish(&lab, &fs));
	check_untouched();
	fake.is_silent = fake.is_busy = false;
	fake.state = NVME_LIVE;
	GOOD(lab_unpublish(&lab, &fs));
	check_off(&fs);
}

/* Nothing holds the target: unmounting one of several mounts reaches no device. */
Test(node_busy, without_a_holder_nobody_is_asked)
{
	open_held(&fs, NVME_RECOVERING);
	fake.is_busy = false;
	GOOD(lab_unpublish(&lab, &fs));
	cr_assert_eq(fake.n_requests[NVME_ASK], 0);
	cr_assert(fake.is_attached);
	fake.state = NVME_LIVE;
	check_off(&fs);
}

/* It holds the volume's lock, so that no other child runs; the cut is what frees it. */
Test(node_busy, behind_a_stuck_child_a_refused_target_is_cut)
{
	open_held(&fs, NVME_RECOVERING);
	fake.stuck = "grow";
	BAD(ERR_ABORTED, "grow", lab_unpublish(&lab, &fs));
	check_untouched();
	fake.is_refused = true;
	GOOD(lab_unpublish(&lab, &fs));
	cr_assert_eq(fake.n_requests[NVME_CUT], 1);
	check_off(&fs);
}

Test(node_busy, failing_at_each_request_converges)
{
	for (int n = 1; n < 4; n++) { /* ask, cut, unmount */
		open_held(&fs, NVME_RECOVERING);
		fake.is_refused = true;
		fake.fail_at = n;
		BAD(ERR_PRECONDITION, "as told", lab_unpublish(&lab, &fs));
		GOOD(lab_unpublish(&lab, &fs));
		cr_assert_eq(fake.n_requests[NVME_CUT], n == 2 ? 2 : 1);
		check_off(&fs);
	}
}

static void cut_after(int turns, struct err *ret)
{
	Csi__V1__NodeUnpublishVolumeRequest req;
	struct rpc *rpc;
	char id[64];

	csi__v1__node_unpublish_volume_request__init(&req);
	snprintf(id, sizeof(id), "%s", fs.id);
	req.volume_id = id;
	req.target_path = lab.target;
	rpc = lab_begin(&lab, "NodeUnpublishVolume", &req.base);
	for (int i = 0; i < turns && !lab.n_done; i++)
		uv_run(&lab.loop.uv, UV_RUN_ONCE);
	if (!lab.n_done)
		op_cancel(&rpc->op, ERR_DEADLINE);
	*ret = lab_end(&lab, rpc);
}

Test(node_busy, cut_after_any_number_of_turns_converges)
{
	struct err e = { .code = ERR_DEADLINE };
	int turns;

	for (turns = 0; turns < MAX_TURNS && e.code != ERR_OK; turns++) {
		open_held(&fs, NVME_RECOVERING);
		fake.is_refused = true;
		fake.fails_after = turns % 2;
		cut_after(turns, &e);
		fake.fails_after = false;
		GOOD(lab_unpublish(&lab, &fs));
		check_off(&fs);
	}
	cr_assert(turns > 8 && turns < MAX_TURNS, "%d", turns);
}

static void unpublish_without_memory_at(long nth)
{
	open_held(&fs, NVME_RECOVERING);
	fake.is_refused = true;
	mem_fail_at(nth);
	(void)lab_unpublish(&lab, &fs);
}

Test(node_busy, without_memory_anywhere_converges)
{
	long n;

	unpublish_without_memory_at(-1);
	n = mem_count();
	check_off(&fs);
	cr_assert_gt(n, 4);
	for (long i = 0; i < n; i++) {
		unpublish_without_memory_at(i);
		mem_fail_at(-1);
		GOOD(lab_unpublish(&lab, &fs));
		check_off(&fs);
	}
}
