#include "csi/node/adopt.h"

#include <string.h>

#include "core/log.h"

/*   start ─┬─▶ proving ─▶ detaching ─▶ done
 *          ├──────────────▲   (no device)
 *          └─(nothing to do, recorded, forgotten)─▶ done
 *
 * Failures: the record cannot be read or written; sessions under several names; a child
 * of the killed driver still works on the volume, or somebody has its device open
 * (both ABORTED); a silent target (the caller's deadline). */
enum { ST_START, ST_PROVING, ST_DETACHING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "proving", "detaching", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_PROVING) | OP_BIT(ST_DETACHING) | OP_BIT(ST_DONE),
	[ST_PROVING] = OP_BIT(ST_DETACHING) | OP_BIT(ST_DONE),
	[ST_DETACHING] = OP_BIT(ST_DONE),
};

static void finish(struct adopt *a, const struct err *err)
{
	op_fail_err(&a->op, err);
	op_move(&a->op, ST_DONE);
}

/* ---- facts ---- */

static int read_record(struct adopt *a, struct err *err)
{
	struct nvme *nvme = a->csi->nvme;
	struct err e = { .code = ERR_OK };

	a->has_record = nvme->ops->record_read(nvme, a->id, &a->record, &e) == 0;
	if (a->has_record || e.code == ERR_NOT_FOUND)
		return 0;
	*err = e;
	return -1;
}

/* This boot's record knows the NQN and the path. Without it the device decides that is
 * mounted where the kubelet has the volume staged, even when it exists no more. */
static int look(struct adopt *a, struct err *err)
{
	struct nvme *nvme = a->csi->nvme;
	bool is_known = a->has_record && a->record.is_this_boot;
	const char *staging = a->named ? a->named->staging : a->record.staging;
	char base[ID_NQN];
	struct nvme_query q = { .id = a->id,
				.nqn = "",
				.base_nqn = base,
				.source = "",
				.path = staging,
				.is_staging = true };

	id_base_nqn(a->id, base);
	if (is_known) {
		q.nqn = a->record.nqn;
		q.source = a->record.source;
		q.path = a->record.staging;
	}
	if (is_known || a->named)
		q.recorded = q.path;
	return nvme->ops->look(nvme, &q, &a->view, err);
}

/* ---- deeds ---- */

static void on_request(struct op *op)
{
	op_unref_wake(&CONTAINER_OF(op, struct adopt, req.op)->op);
}

static void go(struct adopt *a, enum nvme_kind kind, unsigned state)
{
	a->req = (struct nvme_req){ .kind = kind,
				    .id = a->id,
				    .nqn = a->record.nqn,
				    .source = a->record.source,
				    .device = a->view.device };
	op_move(&a->op, state);
	op_ref(&a->op);
	nvme_start(a->csi->nvme, &a->req, on_request);
	op_set_deadline(&a->req.op, a->op.deadline_ms);
}

static int write_record(struct adopt *a, const struct adopt_facts *f, struct err *err)
{
	struct nvme *nvme = a->csi->nvme;
	struct nvme_record rec;

	adopt_record(f, &rec);
	if (nvme->ops->record_write(nvme, a->id, &rec, err))
		return -1;
	a->record = rec;
	a->has_record = true;
	log_info("node", "adopted", KS("volume", a->id), KS("nqn", rec.nqn),
		 KB("block", rec.is_block), KS("staging", rec.staging));
	return 0;
}

static int forget(struct adopt *a, struct err *err)
{
	struct nvme *nvme = a->csi->nvme;

	if (!adopt_forgets(&a->record))
		return 0;
	if (nvme->ops->record_forget(nvme, a->id, err))
		return -1;
	a->has_record = false;
	return 0;
}

static void act(struct adopt *a, const struct adopt_facts *f)
{
	struct err err = { .code = ERR_OK };
	const char *why;

	a->outcome = adopt_decide(f, &why);
	if (a->outcome == ADOPT_DETACH && !a->may_detach) {
		a->outcome = ADOPT_NOTHING;
		why = "its session was never staged, and no time is left to end it";
	}
	if (*why)
		log_warn("node", "left as it is", KS("volume", a->id), KS("why", why),
			 KS("staging", f->staging));
	switch (a->outcome) {
	case ADOPT_DETACH:
		go(a, a->view.device.path[0] ? NVME_PROVE : NVME_DETACH,
		   a->view.device.path[0] ? ST_PROVING : ST_DETACHING);
		return;
	case ADOPT_RECORD:
		(void)write_record(a, f, &err);
		break;
	case ADOPT_FORGET:
		(void)forget(a, &err);
		break;
	case ADOPT_NOTHING:
		break;
	}
	finish(a, &err);
}

static void do_start(struct adopt *a)
{
	struct err err = { .code = ERR_OK };
	char base[ID_NQN];
	struct adopt_facts f = { .is_named = a->named != NULL,
				 .is_block = a->named && a->named->is_block,
				 .view = &a->view,
				 .base_nqn = base,
				 .nqn_prefix = a->csi->nqn_prefix };

	a->has_record = false;
	a->outcome = ADOPT_NOTHING;
	if (op_failed(&a->op) || read_record(a, &err) || (!a->named && !a->has_record) ||
	    look(a, &err)) {
		finish(a, &err);
		return;
	}
	id_base_nqn(a->id, base);
	f.rec = a->has_record ? &a->record : NULL;
	f.staging = a->named ? a->named->staging : a->record.staging;
	act(a, &f);
}

static void after_detaching(struct adopt *a)
{
	struct err err = { .code = ERR_OK };

	log_info("node", "disconnected what was connected and never staged",
		 KS("volume", a->id), KS("nqn", a->record.nqn));
	(void)forget(a, &err);
	finish(a, &err);
}

static void step(struct op *op)
{
	struct adopt *a = CONTAINER_OF(op, struct adopt, op);

	if (op->state == ST_DONE)
		return;
	if (op->state != ST_START)
		op_fail_err(op, &a->req.op.err);
	if (op->state == ST_START)
		do_start(a);
	else if (op_failed(op))
		op_move(op, ST_DONE);
	else if (op->state == ST_PROVING)
		go(a, NVME_DETACH, ST_DETACHING);
	else
		after_detaching(a);
	if (op->state == ST_DONE)
		memcpy(a->nqn, a->has_record ? a->record.nqn : "",
		       a->has_record ? strlen(a->record.nqn) + 1 : 1);
}

static void interrupt(struct op *op)
{
	op_cancel(&CONTAINER_OF(op, struct adopt, op)->req.op, op->err.code);
}

static const struct op_type adopt_type = {
	.name = "adopt",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void adopt_start(struct adopt *a, void (*done)(struct op *op))
{
	op_start(&a->op, &adopt_type, a->csi->loop, done);
}
