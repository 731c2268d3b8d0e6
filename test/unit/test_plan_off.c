#include "csi/node/plan_off.h"

#include <string.h>

#include "csi/ids.h"
#include "support/t.h"

/* How a volume comes off, one step at a time. */

static struct err err;
static enum plan_off step;

static int unstage(struct nvme_view v, enum plan_off last)
{
	struct plan_off_facts f = { .view = &v, .last = last };

	err = (struct err){ .code = ERR_OK };
	return plan_unstage(&f, &step, &err);
}

static int unstage_answered(struct nvme_view v, bool is_refused)
{
	struct plan_off_facts f = { .view = &v,
				    .last = PLAN_OFF_ASK,
				    .is_refused = is_refused };

	return plan_unstage(&f, &step, &err);
}

static int clear(struct nvme_view v, enum plan_off last, const char *last_path)
{
	struct plan_off_facts f = { .view = &v, .last = last, .last_path = last_path };

	err = (struct err){ .code = ERR_OK };
	return plan_clear(&f, &step, &err);
}

#define GOES(want, call)                                        \
	do {                                                    \
		cr_assert_eq((call), 0, "%s", err.msg);         \
		cr_assert_eq(step, want, "step %d", (int)step); \
	} while (0)
#define REFUSED(want, call)                                     \
	do {                                                    \
		cr_assert_eq((call), -1, "step %d", (int)step); \
		cr_assert_eq(err.code, want, "%s", err.msg);    \
	} while (0)

#define DEVICE .device = { .path = "/dev/x" }
static const struct nvme_view mounted = { .state = NVME_LIVE, DEVICE, .n_layers = 1 };
static const struct nvme_view bare = { .state = NVME_LIVE, DEVICE };
static const struct nvme_view nothing = { .state = NVME_ABSENT };

Test(plan_off, unstage_in_order)
{
	GOES(PLAN_OFF_SYNC, unstage(mounted, PLAN_OFF_BEGIN));
	GOES(PLAN_OFF_UNMOUNT, unstage(mounted, PLAN_OFF_SYNC));
	GOES(PLAN_OFF_PROVE, unstage(bare, PLAN_OFF_UNMOUNT));
	GOES(PLAN_OFF_DETACH, unstage(bare, PLAN_OFF_PROVE));
	GOES(PLAN_OFF_DONE, unstage(nothing, PLAN_OFF_DETACH));
	GOES(PLAN_OFF_DONE, unstage(nothing, PLAN_OFF_BEGIN));
	GOES(PLAN_OFF_PROVE, unstage(bare, PLAN_OFF_BEGIN));
}

Test(plan_off, unstage_believes_only_what_it_sees)
{
	REFUSED(ERR_ABORTED, unstage(mounted, PLAN_OFF_UNMOUNT));
	REFUSED(ERR_ABORTED, unstage(bare, PLAN_OFF_DETACH));
	REFUSED(ERR_ABORTED, unstage(bare, PLAN_OFF_CUT));
	REFUSED(ERR_ABORTED,
		unstage((struct nvme_view){ .state = NVME_EMPTY }, PLAN_OFF_DETACH));
}

Test(plan_off, unstage_touches_nobody_elses)
{
	struct nvme_view v = mounted;

	v.n_foreign_layers = 1;
	REFUSED(ERR_PRECONDITION, unstage(v, PLAN_OFF_BEGIN));
	v = mounted;
	v.n_elsewhere = 1;
	REFUSED(ERR_PRECONDITION, unstage(v, PLAN_OFF_BEGIN));
	REFUSED(ERR_PRECONDITION, unstage(v, PLAN_OFF_UNMOUNT));
}

/* What would hang is not begun, and nothing is deleted while it may come back. */
Test(plan_off, a_target_that_does_not_answer_is_asked_for_its_refusal)
{
	struct nvme_view v = mounted;

	v.state = NVME_RECOVERING;
	GOES(PLAN_OFF_ASK, unstage(v, PLAN_OFF_BEGIN));
	GOES(PLAN_OFF_CUT, unstage_answered(v, true));
	GOES(PLAN_OFF_SYNC, unstage_answered(v, false));
	v.n_layers = 0;
	GOES(PLAN_OFF_ASK, unstage(v, PLAN_OFF_BEGIN));
	GOES(PLAN_OFF_CUT, unstage_answered(v, true));
	GOES(PLAN_OFF_PROVE, unstage_answered(v, false));
	v = nothing;
	v.n_layers = 1;
	v.is_dead = true;
	GOES(PLAN_OFF_UNMOUNT, unstage(v, PLAN_OFF_CUT));
	GOES(PLAN_OFF_DONE, unstage(nothing, PLAN_OFF_UNMOUNT));
	v = bare;
	v.state = NVME_GOING;
	REFUSED(ERR_ABORTED, unstage(v, PLAN_OFF_BEGIN));
}

Test(plan_off, a_dead_device_comes_off_without_a_sync)
{
	struct nvme_view v = { .state = NVME_EMPTY, .n_layers = 1, .is_dead = true };

	GOES(PLAN_OFF_UNMOUNT, unstage(v, PLAN_OFF_BEGIN));
	v.state = NVME_RECOVERING;
	GOES(PLAN_OFF_UNMOUNT, unstage(v, PLAN_OFF_BEGIN));
	v.n_layers = 0;
	v.is_dead = false;
	v.state = NVME_EMPTY;
	GOES(PLAN_OFF_CUT, unstage(v, PLAN_OFF_UNMOUNT));
	GOES(PLAN_OFF_DONE, unstage(nothing, PLAN_OFF_CUT));
	/* The namespace came back as another device. */
	v = mounted;
	v.is_dead = true;
	GOES(PLAN_OFF_UNMOUNT, unstage(v, PLAN_OFF_BEGIN));
	GOES(PLAN_OFF_PROVE, unstage(bare, PLAN_OFF_UNMOUNT));
}

Test(plan_off, what_replaced_the_volume_is_never_unmounted_alive)
{
	struct plan_off_facts f = { .view = &mounted,
				    .last = PLAN_OFF_SYNC,
				    .is_other = true };
	enum plan_off next;

	cr_assert_eq(plan_unstage(&f, &next, &err), 0);
	cr_assert_eq(next, PLAN_OFF_CUT);
	f.is_other = false;
	cr_assert_eq(plan_unstage(&f, &next, &err), 0);
	cr_assert_eq(next, PLAN_OFF_UNMOUNT);
}

/* A dirty unmount hangs until the session is deleted. */
Test(plan_off, a_leftover_is_cut_first)
{
	struct nvme_view dead = { .n_layers = 1, .is_dead = true, .n_elsewhere = 1 };

	strcpy(dead.dead_path, "/pod");
	GOES(PLAN_OFF_CUT, clear(mounted, PLAN_OFF_BEGIN, ""));
	GOES(PLAN_OFF_TARGET, clear(dead, PLAN_OFF_CUT, ""));
	GOES(PLAN_OFF_TARGET, clear(dead, PLAN_OFF_TARGET, "/other"));
	REFUSED(ERR_ABORTED, clear(dead, PLAN_OFF_TARGET, "/pod"));
	dead.dead_path[0] = '\0';
	dead.n_elsewhere = 0;
	GOES(PLAN_OFF_UNMOUNT, clear(dead, PLAN_OFF_TARGET, "/pod"));
	REFUSED(ERR_ABORTED, clear(dead, PLAN_OFF_UNMOUNT, ""));
	GOES(PLAN_OFF_DONE, clear(nothing, PLAN_OFF_UNMOUNT, "/pod"));
	GOES(PLAN_OFF_DONE, clear(nothing, PLAN_OFF_BEGIN, ""));
}

Test(plan_off, a_back_end_that_cannot_cut_detaches)
{
	struct nvme_view v = mounted;

	GOES(PLAN_OFF_UNMOUNT, clear(mounted, PLAN_OFF_CUT, ""));
	GOES(PLAN_OFF_DETACH, clear(bare, PLAN_OFF_UNMOUNT, ""));
	GOES(PLAN_OFF_DONE, clear(nothing, PLAN_OFF_DETACH, ""));
	REFUSED(ERR_ABORTED, clear(bare, PLAN_OFF_DETACH, ""));
	v.n_elsewhere = 1;
	v.n_layers = 0;
	REFUSED(ERR_ABORTED, clear(v, PLAN_OFF_CUT, ""));
	REFUSED(ERR_ABORTED,
		clear((struct nvme_view){ .state = NVME_EMPTY }, PLAN_OFF_CUT, ""));
	v.n_foreign_layers = 1;
	REFUSED(ERR_PRECONDITION, clear(v, PLAN_OFF_BEGIN, ""));
}

/* A call that comes late must not cut off what has taken its place. */
Test(plan_off, an_older_name_never_ends_a_newer_session)
{
	char base[ID_NQN], second[ID_NQN];
	struct nvme_record rec = { .stage = NVME_STAGED };
	struct nvme_view v = bare;

	id_base_nqn("pvc-1", base);
	id_new_nqn("pvc-1", 2, second);
	strcpy(rec.nqn, second);
	cr_assert_eq(plan_may_clear("pvc-1", base, &v, &rec, &err), -1);
	cr_assert_eq(err.code, ERR_ABORTED);
	v.state = NVME_RECOVERING;
	cr_assert_eq(plan_may_clear("pvc-1", base, &v, &rec, &err), 0);
	v.state = NVME_LIVE;
	strcpy(rec.nqn, base);
	cr_assert_eq(plan_may_clear("pvc-1", second, &v, &rec, &err), 0);
	cr_assert_eq(plan_may_clear("pvc-1", base, &v, &rec, &err), 0);
	/* Of two that were made under one id nobody can tell the later one. */
	id_new_nqn("pvc-1", 0, rec.nqn);
	cr_assert_eq(plan_may_clear("pvc-1", base, &v, &rec, &err), -1);
	id_new_nqn("pvc-1", 0, base);
	cr_assert_eq(plan_may_clear("pvc-1", base, &v, &rec, &err), -1);
	v.state = NVME_RECOVERING;
	cr_assert_eq(plan_may_clear("pvc-1", base, &v, &rec, &err), 0);
	v.state = NVME_LIVE;
	id_base_nqn("pvc-1", base);
	strcpy(rec.nqn, "nqn.2000-02.com.mikrotik:static");
	cr_assert_eq(plan_may_clear("pvc-1", base, &v, &rec, &err), 0);
	/* What is no name of the volume's is newer than none. */
	cr_assert_eq(plan_may_clear("pvc-1", "nqn.2000-02.com.mikrotik:other", &v, &rec,
				    &err),
		     -1);
	cr_assert_eq(err.code, ERR_ABORTED);
	strcpy(rec.nqn, second);
	cr_assert_eq(plan_may_clear("pvc-1", "nqn.2000-02.com.mikrotik:static", &v, &rec,
				    &err),
		     -1);
}
