#ifndef RDS_ROS_JOIN_H
#define RDS_ROS_JOIN_H
#include "rds/ros_script.h"

/* Several requests in one script: creates with creates, publishes with publishes. One
 * array of rows and one body over it; each row has its own error and its own answer.
 * Pure. */
struct maker;

/* Whether two of a step may be joined. Creates: all but id, size, nonce, claim and the
 * last part of the NQN is equal. Publishes: both disks bear a record of ours. */
bool ros_may_join(enum ros_step step, const struct ros_args *a, const struct ros_args *b);
/* Upper bounds: the bytes that one adds to a joined script, those that the first adds
 * beside, and those that are left for all of them. */
unsigned ros_join_bytes(enum ros_step step, const struct ros_args *a);
unsigned ros_join_head(enum ros_step step, const struct ros_args *first);
unsigned ros_join_room(enum ros_step step, const struct ros_site *site);
/* For ros_script.c: the script of an order of more than one. */
int ros_joined(struct maker *m, struct err *err);
#endif
