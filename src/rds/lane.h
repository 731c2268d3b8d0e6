#ifndef RDS_LANE_H
#define RDS_LANE_H
#include <stdbool.h>

#include "core/list.h"
#include "rds/ros_join.h"

/* Which waiting request may use a free session, and what is joined into one script.
 * Pure. An add of a large file can take minutes on the box; a pod's start or a fence must
 * not wait for it:
 *  - fast: publish, unpublish, fence, and the reads of one volume before them. First, in
 *    their order, on any session; publishes that wait are joined, with each other alone;
 *  - read: lists and capacity. On any session that no fast request waits for;
 *  - idle: figures to look at. On a session that nothing else could go on, and only while
 *    another one is free too or none is at work;
 *  - bulk: create, delete, grow. On all sessions but one, which so stays free of them
 *    (with a single session allowed, on that one). Creates that wait are joined. */
enum lane { LANE_FAST, LANE_READ, LANE_BULK, LANE_IDLE };
enum { LANE_JOIN_MAX = 17 }; /* 100 creates: twice over three sessions */

struct lane_item {
	struct list node;
	enum lane lane;
	enum ros_step step;
	const struct ros_args *joint; /* NULL: never joined */
};

struct lane_load {
	unsigned max_sessions;
	unsigned idle;	    /* connected and free */
	unsigned busy_bulk; /* running a script of the bulk lane */
	unsigned busy;	    /* running a script of any lane */
	/* Bytes that joined ones may take (ros_join_room). */
	unsigned create_room, publish_room;
};

/* Takes out of the queue what goes next on one idle session: 0 when nothing may. */
unsigned lane_take(struct list *queue, const struct lane_load *load,
		   struct lane_item *ret[LANE_JOIN_MAX]);
/* How many more sessions the waiting requests could use beside the idle ones. */
unsigned lane_wanted(const struct list *queue, const struct lane_load *load);
#endif
