#include "csi/node/unstage.h"

#include "core/log.h"
#include "csi/ids.h"

/*   start ─▶ syncing ─▶ unmounting ─▶ proving ─▶ detaching ─▶ done
 *     ├─(not mounted)──────────────────▲           (each failure: ─▶ done)
 *     └─(nothing there)─────────────────────────────────────▶ done
 *
 * Failures: still published; something else mounted there; busy; the record cannot be
 * written; a child's deadline. A syncfs that fails is logged: the data is lost already,
 * and the volume must come off. */
enum { ST_START, ST_SYNCING, ST_UNMOUNTING, ST_PROVING, ST_DETACHING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start",   "syncing",	 "unmounting",
					 "proving", "detaching", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_SYNCING) | OP_BIT(ST_PROVING) | OP_BIT(ST_DONE),
	[ST_SYNCING] = OP_BIT(ST_UNMOUNTING) | OP_BIT(ST_DONE),
	[ST_UNMOUNTING] = OP_BIT(ST_PROVING) | OP_BIT(ST_DONE),
	[ST_PROVING] = OP_BIT(ST_DETACHING) | OP_BIT(ST_DONE),
	[ST_DETACHING] = OP_BIT(ST_DONE),
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

static void go(struct node_work *w, enum nvme_kind kind, unsigned state)
{
	node_work_prepare(w, kind, id_of(w))->path = w->path;
	op_move(&w->rpc.op, state);
	node_work_go(w);
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

/* From here on the device may go at any time, also after a detach that was not proven:
 * the record of a block volume says so first, for the device alone would pass as staged.
 * What is mounted needs no such word. */
static void detach(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (w->has_record && w->record.is_block && w->record.stage == NVME_STAGED) {
		w->record.stage = NVME_ATTACHING;
		if (node_work_write_record(w, id_of(w), &err)) {
			finish(w, &err);
			return;
		}
	}
	go(w, NVME_DETACH, ST_DETACHING);
}

/* Nothing is mounted at the staging path any more. */
static void prove(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (look(w, &err)) {
		finish(w, &err);
	} else if (w->view.n_layers) {
		(void)err_set(&err, ERR_ABORTED, "the staging path is still mounted");
		finish(w, &err);
	} else if (w->view.n_elsewhere) {
		(void)err_set(&err, ERR_PRECONDITION,
			      "the volume is still published at %u paths",
			      w->view.n_elsewhere);
		finish(w, &err);
	} else if (w->view.device.path[0]) {
		go(w, NVME_PROVE, ST_PROVING);
	} else {
		forget(w);
	}
}

static int prepare(struct node_work *w, struct err *err)
{
	w->rpc.resp = rpc_new_response(&w->rpc);
	if (!w->rpc.resp)
		return err_nomem(err);
	node_path_canonical(request(&w->rpc)->staging_target_path, w->path);
	if (node_work_read_record(w, id_of(w), err) || look(w, err))
		return -1;
	if (w->view.n_foreign_layers)
		return err_set(err, ERR_PRECONDITION,
			       "what is mounted at the staging path is not this volume");
	/* Unmounting it would only hide from the kubelet what its pods still hold. */
	if (w->view.n_elsewhere)
		return err_set(err, ERR_PRECONDITION,
			       "the volume is still published at %u paths",
			       w->view.n_elsewhere);
	return 0;
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
	} else if (w->view.n_layers) {
		go(w, NVME_SYNC, ST_SYNCING);
	} else {
		prove(w);
	}
}

static void after_syncing(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (op_failed(&w->rpc.op)) {
		finish(w, &err);
		return;
	}
	if (op_failed(&w->req.op))
		log_error("node", "syncfs failed: data written last may be lost",
			  KS("volume", id_of(w)), KS("err", w->req.op.err.msg));
	go(w, NVME_UNMOUNT, ST_UNMOUNTING);
}

static void after_detaching(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (look(w, &err)) {
		finish(w, &err);
	} else if (w->view.device.path[0]) {
		(void)err_set(&err, ERR_ABORTED, "the device is still there");
		finish(w, &err);
	} else {
		forget(w);
	}
}

static void step(struct op *op)
{
	struct node_work *w = node_work_of(op);

	if (op->state == ST_START)
		do_start(w);
	else if (op->state == ST_SYNCING)
		after_syncing(w);
	else if (op->state == ST_DONE)
		return;
	else if (node_work_failed(w))
		op_move(op, ST_DONE);
	else if (op->state == ST_UNMOUNTING)
		prove(w);
	else if (op->state == ST_PROVING)
		detach(w);
	else
		after_detaching(w);
}

const struct op_type node_unstage_op = {
	.name = "unstage",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
