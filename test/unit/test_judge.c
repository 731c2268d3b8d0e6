#include "support/t.h"

#include <string.h>

#include "rds/judge.h"

static const struct ros_args args = {
	.id = "a",
	.size_bytes = 2048,
	.nqn = "nqn.x:a",
	.nonce = "11111111",
	.expect_nonce = "00000000",
	.switch_off = true,
};

/* The disk with this nonce in its record, "" for no record. */
static struct judge_answer row(const char *nonce, bool is_exported, enum ros_fault fault)
{
	struct judge_answer a = { .has_row = true, .fault = fault };

	strcpy(a.row.id, "a");
	strcpy(a.row.nqn, "nqn.x:a");
	a.row.size_bytes = 1024;
	a.row.is_exported = is_exported;
	a.row.record.kind = *nonce ? RDS_RECORD_OURS : RDS_RECORD_NONE;
	strcpy(a.row.record.nonce, nonce);
	return a;
}

static enum verdict answer(enum rds_kind kind, struct judge_answer a, enum err_code *code)
{
	struct err err = { .code = ERR_OK };
	enum verdict v = judge_answer(kind, &args, &a, &err);

	cr_assert_eq(v == VERDICT_FAIL, err.code != ERR_OK);
	if (code)
		*code = err.code;
	return v;
}

static enum verdict check(enum rds_kind kind, struct judge_answer a)
{
	struct err err = { .code = ERR_OK };

	return judge_check(kind, &args, &a, &err);
}

static const char ours[] = "11111111", old[] = "00000000", other[] = "22222222";

Test(judge, a_change_is_done_when_record_and_export_say_so)
{
	const enum ros_fault none = ROS_FAULT_NONE;

	cr_assert_eq(answer(RDS_PUBLISH, row(ours, true, none), NULL), VERDICT_DONE);
	cr_assert_eq(answer(RDS_PUBLISH, row(ours, false, none), NULL), VERDICT_CHECK);
	cr_assert_eq(answer(RDS_UNPUBLISH, row(ours, false, none), NULL), VERDICT_DONE);
	cr_assert_eq(answer(RDS_UNPUBLISH, row(ours, true, none), NULL), VERDICT_CHECK);
	cr_assert_eq(answer(RDS_FENCE_BEGIN, row(ours, true, none), NULL), VERDICT_CHECK);
	cr_assert_eq(answer(RDS_FENCE_FINISH, row(ours, false, none), NULL),
		     VERDICT_DONE);
	cr_assert_eq(answer(RDS_GROW, row(ours, false, none), NULL), VERDICT_CHECK);
	cr_assert_eq(answer(RDS_EXPORT, row(ours, true, none), NULL), VERDICT_DONE);
	cr_assert_eq(answer(RDS_EXPORT, row(ours, false, none), NULL), VERDICT_CHECK);
	cr_assert_eq(answer(RDS_EXPORT, row(other, true, none), NULL), VERDICT_CHECK,
		     "on, but not by us");
}

Test(judge, the_box_mounts_no_volume_once_it_says_so)
{
	struct judge_answer a = row(old, true, ROS_FAULT_NONE);

	cr_assert_eq(answer(RDS_NO_MOUNT, a, NULL), VERDICT_DONE);
	a.row.is_mounted = true;
	cr_assert_eq(answer(RDS_NO_MOUNT, a, NULL), VERDICT_CHECK);
	a.row.is_mounted = false;
	a.row.mount_filesystem = true;
	cr_assert_eq(answer(RDS_NO_MOUNT, a, NULL), VERDICT_CHECK);
}

Test(judge, another_record_is_stale_and_our_own_is_completed)
{
	const enum ros_fault cas = ROS_FAULT_CAS;

	cr_assert_eq(answer(RDS_PUBLISH, row(other, true, cas), NULL), VERDICT_STALE);
	cr_assert_eq(answer(RDS_PUBLISH, row("", false, cas), NULL), VERDICT_STALE);
	cr_assert_eq(answer(RDS_PUBLISH, row(ours, false, cas), NULL), VERDICT_FINISH);
	cr_assert_eq(answer(RDS_PUBLISH, row(ours, true, cas), NULL), VERDICT_DONE);
}

Test(judge, a_lost_answer_is_judged_by_what_is_there)
{
	const struct judge_answer gone = { .has_row = false };
	const enum ros_fault none = ROS_FAULT_NONE;

	for (enum rds_kind k = RDS_PUBLISH; k <= RDS_EXPORT; k++) {
		cr_assert_eq(check(k, row(old, false, none)), VERDICT_REPEAT);
		cr_assert_eq(check(k, row(other, false, none)), VERDICT_STALE);
		cr_assert_eq(check(k, row("", false, none)), VERDICT_STALE);
		cr_assert_eq(check(k, gone), VERDICT_ABSENT);
		bool is_on = k == RDS_PUBLISH || k == RDS_EXPORT;

		cr_assert_eq(check(k, row(ours, is_on, none)), VERDICT_DONE);
		cr_assert_eq(check(k, row(ours, !is_on, none)), VERDICT_FINISH);
	}
	cr_assert_eq(check(RDS_CREATE, gone), VERDICT_REPEAT);
	cr_assert_eq(check(RDS_CREATE, row(ours, false, none)), VERDICT_DONE);
	cr_assert_eq(check(RDS_DELETE, gone), VERDICT_REPEAT, "its file may be there");
	cr_assert_eq(check(RDS_DELETE, row(old, false, none)), VERDICT_REPEAT);
	cr_assert_eq(check(RDS_DELETE, row(other, false, none)), VERDICT_STALE,
		     "another one under the same id");
	cr_assert_eq(check(RDS_NO_MOUNT, gone), VERDICT_ABSENT);
	cr_assert_eq(check(RDS_NO_MOUNT, row(old, false, none)), VERDICT_REPEAT);
	cr_assert_eq(check(RDS_GROW, gone), VERDICT_ABSENT);
	cr_assert_eq(check(RDS_GROW, row(old, false, none)), VERDICT_REPEAT);
}

Test(judge, a_delete_is_done_only_when_nothing_is_left)
{
	struct judge_answer a = { .has_number = true };
	enum err_code code;

	cr_assert_eq(answer(RDS_DELETE, a, NULL), VERDICT_DONE);
	a.number = 1;
	cr_assert_eq(answer(RDS_DELETE, a, &code), VERDICT_FAIL);
	cr_assert_eq(code, ERR_UNAVAILABLE);
	a.fault = ROS_FAULT_HELD;
	cr_assert_eq(answer(RDS_DELETE, a, &code), VERDICT_FAIL);
	cr_assert_eq(code, ERR_PRECONDITION);
	a = row(other, false, ROS_FAULT_CAS);
	cr_assert_eq(answer(RDS_DELETE, a, NULL), VERDICT_STALE);
	a = (struct judge_answer){ .has_number = false };
	cr_assert_eq(answer(RDS_DELETE, a, &code), VERDICT_FAIL);
}

Test(judge, faults_become_codes)
{
	static const struct {
		enum rds_kind kind;
		enum ros_fault fault;
		enum err_code code;
	} cases[] = {
		{ RDS_CREATE, ROS_FAULT_SPACE, ERR_EXHAUSTED },
		{ RDS_GROW, ROS_FAULT_SPACE, ERR_EXHAUSTED },
		{ RDS_CREATE, ROS_FAULT_NQN, ERR_EXISTS },
		{ RDS_PUBLISH, ROS_FAULT_NQN, ERR_PRECONDITION },
		{ RDS_CREATE, ROS_FAULT_LARGER, ERR_EXISTS },
		{ RDS_CREATE, ROS_FAULT_POOL, ERR_PRECONDITION },
		{ RDS_PUBLISH, ROS_FAULT_MOUNTED, ERR_PRECONDITION },
		{ RDS_NO_MOUNT, ROS_FAULT_MOUNTED, ERR_PRECONDITION },
		{ RDS_NO_MOUNT, ROS_FAULT_HELD, ERR_PRECONDITION },
		{ RDS_NO_MOUNT, ROS_FAULT_CAS, ERR_PRECONDITION },
		{ RDS_NO_MOUNT, ROS_FAULT_STILL, ERR_UNAVAILABLE },
		{ RDS_PUBLISH, ROS_FAULT_SHAPE, ERR_PRECONDITION },
		{ RDS_PUBLISH, ROS_FAULT_GONE, ERR_PRECONDITION },
		{ RDS_GROW, ROS_FAULT_CAS, ERR_PRECONDITION },
		{ RDS_PUBLISH, ROS_FAULT_PERMISSION, ERR_PRECONDITION },
		{ RDS_FENCE_BEGIN, ROS_FAULT_STILL, ERR_UNAVAILABLE },
		{ RDS_PUBLISH, ROS_FAULT_OTHER, ERR_UNAVAILABLE },
	};
	enum err_code code;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct judge_answer a = row(old, true, cases[i].fault);

		a.row.mount_filesystem = true;
		/* A create that was refused shows no disk. */
		a.has_row = cases[i].kind != RDS_CREATE;
		cr_assert_eq(answer(cases[i].kind, a, &code), VERDICT_FAIL, "%zu", i);
		cr_assert_eq(code, cases[i].code, "%zu", i);
	}
}

Test(judge, what_makes_no_sense_is_never_an_answer)
{
	struct judge_answer a = { .is_nonsense = true };
	enum err_code code;

	for (enum rds_kind k = RDS_GET; k <= RDS_EXPORT; k++) {
		enum verdict v = answer(k, a, &code);

		cr_assert_eq(v, judge_is_mutation(k) ? VERDICT_CHECK : VERDICT_FAIL);
		if (judge_is_mutation(k))
			cr_assert_eq(check(k, a), VERDICT_FAIL);
	}
}

Test(judge, a_create_overtaken_by_its_own_late_script_is_done)
{
	static const enum ros_fault met[] = { ROS_FAULT_NQN, ROS_FAULT_LEFTOVER,
					      ROS_FAULT_SCRIPT, ROS_FAULT_INUSE };
	struct judge_answer none = { .fault = ROS_FAULT_NQN };
	enum err_code code;

	for (size_t i = 0; i < sizeof(met) / sizeof(met[0]); i++)
		cr_assert_eq(answer(RDS_CREATE, row(ours, false, met[i]), NULL),
			     VERDICT_DONE);
	cr_assert_eq(answer(RDS_CREATE, row(ours, false, ROS_FAULT_TIMED_OUT), NULL),
		     VERDICT_CHECK);
	cr_assert_eq(answer(RDS_CREATE, none, &code), VERDICT_FAIL);
	cr_assert_eq(code, ERR_EXISTS);
}
