#include "csi/controller/fence.h"

#include <string.h>
#include <time.h>

#include "core/log.h"
#include "csi/ids.h"

/* start -> beginning -> settling -> finishing -> done
 *
 * beginning: record (fencing) written, export off, read back. Fails: nothing is known,
 *            the belief is gone, the record decides at the next look.
 * settling:  waits; a cancel ends the wait and the op, the record still says fencing.
 * finishing: new NQN, read back, record (ok, no holder). Fails: as above; the next fence
 *            takes yet another NQN, and the export was off all the time. */
enum { ST_START = OP_START, ST_BEGINNING, ST_SETTLING, ST_FINISHING, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "beginning", "settling", "finishing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_BEGINNING) | OP_BIT(ST_DONE),
	[ST_BEGINNING] = OP_BIT(ST_SETTLING) | OP_BIT(ST_DONE),
	[ST_SETTLING] = OP_BIT(ST_FINISHING) | OP_BIT(ST_DONE),
	[ST_FINISHING] = OP_BIT(ST_DONE),
};

static void ask_box(struct fence *f, enum rds_kind kind)
{
	box_prepare(&f->box, kind, f->id);
	f->box.req.expect_nonce = f->has_nonce ? f->nonce : NULL;
	f->box.req.record = &f->record;
	f->box.req.nqn = kind == RDS_FENCE_FINISH ? f->nqn : NULL;
	f->box.req.switch_off = true;
	box_start(&f->box, f->csi, &f->op);
}

static void on_settled(struct clock_timer *t)
{
	op_unref_wake(&CONTAINER_OF(t, struct fence, settle)->op);
}

static void do_settle(struct fence *f)
{
	memcpy(f->nonce, f->box.req.volume.record.nonce, sizeof(f->nonce));
	f->has_nonce = true;
	op_ref(&f->op);
	clock_timer_start(f->op.loop, &f->settle, f->csi->fence_settle_ms, on_settled);
}

static void do_finish(struct fence *f)
{
	f->record.is_fencing = false;
	f->record.n_holders = 0;
	id_new_nqn(f->id, f->record.generation, f->nqn);
	ask_box(f, RDS_FENCE_FINISH);
}

/* The first script is back: 0 to go on. */
static int begun(struct fence *f)
{
	op_fail_err(&f->op, &f->box.req.op.err);
	f->off_at = time(NULL);
	f->off_ms = uv_hrtime() / 1000000;
	return op_failed(&f->op) || f->box.req.outcome != RDS_OK ? -1 : 0;
}

static void report(const struct fence *f)
{
	if (!op_failed(&f->op) && f->box.req.outcome == RDS_OK)
		log_info("csi", "volume fenced", KS("volume", f->id),
			 KU("generation", f->record.generation));
}

static void step(struct op *op)
{
	struct fence *f = CONTAINER_OF(op, struct fence, op);

	switch (op->state) {
	case ST_START:
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		op_move(op, ST_BEGINNING);
		ask_box(f, RDS_FENCE_BEGIN);
		return;
	case ST_BEGINNING:
		if (begun(f)) {
			op_move(op, ST_DONE);
			return;
		}
		op_move(op, ST_SETTLING);
		do_settle(f);
		return;
	case ST_SETTLING:
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		op_move(op, ST_FINISHING);
		do_finish(f);
		return;
	case ST_FINISHING:
		op_fail_err(op, &f->box.req.op.err);
		f->renamed_at = time(NULL);
		f->renamed_ms = uv_hrtime() / 1000000;
		report(f);
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct fence *f = CONTAINER_OF(op, struct fence, op);

	if (op->state == ST_SETTLING)
		clock_timer_start(op->loop, &f->settle, 0, on_settled);
	else
		box_cancel(&f->box);
}

static const struct op_type fence_type = {
	.name = "fence",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void fence_prepare(struct fence *f, const char *id, const struct rds_record *from,
		   const struct rds_record *fencing)
{
	*f = (struct fence){ .id = id, .record = *fencing };
	f->has_nonce = from->kind == RDS_RECORD_OURS;
	memcpy(f->nonce, from->nonce, sizeof(f->nonce));
}

static void on_fenced(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct fence, op)->parent);
}

void fence_start(struct fence *f, struct csi *csi, struct op *parent)
{
	f->csi = csi;
	f->parent = parent;
	op_ref(parent);
	op_start(&f->op, &fence_type, csi->loop, on_fenced);
	op_set_deadline(&f->op, parent->deadline_ms);
}
