#include "fakes/fake_rds.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "csi/ids.h"

/* A request that outlives its op, with all it borrowed. */
struct fake_late {
	struct list node;
	struct rds_req req;
	struct rds_record record;
	bool is_past_guard;
	char id[RDS_ID_MAX + 1], nonce[RDS_NONCE + 1], nqn[RDS_NQN_MAX + 1];
};

/* What the op of a request needs beside it. */
struct fake_req {
	uv_idle_t tick;
	struct rds_req *req;
	struct fake_rds *f;
	enum fake_fault fault;
};

enum { ST_START = OP_START, ST_SENT, ST_RAN, ST_CLOSING, ST_DONE, ST_N };
static const char *const names[ST_N] = { "start", "sent", "ran", "closing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_SENT) | OP_BIT(ST_DONE),
	[ST_SENT] = OP_BIT(ST_RAN) | OP_BIT(ST_CLOSING),
	[ST_RAN] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static void fail(struct rds_req *req, enum err_code code, const char *text)
{
	op_fail(&req->op, code, "%s", text);
}

/* The record gets its nonce here, as the port makes it. */
static void write_record(struct fake_rds *f, struct rds_volume *v,
			 const struct rds_record *r)
{
	v->record = *r;
	v->record.kind = RDS_RECORD_OURS;
	v->record.is_released = r->is_released && !r->n_holders;
	snprintf(v->record.nonce, sizeof(v->record.nonce), "%08x", ++f->next_nonce);
}

static bool is_ours(const struct fake_rds *f, const struct rds_volume *v)
{
	return v->record.kind == RDS_RECORD_OURS ||
	       (f->may_adopt && v->record.kind == RDS_RECORD_NONE);
}

/* 1: this is not the disk that was read. */
static int guard_delete(const struct fake_rds *f, const struct rds_req *req,
			const struct rds_volume *v)
{
	bool has_record = v->record.kind == RDS_RECORD_OURS;

	if (f->ignores_nonce)
		return 0;
	return v->record.n_holders || v->record.is_fencing || !req->nqn ||
	       strcmp(v->nqn, req->nqn) != 0 ||
	       has_record != (req->expect_nonce != NULL) ||
	       (has_record && strcmp(v->record.nonce, req->expect_nonce) != 0);
}

/* -1: shape or owner, answered with an error; 1: stale, nothing changed. */
static int guard(struct fake_rds *f, struct rds_req *req, const struct rds_volume *v)
{
	if (!v->is_file_disk || v->layout == RDS_LAYOUT_AUTO) {
		fail(req, ERR_PRECONDITION, "shape");
		return -1;
	}
	if (req->kind < RDS_PUBLISH) {
		if (is_ours(f, v))
			return req->kind == RDS_DELETE ? guard_delete(f, req, v) : 0;
		fail(req, ERR_PRECONDITION, "record");
		return -1;
	}
	if (f->ignores_nonce)
		return 0;
	if (!req->expect_nonce)
		return v->record.kind == RDS_RECORD_NONE ? 0 : 1;
	return v->record.kind == RDS_RECORD_OURS &&
			       strcmp(v->record.nonce, req->expect_nonce) == 0
		       ? 0
		       : 1;
}

static void do_create(struct fake_rds *f, struct rds_req *req)
{
	struct rds_volume *v = fake_rds_find(f, req->id);

	if (!v) {
		if (req->size_bytes > f->free_bytes) {
			fail(req, ERR_EXHAUSTED, "space");
			return;
		}
		v = fake_rds_add(f, req->id, req->size_bytes);
		if (!v) {
			fail(req, ERR_EXHAUSTED, "out of memory");
			return;
		}
		if (req->base)
			snprintf(v->path, sizeof(v->path), "%.100s/%.100s.img", req->base,
				 req->id);
		snprintf(v->nqn, sizeof(v->nqn), "%s", req->nqn);
		v->port = req->nvme_port;
		write_record(f, v, req->record);
	}
	req->volume = *v;
}

static void do_delete(struct fake_rds *f, struct rds_volume *v)
{
	struct fake_volume *fv = CONTAINER_OF(v, struct fake_volume, v);

	map_remove(&f->volumes, &fv->node);
	mem_free(fv);
}

static void do_publish(struct fake_rds *f, struct rds_req *req, struct rds_volume *v)
{
	if (v->is_mounted || strcmp(v->nqn, req->nqn) != 0) {
		fail(req, ERR_PRECONDITION, v->is_mounted ? "mounted" : "nqn");
		return;
	}
	write_record(f, v, req->record);
	v->is_exported = true;
}

static void change(struct fake_rds *f, struct rds_req *req, struct rds_volume *v)
{
	switch (req->kind) {
	case RDS_GROW:
		if (v->size_bytes < req->size_bytes)
			v->size_bytes = req->size_bytes;
		break;
	case RDS_NO_MOUNT:
		if (v->is_mounted &&
		    (!req->may_unmount || v->record.n_holders || v->record.is_fencing)) {
			fail(req, ERR_PRECONDITION, "held");
			break;
		}
		v->mount_filesystem = v->is_mounted = false;
		break;
	case RDS_PUBLISH:
		do_publish(f, req, v);
		break;
	case RDS_UNPUBLISH:
		v->is_exported = v->is_exported && !req->switch_off;
		write_record(f, v, req->record);
		break;
	case RDS_FENCE_BEGIN:
		write_record(f, v, req->record);
		v->is_exported = false;
		break;
	case RDS_FENCE_FINISH:
		if (v->is_exported) {
			fail(req, ERR_PRECONDITION, "still exported");
			break;
		}
		snprintf(v->nqn, sizeof(v->nqn), "%s", req->nqn);
		write_record(f, v, req->record);
		break;
	case RDS_EXPORT:
		snprintf(v->nqn, sizeof(v->nqn), "%s", req->nqn);
		write_record(f, v, req->record);
		v->is_exported = true;
		break;
	default:
		break;
	}
}

static void list_all(struct fake_rds *f, struct rds_req *req)
{
	struct map_node *n = NULL;
	size_t pos = 0;

	while ((n = map_next(&f->volumes, &pos, n))) {
		const struct rds_volume *v =
			&CONTAINER_OF(n, struct fake_volume, node)->v;

		if (v->record.kind == RDS_RECORD_OURS ||
		    (req->wants_unreadable && v->record.kind == RDS_RECORD_UNREADABLE))
			req->on_row(req, v);
	}
}

static void run_on_volume(struct fake_rds *f, struct rds_req *req)
{
	struct rds_volume *v = fake_rds_find(f, req->id);
	int verdict;

	if (!v) {
		req->outcome = RDS_ABSENT;
		return;
	}
	if (req->kind != RDS_GET) {
		verdict = guard(f, req, v);
		if (verdict > 0)
			req->outcome = RDS_STALE;
		if (verdict < 0)
			return;
		if (verdict == 0 && req->kind == RDS_DELETE) {
			do_delete(f, v);
			return;
		}
		if (verdict == 0)
			change(f, req, v);
	}
	req->volume = *v;
	if (f->on_effect)
		f->on_effect(f, v);
}

static void run(struct fake_rds *f, struct rds_req *req)
{
	req->outcome = RDS_OK;
	switch (req->kind) {
	case RDS_LIST:
		list_all(f, req);
		break;
	case RDS_CAPACITY:
		req->free_bytes = f->free_bytes;
		req->total_bytes = f->total_bytes;
		break;
	case RDS_CREATE:
		do_create(f, req);
		break;
	default:
		run_on_volume(f, req);
	}
}

/* Whether the script would have got past its comparison. */
static bool is_past(struct fake_rds *f, const struct rds_req *req)
{
	struct rds_req probe = *req;
	const struct rds_volume *v = fake_rds_find(f, req->id);

	probe.op.err.code = ERR_OK;
	return v && req->kind >= RDS_PUBLISH && guard(f, &probe, v) == 0;
}

static void keep_late(struct fake_rds *f, const struct rds_req *req, bool is_torn)
{
	struct fake_late *l = mem_calloc(1, sizeof(*l));

	if (!l)
		return;
	l->req = *req;
	snprintf(l->id, sizeof(l->id), "%s", req->id);
	l->req.id = l->id;
	if (req->expect_nonce) {
		snprintf(l->nonce, sizeof(l->nonce), "%s", req->expect_nonce);
		l->req.expect_nonce = l->nonce;
	}
	if (req->nqn) {
		snprintf(l->nqn, sizeof(l->nqn), "%s", req->nqn);
		l->req.nqn = l->nqn;
	}
	if (req->record) {
		l->record = *req->record;
		l->req.record = &l->record;
	}
	l->req.base = NULL;
	l->is_past_guard = is_torn && is_past(f, req);
	list_append(&f->late, &l->node);
}

unsigned fake_rds_n_late(const struct fake_rds *f)
{
	unsigned n = 0;

	for (const struct list *it = f->late.next; it != &f->late; it = it->next)
		n++;
	return n;
}

void fake_rds_run_late_nth(struct fake_rds *f, unsigned nth)
{
	struct list *it = f->late.next;
	bool ignores_nonce = f->ignores_nonce;
	struct fake_late *l;

	while (nth--)
		it = it->next;
	l = CONTAINER_OF(it, struct fake_late, node);
	list_remove(&l->node);
	l->req.op.err.code = ERR_OK;
	f->ignores_nonce = ignores_nonce || l->is_past_guard;
	run(f, &l->req);
	f->ignores_nonce = ignores_nonce;
	mem_free(l);
}

void fake_rds_run_late(struct fake_rds *f)
{
	while (!list_is_empty(&f->late))
		fake_rds_run_late_nth(f, 0);
}

static bool is_mutation(const struct rds_req *req)
{
	return req->kind != RDS_GET && req->kind != RDS_LIST && req->kind != RDS_CAPACITY;
}

static void cut(struct fake_req *fr)
{
	fail(fr->req, ERR_UNAVAILABLE, "the connection was cut");
	fr->req->is_outcome_unknown = is_mutation(fr->req);
}

static void take_effect(struct fake_req *fr)
{
	if (fr->req->may_send && !fr->req->may_send(fr->req)) {
		fail(fr->req, ERR_ABORTED, "not sent");
		return;
	}
	switch (fr->fault) {
	case FAKE_REFUSE:
		fail(fr->req, ERR_UNAVAILABLE, "the box is away");
		break;
	case FAKE_LATE:
	case FAKE_TORN:
		if (is_mutation(fr->req))
			keep_late(fr->f, fr->req, fr->fault == FAKE_TORN);
		cut(fr);
		break;
	case FAKE_DROP:
		cut(fr);
		break;
	default:
		run(fr->f, fr->req);
	}
}

static void on_tick(uv_idle_t *idle)
{
	op_wake(&((struct fake_req *)idle->data)->req->op);
}

/* uv_close takes the handle's data as the op. */
static void close_tick(struct fake_req *fr)
{
	fr->tick.data = &fr->req->op;
	op_close_handle(&fr->req->op, (uv_handle_t *)&fr->tick);
}

static void begin(struct fake_req *fr)
{
	struct op *op = &fr->req->op;

	fr->f->n_execs++;
	fr->f->n_kind[fr->req->kind]++;
	uv_idle_init(op->loop, &fr->tick);
	fr->tick.data = fr;
	op_ref(op);
	if (fr->fault != FAKE_HANG)
		uv_idle_start(&fr->tick, on_tick);
	op_move(op, ST_SENT);
}

static void step(struct op *op)
{
	struct rds_req *req = CONTAINER_OF(op, struct rds_req, op);
	struct fake_req *fr = req->impl;

	switch (op->state) {
	case ST_START:
		if (op_failed(op) || !fr) {
			op_fail(op, ERR_EXHAUSTED, "out of memory");
			mem_free(fr);
			op_move(op, ST_DONE);
			return;
		}
		begin(fr);
		return;
	case ST_SENT:
		/* Cancelled once it was sent: it may have run. */
		if (op_failed(op)) {
			req->is_outcome_unknown = is_mutation(req);
			op_move(op, ST_CLOSING);
			close_tick(fr);
			return;
		}
		take_effect(fr);
		op_move(op, ST_RAN);
		return;
	case ST_RAN:
		if (!op_failed(op) && fr->fault == FAKE_LOSE)
			cut(fr);
		else if (op->err.code == ERR_CANCELLED || op->err.code == ERR_DEADLINE)
			req->is_outcome_unknown = is_mutation(req);
		op_move(op, ST_CLOSING);
		close_tick(fr);
		return;
	case ST_CLOSING:
		mem_free(fr);
		req->impl = NULL;
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct fake_req *fr = CONTAINER_OF(op, struct rds_req, op)->impl;

	if (fr && op->state == ST_SENT && fr->fault == FAKE_HANG)
		uv_idle_start(&fr->tick, on_tick);
}

static const struct op_type fake_type = {
	.name = "fake_rds",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static enum fake_fault fault_of(struct fake_rds *f, const struct rds_req *req)
{
	enum fake_fault fault = f->fault;

	if (f->choose)
		return f->choose(f, req);
	if (fault == FAKE_FINE)
		return fault;
	if (f->skip) {
		f->skip--;
		return FAKE_FINE;
	}
	f->fault = FAKE_FINE;
	return fault;
}

static void start(struct rds *rds, struct rds_req *req, void (*done)(struct op *op))
{
	struct fake_rds *f = CONTAINER_OF(rds, struct fake_rds, rds);
	struct fake_req *fr = mem_calloc(1, sizeof(*fr));

	/* Nothing else may ever reach the box. */
	bug_on(req->id && !id_is_volume(req->id));
	req->impl = fr;
	req->is_outcome_unknown = false;
	if (fr)
		*fr = (struct fake_req){ .req = req, .f = f, .fault = fault_of(f, req) };
	op_start(&req->op, &fake_type, f->loop, done);
}

static const struct rds_features *features(struct rds *rds)
{
	return &CONTAINER_OF(rds, struct fake_rds, rds)->features;
}

static const struct rds_ops ops = { .start = start, .features = features };

void fake_rds_open(struct fake_rds *f, uv_loop_t *loop, const char *cluster_id)
{
	*f = (struct fake_rds){ .rds = { &ops },
				.loop = loop,
				.cluster_id = cluster_id,
				.free_bytes = UINT64_C(100) << 40,
				.total_bytes = UINT64_C(200) << 40 };
	map_init(&f->volumes);
	list_init(&f->late);
	f->features = (struct rds_features){ .is_known = true,
					     .version = "7.21",
					     .has_subvolumes = true };
}

void fake_rds_close(struct fake_rds *f)
{
	size_t pos = 0;
	struct map_node *n;

	while (!list_is_empty(&f->late)) {
		struct fake_late *l = CONTAINER_OF(f->late.next, struct fake_late, node);

		list_remove(&l->node);
		mem_free(l);
	}
	while (pos = 0, (n = map_next(&f->volumes, &pos, NULL))) {
		map_remove(&f->volumes, n);
		mem_free(CONTAINER_OF(n, struct fake_volume, node));
	}
	map_fini(&f->volumes);
}
