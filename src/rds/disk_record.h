#ifndef RDS_DISK_RECORD_H
#define RDS_DISK_RECORD_H
#include <stddef.h>

#include "core/err.h"
#include "rds/rds.h"

/* The record: one ASCII line in the disk's comment, of fixed order,
 *   rds-csi:1 <nonce8> c=<cluster> g=<generation> s=ok|fencing h=-|<node>/<k>[,…]
 *   b=0|1|2|2.<seconds>|3 q=-|<namespace>/<claim>
 * separated by single blanks, out of [A-Za-z0-9._:/,=-]; k is w, x, r, or u for one that
 * was let go without being cut off. b: 1 = bound, 3 = and its PV had the policy
 * Delete, 2 = released, since then. The claim is for people and stands last. Pure. */
enum { RDS_RECORD_MAX = 1400 }; /* 16 holders of 63 characters */

#define RDS_RECORD_MARK "rds-csi:1 "

/* Never fails: what is not exactly such a line is RDS_RECORD_UNREADABLE (an unknown
 * version too), an empty one or NULL is RDS_RECORD_NONE; the other fields are then zero.
 */
void disk_record_parse(struct rds_record *r, const char *comment, const char *cluster_id);
/* out gets a NUL-terminated line. ERR_INVALID when a field is not of its kind; the claim
 * alone is mended instead, for it decides nothing. */
int disk_record_format(char out[RDS_RECORD_MAX], const struct rds_record *r,
		       struct err *err);
/* 8 lower-case hex digits. */
int disk_record_is_nonce(const char *s);
#endif
