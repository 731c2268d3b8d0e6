#include "rds/judge.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"

bool judge_is_mutation(enum rds_kind kind)
{
	return kind != RDS_GET && kind != RDS_LIST && kind != RDS_CAPACITY;
}

static void note_row(struct judge_answer *a, const struct ros_event *ev,
		     const struct ros_site *site)
{
	struct err err;
	struct row row;

	if (a->has_row || row_parse(&row, ev->text, ev->len, &err) ||
	    ros_row_volume(&a->row, &row, site, &err))
		a->is_nonsense = true;
	a->has_row = true;
}

void judge_note(struct judge_answer *a, const struct ros_event *ev,
		const struct ros_site *site)
{
	switch (ev->word) {
	case ROS_SAID_ROW:
		note_row(a, ev, site);
		break;
	case ROS_SAID_ERROR:
		if (a->fault != ROS_FAULT_NONE)
			break;
		a->fault = ros_fault_of(ev->text);
		(void)snprintf(a->text, sizeof(a->text), "%s", ev->text);
		break;
	case ROS_SAID_NUMBER:
		a->has_number = str_to_u64(ev->text, &a->number) == 0;
		a->is_nonsense |= !a->has_number;
		break;
	case ROS_SAID_NONSENSE:
		a->is_nonsense = true;
		break;
	default:
		break;
	}
}

static bool has_our_record(const struct ros_args *args, const struct rds_volume *v)
{
	return v->record.kind == RDS_RECORD_OURS && args->nonce &&
	       strcmp(v->record.nonce, args->nonce) == 0;
}

static bool has_expected_record(const struct ros_args *args, const struct rds_volume *v)
{
	if (!args->expect_nonce)
		return v->record.kind == RDS_RECORD_NONE;
	return v->record.kind == RDS_RECORD_OURS &&
	       strcmp(v->record.nonce, args->expect_nonce) == 0;
}

/* Of a delete: this is the disk that was read before, not one made since. */
static bool is_to_go(const struct ros_args *args, const struct rds_volume *v)
{
	return args->nqn && has_expected_record(args, v) &&
	       strcmp(v->nqn, args->nqn) == 0;
}

/* Whether the disk is as the request wants it, by whomever it came to be so. */
static bool has_effect(enum rds_kind kind, const struct ros_args *args,
		       const struct rds_volume *v)
{
	switch (kind) {
	case RDS_CREATE:
		return true;
	case RDS_GROW:
		return v->size_bytes >= args->size_bytes;
	case RDS_NO_MOUNT:
		return !v->mount_filesystem && !v->is_mounted;
	case RDS_PUBLISH:
	case RDS_EXPORT:
		return has_our_record(args, v) && v->is_exported &&
		       strcmp(v->nqn, args->nqn) == 0;
	case RDS_UNPUBLISH:
		return has_our_record(args, v) && !(args->switch_off && v->is_exported);
	case RDS_FENCE_BEGIN:
		return has_our_record(args, v) && !v->is_exported;
	case RDS_FENCE_FINISH:
		return has_our_record(args, v) && !v->is_exported &&
		       strcmp(v->nqn, args->nqn) == 0;
	default:
		return false;
	}
}

static enum verdict fail(struct err *err, enum err_code code, const char *text)
{
	(void)err_set(err, code, "%s", text);
	return VERDICT_FAIL;
}

static enum verdict fail_by_fault(enum rds_kind kind, const struct judge_answer *a,
				  struct err *err)
{
	switch (a->fault) {
	case ROS_FAULT_SPACE:
		return fail(err, ERR_EXHAUSTED,
			    "the pool has no room for it above its reserve");
	case ROS_FAULT_NQN:
		return kind == RDS_CREATE
			       ? fail(err, ERR_EXISTS, "another disk has its NQN")
			       : fail(err, ERR_PRECONDITION,
				      "the disk's NQN is not the expected one, or "
				      "another disk has it too");
	case ROS_FAULT_LARGER:
		return fail(err, ERR_EXISTS,
			    "an image without a disk lies there, and it is larger");
	case ROS_FAULT_GONE:
	case ROS_FAULT_SHAPE:
		return fail(err, ERR_PRECONDITION,
			    "the disk of that name is no volume of this driver");
	case ROS_FAULT_CAS:
	case ROS_FAULT_FOREIGN:
		return fail(err, ERR_PRECONDITION,
			    "the disk bears no record of this driver and cluster");
	case ROS_FAULT_HELD:
		return fail(err, ERR_PRECONDITION, "a node holds it, or a fence is open");
	case ROS_FAULT_MOUNTED:
		return fail(err, ERR_PRECONDITION, "the box itself has it mounted");
	case ROS_FAULT_POOL:
		return fail(err, ERR_PRECONDITION, "the pool is not mounted on the box");
	case ROS_FAULT_INUSE:
		return fail(err, ERR_PRECONDITION, "another disk uses its file");
	case ROS_FAULT_PERMISSION:
	case ROS_FAULT_SCRIPT:
		(void)err_set(err, ERR_PRECONDITION, "the box refused: %.150s", a->text);
		return VERDICT_FAIL;
	default:
		(void)err_set(err, ERR_UNAVAILABLE, "the box said: %.150s", a->text);
		return VERDICT_FAIL;
	}
}

/* A disk of that name is the volume, by whichever script it came to be: an earlier one of
 * ours that ran on after its connection was cut may have added it while this one looked,
 * which this one then met as a taken NQN, slot or file. The caller compares the rest. */
static enum verdict judge_create(const struct judge_answer *a, struct err *err)
{
	if (a->has_row && a->fault != ROS_FAULT_TIMED_OUT)
		return VERDICT_DONE;
	switch (a->fault) {
	case ROS_FAULT_NONE:
		return VERDICT_CHECK;
	case ROS_FAULT_LEFTOVER:
		return VERDICT_ADOPT;
	case ROS_FAULT_TIMED_OUT:
		return VERDICT_CHECK;
	default:
		return fail_by_fault(RDS_CREATE, a, err);
	}
}

/* Of a pool that is not mounted nothing is seen, and it will be there again. */
static enum verdict judge_delete(const struct judge_answer *a, struct err *err)
{
	if (a->has_number && a->number == 0 && a->fault != ROS_FAULT_POOL)
		return VERDICT_DONE;
	if (a->fault == ROS_FAULT_TIMED_OUT)
		return VERDICT_CHECK;
	if (a->fault == ROS_FAULT_CAS && a->has_row)
		return VERDICT_STALE;
	if (a->fault != ROS_FAULT_NONE)
		return fail_by_fault(RDS_DELETE, a, err);
	return fail(err, ERR_UNAVAILABLE, "the box still shows a part of it");
}

static enum verdict judge_change(enum rds_kind kind, const struct ros_args *args,
				 const struct judge_answer *a, struct err *err)
{
	if (a->has_row && has_effect(kind, args, &a->row) &&
	    (a->fault == ROS_FAULT_NONE || kind >= RDS_PUBLISH))
		return VERDICT_DONE;
	switch (a->fault) {
	case ROS_FAULT_GONE:
		return a->has_row ? fail_by_fault(kind, a, err) : VERDICT_ABSENT;
	case ROS_FAULT_CAS:
		if (kind < RDS_PUBLISH || !a->has_row)
			return fail_by_fault(kind, a, err);
		return has_our_record(args, &a->row) ? VERDICT_FINISH : VERDICT_STALE;
	case ROS_FAULT_NONE:
	case ROS_FAULT_TIMED_OUT:
		return VERDICT_CHECK;
	default:
		return fail_by_fault(kind, a, err);
	}
}

enum verdict judge_answer(enum rds_kind kind, const struct ros_args *args,
			  const struct judge_answer *a, struct err *err)
{
	if (a->is_nonsense)
		return judge_is_mutation(kind) ? VERDICT_CHECK
					       : fail(err, ERR_UNAVAILABLE,
						      "the box's answer makes no sense");
	switch (kind) {
	case RDS_GET:
		return a->has_row ? VERDICT_DONE : VERDICT_ABSENT;
	case RDS_LIST:
	case RDS_CAPACITY:
		return VERDICT_DONE;
	case RDS_CREATE:
		return judge_create(a, err);
	case RDS_DELETE:
		return judge_delete(a, err);
	default:
		return judge_change(kind, args, a, err);
	}
}

enum verdict judge_check(enum rds_kind kind, const struct ros_args *args,
			 const struct judge_answer *a, struct err *err)
{
	if (a->is_nonsense)
		return fail(err, ERR_UNAVAILABLE, "the box's answer makes no sense");
	if ((kind == RDS_DELETE || kind == RDS_CREATE) && !a->has_row)
		return VERDICT_REPEAT; /* its script reads all it needs itself */
	if (kind == RDS_DELETE)
		return is_to_go(args, &a->row) ? VERDICT_REPEAT : VERDICT_STALE;
	if (!a->has_row)
		return VERDICT_ABSENT;
	if (kind == RDS_GROW || kind == RDS_NO_MOUNT)
		return VERDICT_REPEAT; /* likewise, and neither can be undone by it */
	if (has_effect(kind, args, &a->row))
		return VERDICT_DONE;
	if (has_expected_record(args, &a->row))
		return VERDICT_REPEAT;
	return has_our_record(args, &a->row) ? VERDICT_FINISH : VERDICT_STALE;
}
