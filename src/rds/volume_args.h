#ifndef RDS_VOLUME_ARGS_H
#define RDS_VOLUME_ARGS_H
#include "rds/judge.h"
#include "rds/lane.h"
#include "rds/rds.h"
#include "rds/disk_record.h"

/* From a request of the port to the arguments of its scripts. Pure but for the nonces. */
struct volume_texts { /* what the arguments point to beside the request itself */
	char record[RDS_RECORD_MAX], nonce[RDS_NONCE + 1], own_nonce[RDS_NONCE + 1];
};

enum ros_step volume_args_step(enum rds_kind kind);
enum lane volume_args_lane(enum rds_kind kind, enum ros_step step);
uint64_t volume_args_allowance(const struct rds_req *req); /* milliseconds */

/* Checks the request. ERR_INVALID for what no caller of ours should send;
 * ERR_PRECONDITION for what this box cannot do, or may not without a record. */
int volume_args_fill(struct ros_args *a, struct volume_texts *t,
		     const struct rds_req *req, const struct ros_site *site,
		     struct err *err);
/* Our record stands there, but not all that goes with it: the same again, in place of
 * that record and with a nonce of its own. */
void volume_args_upon_own(struct ros_args *a, struct volume_texts *t);
/* A row of CAPACITY: fills the results, the reserve subtracted. */
void volume_args_capacity(struct rds_req *req, struct judge_answer *a,
			  const struct ros_site *site, const struct ros_event *ev);
#endif
