#include "rds/look.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/rand.h"
#include "rds/look_file.h"
#include "rds/ros_script.h"

/* start -> reaching -> entering -> asking … asking -> crowding -> leaving -> nvme -> done
 *   reaching -> nvme       the SSH port is not reached, or a key file is not fit for more
 *   entering -> nvme       no session: host key, user's key, hang-up, silence
 *   asking   -> leaving    an exec failed, which costs the session: nothing more is asked
 *   Cancelled, it goes to leaving while sessions live, else to done. */
enum {
	ST_START,
	ST_REACHING,
	ST_ENTERING,
	ST_ASKING,   /* one question after the other */
	ST_CROWDING, /* until each further session is ready or has ended */
	ST_LEAVING,
	ST_NVME,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = {
	"start", "reaching", "entering", "asking", "crowding", "leaving", "nvme", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_REACHING) | OP_BIT(ST_DONE),
	[ST_REACHING] = OP_BIT(ST_ENTERING) | OP_BIT(ST_NVME) | OP_BIT(ST_DONE),
	[ST_ENTERING] = OP_BIT(ST_ASKING) | OP_BIT(ST_LEAVING) | OP_BIT(ST_NVME) |
			OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_ASKING) | OP_BIT(ST_CROWDING) | OP_BIT(ST_LEAVING) |
		      OP_BIT(ST_DONE),
	[ST_CROWDING] = OP_BIT(ST_LEAVING) | OP_BIT(ST_DONE),
	[ST_LEAVING] = OP_BIT(ST_NVME) | OP_BIT(ST_DONE),
	[ST_NVME] = OP_BIT(ST_DONE),
};

static struct look *look_of(struct op *op)
{
	return CONTAINER_OF(op, struct look, op);
}

static void on_reached(struct op *op)
{
	struct look *l = CONTAINER_OF(op, struct look, reach.op);

	l->awaited = NULL;
	op_unref_wake(&l->op);
}

static void on_asked(struct op *op)
{
	struct look *l = CONTAINER_OF(op, struct look, exec.op);

	l->awaited = NULL;
	op_unref_wake(&l->op);
}

static void on_soon(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct look, soon)->op);
}

static void on_session_ready(struct ssh *s)
{
	struct look *l = CONTAINER_OF(s, struct look_session, ssh)->look;

	clock_timer_start(l->op.loop, &l->soon, 0, on_soon);
}

static void on_session_done(struct op *op)
{
	struct look *l = CONTAINER_OF(op, struct look_session, ssh.op)->look;

	l->n_live--;
	op_unref_wake(&l->op);
}

static void reach(struct look *l, const char *host, uint16_t port)
{
	l->reach.host = host;
	l->reach.port = port;
	l->reach.timeout_ms = LOOK_REACH_MS;
	l->awaited = &l->reach.op;
	op_ref(&l->op);
	reach_start(&l->reach, l->op.loop, on_reached);
}

static void enter(struct look *l, unsigned i)
{
	l->sessions[i].look = l;
	l->n_live++;
	op_ref(&l->op);
	ssh_start(&l->sessions[i].ssh, l->op.loop, &l->session_conf, on_session_ready,
		  on_session_done);
}

static unsigned n_ready(const struct look *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->max_sessions; i++)
		n += l->sessions[i].look && ssh_is_ready(&l->sessions[i].ssh);
	return n;
}

static void leave(struct look *l)
{
	op_move(&l->op, ST_LEAVING);
	clock_timer_stop(&l->soon);
	for (unsigned i = 0; i < l->max_sessions; i++)
		if (l->sessions[i].look && !op_is_done(&l->sessions[i].ssh.op))
			op_cancel(&l->sessions[i].ssh.op, ERR_CANCELLED);
}

static void look_at_nvme(struct look *l)
{
	op_move(&l->op, ST_NVME);
	clock_timer_stop(&l->soon);
	reach(l, l->nvme_address, l->nvme_port);
}

static void on_event(void *arg, const struct ros_event *ev)
{
	struct look *l = arg;

	look_hear(&l->hearing, ev);
}

static void on_data(struct ssh_exec *e, const char *p, size_t n, bool is_err)
{
	struct look *l = CONTAINER_OF(e, struct look, exec);

	ros_reply_feed(is_err ? &l->errors : &l->out, p, n);
}

static void forget_question(struct look *l)
{
	buf_fini(&l->script);
	ros_reply_fini(&l->out);
	ros_reply_fini(&l->errors);
}

/* False: no script can be made of it, as of a user name that has no place in one. */
static bool ask(struct look *l)
{
	const struct look_ask with = {
		.site = l->site,
		.user = l->conf->user,
		.nvme_port = l->nvme_port,
		.sentinel = l->sentinel,
	};
	struct err err;

	rand_hex(l->sentinel, sizeof(l->sentinel) - 1);
	l->hearing = (struct look_hearing){
		.facts = &l->facts,
		.q = l->q,
		.sentinel = l->sentinel,
	};
	buf_init(&l->script, ROS_SCRIPT_MAX);
	ros_reply_init(&l->out, on_event, l);
	ros_reply_init(&l->errors, on_event, l);
	if (look_script(&l->script, l->q, &with, &err)) {
		forget_question(l);
		if (err.code != ERR_INVALID)
			op_fail_err(&l->op, &err);
		return false;
	}
	l->exec.command = l->script.data;
	l->exec.len = l->script.len;
	l->exec.on_data = on_data;
	l->exec.may_send = NULL;
	l->awaited = &l->exec.op;
	op_ref(&l->op);
	ssh_exec_start(&l->exec, &l->sessions[0].ssh, on_asked);
	op_set_deadline(&l->exec.op, clock_now_ms(l->op.loop) + LOOK_ASK_MS);
	return true;
}

static void crowd(struct look *l)
{
	op_move(&l->op, ST_CROWDING);
	for (unsigned i = 1; i < l->max_sessions; i++)
		enter(l, i);
}

/* Puts the next question that can be put, from q on. */
static void ask_next(struct look *l)
{
	for (; l->q < LOOK_N; l->q++)
		if (ask(l) || op_failed(&l->op))
			break;
	if (op_failed(&l->op))
		leave(l);
	else if (l->q == LOOK_N)
		crowd(l);
	else
		op_move(&l->op, ST_ASKING);
}

/* The states from here on return true when the loop in step may go on. */
static bool do_start(struct look *l)
{
	look_files(&l->facts, l->conf);
	op_move(&l->op, ST_REACHING);
	reach(l, l->conf->address, l->conf->port);
	return false;
}

static bool do_reached(struct look *l)
{
	struct look_facts *f = &l->facts;
	struct err err;

	f->ssh = l->reach.how;
	if (f->ssh == REACH_ERROR || f->ssh == REACH_NO_ADDRESS)
		(void)snprintf(f->why, sizeof(f->why), "%s",
			       uv_strerror(l->reach.status));
	if (f->ssh != REACH_OPEN || f->key != LOOK_FILE_GOOD ||
	    f->host_key > LOOK_FILE_GOOD) {
		look_at_nvme(l);
		return false;
	}
	if (keyring_open(&l->keys, l->conf->key_file,
			 l->conf->is_insecure ? NULL : l->conf->host_key_file, &err)) {
		op_fail_err(&l->op, &err);
		return true;
	}
	l->session_conf = *l->conf;
	l->session_conf.keys = &l->keys;
	op_move(&l->op, ST_ENTERING);
	enter(l, 0);
	return false;
}

static bool do_entered(struct look *l)
{
	struct ssh *s = &l->sessions[0].ssh;

	if (l->n_live == 0) {
		l->facts.trouble = s->trouble;
		(void)snprintf(l->facts.why, sizeof(l->facts.why), "%s", s->op.err.msg);
		look_at_nvme(l);
		return false;
	}
	if (!ssh_is_ready(s))
		return false;
	l->facts.is_in = true;
	l->q = 0;
	ask_next(l);
	return true;
}

static bool do_asked(struct look *l)
{
	if (l->awaited)
		return false;
	ros_reply_end(&l->out);
	ros_reply_end(&l->errors);
	look_conclude(&l->hearing, &l->exec.op.err);
	forget_question(l);
	if (!ssh_is_ready(&l->sessions[0].ssh)) {
		leave(l);
		return true;
	}
	l->q++;
	ask_next(l);
	return l->op.state != ST_ASKING;
}

static bool do_crowded(struct look *l)
{
	unsigned n = n_ready(l);

	if (n < l->n_live)
		return false;
	l->facts.sessions = n;
	leave(l);
	return true;
}

static bool do_left(struct look *l)
{
	if (l->n_live || l->awaited)
		return false;
	look_at_nvme(l);
	return false;
}

static bool do_nvme(struct look *l)
{
	l->facts.nvme = l->reach.how;
	keyring_fini(&l->keys);
	op_move(&l->op, ST_DONE);
	return false;
}

/* Cancelled: what is awaited comes soon, then the sessions go. */
static bool do_cancelled(struct look *l)
{
	struct op *op = &l->op;

	if (l->awaited)
		return false;
	if (op->state == ST_ASKING)
		forget_question(l);
	if (l->n_live && op->state != ST_LEAVING)
		leave(l);
	if (l->n_live)
		return false;
	clock_timer_stop(&l->soon);
	keyring_fini(&l->keys);
	op_move(op, ST_DONE);
	return false;
}

static void step(struct op *op)
{
	static bool (*const does[ST_N])(struct look *) = {
		[ST_START] = do_start,	    [ST_REACHING] = do_reached,
		[ST_ENTERING] = do_entered, [ST_ASKING] = do_asked,
		[ST_CROWDING] = do_crowded, [ST_LEAVING] = do_left,
		[ST_NVME] = do_nvme,
	};
	struct look *l = look_of(op);

	while (!op_is_done(op))
		if (!(op_failed(op) ? do_cancelled(l) : does[op->state](l)))
			return;
}

static void interrupt(struct op *op)
{
	struct look *l = look_of(op);

	if (l->awaited)
		op_cancel(l->awaited, op->err.code);
	else
		op_wake(op);
}

static const struct op_type look_type = {
	.name = "look",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void look_start(struct look *l, uv_loop_t *loop, void (*done)(struct op *op))
{
	bug_on(!l->max_sessions || l->max_sessions > LOOK_MAX_SESSIONS);
	l->facts = (struct look_facts){ .ssh = REACH_UNTRIED };
	l->awaited = NULL;
	l->n_live = 0;
	l->soon = (struct clock_timer){ .due_ms = 0 };
	l->keys = (struct keyring){ .key_file = NULL };
	for (unsigned i = 0; i < LOOK_MAX_SESSIONS; i++)
		l->sessions[i].look = NULL;
	op_start(&l->op, &look_type, loop, done);
}
