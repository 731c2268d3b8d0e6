#ifndef RDS_ROS_IMPL_H
#define RDS_ROS_IMPL_H
#include "rds/features.h"
#include "rds/poll.h"
#include "rds/pool.h"
#include "rds/ros.h"

/* The implementation behind ros.h, as volume.c and probe.c see it. */
struct probe { /* one exec that learns what the box can do; for all who wait */
	struct op op;
	struct pool_item item;
	struct features_seen seen;
	struct err end; /* how the exec ended */
};

struct ros {
	struct rds rds; /* first: the port */
	uv_loop_t *loop;
	struct ros_site site;
	struct rds_features features;
	uint64_t probed; /* pool.generation at the last good probe; 0 = none */
	struct pool pool;
	struct probe probe;
	struct poll poll;    /* runs while is_polling */
	struct list waiting; /* requests that wait for the probe */
	struct list volumes; /* all requests */
	void (*stopped)(void *arg);
	void *stopped_arg;
	bool is_probing, is_stopping; /* probe.op runs; ros_stop was called */
	bool is_polling;
};

/* A request is gone; ends the pool when that was asked for and it was the last. */
void ros_settle(struct ros *r);
#endif
