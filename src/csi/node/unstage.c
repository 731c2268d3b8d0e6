#include "csi/node/unstage.h"

#include <string.h>

#include "csi/ids.h"
#include "csi/node/event.h"
#include "csi/node/plan_off.h"

/*   start ─▶ asking ─▶ syncing ─▶ unmounting ─▶ proving ─▶ detaching ─▶ done
 *               │            └─(another file system is there)─┐
 *               └─(refused for good)───▶ cutting ◀────────────┘
 *                                           └▶ unmounting ──────────────▶ done
 *
 * Those of them that are needed, by a look before each (plan_off.h); each failure: done.
 *
 * Failures: still published; something else mounted there; busy; the target does not
 * answer; the record cannot be written; a child's deadline, or one stuck already. The
 * record stays until the end, and the next call goes on. A syncfs that fails is told of:
 * the data is lost already, and the volume must come off. */
enum {
	ST_START,
	ST_ASKING,
	ST_SYNCING,
	ST_UNMOUNTING,
	ST_PROVING,
	ST_DETACHING,
	ST_CUTTING,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = { "start",   "asking",	 "syncing", "unmounting",
					 "proving", "detaching", "cutting", "done" };

#define OFF                                                                  \
	(OP_BIT(ST_UNMOUNTING) | OP_BIT(ST_PROVING) | OP_BIT(ST_DETACHING) | \
	 OP_BIT(ST_CUTTING) | OP_BIT(ST_DONE))

static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_SYNCING) | OFF,
	[ST_ASKING] = OP_BIT(ST_SYNCING) | OFF,
	[ST_SYNCING] = OFF,
	[ST_UNMOUNTING] = OFF,
	[ST_PROVING] = OFF,
	[ST_DETACHING] = OP_BIT(ST_DONE),
	[ST_CUTTING] = OP_BIT(ST_UNMOUNTING) | OP_BIT(ST_DONE),
};

/* What each step of the plan is here, and back. */
static const struct {
	unsigned state;
	enum nvme_kind kind;
} steps[] = {
	[PLAN_OFF_BEGIN] = { ST_START, NVME_N_KINDS },
	[PLAN_OFF_ASK] = { ST_ASKING, NVME_ASK },
	[PLAN_OFF_SYNC] = { ST_SYNCING, NVME_SYNC },
	[PLAN_OFF_UNMOUNT] = { ST_UNMOUNTING, NVME_UNMOUNT },
	[PLAN_OFF_PROVE] = { ST_PROVING, NVME_PROVE },
	[PLAN_OFF_DETACH] = { ST_DETACHING, NVME_DETACH },
	[PLAN_OFF_CUT] = { ST_CUTTING, NVME_CUT },
};

static const Csi__V1__NodeUnstageVolumeRequest *request(const struct rpc *rpc)
{
	return (const void *)rpc->req;
}

static const char *id_of(const struct node_work *w)
{
	return request(&w->rpc)->volume_id;
}

const char *node_unstage_volume(const struct rpc *rpc)
{
	return request(rpc)->volume_id;
}

int node_unstage_check(const struct rpc *rpc, struct err *err)
{
	const Csi__V1__NodeUnstageVolumeRequest *req = request(rpc);

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (!req->staging_target_path[0])
		return err_set(err, ERR_INVALID, "staging_target_path is missing");
	return node_path_check(req->staging_target_path, "staging_target_path", err);
}

static int look(struct node_work *w, struct err *err)
{
	struct node_place at = { .id = id_of(w), .path = w->path, .is_staging = true };

	return node_work_look(w, &at, err);
}

static void finish(struct node_work *w, const struct err *err)
{
	op_fail_err(&w->rpc.op, err);
	op_move(&w->rpc.op, ST_DONE);
}

/* The device is gone, or never was: the record has nothing left to tell. */
static void forget(struct node_work *w)
{
	struct nvme *nvme = w->rpc.csi->nvme;
	struct err err = { .code = ERR_OK };

	if (w->has_record)
		(void)nvme->ops->record_forget(nvme, id_of(w), &err);
	finish(w, &err);
}

static enum plan_off last_of(const struct node_work *w)
{
	unsigned i = PLAN_OFF_BEGIN;

	while (steps[i].state != w->rpc.op.state)
		i++;
	return (enum plan_off)i;
}

static void tell(const struct node_work *w, enum plan_off step)
{
	if (step == PLAN_OFF_UNMOUNT && w->view.is_dead)
		node_event(id_of(w), NODE_EVENT_DEVICE_GONE, w->path);
	else if (w->rpc.op.state == ST_SYNCING && w->req.other[0])
		node_event(id_of(w), NODE_EVENT_REPLACED, w->req.other);
	else if (step == PLAN_OFF_CUT && w->view.device.path[0])
		node_event(id_of(w), NODE_EVENT_FENCED, w->view.nqn);
}

/* From the detach on the device may go at any time, also where it was not proven: the
 * record of a block volume says so first, for the device alone would pass as staged. What
 * is mounted needs no such word. */
static int record_step(struct node_work *w, enum plan_off step, struct err *err)
{
	if (step != PLAN_OFF_DETACH || !w->has_record || !w->record.is_block ||
	    w->record.stage != NVME_STAGED)
		return 0;
	w->record.stage = NVME_ATTACHING;
	return node_work_write_record(w, id_of(w), err);
}

static void take_step(struct node_work *w, enum plan_off step)
{
	struct err err = { .code = ERR_OK };

	if (step == PLAN_OFF_DONE) {
		forget(w);
		return;
	}
	if (record_step(w, step, &err)) {
		finish(w, &err);
		return;
	}
	tell(w, step);
	node_work_prepare(w, steps[step].kind, id_of(w))->path = w->path;
	node_work_expect_content(w);
	op_move(&w->rpc.op, steps[step].state);
	node_work_go(w);
}

/* A stuck child leaves two things to do: ask, and cut. */
static int check_stuck(const struct node_work *w, enum plan_off step, struct err *err)
{
	if (step == PLAN_OFF_ASK || step == PLAN_OFF_CUT)
		return 0;
	return node_work_check_stuck(w, id_of(w), err);
}

/* w->view is of now. */
static void go_on(struct node_work *w)
{
	struct plan_off_facts facts = { .view = &w->view,
					.last = last_of(w),
					.is_refused = w->req.is_refused,
					.is_other = w->req.other[0] != '\0' };
	struct err err = { .code = ERR_OK };
	enum plan_off step;

	if (plan_unstage(&facts, &step, &err) || check_stuck(w, step, &err))
		finish(w, &err);
	else
		take_step(w, step);
}

/* What another boot recorded is a hint: when nothing is here under that name, whatever
 * is here of the volume counts. */
static int look_first(struct node_work *w, struct err *err)
{
	struct node_place at = {
		.id = id_of(w), .nqn = "", .path = w->path, .is_staging = true
	};

	if (look(w, err))
		return -1;
	if (!w->has_record || w->record.is_this_boot || plan_has_session(&w->view))
		return 0;
	if (node_work_look(w, &at, err))
		return -1;
	if (w->view.nqn[0]) {
		memcpy(w->record.nqn, w->view.nqn, sizeof(w->record.nqn));
		memcpy(w->record.source, w->view.source, sizeof(w->record.source));
	}
	return 0;
}

static int prepare(struct node_work *w, struct err *err)
{
	w->rpc.resp = rpc_new_response(&w->rpc);
	if (!w->rpc.resp)
		return err_nomem(err);
	node_path_canonical(request(&w->rpc)->staging_target_path, w->path);
	return node_work_read_record(w, id_of(w), err) || look_first(w, err) ? -1 : 0;
}

static void do_start(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	/* A malformed id names no volume: nothing of it can be staged. */
	if (op_failed(&w->rpc.op)) {
		finish(w, &err);
	} else if (!id_is_volume(id_of(w))) {
		w->rpc.resp = rpc_new_response(&w->rpc);
		if (!w->rpc.resp)
			(void)err_nomem(&err);
		finish(w, &err);
	} else if (prepare(w, &err)) {
		finish(w, &err);
	} else {
		go_on(w);
	}
}

/* Nothing is begun that would hang: it would hold what it waits for. */
static void fail_unanswered(struct node_work *w)
{
	struct err err = w->req.op.err;

	(void)err_wrap(&err, "stuck, for the target does not answer");
	finish(w, &err);
}

/* What a child says of syncfs is told and goes no further; one that was killed may not
 * have seen what is there, and is sent again. */
static bool is_fatal(struct node_work *w)
{
	enum err_code code = w->req.op.err.code;
	bool is_sync = w->rpc.op.state == ST_SYNCING && !w->req.is_stuck &&
		       code != ERR_ABORTED && code != ERR_INTERNAL;

	if (!is_sync || !op_failed(&w->req.op))
		return node_work_failed(w);
	node_event(id_of(w), NODE_EVENT_SYNC_FAILED, w->req.op.err.msg);
	return op_failed(&w->rpc.op);
}

static void after_request(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (w->rpc.op.state == ST_ASKING && op_failed(&w->req.op))
		fail_unanswered(w);
	else if (is_fatal(w) || look(w, &err))
		finish(w, &err);
	else
		go_on(w);
}

static void step(struct op *op)
{
	if (op->state == ST_START)
		do_start(node_work_of(op));
	else if (op->state != ST_DONE)
		after_request(node_work_of(op));
}

const struct op_type node_unstage_op = {
	.name = "unstage",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
