#include "rds/volume.h"

#include <string.h>

#include "core/mem.h"
#include "core/rand.h"
#include "rds/judge.h"
#include "rds/probe.h"
#include "rds/volume_args.h"

/* start -> probing -> queued -> sent -> done
 *   sent -> checking -> reading -> queued: a mutation whose answer was lost is looked for
 *     on the box first; checking and reading are queued and sent of that GET
 *   sent -> queued: the next script of the same request (an image without a disk is
 *     adopted; a long list comes in parts; a record that stands alone is completed)
 *   start, probing, queued -> done: bad argument, no memory, box away, deadline, cancel:
 *     nothing was sent
 *   sent, checking, reading -> done by these: the outcome of a mutation is unknown */
enum { ST_START, ST_PROBING, ST_QUEUED, ST_SENT, ST_CHECKING, ST_READING, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "probing", "queued", "sent", "checking", "reading", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_PROBING) | OP_BIT(ST_QUEUED) | OP_BIT(ST_DONE),
	[ST_PROBING] = OP_BIT(ST_QUEUED) | OP_BIT(ST_DONE),
	[ST_QUEUED] = OP_BIT(ST_SENT) | OP_BIT(ST_DONE),
	[ST_SENT] = OP_BIT(ST_QUEUED) | OP_BIT(ST_CHECKING) | OP_BIT(ST_DONE),
	[ST_CHECKING] = OP_BIT(ST_READING) | OP_BIT(ST_DONE),
	[ST_READING] = OP_BIT(ST_QUEUED) | OP_BIT(ST_DONE),
};

struct volume { /* heap, for the request's life */
	struct rds_req *req;
	struct ros *ros;
	struct list node;    /* in ros->volumes */
	struct list waiting; /* in ros->waiting */
	struct pool_item item;
	struct volume_texts texts;
	struct judge_answer answer;
	/* How the exec ended; pending until then. */
	enum { END_PENDING, END_WHOLE, END_UNSENT, END_LOST } end;
	struct err end_err;
	unsigned tries; /* scripts of the mutation that were sent */
};

static struct rds_req *req_of(struct op *op)
{
	return CONTAINER_OF(op, struct rds_req, op);
}

static void on_sent(struct pool_item *it)
{
	op_wake(&CONTAINER_OF(it, struct volume, item)->req->op);
}

/* Rows of a list go straight to the caller: none is kept. */
static void pass_row(struct volume *v, const struct ros_event *ev)
{
	struct err err = { .code = ERR_OK };
	struct row row;

	if (row_parse(&row, ev->text, ev->len, &err) ||
	    ros_row_volume(&v->answer.row, &row, &v->ros->site, &err))
		v->answer.is_nonsense = true;
	else if (v->answer.row.record.kind == RDS_RECORD_OURS || v->req->wants_unreadable)
		v->req->on_row(v->req, &v->answer.row);
}

static void on_event(struct pool_item *it, const struct ros_event *ev)
{
	struct volume *v = CONTAINER_OF(it, struct volume, item);

	if (ev->word == ROS_SAID_ROW && v->req->kind == RDS_LIST)
		pass_row(v, ev);
	else if (ev->word == ROS_SAID_ROW && v->req->kind == RDS_CAPACITY)
		volume_args_capacity(v->req, &v->answer, &v->ros->site, ev);
	else
		judge_note(&v->answer, ev, &v->ros->site);
}

static void on_ended(struct pool_item *it, const struct err *err, bool is_sent)
{
	struct volume *v = CONTAINER_OF(it, struct volume, item);

	v->end = err->code == ERR_OK ? END_WHOLE : is_sent ? END_LOST : END_UNSENT;
	v->end_err = *err;
	op_unref_wake(&v->req->op);
}

static bool on_leaving(struct pool_item *it)
{
	const struct rds_req *req = CONTAINER_OF(it, struct volume, item)->req;

	return req->may_send(req);
}

static const struct pool_item_ops item_ops = {
	.may_send = on_leaving,
	.sent = on_sent,
	.event = on_event,
	.ended = on_ended,
};

void volume_probed(struct list *waiter, const struct err *why)
{
	struct op *op = &CONTAINER_OF(waiter, struct volume, waiting)->req->op;

	op_fail_err(op, why);
	op_unref_wake(op);
}

static void submit(struct volume *v, enum ros_step step, unsigned state)
{
	struct op *op = &v->req->op;

	memset(&v->answer, 0, sizeof(v->answer));
	v->end = END_PENDING;
	v->item.ops = &item_ops;
	v->item.step = step;
	v->item.deadline_ms = op->deadline_ms;
	/* Reading back what became of a mutation changes nothing. */
	v->item.is_guarded = v->req->may_send && step != ROS_GET;
	v->item.is_alone = v->tries > 0;
	v->item.lane.lane = volume_args_lane(v->req->kind, step);
	op_move(op, state);
	op_ref(op);
	pool_submit(&v->ros->pool, &v->item);
}

static void send_again(struct volume *v, enum ros_step step)
{
	if (v->tries == VOLUME_TRIES) {
		op_fail(&v->req->op, ERR_UNAVAILABLE, "given up after %u tries: %.180s",
			v->tries, v->end_err.msg);
		v->req->is_outcome_unknown = true;
		return;
	}
	submit(v, step, ST_QUEUED);
}

static void finish(struct volume *v)
{
	struct ros *r = v->ros;
	struct rds_req *req = v->req;

	op_move(&req->op, ST_DONE);
	list_remove(&v->node);
	req->impl = NULL;
	mem_free(v);
	ros_settle(r);
}

static void succeed(struct volume *v, enum rds_outcome outcome)
{
	v->req->outcome = outcome;
	if (v->answer.has_row && v->req->kind != RDS_CAPACITY)
		v->req->volume = v->answer.row;
}

/* Acts on a verdict; the request is over unless it has moved to a waiting state. */
static void act(struct volume *v, enum verdict verdict, const struct err *err)
{
	enum ros_step step = volume_args_step(v->req->kind);

	switch (verdict) {
	case VERDICT_DONE:
		succeed(v, RDS_OK);
		return;
	case VERDICT_STALE:
		succeed(v, RDS_STALE);
		return;
	case VERDICT_ABSENT:
		succeed(v, RDS_ABSENT);
		return;
	case VERDICT_ADOPT:
		send_again(v, ROS_ADOPT);
		return;
	case VERDICT_CHECK:
		submit(v, ROS_GET, ST_CHECKING);
		return;
	case VERDICT_FINISH:
		volume_args_upon_own(&v->item.args, &v->texts);
		send_again(v, step);
		return;
	case VERDICT_REPEAT:
		send_again(v, step);
		return;
	case VERDICT_FAIL:
		/* The box broke off half-way, or we know no better. */
		v->req->is_outcome_unknown =
			judge_is_mutation(v->req->kind) && err->code == ERR_UNAVAILABLE;
		op_fail_err(&v->req->op, err);
	}
}

static bool has_more_parts(struct volume *v)
{
	struct ros_args *a = &v->item.args;

	if (v->req->kind != RDS_LIST || v->answer.is_nonsense)
		return false;
	if (v->item.step == ROS_LIST_PART)
		return ++a->part < ROS_N_PARTS;
	a->part = 0;
	return v->answer.has_number && v->answer.number > ROS_LIST_WHOLE;
}

static void judge_own(struct volume *v)
{
	struct err err = v->end_err;
	enum verdict verdict = VERDICT_FAIL;

	v->tries += judge_is_mutation(v->req->kind);
	if (v->end == END_WHOLE && has_more_parts(v)) {
		submit(v, ROS_LIST_PART, ST_QUEUED);
		return;
	}
	if (v->end == END_WHOLE)
		verdict = judge_answer(v->req->kind, &v->item.args, &v->answer, &err);
	else if (judge_is_mutation(v->req->kind))
		verdict = VERDICT_CHECK;
	act(v, verdict, &err);
}

static void judge_read(struct volume *v)
{
	struct err err = v->end_err;
	enum verdict verdict = VERDICT_FAIL;

	if (v->end == END_WHOLE)
		verdict = judge_check(v->req->kind, &v->item.args, &v->answer, &err);
	act(v, verdict, &err);
	v->req->is_outcome_unknown = op_failed(&v->req->op);
}

/* Once the features are known: the layout depends on them. */
static void submit_first(struct volume *v)
{
	struct err err;

	if (volume_args_fill(&v->item.args, &v->texts, v->req, &v->ros->site, &err))
		op_fail_err(&v->req->op, &err);
	else
		submit(v, volume_args_step(v->req->kind), ST_QUEUED);
}

static void do_start(struct volume *v)
{
	struct rds_req *req = v->req;

	op_set_deadline(&req->op,
			clock_now_ms(v->ros->loop) + volume_args_allowance(req));
	if (!probe_is_fresh(v->ros)) {
		list_append(&v->ros->waiting, &v->waiting);
		op_ref(&req->op);
		op_move(&req->op, ST_PROBING);
		return;
	}
	submit_first(v);
}

/* In the queue until the pool sends it or ends it unsent. The move to the sent state is
 * made in any case that the box can have seen the script. */
static void do_queued(struct volume *v)
{
	unsigned sent = v->req->op.state == ST_QUEUED ? ST_SENT : ST_READING;

	if (v->end == END_UNSENT) {
		v->req->is_outcome_unknown =
			v->tries > 0 || v->req->op.state == ST_CHECKING;
		op_fail_err(&v->req->op, &v->end_err);
	} else if (v->item.batch || v->end != END_PENDING)
		op_move(&v->req->op, sent);
}

static void do_sent(struct volume *v)
{
	if (v->end == END_PENDING)
		return; /* it changed sessions */
	if (v->end == END_UNSENT) {
		v->req->is_outcome_unknown = v->tries > 0;
		op_fail_err(&v->req->op, &v->end_err);
	} else if (v->req->op.state == ST_SENT)
		judge_own(v);
	else
		judge_read(v);
}

/* One state's work. Whoever fails or succeeds here is finished by step. */
static void advance(struct volume *v)
{
	switch (v->req->op.state) {
	case ST_START:
		do_start(v);
		return;
	case ST_PROBING:
		submit_first(v);
		return;
	case ST_QUEUED:
	case ST_CHECKING:
		do_queued(v);
		return;
	default:
		do_sent(v);
	}
}

static void step(struct op *op)
{
	struct volume *v = req_of(op)->impl;

	if (!v) {
		op_fail(op, ERR_EXHAUSTED, "out of memory");
		op_move(op, ST_DONE);
		return;
	}
	for (;;) {
		unsigned before = op->state;

		if (!op_failed(op))
			advance(v);
		if (!op_failed(op) && op->refs)
			return; /* an answer is to come */
		if (op_failed(op) || op->state == before) {
			finish(v);
			return;
		}
	}
}

/* The box may run the script that we do not wait for any more. */
static void interrupt(struct op *op)
{
	struct volume *v = req_of(op)->impl;

	if (op->state == ST_PROBING) {
		list_remove(&v->waiting);
	} else {
		pool_forget(&v->ros->pool, &v->item);
		v->req->is_outcome_unknown = judge_is_mutation(v->req->kind) &&
					     (op->state >= ST_SENT || v->tries > 0);
	}
	op_unref_wake(op);
}

static const struct op_type volume_type = {
	.name = "box",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void volume_start(struct rds *rds, struct rds_req *req, void (*done)(struct op *op))
{
	struct ros *r = CONTAINER_OF(rds, struct ros, rds);
	struct volume *v = mem_calloc(1, sizeof(*v));

	bug_on(r->is_stopping);
	req->impl = v;
	req->outcome = RDS_OK;
	req->is_outcome_unknown = false;
	if (v) {
		v->req = req;
		v->ros = r;
		list_append(&r->volumes, &v->node);
	}
	op_start(&req->op, &volume_type, r->loop, done);
	if (!*r->site.cluster_id)
		op_fail(&req->op, ERR_UNAVAILABLE,
			"whose volumes these are is not known yet: the API server has "
			"not told the cluster's id");
}

void volume_stop_all(struct ros *r)
{
	LIST_FOREACH (it, &r->volumes)
		op_cancel(&CONTAINER_OF(it, struct volume, node)->req->op, ERR_CANCELLED);
}
