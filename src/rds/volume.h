#ifndef RDS_VOLUME_H
#define RDS_VOLUME_H
#include "rds/rds.h"
#include "rds/ros_impl.h"

/* One request of the port, from start to done. */
enum {
	VOLUME_READ_MS = 15000,
	VOLUME_CHANGE_MS = 30000,
	VOLUME_MS_PER_GIB = 50, /* on top, of a create or a growth */
	VOLUME_TRIES = 3,	/* scripts sent for one mutation, reads not counted */
};

void volume_start(struct rds *rds, struct rds_req *req, void (*done)(struct op *op));
/* A waiter of ros->waiting, which has been unlinked: the probe ended; why is NULL when it
 * went well. */
void volume_probed(struct list *waiter, const struct err *why);
void volume_stop_all(struct ros *r); /* cancels every request */
#endif
