#ifndef RDS_BATCH_H
#define RDS_BATCH_H
#include "core/buf.h"
#include "rds/lane.h"
#include "rds/ros_reply.h"
#include "rds/ros_script.h"
#include "rds/ssh_exec.h"

/* One exec and the requests that share it: makes the script, reads the reply and hands
 * each request its part as it arrives. Owned by the pool's slot. */
struct pool_item;

/* All are called from the loop, never from inside pool_submit(). None may start or end
 * anything but its own op. */
struct pool_item_ops {
	void (*sent)(struct pool_item *it); /* it left the queue */
	void (*event)(struct pool_item *it, const struct ros_event *ev);
	/* Once, the last call. err->code is ERR_OK when the box answered to the end;
	 * otherwise is_sent tells whether the script can have run. */
	void (*ended)(struct pool_item *it, const struct err *err, bool is_sent);
	/* Right before the script of a guarded one leaves: whether it still may. */
	bool (*may_send)(struct pool_item *it);
};

struct pool_item {
	struct lane_item lane;
	const struct pool_item_ops *ops;
	enum ros_step step;
	struct ros_args args;
	uint64_t deadline_ms;
	bool is_guarded;     /* may_send is asked, and without an asker it is not sent */
	bool is_alone;	     /* never joined: it was tried before */
	struct batch *batch; /* while an exec runs for it */
	unsigned tries;	     /* sessions that died before they took it */
};

struct batch {
	struct ssh_exec exec;
	struct buf script;
	struct ros_reply out, errors;		/* stdout and stderr */
	struct pool_item *items[LANE_JOIN_MAX]; /* NULL: forgotten or answered */
	unsigned n, at;				/* at: the one that is being answered */
	enum lane lane;
	uint64_t started_us;
	bool is_guarded; /* an item is, or was: it leaves for all or not at all */
	char sentinel[17];
	struct err refusal; /* an error line outside of every request's part */
};

/* NULL for lack of memory or when no script can be made; then the items have been ended
 * with the reason, not sent. */
struct batch *batch_new(struct pool_item *const *items, unsigned n,
			const struct ros_site *site);
void batch_free(struct batch *b);
/* done() should call batch_finish. s is ready. */
void batch_start(struct batch *b, struct ssh *s, void (*done)(struct op *op));
/* After the exec's end: ends what is unanswered. */
void batch_finish(struct batch *b);
void batch_forget(struct pool_item *it);
/* Ends one item, which is in no queue and no batch any more. */
void batch_end_item(struct pool_item *it, const struct err *err, bool is_sent);
#endif
