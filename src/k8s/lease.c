#include "k8s/lease.h"

#include <stdio.h>

#include "core/log.h"
#include "core/rand.h"

/*   start ─▶ resting ─▶ looking ─┬─▶ writing ─┐
 *              ▲  └──(ours)──────┼──▲         │
 *              ├─(not our turn)──┘  └─────────┤(refused: look again)
 *              └──────────────────────────────┘
 *   lease_stop: each ─▶ releasing (when the Lease names us) ─▶ done
 *
 * Failure modes: the API server is away (the term runs out, then no leader, and trying
 * goes on); a write of unknown outcome (looked up before the next); refused because
 * another was faster (looked up at once); no memory (as if away). None ends it. */
enum { ST_START, ST_RESTING, ST_LOOKING, ST_WRITING, ST_RELEASING, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "resting", "looking", "writing", "releasing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LOOKING) | OP_BIT(ST_DONE),
	[ST_RESTING] = OP_BIT(ST_RESTING) | OP_BIT(ST_LOOKING) | OP_BIT(ST_WRITING) |
		       OP_BIT(ST_RELEASING) | OP_BIT(ST_DONE),
	[ST_LOOKING] = OP_BIT(ST_RESTING) | OP_BIT(ST_WRITING) | OP_BIT(ST_RELEASING) |
		       OP_BIT(ST_DONE),
	[ST_WRITING] = OP_BIT(ST_RESTING) | OP_BIT(ST_LOOKING) | OP_BIT(ST_RELEASING) |
		       OP_BIT(ST_DONE),
	[ST_RELEASING] = OP_BIT(ST_DONE),
};

/* A look at once after a refused write, but not without end against a server that refuses
 * always. */
enum { TRIES_MAX = 3, WARN_MS = 60 * 1000 };

static struct lease *of(struct op *op)
{
	return CONTAINER_OF(op, struct lease, op);
}

static uint64_t now_ms(const struct lease *l)
{
	return clock_boot_ms(l->conf.k8s->loop);
}

bool lease_is_leader(const struct lease *l)
{
	return !op_failed(&l->op) && lease_end_ms(&l->self, now_ms(l)) != 0;
}

static void on_time(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct lease, rest)->op);
}

static void on_term(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct lease, term)->op);
}

/* Whoever woke us: has it changed whether we lead? */
static void tell(struct lease *l)
{
	bool is_leader = lease_is_leader(l);
	uint64_t now = now_ms(l), end = is_leader ? lease_end_ms(&l->self, now) : now;

	clock_timer_stop(&l->term);
	if (is_leader)
		clock_timer_start(l->op.loop, &l->term, end - now, on_term);
	if (is_leader == l->is_told)
		return;
	l->is_told = is_leader;
	l->n_gained += is_leader;
	l->n_lost += !is_leader;
	log_info("k8s", is_leader ? "leader from now on" : "leader no more",
		 KS("lease", l->conf.name), KS("identity", l->conf.identity),
		 KU("transitions", l->transitions));
	if (l->conf.changed)
		l->conf.changed(l, is_leader);
}

static void on_answer(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(req, struct lease, req)->op);
}

/* A request has half the term, and of one that runs out all but a second, so that another
 * one has a chance in it. */
static uint64_t patience_ms(const struct lease *l)
{
	uint64_t now = now_ms(l), end = lease_end_ms(&l->self, now);
	uint64_t ms = l->conf.terms.deadline_ms / 2;

	return end > now + 2000 && end - now - 1000 < ms ? end - now - 1000 : ms;
}

static void ask(struct lease *l, enum k8s_verb verb, unsigned state)
{
	uint64_t ms = patience_ms(l);

	l->req = (struct k8s_request){ .verb = verb,
				       .kind = K8S_LEASE,
				       .ns = l->conf.ns,
				       .name = verb == K8S_CREATE ? NULL : l->conf.name,
				       .body = verb == K8S_GET ? NULL : l->body.data };
	l->began_ms = now_ms(l);
	op_move(&l->op, state);
	op_ref(&l->op);
	k8s_request_start(l->conf.k8s, &l->req, on_answer);
	if (state == ST_RELEASING && ms > LEASE_STOP_MS)
		ms = LEASE_STOP_MS;
	op_set_deadline(&l->req.op, clock_now_ms(l->op.loop) + ms);
}

static void rest(struct lease *l, bool has_failed)
{
	uint32_t ms = lease_rest_ms(&l->self, now_ms(l), has_failed, rand_below(1 << 16));

	l->n_tries = 0;
	op_move(&l->op, ST_RESTING);
	clock_timer_start(l->op.loop, &l->rest, ms, on_time);
}

static void fail(struct lease *l, const struct err *err)
{
	static struct log_rate rate;

	l->n_failed++;
	if (log_may(&rate, clock_now_ms(l->op.loop), WARN_MS))
		log_warn("k8s", "the Lease cannot be read or written",
			 KS("lease", l->conf.name), KS("err", err->msg),
			 KU("failures", l->n_failed), KU("skipped", rate.skipped));
	rest(l, true);
}

static void go(struct lease *l, enum lease_act act)
{
	const struct err no_memory = { .code = ERR_EXHAUSTED, .msg = "out of memory" };

	if (act == LEASE_REST || l->n_tries++ == TRIES_MAX)
		rest(l, false);
	else if (act == LEASE_LOOK)
		ask(l, K8S_GET, ST_LOOKING);
	else if (lease_body(&l->self, LEASE_HOLD, clock_wall_us(), &l->body))
		fail(l, &no_memory);
	else
		ask(l, act == LEASE_CREATE ? K8S_CREATE : K8S_UPDATE, ST_WRITING);
}

/* Takes the answer's object; NULL: there is no Lease. */
static void keep(struct lease *l, bool is_written)
{
	struct k8s_object *o = l->req.object;
	const struct k8s_lease *lease = o ? K8S_LEASE_OF(o) : NULL;

	l->req.object = NULL;
	if (is_written)
		lease_wrote(&l->self, lease, l->began_ms, now_ms(l));
	else
		lease_saw(&l->self, lease, now_ms(l));
	l->transitions = lease ? lease->transitions : l->transitions;
	k8s_object_free(l->seen);
	l->seen = o;
}

/* The answer is kept even when we are to stop: it says what there is to give back. */
static bool take_answer(struct lease *l)
{
	const struct op *req = &l->req.op;
	bool is_write = l->op.state == ST_WRITING;

	if (!op_failed(req) || (!is_write && req->err.code == ERR_NOT_FOUND)) {
		keep(l, is_write);
		return true;
	}
	if (is_write)
		lease_doubt(&l->self);
	return false;
}

static void leave(struct lease *l)
{
	clock_timer_stop(&l->rest);
	clock_timer_stop(&l->term);
	if (l->op.state != ST_RELEASING && lease_is_own(&l->self) &&
	    lease_body(&l->self, LEASE_RELEASE, clock_wall_us(), &l->body) == 0) {
		ask(l, K8S_UPDATE, ST_RELEASING);
		return;
	}
	k8s_object_free(l->seen);
	l->seen = NULL;
	l->self.seen = NULL;
	buf_fini(&l->body);
	op_move(&l->op, ST_DONE);
}

static void do_looking(struct lease *l)
{
	if (take_answer(l))
		go(l, lease_after_look(&l->self, now_ms(l)));
	else
		fail(l, &l->req.op.err);
}

/* Another was faster, or the Lease has gone: what is there now? */
static bool is_refused(const struct err *err)
{
	return err->code == ERR_ABORTED || err->code == ERR_EXISTS ||
	       err->code == ERR_NOT_FOUND;
}

static void do_writing(struct lease *l)
{
	if (take_answer(l))
		rest(l, false);
	else if (is_refused(&l->req.op.err))
		go(l, LEASE_LOOK);
	else
		fail(l, &l->req.op.err);
}

static void do_stop(struct lease *l)
{
	if (l->op.state == ST_LOOKING || l->op.state == ST_WRITING)
		(void)take_answer(l);
	if (l->op.state == ST_RELEASING) {
		log_info("k8s",
			 op_failed(&l->req.op) ? "the Lease could not be given back"
					       : "the Lease is given back",
			 KS("lease", l->conf.name), KS("err", l->req.op.err.msg));
		k8s_object_free(l->req.object);
	}
	leave(l);
}

/* The term timer may wake it in any state: then only tell() has something to do. */
static void step(struct op *op)
{
	struct lease *l = of(op);

	tell(l);
	if (op->refs || (op->state == ST_RESTING && clock_timer_is_running(&l->rest)))
		return;
	if (op_failed(op)) {
		do_stop(l);
		return;
	}
	switch (op->state) {
	case ST_START:
		go(l, LEASE_LOOK);
		return;
	case ST_RESTING:
		go(l, lease_after_rest(&l->self));
		return;
	case ST_LOOKING:
		do_looking(l);
		break;
	case ST_WRITING:
		do_writing(l);
		break;
	default:
		return;
	}
	tell(l);
}

/* A write under way is waited for a while: its outcome says what there is to give back.
 * That we lead no more is told at once. */
static void interrupt(struct op *op)
{
	struct lease *l = of(op);

	clock_timer_start(op->loop, &l->term, 0, on_term);
	if (op->state == ST_RESTING)
		clock_timer_start(op->loop, &l->rest, 0, on_time);
	else if (op->state == ST_LOOKING)
		op_cancel(&l->req.op, ERR_CANCELLED);
	else if (op->state == ST_WRITING && !op_is_done(&l->req.op))
		op_set_deadline(&l->req.op, clock_now_ms(op->loop) + LEASE_STOP_MS / 2);
}

static const struct op_type type = {
	.name = "lease",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void lease_identity(const char *pod, char ret[LEASE_IDENTITY_MAX])
{
	char random[17];

	rand_hex(random, 16);
	(void)snprintf(ret, LEASE_IDENTITY_MAX, "%.100s_%s", pod, random);
}

void lease_start(struct lease *l, void (*done)(struct op *op))
{
	l->self = (struct lease_self){ .identity = l->conf.identity,
				       .ns = l->conf.ns,
				       .name = l->conf.name,
				       .terms = l->conf.terms };
	buf_init(&l->body, LEASE_BODY_MAX);
	op_start(&l->op, &type, l->conf.k8s->loop, done);
}

void lease_stop(struct lease *l)
{
	op_cancel(&l->op, ERR_CANCELLED);
}

void lease_stats(const struct lease *l, struct lease_stats *ret)
{
	*ret = (struct lease_stats){ .gained = l->n_gained,
				     .lost = l->n_lost,
				     .failed = l->n_failed };
}
