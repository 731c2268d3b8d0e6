#ifndef RDS_JUDGE_H
#define RDS_JUDGE_H
#include "rds/rds.h"
#include "rds/ros_reply.h"
#include "rds/ros_script.h"

/* What the box's answer to a request means. Pure. A mutation is never replayed blindly:
 * when its own answer is lost, the disk is read and judged first. */
struct judge_answer { /* of one exec; zeroed before the first event */
	enum ros_fault fault;
	char text[160]; /* of the error */
	bool has_row, has_number, is_nonsense;
	struct rds_volume row;
	uint64_t number;
};

enum verdict {
	VERDICT_DONE,
	VERDICT_STALE,	/* nothing was changed: the record was another one */
	VERDICT_ABSENT, /* there is no such disk */
	VERDICT_ADOPT,	/* CREATE: an image without a disk lies there */
	VERDICT_CHECK,	/* unknown: read the disk */
	VERDICT_REPEAT, /* it did not happen, and may be asked again as it was */
	VERDICT_FINISH, /* our record is there without the rest: again, upon that record
			 */
	VERDICT_FAIL,	/* err says why */
};

bool judge_is_mutation(enum rds_kind kind);
void judge_note(struct judge_answer *a, const struct ros_event *ev,
		const struct ros_site *site);
/* The whole answer to the request's own script. */
enum verdict judge_answer(enum rds_kind kind, const struct ros_args *args,
			  const struct judge_answer *a, struct err *err);
/* The answer to the GET after an answer was lost. */
enum verdict judge_check(enum rds_kind kind, const struct ros_args *args,
			 const struct judge_answer *a, struct err *err);
#endif
