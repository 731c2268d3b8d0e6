/* `rds-csi check --prove-fence`.
 *
 *   START ─► CREATING ─► PUBLISHING ─► ATTACHING ─► WRITING ─► FENCING ─► GIVING ─►
 *            scratch     to this host  by the old   a while    the whole  under the
 *            volume                    NQN                     fence      new NQN
 *   JOINING ─► READING ─► WATCHING ─► READING_AGAIN
 *   by the     what is    does more
 *   new NQN    there      arrive?
 *   ─► CUTTING ─► LEAVING ─► REAPING ─► LOOKING ─► TAKING ─► DELETING ─► PAUSING ─►
 *      the old    the new    the        at the     export    the         and LOOKING
 *      session    session    writers    volume     off       volume      again, if it
 *   BOX ─► NODE ─► DONE                                                  may be there
 *
 * What fails in the upper half, a signal too, goes on with CUTTING: all of the lower half
 * (prove_undo.c) is always done, each as far as there is something to undo, and what
 * fails there is told beside (left_box, left_node). A create that is under way is not
 * cancelled but waited for: else it might run on unseen. The volume bears a cluster id
 * of this run alone, so that no controller takes it for its own, and no script of this
 * run changes another's. Writes that hang in the kernel end when the old session is
 * cut. */
#include "check/prove.h"

#include <stdio.h>
#include <string.h>

enum {
	SIZE = 64 << 20,
	WRITE_MS = 3000,
	WRITE_WAITS = 20, /* more of these, until each writer has begun */
	BEGUN = 50,	  /* blocks that must have been written before the fence */
	CHILD_MS = 600 * 1000,
	READ_MS = 60 * 1000,
};

enum {
	ST_START,
	ST_CREATING,
	ST_PUBLISHING,
	ST_ATTACHING,
	ST_WRITING,
	ST_FENCING,
	ST_GIVING,
	ST_JOINING,
	ST_READING,
	ST_WATCHING,
	ST_READING_AGAIN,
	ST_CUTTING,
	ST_LEAVING,
	ST_REAPING,
	ST_LOOKING,
	ST_TAKING,
	ST_DELETING,
	ST_PAUSING,
	ST_BOX,
	ST_NODE,
	ST_DONE,
	ST_N
};

/* ---- children, requests, waiting ---- */

static void on_box_stopped(void *arg)
{
	op_unref_wake(&((struct prove *)arg)->op);
}

static void on_nvme(struct op *op)
{
	struct nvme_req *r = CONTAINER_OF(op, struct nvme_req, op);

	op_unref_wake(&CONTAINER_OF(r, struct prove, req)->op);
}

static void on_child(struct op *op)
{
	struct proc *proc = CONTAINER_OF(op, struct proc, op);
	struct child *c = CONTAINER_OF(proc, struct child, proc);

	c->prove->n_writing -= c != &c->prove->reader;
	op_unref_wake(&c->prove->op);
}

static void on_timer(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct prove, timer)->op);
}

void prove_wait_ms(struct prove *p, uint64_t ms)
{
	p->until_ms = clock_now_ms(p->csi.loop) + ms;
	clock_timer_start(p->csi.loop, &p->timer, ms, on_timer);
}

void prove_ask_box(struct prove *p, enum rds_kind kind)
{
	box_prepare(&p->box, kind, p->id);
	p->box.req.size_bytes = SIZE;
	p->box.req.nvme_port = (uint16_t)p->args->nvme_port;
	p->box.req.nqn = kind == RDS_CREATE ? p->old_nqn
			 : *p->volume.nqn   ? p->volume.nqn
					    : NULL;
	memcpy(p->nonce, p->volume.record.nonce, sizeof(p->nonce));
	p->box.req.expect_nonce = *p->nonce ? p->nonce : NULL;
	p->box.req.record = &p->record;
	p->box.req.switch_off = true;
	p->awaited = &p->box.req.op;
	box_start(&p->box, &p->csi, &p->op);
}

void prove_ask_node(struct prove *p, enum nvme_kind kind, const char *key,
		    const char *nqn)
{
	p->req = (struct nvme_req){
		.kind = kind, .id = key, .nqn = nqn, .target = &p->target
	};
	p->awaited = &p->req.op;
	op_ref(&p->op);
	nvme_start(p->nvme, &p->req, on_nvme);
}

static void start_child(struct prove *p, struct child *c, const char *verb,
			const char *device)
{
	bool is_writer = c != &p->reader;

	(void)snprintf(c->writer, sizeof(c->writer), "%u",
		       is_writer ? (unsigned)(c - p->writers) : 0);
	c->prove = p;
	c->argv[0] = "/proc/self/exe";
	c->argv[1] = "helper";
	c->argv[2] = verb;
	c->argv[3] = device;
	c->argv[4] = is_writer ? p->old_nqn : p->new_nqn;
	c->argv[5] = p->seed;
	c->argv[6] = is_writer ? c->writer : NULL;
	c->argv[7] = NULL;
	c->proc = (struct proc){
		.argv = c->argv,
		.registry = &p->children,
		.what = "track",
		.pass_fd = p->shared_fd,
		.timeout_ms = is_writer ? CHILD_MS : READ_MS,
	};
	p->n_writing += is_writer;
	op_ref(&p->op);
	proc_start(&c->proc, on_child);
}

/* ---- what each state begins ---- */

static void begin_create(struct prove *p)
{
	p->is_there = true;
	prove_ask_box(p, RDS_CREATE);
}

static void begin_publish(struct prove *p)
{
	p->record.n_holders = 1;
	p->record.holders[0] = (struct rds_holder){ .node = PROVE_NODE, .use = 'w' };
	prove_ask_box(p, RDS_PUBLISH);
}

static void begin_attach(struct prove *p)
{
	prove_ask_node(p, NVME_ATTACH, PROVE_NODE "-old", p->old_nqn);
}

static void begin_write(struct prove *p)
{
	for (unsigned i = 0; i < TRACK_WRITERS; i++)
		start_child(p, &p->writers[i], "track-write", p->old_device);
	prove_wait_ms(p, WRITE_MS);
}

static void begin_fence(struct prove *p)
{
	p->record.generation++;
	p->record.is_fencing = true;
	fence_prepare(&p->fence, p->id, &p->volume.record, &p->record);
	p->awaited = &p->fence.op;
	fence_start(&p->fence, &p->csi, &p->op);
}

static void begin_give(struct prove *p)
{
	p->record.is_fencing = false;
	begin_publish(p);
}

static void begin_join(struct prove *p)
{
	prove_ask_node(p, NVME_ATTACH, PROVE_NODE "-new", p->new_nqn);
}

static void begin_read(struct prove *p)
{
	p->awaited = &p->reader.proc.op;
	start_child(p, &p->reader, "track-read", p->new_device);
}

static void begin_watch(struct prove *p)
{
	prove_wait_ms(p, PROVE_WATCH_MS);
}

static void begin_box(struct prove *p)
{
	op_ref(&p->op);
	p->stop_box(p->csi.rds, on_box_stopped, p);
}

static void begin_node(struct prove *p)
{
	op_ref(&p->op);
	p->stop_node(p->nvme, on_box_stopped, p);
	op_ref(&p->op);
	proc_registry_stop(&p->children, on_box_stopped, p);
}

/* ---- what each state has brought ---- */

/* A command has reached it. */
static bool is_box_known(const struct prove *p)
{
	return p->csi.rds->ops->features(p->csi.rds)->is_known;
}

static void end_box(struct prove *p)
{
	const struct rds_req *req = &p->box.req;

	op_fail_err(&p->op, &req->op.err);
	if (op_failed(&p->op))
		return;
	if (req->outcome == RDS_OK)
		p->volume = req->volume;
	else
		op_fail(&p->op, ERR_ABORTED, "somebody else changes the scratch volume");
}

static bool is_unsent(const struct prove *p)
{
	const struct rds_req *req = &p->box.req;
	enum err_code code = req->op.err.code;

	return !req->is_outcome_unknown &&
	       (!is_box_known(p) || code == ERR_UNAVAILABLE || code == ERR_DEADLINE ||
		code == ERR_CANCELLED);
}

/* What the box has refused it may have begun: a subvolume before its file. */
static void end_create(struct prove *p)
{
	const struct rds_req *req = &p->box.req;

	if (op_failed(&req->op)) {
		p->is_there = !is_unsent(p);
		p->is_late = req->is_outcome_unknown;
	}
	end_box(p);
	(void)snprintf(p->version, 32, "%.31s",
		       p->csi.rds->ops->features(p->csi.rds)->version);
	if (op_failed(&p->op))
		return;
	if (!prove_is_own(p, &p->volume)) {
		p->is_there = false;
		op_fail(&p->op, ERR_EXISTS, "a disk %s was there before", p->id);
		return;
	}
	(void)printf("The scratch volume %s is there.\n", p->id);
}

static void end_attach(struct prove *p)
{
	op_fail_err(&p->op, &p->req.op.err);
	prove_keep_stuck(p);
	memcpy(p->old_device, p->req.device.path, sizeof(p->old_device));
}

static bool have_begun(struct prove *p)
{
	bool has_each = true;

	p->facts.accepted = 0;
	for (unsigned i = 0; i < TRACK_WRITERS; i++) {
		p->begun[i] = atomic_load(&p->shared->writers[i].accepted);
		p->facts.accepted += p->begun[i];
		has_each = has_each && p->begun[i];
	}
	return has_each && p->facts.accepted >= BEGUN;
}

/* On a busy host a writer may take seconds to begin. */
static bool writes_on(struct prove *p)
{
	if (op_failed(&p->op) || have_begun(p) || p->n_writing < TRACK_WRITERS ||
	    p->n_waits++ == WRITE_WAITS)
		return false;
	prove_wait_ms(p, WRITE_MS);
	return true;
}

static void end_write(struct prove *p)
{
	if (!have_begun(p))
		op_fail(&p->op, ERR_UNAVAILABLE,
			"only %u blocks were written, or not by each writer: too few to "
			"try a fence",
			(unsigned)p->facts.accepted);
	else
		(void)printf("%u writers write it over %s.\n", TRACK_WRITERS,
			     p->old_device);
}

static void end_fence(struct prove *p)
{
	op_fail_err(&p->op, &p->fence.op.err);
	if (op_failed(&p->op))
		return;
	p->box.req = p->fence.box.req;
	end_box(p);
	p->facts.off_ms = p->fence.off_ms;
	p->facts.renamed_ms = p->fence.renamed_ms;
	memcpy(p->new_nqn, p->fence.nqn, sizeof(p->new_nqn));
	if (!op_failed(&p->op))
		(void)printf("The fence is done: it has the name %s now.\n", p->new_nqn);
}

static void end_join(struct prove *p)
{
	op_fail_err(&p->op, &p->req.op.err);
	if (op_failed(&p->op))
		(void)err_wrap(&p->op.err,
			       "cannot read beside the old session (where the box gives "
			       "both names one namespace id, this host shows but one)");
	prove_keep_stuck(p);
	memcpy(p->new_device, p->req.device.path, sizeof(p->new_device));
}

static void take_reading(struct prove *p, uint64_t ret[TRACK_WRITERS][TRACK_SLOTS])
{
	const struct proc *proc = &p->reader.proc;

	op_fail_err(&p->op, &proc->op.err);
	if (!op_failed(&p->op) && (proc->exit_status || !proc->out.len ||
				   !strstr(proc->out.data, "\"code\":0")))
		op_fail(&p->op, ERR_UNAVAILABLE, "reading failed: %.150s",
			proc->out.len ? proc->out.data : "");
	memcpy(ret, p->shared->seen, sizeof(p->shared->seen));
	proc_fini(&p->reader.proc);
}

/* Two looks at what was never written show no change either. */
static void end_read(struct prove *p)
{
	take_reading(p, p->facts.early);
	if (!op_failed(&p->op) && !prove_is_written(&p->facts, p->begun))
		op_fail(&p->op, ERR_DATA_LOSS,
			"under the new name the volume has not what was written to it "
			"before the fence");
}

/* A writer that has ended tries nothing any more. */
static void end_read_again(struct prove *p)
{
	take_reading(p, p->facts.late);
	if (p->n_writing < TRACK_WRITERS)
		op_fail(&p->op, ERR_UNAVAILABLE, "%u of %u writers ended too early",
			TRACK_WRITERS - p->n_writing, TRACK_WRITERS);
	for (unsigned i = 0; i < TRACK_WRITERS; i++) {
		const struct track_writer *w = &p->shared->writers[i];
		uint64_t at = atomic_load(&w->accepted_ms);

		p->facts.errors += atomic_load(&w->errors);
		if (at > p->facts.accepted_ms)
			p->facts.accepted_ms = at;
	}
}

static void end_reap(struct prove *p)
{
	for (unsigned i = 0; i < TRACK_WRITERS; i++)
		proc_fini(&p->writers[i].proc);
}

/* ---- the op ---- */

static const struct phase {
	const char *name;
	void (*begin)(struct prove *p);
	void (*end)(struct prove *p); /* NULL = nothing to learn */
} phases[ST_N] = {
	[ST_START] = { "start", NULL, NULL },
	[ST_CREATING] = { "creating", begin_create, end_create },
	[ST_PUBLISHING] = { "publishing", begin_publish, end_box },
	[ST_ATTACHING] = { "attaching", begin_attach, end_attach },
	[ST_WRITING] = { "writing", begin_write, end_write },
	[ST_FENCING] = { "fencing", begin_fence, end_fence },
	[ST_GIVING] = { "giving", begin_give, end_box },
	[ST_JOINING] = { "joining", begin_join, end_join },
	[ST_READING] = { "reading", begin_read, end_read },
	[ST_WATCHING] = { "watching", begin_watch, NULL },
	[ST_READING_AGAIN] = { "reading-again", begin_read, end_read_again },
	[ST_CUTTING] = { "cutting", prove_begin_cut, prove_end_undo_node },
	[ST_LEAVING] = { "leaving", prove_begin_leave, prove_end_undo_node },
	[ST_REAPING] = { "reaping", NULL, end_reap },
	[ST_LOOKING] = { "looking", prove_begin_look, prove_end_look },
	[ST_TAKING] = { "taking", prove_begin_take, prove_end_take },
	[ST_DELETING] = { "deleting", prove_begin_delete, prove_end_delete },
	[ST_PAUSING] = { "pausing", prove_begin_pause, NULL },
	[ST_BOX] = { "stopping-box", begin_box, NULL },
	[ST_NODE] = { "stopping-node", begin_node, NULL },
	[ST_DONE] = { "done", NULL, NULL },
};

static const char *names[ST_N];
static uint32_t next[ST_N];

static void make_table(void)
{
	for (unsigned s = 0; s < ST_N; s++) {
		names[s] = phases[s].name;
		next[s] = s < ST_DONE ? OP_BIT(s + 1) : 0;
		if (s < ST_CUTTING)
			next[s] |= OP_BIT(ST_CUTTING);
	}
	next[ST_PAUSING] |= OP_BIT(ST_LOOKING);
}

/* Until REAPING the writers' references do not count. That a child's state is its last
 * does not do: its handles may still be closing. */
static bool is_over(const struct prove *p)
{
	unsigned others = p->op.state < ST_REAPING ? p->n_writing : 0;

	return p->op.refs == others && clock_now_ms(p->op.loop) >= p->until_ms;
}

static void step(struct op *op)
{
	struct prove *p = CONTAINER_OF(op, struct prove, op);

	while (op->state != ST_DONE && is_over(p)) {
		unsigned to = op->state + 1;

		if (op->state == ST_WRITING && writes_on(p))
			return;
		if (phases[op->state].end)
			phases[op->state].end(p);
		if (op_failed(op) && to < ST_CUTTING)
			to = ST_CUTTING;
		if (op->state == ST_PAUSING && prove_looks_again(p))
			to = ST_LOOKING;
		p->awaited = NULL;
		p->until_ms = 0;
		clock_timer_stop(&p->timer);
		op_move(op, to);
		if (phases[to].begin)
			phases[to].begin(p);
	}
}

static void interrupt(struct op *op)
{
	struct prove *p = CONTAINER_OF(op, struct prove, op);

	if (op->state >= ST_CUTTING || (op->state == ST_CREATING && is_box_known(p)))
		return;
	if (p->awaited)
		op_cancel(p->awaited, op->err.code);
	p->until_ms = 0;
	op_wake(op);
}

static const struct op_type prove_type = {
	.name = "prove-fence",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void prove_start(struct prove *p, void (*done)(struct op *op))
{
	make_table();
	op_start(&p->op, &prove_type, p->csi.loop, done);
}

void prove_stop(struct prove *p)
{
	op_cancel(&p->op, ERR_CANCELLED);
}
