#include "rds/pool.h"

#include "core/audit.h"
#include "core/mem.h"
#include "core/rand.h"
#include "metrics/registry.h"

/* start -> running -> stopping -> done
 *   running ends by pool_stop alone: a box that is away fails requests, not the pool. */
enum { ST_START, ST_RUNNING, ST_STOPPING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "running", "stopping", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RUNNING),
	[ST_RUNNING] = OP_BIT(ST_STOPPING),
	[ST_STOPPING] = OP_BIT(ST_DONE),
};

static void on_again(uv_idle_t *idle)
{
	(void)uv_idle_stop(idle);
	op_wake(idle->data);
}

/* Steps are never taken from inside another one, nor from inside a request's. */
static void step_soon(struct pool *p)
{
	if (p->again.data && !uv_is_closing((uv_handle_t *)&p->again))
		(void)uv_idle_start(&p->again, on_again);
}

/* A session that hung up is not idle any more, though its end is still to come. */
static bool is_idle(const struct pool_slot *s)
{
	return s->state == SLOT_IDLE && ssh_is_ready(&s->ssh);
}

static void count(const struct pool *p, struct lane_load *load, unsigned *ret_live)
{
	unsigned live = 0;

	*load = (struct lane_load){
		.max_sessions = p->max_sessions,
		.create_room = ros_join_room(ROS_CREATE, p->site),
		.publish_room = ros_join_room(ROS_PUBLISH, p->site),
	};
	for (unsigned i = 0; i < POOL_SLOTS; i++) {
		const struct pool_slot *s = &p->slots[i];

		live += is_idle(s) || s->state == SLOT_BUSY;
		load->idle += is_idle(s);
		load->busy += s->state == SLOT_BUSY;
		load->busy_bulk += s->state == SLOT_BUSY && s->batch->lane == LANE_BULK;
	}
	*ret_live = live;
}

static unsigned count_state(const struct pool *p, unsigned state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < POOL_SLOTS; i++)
		n += p->slots[i].state == state;
	return n;
}

static void on_trim(struct clock_timer *t)
{
	struct pool *p = CONTAINER_OF(t, struct pool, trim);
	unsigned spare = count_state(p, SLOT_IDLE) + count_state(p, SLOT_BUSY);

	for (unsigned i = 0; i < POOL_SLOTS && spare > POOL_WARM; i++)
		if (p->slots[i].state == SLOT_IDLE) {
			p->slots[i].state = SLOT_CLOSING;
			op_cancel(&p->slots[i].ssh.op, ERR_CANCELLED);
			spare--;
		}
}

static void note_found(struct pool *p)
{
	uint64_t away_ms = clock_now_ms(p->op.loop) - p->lost_ms;

	p->stats.is_known = true;
	if (!p->is_lost)
		return;
	p->is_lost = false;
	metric_count(METRIC_RDS_RECONNECTS, METRIC_SUCCESS, 0);
	metric_observe(METRIC_RDS_RECONNECT_SECONDS, 0, away_ms * 1000);
}

/* The first attempt of all is no reconnect. */
static void note_lost(struct pool *p, bool was_attempt)
{
	struct lane_load load;
	unsigned live;

	count(p, &load, &live);
	p->stats.is_known = true;
	if (was_attempt && p->is_lost)
		metric_count(METRIC_RDS_RECONNECTS, METRIC_FAILURE, 0);
	if (live || p->is_lost)
		return;
	p->is_lost = true;
	p->lost_ms = clock_now_ms(p->op.loop);
}

static void on_ssh_ready(struct ssh *ssh)
{
	struct pool_slot *s = CONTAINER_OF(ssh, struct pool_slot, ssh);
	struct pool *p = s->pool;
	struct lane_load load;
	unsigned live;

	count(p, &load, &live);
	p->generation += live == 0;
	log_audit(AUDIT_SSH_CONNECTED, "rds", "connected to the box",
		  KS("address", p->conf.address), KS("user", p->conf.user),
		  KS("key", ssh->key_name),
		  KB("host_key_verified", p->keys.host_key_file != NULL),
		  KU("sessions", live + 1));
	s->state = SLOT_IDLE;
	note_found(p);
	p->stats.connects++;
	p->retry_at_ms = 0;
	backoff_reset(&p->backoff);
	step_soon(p);
}

static void note_failure(struct pool *p, const struct err *err)
{
	static struct log_rate rate;
	uint64_t now_ms = clock_now_ms(p->op.loop);
	uint32_t wait_ms;

	if (p->backoff.failures == 0)
		rate.next_ms = 0;
	if (log_may(&rate, now_ms, POOL_TELL_MS))
		log_audit(AUDIT_SSH_FAILED, "rds", "no connection to the box",
			  KS("address", p->conf.address), KS("user", p->conf.user),
			  KS("error", err->msg), KU("skipped", rate.skipped));
	wait_ms = backoff_next_ms(&p->backoff, rand_below(UINT32_MAX));
	p->retry_at_ms = now_ms + wait_ms;
	p->last = *err;
}

static void on_ssh_done(struct op *op)
{
	struct pool_slot *s = CONTAINER_OF(op, struct pool_slot, ssh.op);
	struct pool *p = s->pool;
	bool was_attempt = s->state == SLOT_CONNECTING;

	bug_on(s->batch); /* a session outlives its tenant */
	if (was_attempt && !op_failed(&p->op))
		note_failure(p, &op->err);
	else if (op->err.code != ERR_CANCELLED)
		log_info("rds", "session with the box ended", KS("error", op->err.msg));
	s->state = SLOT_EMPTY;
	if (!op_failed(&p->op))
		note_lost(p, was_attempt);
	op_unref_wake(&p->op);
}

static void connect_slot(struct pool *p, struct pool_slot *s)
{
	s->state = SLOT_CONNECTING;
	op_ref(&p->op);
	ssh_start(&s->ssh, p->op.loop, &p->conf, on_ssh_ready, on_ssh_done);
}

/* Not sent means that another session may have it: back to the head of the queue. What
 * one of several was held back for (batch.h) is that one's affair. */
static void requeue_unsent(struct pool *p, struct batch *b)
{
	enum err_code code = b->exec.op.err.code;
	bool is_free = code == ERR_UNAVAILABLE || (code == ERR_ABORTED && b->n > 1);
	struct list *pos = p->queue.next;

	if (b->exec.is_sent || !is_free || op_failed(&p->op))
		return;
	for (unsigned i = 0; i < b->n; i++) {
		struct pool_item *it = b->items[i];

		if (!it || ++it->tries >= POOL_TRIES)
			continue;
		batch_forget(it);
		if (code == ERR_ABORTED)
			it->lane.joint = NULL;
		list_insert(pos, &it->lane.node);
	}
}

static void on_exec_done(struct op *op)
{
	struct batch *b = CONTAINER_OF(op, struct batch, exec.op);
	struct pool_slot *s = CONTAINER_OF(b->exec.ssh, struct pool_slot, ssh);
	struct pool *p = s->pool;

	metric_observe(METRIC_SSH_EXEC_SECONDS, b->lane,
		       uv_hrtime() / 1000 - b->started_us);
	s->batch = NULL;
	s->state = ssh_is_ready(&s->ssh) ? SLOT_IDLE : SLOT_CLOSING;
	requeue_unsent(p, b);
	batch_finish(b);
	batch_free(b);
	op_unref_wake(&p->op);
}

static void run_batch(struct pool *p, struct pool_item *const *items, unsigned n)
{
	struct batch *b = batch_new(items, n, p->site);
	unsigned i = 0;

	if (!b)
		return;
	while (!is_idle(&p->slots[i]))
		i++;
	p->slots[i].batch = b;
	p->slots[i].state = SLOT_BUSY;
	p->stats.execs++;
	p->stats.joined += n > 1 ? n : 0;
	op_ref(&p->op);
	batch_start(b, &p->slots[i].ssh, on_exec_done);
}

static void dispatch(struct pool *p)
{
	struct lane_item *taken[LANE_JOIN_MAX];
	struct pool_item *items[LANE_JOIN_MAX];
	struct lane_load load;
	unsigned n, live;

	for (;;) {
		count(p, &load, &live);
		n = lane_take(&p->queue, &load, taken);
		if (!n)
			return;
		for (unsigned i = 0; i < n; i++)
			items[i] = CONTAINER_OF(taken[i], struct pool_item, lane);
		run_batch(p, items, n);
	}
}

static void fail_queue(struct pool *p, const struct err *why)
{
	/* What is submitted meanwhile waits for the next step. */
	struct list *last = p->queue.prev;
	bool is_last = list_is_empty(&p->queue);

	while (!is_last) {
		struct list *first = p->queue.next;

		is_last = first == last;
		list_remove(first);
		batch_end_item(CONTAINER_OF(first, struct pool_item, lane.node), why,
			       false);
	}
}

/* Opens what the waiting requests can use, and while the only session is busy a second
 * one, so that the first publish after a create finds it free. */
static void connect_more(struct pool *p)
{
	unsigned live, coming = count_state(p, SLOT_CONNECTING), wanted, used;
	struct lane_load load;

	count(p, &load, &live);
	wanted = lane_wanted(&p->queue, &load);
	if (live && !load.idle && live + coming < POOL_WARM && !wanted)
		wanted = 1;
	if (wanted <= coming || clock_now_ms(p->op.loop) < p->retry_at_ms)
		return;
	wanted -= coming;
	/* After a failure one try is enough to see whether the box is back. */
	if (p->retry_at_ms && (wanted > 1 || coming))
		wanted = coming ? 0 : 1;
	used = POOL_SLOTS - count_state(p, SLOT_EMPTY);
	for (unsigned i = 0; i < POOL_SLOTS && wanted && used < p->max_sessions; i++)
		if (p->slots[i].state == SLOT_EMPTY) {
			used++;
			connect_slot(p, &p->slots[i]);
			wanted--;
		}
}

/* A session whose peer hung up closes for a turn before it is done: it takes no more. */
static void note_closing(struct pool *p)
{
	for (unsigned i = 0; i < POOL_SLOTS; i++)
		if (p->slots[i].state == SLOT_IDLE && !ssh_is_ready(&p->slots[i].ssh))
			p->slots[i].state = SLOT_CLOSING;
}

/* How many sessions are open with what the key files held before, or hold now. */
static unsigned count_keys(const struct pool *p, bool is_old)
{
	unsigned n = 0;

	for (unsigned i = 0; i < POOL_SLOTS; i++) {
		const struct pool_slot *s = &p->slots[i];

		n += (is_idle(s) || s->state == SLOT_BUSY) &&
		     (s->ssh.keys_version != p->keys.version) == is_old;
	}
	return n;
}

static void close_old(struct pool *p)
{
	for (unsigned i = 0; i < POOL_SLOTS; i++) {
		struct pool_slot *s = &p->slots[i];

		if (!is_idle(s) || s->ssh.keys_version == p->keys.version)
			continue;
		s->state = SLOT_CLOSING;
		op_cancel(&s->ssh.op, ERR_CANCELLED);
	}
}

/* There is a slot more than sessions, for this. */
static void connect_renewed(struct pool *p)
{
	if (count_state(p, SLOT_CONNECTING) || clock_now_ms(p->op.loop) < p->retry_at_ms)
		return;
	for (unsigned i = 0; i < POOL_SLOTS; i++)
		if (p->slots[i].state == SLOT_EMPTY) {
			connect_slot(p, &p->slots[i]);
			return;
		}
}

static void renew(struct pool *p)
{
	uint64_t now_ms = clock_now_ms(p->op.loop);
	struct err err;

	if (now_ms >= p->look_at_ms) {
		p->look_at_ms = now_ms + POOL_LOOK_MS;
		(void)keyring_look(&p->keys, &err); /* no memory: the next look will */
	}
	if (count_keys(p, true) && count_keys(p, false))
		close_old(p);
	else if (count_keys(p, true))
		connect_renewed(p);
	if (p->keys_told == p->keys.version || count_keys(p, true) ||
	    !count_keys(p, false))
		return;
	p->keys_told = p->keys.version;
	log_audit(AUDIT_KEYS_RENEWED, "rds",
		  "every session with the box uses the key files as they are now",
		  KS("address", p->conf.address), KS("user", p->conf.user),
		  KS("key", p->keys.fingerprint));
}

static void do_running(struct pool *p)
{
	struct lane_load load;
	unsigned live;

	note_closing(p);
	renew(p);
	dispatch(p);
	connect_more(p);
	count(p, &load, &live);
	if (!live && count_state(p, SLOT_EMPTY) == POOL_SLOTS)
		fail_queue(p, &p->last);
	if (live > POOL_WARM && list_is_empty(&p->queue))
		clock_timer_start(p->op.loop, &p->trim, POOL_TRIM_MS, on_trim);
}

static void do_stop(struct pool *p)
{
	op_move(&p->op, ST_STOPPING);
	clock_timer_stop(&p->trim);
	fail_queue(p, &p->op.err);
	for (unsigned i = 0; i < POOL_SLOTS; i++)
		if (p->slots[i].state != SLOT_EMPTY)
			op_cancel(&p->slots[i].ssh.op, ERR_CANCELLED);
	op_close_handle(&p->op, (uv_handle_t *)&p->again);
}

static void do_start(struct pool *p)
{
	op_move(&p->op, ST_RUNNING);
	(void)uv_idle_init(p->op.loop, &p->again);
	p->again.data = &p->op;
	op_ref(&p->op);
}

static void step(struct op *op)
{
	struct pool *p = CONTAINER_OF(op, struct pool, op);

	if (op->state == ST_START)
		do_start(p);
	if (op->state == ST_RUNNING && op_failed(op))
		do_stop(p);
	else if (op->state == ST_RUNNING)
		do_running(p);
	else if (op->state == ST_STOPPING && op->refs == 0)
		op_move(op, ST_DONE);
}

static void interrupt(struct op *op)
{
	step_soon(CONTAINER_OF(op, struct pool, op));
}

static const struct op_type pool_type = {
	.name = "pool",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void pool_start(struct pool *p, uv_loop_t *loop, void (*done)(struct op *op))
{
	list_init(&p->queue);
	backoff_init(&p->backoff, POOL_BACKOFF_MS, POOL_BACKOFF_MAX_MS);
	p->keys_told = p->keys.version;
	for (unsigned i = 0; i < POOL_SLOTS; i++)
		p->slots[i] = (struct pool_slot){ .pool = p };
	op_start(&p->op, &pool_type, loop, done);
}

void pool_submit(struct pool *p, struct pool_item *it)
{
	it->batch = NULL;
	it->tries = 0;
	it->lane.step = it->step;
	it->lane.joint = it->is_alone ? NULL : &it->args;
	list_append(&p->queue, &it->lane.node);
	step_soon(p);
}

void pool_forget(struct pool *p, struct pool_item *it)
{
	(void)p;
	if (it->batch)
		batch_forget(it);
	else
		list_remove(&it->lane.node);
}

void pool_stop(struct pool *p)
{
	op_cancel(&p->op, ERR_CANCELLED);
}

void pool_stats(const struct pool *p, struct ros_stats *ret)
{
	struct lane_load load;

	*ret = p->stats;
	count(p, &load, &ret->sessions);
	ret->busy = ret->sessions - load.idle;
	ret->is_key_pending =
		p->keys.is_key_bad || p->keys.is_pin_bad || count_keys(p, true) > 0;
	LIST_FOREACH (it, &p->queue) {
		ret->queued++;
		ret->queued_in[CONTAINER_OF(it, struct lane_item, node)->lane]++;
	}
}
