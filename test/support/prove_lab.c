#include "support/prove_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- the children ---- */

enum { WRITTEN = 100 };
static const char device_prefix[] = "lab-";

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void pause_ms(long ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&t, NULL);
}

static void write_track(struct track_shared *s, enum lab_child how, unsigned writer)
{
	struct track_writer *w = &s->writers[writer];
	bool is_idle = how == LAB_ONE_IDLE && writer == TRACK_WRITERS - 1;

	if (!is_idle) {
		atomic_store(&w->accepted_ms, now_ms());
		atomic_store(&w->accepted, how == LAB_FEW ? 2 : WRITTEN);
	}
	/* Told by errors, which a writer without a device has all the time. */
	atomic_store(&w->errors, 1);
	while (!atomic_load(&s->must_end)) {
		if (how == LAB_WRITER_DIES && writer == 1)
			return;
		if (how == LAB_LEAKS)
			atomic_store(&w->accepted_ms, now_ms() + 1);
		pause_ms(1);
	}
}

static void read_track(struct track_shared *s, enum lab_child how)
{
	for (unsigned w = 0; w < TRACK_WRITERS; w++)
		for (unsigned i = 0; i < TRACK_SLOTS; i++) {
			uint64_t before = s->seen[w][i];
			uint64_t n = WRITTEN - TRACK_SLOTS + i + 1;

			s->seen[w][i] = how == LAB_BLANK ? 0 : n;
			if (how == LAB_ARRIVES && before && w == 2 && i == 7)
				s->seen[w][i] = before + TRACK_SLOTS;
		}
}

static int child_main(char **argv)
{
	enum lab_child how = (enum lab_child)atoi(argv[3] + strlen(device_prefix));
	struct track_shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, PROC_FD, 0);

	if (s == MAP_FAILED)
		return 1;
	if (strcmp(argv[2], "track-write") == 0) {
		write_track(s, how, (unsigned)atoi(argv[6]));
		return 0;
	}
	while (how == LAB_HANGS)
		pause_ms(100);
	read_track(s, how);
	(void)puts(how == LAB_GARBAGE ? "]{\x01" : "{\"code\":0}");
	(void)fflush(stdout);
	return how == LAB_FAILS ? 1 : 0;
}

/* Before Criterion looks at the arguments. */
__attribute__((constructor)) static void be_child(int argc, char **argv)
{
	if (argc > 5 && strcmp(argv[1], "helper") == 0)
		_exit(child_main(argv));
}

/* ---- the host's kernel ---- */

enum { ST_START, ST_WAITING, ST_CLOSING, ST_DONE, ST_N };
static const char *const names[ST_N] = { "start", "waiting", "closing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_WAITING) | OP_BIT(ST_DONE),
	[ST_WAITING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

struct lab_req {
	uv_idle_t tick;
	struct nvme_req *req;
	struct prove_lab *lab;
};

static bool is_hanging(const struct lab_req *q)
{
	return q->req->kind == NVME_ATTACH && q->lab->node >= LAB_NODE_HANGS &&
	       q->lab->node <= LAB_NODE_STUCK;
}

static void do_attach(struct lab_req *q, bool is_old)
{
	struct prove_lab *lab = q->lab;
	struct nvme_req *req = q->req;

	if (lab->node == LAB_NODE_REFUSES ||
	    (lab->is_exported && !lab->is_exported(lab, req->nqn))) {
		op_fail(&req->op, ERR_PRECONDITION, "no such name");
		return;
	}
	*(is_old ? &lab->has_old : &lab->has_new) = true;
	snprintf(req->device.path, sizeof(req->device.path), "%s%u", device_prefix,
		 lab->child);
}

static void take_effect(struct lab_req *q)
{
	struct prove_lab *lab = q->lab;
	struct nvme_req *req = q->req;
	bool is_old = strcmp(req->nqn, lab->p.old_nqn) == 0;

	cr_assert(is_old || strcmp(req->nqn, lab->p.fence.nqn) == 0, "%s", req->nqn);
	if (req->kind == NVME_ATTACH) {
		if (lab->node == LAB_NODE_STUCK && op_failed(&req->op))
			lab->was_stuck = req->is_stuck = true; /* there later */
		else
			do_attach(q, is_old);
		return;
	}
	cr_assert(req->kind == (is_old ? NVME_CUT : NVME_DETACH));
	if (lab->node == LAB_NODE_CUT_FAILS)
		op_fail(&req->op, ERR_DEADLINE, "it is not cut");
	else
		*(is_old ? &lab->has_old : &lab->has_new) = false;
}

static void on_tick(uv_idle_t *idle)
{
	struct lab_req *q = CONTAINER_OF(idle, struct lab_req, tick);

	op_wake(&q->req->op);
}

static void begin(struct nvme_req *req)
{
	struct prove_lab *lab =
		CONTAINER_OF((struct nvme *)req->impl, struct prove_lab, nvme);
	struct lab_req *q = op_failed(&req->op) ? NULL : mem_calloc(1, sizeof(*q));

	req->impl = q;
	if (!q) {
		op_fail(&req->op, ERR_EXHAUSTED, "out of memory");
		op_move(&req->op, ST_DONE);
		return;
	}
	*q = (struct lab_req){ .req = req, .lab = lab };
	(void)uv_idle_init(req->op.loop, &q->tick);
	op_ref(&req->op);
	if (!is_hanging(q))
		(void)uv_idle_start(&q->tick, on_tick);
	op_move(&req->op, ST_WAITING);
}

static void step(struct op *op)
{
	struct nvme_req *req = CONTAINER_OF(op, struct nvme_req, op);
	struct lab_req *q = req->impl;

	switch (op->state) {
	case ST_START:
		begin(req);
		return;
	case ST_WAITING:
		/* What was cancelled may have been done all the same. */
		take_effect(q);
		op_move(op, ST_CLOSING);
		q->tick.data = op;
		op_close_handle(op, (uv_handle_t *)&q->tick);
		return;
	case ST_CLOSING:
		mem_free(q);
		req->impl = NULL;
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct lab_req *q = CONTAINER_OF(op, struct nvme_req, op)->impl;

	if (op->state == ST_WAITING)
		(void)uv_idle_start(&q->tick, on_tick);
}

static const struct op_type type = {
	.name = "lab node",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void start(struct nvme *nvme, struct nvme_req *req, void (*done)(struct op *op))
{
	struct prove_lab *lab = CONTAINER_OF(nvme, struct prove_lab, nvme);

	req->impl = nvme;
	req->is_stuck = false;
	op_start(&req->op, &type, lab->loop, done);
}

static const struct nvme_ops ops = { .start = start };

/* ---- ends that come from the loop ---- */

struct stopping {
	uv_idle_t tick;
	void (*stopped)(void *arg);
	void *arg;
};

static void on_stop_closed(uv_handle_t *h)
{
	struct stopping *s = CONTAINER_OF((uv_idle_t *)h, struct stopping, tick);
	struct stopping copy = *s;

	free(s);
	copy.stopped(copy.arg);
}

static void on_stop_tick(uv_idle_t *idle)
{
	uv_close((uv_handle_t *)idle, on_stop_closed);
}

void prove_lab_stopped(uv_loop_t *loop, void (*stopped)(void *arg), void *arg)
{
	struct stopping *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	s->stopped = stopped;
	s->arg = arg;
	(void)uv_idle_init(loop, &s->tick);
	(void)uv_idle_start(&s->tick, on_stop_tick);
}

static void stop_node(struct nvme *nvme, void (*stopped)(void *arg), void *arg)
{
	struct prove_lab *lab = CONTAINER_OF(nvme, struct prove_lab, nvme);

	prove_lab_stopped(lab->loop, stopped, arg);
}

/* ---- the op ---- */

static void on_done(struct op *op)
{
	CONTAINER_OF(CONTAINER_OF(op, struct prove, op), struct prove_lab, p)->n_done++;
}

/* As prove_main does. */
static void make_names(struct prove *p)
{
	char hex[9];

	rand_hex(hex, 8);
	snprintf(p->id, sizeof(p->id), "prove-fence-%s", hex);
	snprintf(p->cluster, sizeof(p->cluster), "rds-csi-check-prove-fence-%s", hex);
	snprintf(p->seed, sizeof(p->seed), "7");
	id_new_nqn(p->id, 0, p->old_nqn);
	p->record = (struct rds_record){ .kind = RDS_RECORD_OURS };
	snprintf(p->record.claim, sizeof(p->record.claim), "rds-csi/prove-fence");
}

static void make_memory(struct prove *p)
{
	p->shared_fd = memfd_create("prove-lab", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(p->shared_fd, sizeof(*p->shared)), 0);
	p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE, MAP_SHARED,
			 p->shared_fd, 0);
	cr_assert_neq(p->shared, MAP_FAILED);
}

void prove_lab_init(struct prove_lab *lab, uv_loop_t *loop, struct rds *rds,
		    void (*stop_box)(struct rds *r, void (*stopped)(void *arg),
				     void *arg))
{
	struct prove *p = &lab->p;

	memset(lab, 0, sizeof(*lab));
	lab->loop = loop;
	lab->nvme.ops = &ops;
	lab->args.nvme_port = 4420;
	p->args = &lab->args;
	p->version = lab->version;
	p->csi = (struct csi){ .loop = loop, .fence_settle_ms = 20, .rds = rds };
	p->nvme = &lab->nvme;
	p->stop_box = stop_box;
	p->stop_node = stop_node;
	proc_registry_init(&p->children, loop);
	make_names(p);
	make_memory(p);
}

void prove_lab_start(struct prove_lab *lab)
{
	prove_start(&lab->p, on_done);
}

/* Children need real time: the clock stands until they have begun, or ended. */
static bool awaits_children(const struct prove_lab *lab)
{
	const struct prove *p = &lab->p;
	const char *state = p->op.type->states[p->op.state];
	unsigned n = 0;

	if (strncmp(state, "reading", 7) == 0)
		return lab->child != LAB_HANGS || !op_failed(&p->op);
	if (strcmp(state, "reaping") == 0)
		return p->n_writing > 0;
	if (lab->child == LAB_WRITER_DIES && strcmp(state, "watching") == 0)
		return p->n_writing == TRACK_WRITERS;
	if (strcmp(state, "writing") != 0)
		return false;
	for (unsigned i = 0; i < TRACK_WRITERS; i++)
		n += !op_is_done(&p->writers[i].proc.op) &&
		     !atomic_load(&p->shared->writers[i].errors);
	return n > 0;
}

/* What waits for nothing but time. */
static bool is_waiting(const struct prove_lab *lab)
{
	const char *state = lab->p.op.type->states[lab->p.op.state];

	return strcmp(state, "writing") == 0 || strcmp(state, "watching") == 0 ||
	       strcmp(state, "pausing") == 0;
}

void prove_lab_turn(struct prove_lab *lab)
{
	lab->turns++;
	cr_assert_lt(lab->turns, 200000, "it hangs while %s",
		     lab->p.op.type->states[lab->p.op.state]);
	uv_run(lab->loop, UV_RUN_NOWAIT);
	if (lab->n_done)
		return;
	if (awaits_children(lab)) {
		pause_ms(4);
	} else if (lab->is_real_box && !is_waiting(lab)) {
		pause_ms(1);
		clock_advance(lab->loop, 1);
	} else {
		clock_advance(lab->loop, 600);
	}
}

void prove_lab_run(struct prove_lab *lab)
{
	struct buf text;

	while (!lab->n_done)
		prove_lab_turn(lab);
	buf_init(&text, sizeof(lab->left));
	prove_say_left(&lab->p, &text);
	snprintf(lab->left, sizeof(lab->left), "%s", text.len ? text.data : "");
	buf_fini(&text);
}

void prove_lab_close(struct prove_lab *lab)
{
	cr_assert_eq(lab->n_done, 1);
	cr_assert_eq(lab->p.n_writing, 0);
	munmap(lab->p.shared, sizeof(*lab->p.shared));
	close(lab->p.shared_fd);
}

bool prove_lab_is_proven(const struct prove_lab *lab)
{
	const struct prove *p = &lab->p;

	return p->op.err.code == ERR_OK && !prove_arrived(&p->facts) &&
	       !prove_is_accepted_late(&p->facts);
}
