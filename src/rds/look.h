#ifndef RDS_LOOK_H
#define RDS_LOOK_H
#include "core/reach.h"
#include "rds/keyring.h"
#include "rds/look_ask.h"
#include "rds/look_facts.h"
#include "rds/ssh_exec.h"

/* op: one look at the box, for `rds-csi check`: the key files, the way to its SSH port,
 * one session and the questions of look_ask.h on it, as many sessions at once as the
 * controller opens, the way to its NVMe port. What it finds missing is a fact in its
 * result and no error: the op fails only when cancelled or for lack of memory. */
enum {
	LOOK_MAX_SESSIONS = 4,
	LOOK_REACH_MS = 4000, /* a SYN is sent at 0, 1 and 3 s */
	LOOK_ASK_MS = 15000,
};

struct look;

struct look_session {
	struct look *look;
	struct ssh ssh;
};

struct look {
	struct op op;
	/* Set by the caller. Borrowed until done. */
	const struct ssh_conf *conf;
	const struct ros_site *site;
	const char *nvme_address;
	uint16_t nvme_port;
	unsigned max_sessions;	 /* 1 … LOOK_MAX_SESSIONS */
	struct look_facts facts; /* the result */
	struct keyring keys;	 /* of the sessions */
	struct ssh_conf session_conf;
	struct op *awaited; /* the child whose end is waited for; no session */
	struct reach reach;
	struct look_session sessions[LOOK_MAX_SESSIONS];
	unsigned n_live; /* sessions that have not ended */
	struct clock_timer
		soon; /* a session is ready; it is still in its own step then */
	enum look_question q;
	struct look_hearing hearing;
	struct ssh_exec exec;
	struct buf script;
	struct ros_reply out, errors;
	char sentinel[17];
};

void look_start(struct look *l, uv_loop_t *loop, void (*done)(struct op *op));
#endif
