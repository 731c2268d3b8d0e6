/* `rds-csi check --prove-fence`.
 *
 *   START ─► CREATING ─► PUBLISHING ─► ATTACHING ─► WRITING ─► FENCING ─► GIVING ─►
 *            scratch     to this host  by the old   a while    the whole  under the
 *            volume                    NQN                     fence      new NQN
 *   JOINING ─► READING ─► WATCHING ─► READING_AGAIN
 *   by the     what is    does more
 *   new NQN    there      arrive?
 *   ─► CUTTING ─► LEAVING ─► REAPING ─► LOOKING ─► TAKING ─► DELETING ─► BOX ─► NODE ─►
 *      the old    the new    the        at the     export    the         DONE
 *      session    session    writers    volume     off       volume
 *
 * What fails in the upper half, a signal too, goes on with CUTTING: all of the lower half
 * is always done, each as far as there is something to undo, and what fails there is told
 * beside (left). The volume bears a cluster id of its own, so that no controller takes
 * it for its own. Writes that hang in the kernel end when the old session is cut. */
#include "check/prove.h"

#include <stdio.h>
#include <string.h>

#include "nvme/tcp.h"
#include "rds/ros.h"

enum {
	SIZE = 64 << 20,
	WRITE_MS = 3000,
	BEGUN = 50, /* blocks that must have been written before the fence */
	CHILD_MS = 600 * 1000,
	READ_MS = 60 * 1000,
	LOOKS = 5, /* at a volume that changes while it is taken away */
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

static void wait_ms(struct prove *p, uint64_t ms)
{
	p->until_ms = clock_now_ms(&p->loop.uv) + ms;
	clock_timer_start(&p->loop.uv, &p->timer, ms, on_timer);
}

static void ask_box(struct prove *p, enum rds_kind kind)
{
	box_prepare(&p->box, kind, p->id);
	p->box.req.size_bytes = SIZE;
	p->box.req.nvme_port = (uint16_t)p->args->nvme_port;
	p->box.req.nqn = kind == RDS_CREATE ? p->old_nqn : p->volume.nqn;
	memcpy(p->nonce, p->volume.record.nonce, sizeof(p->nonce));
	p->box.req.expect_nonce = *p->nonce ? p->nonce : NULL;
	p->box.req.record = &p->record;
	p->box.req.switch_off = true;
	p->awaited = &p->box.req.op;
	box_start(&p->box, &p->csi, &p->op);
}

static void ask_node(struct prove *p, enum nvme_kind kind, const char *key,
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
	c->argv[4] = p->seed;
	c->argv[5] = is_writer ? c->writer : NULL;
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
	ask_box(p, RDS_CREATE);
}

static void begin_publish(struct prove *p)
{
	p->record.n_holders = 1;
	p->record.holders[0] = (struct rds_holder){ .node = PROVE_NODE, .use = 'w' };
	ask_box(p, RDS_PUBLISH);
}

static void begin_attach(struct prove *p)
{
	ask_node(p, NVME_ATTACH, PROVE_NODE "-old", p->old_nqn);
}

static void begin_write(struct prove *p)
{
	for (unsigned i = 0; i < TRACK_WRITERS; i++)
		start_child(p, &p->writers[i], "track-write", p->old_device);
	wait_ms(p, WRITE_MS);
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
	ask_node(p, NVME_ATTACH, PROVE_NODE "-new", p->new_nqn);
}

static void begin_read(struct prove *p)
{
	p->awaited = &p->reader.proc.op;
	start_child(p, &p->reader, "track-read", p->new_device);
}

static void begin_watch(struct prove *p)
{
	wait_ms(p, PROVE_WATCH_MS);
}

static void begin_cut(struct prove *p)
{
	atomic_store(&p->shared->must_end, 1);
	if (*p->old_nqn)
		ask_node(p, NVME_CUT, PROVE_NODE "-old", p->old_nqn);
}

static void begin_leave(struct prove *p)
{
	if (*p->new_nqn)
		ask_node(p, NVME_DETACH, PROVE_NODE "-new", p->new_nqn);
}

static void begin_look(struct prove *p)
{
	if (p->is_there)
		ask_box(p, RDS_GET);
}

static void begin_take(struct prove *p)
{
	if (!p->is_there)
		return;
	p->record = p->volume.record;
	p->record.is_fencing = false;
	p->record.n_holders = 0;
	ask_box(p, RDS_UNPUBLISH);
}

static void begin_delete(struct prove *p)
{
	if (p->is_there)
		ask_box(p, RDS_DELETE);
}

static void begin_box(struct prove *p)
{
	op_ref(&p->op);
	ros_stop(p->csi.rds, on_box_stopped, p);
}

static void begin_node(struct prove *p)
{
	op_ref(&p->op);
	nvme_tcp_stop(p->nvme, on_box_stopped, p);
	op_ref(&p->op);
	proc_registry_stop(&p->children, on_box_stopped, p);
}

/* ---- what each state has brought ---- */

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

static void end_create(struct prove *p)
{
	if (op_failed(&p->box.req.op) && !p->box.req.is_outcome_unknown)
		p->is_there = false;
	end_box(p);
	(void)snprintf(p->version, 32, "%.31s",
		       p->csi.rds->ops->features(p->csi.rds)->version);
	if (!op_failed(&p->op))
		(void)printf("The scratch volume %s is there.\n", p->id);
}

static void end_attach(struct prove *p)
{
	op_fail_err(&p->op, &p->req.op.err);
	memcpy(p->old_device, p->req.device.path, sizeof(p->old_device));
}

static uint64_t n_accepted(const struct prove *p)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < TRACK_WRITERS; i++)
		n += atomic_load(&p->shared->writers[i].accepted);
	return n;
}

static void end_write(struct prove *p)
{
	p->facts.accepted = n_accepted(p);
	if (p->facts.accepted < BEGUN)
		op_fail(&p->op, ERR_UNAVAILABLE,
			"only %u blocks were written in %d ms: too few to try a fence",
			(unsigned)p->facts.accepted, WRITE_MS);
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
	memcpy(p->new_device, p->req.device.path, sizeof(p->new_device));
}

static void end_read(struct prove *p)
{
	const struct proc *proc = &p->reader.proc;

	op_fail_err(&p->op, &proc->op.err);
	if (!op_failed(&p->op) && (proc->exit_status || !proc->out.len ||
				   !strstr(proc->out.data, "\"code\":0")))
		op_fail(&p->op, ERR_UNAVAILABLE, "reading failed: %.150s",
			proc->out.len ? proc->out.data : "");
	memcpy(p->facts.early, p->shared->seen, sizeof(p->facts.early));
	proc_fini(&p->reader.proc);
}

static void end_read_again(struct prove *p)
{
	uint64_t early[TRACK_WRITERS][TRACK_SLOTS];

	memcpy(early, p->facts.early, sizeof(early));
	end_read(p);
	memcpy(p->facts.late, p->facts.early, sizeof(early));
	memcpy(p->facts.early, early, sizeof(early));
	for (unsigned i = 0; i < TRACK_WRITERS; i++) {
		const struct track_writer *w = &p->shared->writers[i];
		uint64_t at = atomic_load(&w->accepted_ms);

		p->facts.errors += atomic_load(&w->errors);
		if (at > p->facts.accepted_ms)
			p->facts.accepted_ms = at;
	}
}

static void keep_left(struct prove *p, const struct err *err)
{
	if (p->left.code == ERR_OK)
		p->left = *err;
}

static void end_undo_node(struct prove *p)
{
	if (p->awaited)
		keep_left(p, &p->req.op.err);
}

static void end_reap(struct prove *p)
{
	for (unsigned i = 0; i < TRACK_WRITERS; i++)
		proc_fini(&p->writers[i].proc);
}

static void end_undo_box(struct prove *p)
{
	const struct rds_req *req = &p->box.req;

	if (!p->awaited)
		return;
	keep_left(p, &req->op.err);
	if (op_failed(&req->op) || req->outcome == RDS_ABSENT ||
	    (req->kind == RDS_DELETE && req->outcome == RDS_OK))
		p->is_there = false;
	else
		p->volume = req->volume;
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
	[ST_CUTTING] = { "cutting", begin_cut, end_undo_node },
	[ST_LEAVING] = { "leaving", begin_leave, end_undo_node },
	[ST_REAPING] = { "reaping", NULL, end_reap },
	[ST_LOOKING] = { "looking", begin_look, end_undo_box },
	[ST_TAKING] = { "taking", begin_take, end_undo_box },
	[ST_DELETING] = { "deleting", begin_delete, end_undo_box },
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
	next[ST_DELETING] |= OP_BIT(ST_LOOKING);
}

/* Until REAPING the writers' references do not count. That a child's state is its last
 * does not do: its handles may still be closing. */
static bool is_over(const struct prove *p)
{
	unsigned others = p->op.state < ST_REAPING ? p->n_writing : 0;

	return p->op.refs == others && clock_now_ms(p->op.loop) >= p->until_ms;
}

/* A script that was cancelled may have run on and changed what was looked at. */
static bool looks_again(struct prove *p)
{
	return p->is_there && p->n_looks++ < LOOKS;
}

static void step(struct op *op)
{
	struct prove *p = CONTAINER_OF(op, struct prove, op);

	while (op->state != ST_DONE && is_over(p)) {
		unsigned to = op->state + 1;

		if (phases[op->state].end)
			phases[op->state].end(p);
		if (op_failed(op) && to < ST_CUTTING)
			to = ST_CUTTING;
		if (op->state == ST_DELETING && looks_again(p))
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

	if (op->state >= ST_CUTTING)
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
	op_start(&p->op, &prove_type, &p->loop.uv, done);
}

void prove_stop(struct prove *p)
{
	op_cancel(&p->op, ERR_CANCELLED);
}
