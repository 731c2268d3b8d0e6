#ifndef RDS_POOL_H
#define RDS_POOL_H
#include "core/backoff.h"
#include "core/op.h"
#include "rds/batch.h"
#include "rds/keyring.h"
#include "rds/ros.h"
#include "rds/ros_site.h"
#include "rds/ssh.h"

/* A few SSH sessions, opened when requests wait for them, one script at a time on each.
 * Owns the queue. While the box is away a request fails at once with the last reason
 * until the back-off is over; the first one after that tries anew. Nothing happens while
 * nobody asks, but for one timer that closes sessions beyond POOL_WARM after a while.
 *
 * When a key file has been exchanged, one session is opened with what it holds now, one
 * more than max_sessions where need be; once it is up, those opened before are closed as
 * they come free. Until then, and while the box refuses it, they serve. */
enum {
	POOL_MAX = 4,
	POOL_SLOTS = POOL_MAX + 1,
	POOL_WARM = 2,
	POOL_TRIM_MS = 60000,
	POOL_BACKOFF_MS = 200,
	POOL_BACKOFF_MAX_MS = 15000,
	POOL_TRIES = 3,
	POOL_TELL_MS = 60000, /* of one outage, so often */
	POOL_LOOK_MS = 1000,  /* at the key files, at most so often */
};

struct pool_slot {
	struct pool *pool;
	struct ssh ssh;
	struct batch *batch;
	enum { SLOT_EMPTY, SLOT_CONNECTING, SLOT_IDLE, SLOT_BUSY, SLOT_CLOSING } state;
};

struct pool {
	struct op op;	      /* lives until pool_stop */
	struct ssh_conf conf; /* its keys are ours */
	struct keyring keys;  /* opened and ended by the owner */
	const struct ros_site *site;
	unsigned max_sessions;
	struct pool_slot slots[POOL_SLOTS];
	struct list queue;
	uv_idle_t again; /* runs a step on the next turn */
	struct clock_timer trim;
	struct backoff backoff;
	uint64_t retry_at_ms;	/* 0: the last connect succeeded */
	struct err last;	/* why it did not */
	struct ros_stats stats; /* connects, execs, joined, is_known */
	bool is_lost;		/* no session since lost_ms, and one was wanted or had */
	uint64_t lost_ms;
	uint64_t generation; /* counts the times that the first session came up */
	uint64_t look_at_ms; /* at the key files */
	uint64_t keys_told;  /* their version that the log has as that of all sessions */
};

void pool_start(struct pool *p, uv_loop_t *loop, void (*done)(struct op *op));
/* it->lane, ops, step, args, deadline_ms are set; it must stay until ended() or
 * pool_forget(). */
void pool_submit(struct pool *p, struct pool_item *it);
/* No call for it will come any more; a script that has it runs on. */
void pool_forget(struct pool *p, struct pool_item *it);
void pool_stop(struct pool *p);
void pool_stats(const struct pool *p, struct ros_stats *ret);
#endif
