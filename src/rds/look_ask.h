#ifndef RDS_LOOK_ASK_H
#define RDS_LOOK_ASK_H
#include "core/buf.h"
#include "rds/look_facts.h"
#include "rds/ros_reply.h"

/* The questions that a look puts to the box, and what its answers mean. Nothing in them
 * changes anything there. Pure. */
struct look_ask {
	const struct ros_site *site;
	const char *user; /* what stands behind a '+' is the console's and cut */
	uint16_t nvme_port;
	const char *sentinel;
};

/* One line, as those of ros_script.h. -1 with ERR_INVALID: a value is not fit for it. */
int look_script(struct buf *out, enum look_question q, const struct look_ask *ask,
		struct err *err);

/* The answer to one question, as it comes in. */
struct look_hearing {
	struct look_facts *facts;
	enum look_question q;
	const char *sentinel;
	bool has_ended;	      /* the sentinel came */
	enum ros_fault fault; /* the first error that it told */
	unsigned n_numbers;
};

void look_hear(struct look_hearing *h, const struct ros_event *ev);
/* After the last event. err: how the exec went. */
void look_conclude(struct look_hearing *h, const struct err *err);
#endif
