#include "csi/node/expand.h"

#include <string.h>

#include "csi/ids.h"

/*   start ─▶ rescanning ─┬─(block)──────────────▶ done
 *     │                  └─▶ growing ───────────▶ done
 *     └─(unknown volume or path)────────────────▶ done
 *
 * Failures: the target has another file system there; the device is smaller than required
 * (both FAILED_PRECONDITION, and the next stage tells or does it); the file system cannot
 * be grown; a child's deadline. */
enum { ST_START, ST_RESCANNING, ST_GROWING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "rescanning", "growing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RESCANNING) | OP_BIT(ST_DONE),
	[ST_RESCANNING] = OP_BIT(ST_GROWING) | OP_BIT(ST_DONE),
	[ST_GROWING] = OP_BIT(ST_DONE),
};

static const Csi__V1__NodeExpandVolumeRequest *request(const struct rpc *rpc)
{
	return (const void *)rpc->req;
}

static const char *id_of(const struct node_work *w)
{
	return request(&w->rpc)->volume_id;
}

const char *node_expand_volume(const struct rpc *rpc)
{
	return request(rpc)->volume_id;
}

int node_expand_check(const struct rpc *rpc, struct err *err)
{
	const Csi__V1__NodeExpandVolumeRequest *req = request(rpc);
	const Csi__V1__CapacityRange *r = req->capacity_range;

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (!req->volume_path[0])
		return err_set(err, ERR_INVALID, "volume_path is missing");
	if (r && (r->required_bytes < 0 || r->limit_bytes < 0))
		return err_set(err, ERR_INVALID, "capacity_range is negative");
	if (r && r->limit_bytes && r->required_bytes > r->limit_bytes)
		return err_set(err, ERR_INVALID, "required_bytes exceeds limit_bytes");
	return 0;
}

static void finish(struct node_work *w, const struct err *err)
{
	op_fail_err(&w->rpc.op, err);
	op_move(&w->rpc.op, ST_DONE);
}

static bool is_node_at(struct node_work *w)
{
	/* A raw block volume is nowhere mounted at its staging path. */
	if (w->has_record && w->record.is_block && w->view.device.path[0] &&
	    strcmp(w->path, w->record.staging) == 0)
		return true;
	return !w->view.n_layers &&
	       node_file_at(w->path, &w->view.device) == NODE_FILE_SAME;
}

/* What would only hang, or cannot be, is not begun. */
static int check_view(struct node_work *w, struct err *err)
{
	if (w->view.is_dead)
		return err_set(err, ERR_PRECONDITION,
			       "the device is gone: the volume must be unstaged and "
			       "staged, which grows it");
	if (w->view.state == NVME_RECOVERING)
		return err_set(err, ERR_UNAVAILABLE,
			       "the target does not answer: nothing is grown");
	if (w->has_record && w->record.is_readonly)
		return err_set(err, ERR_PRECONDITION,
			       "the volume is staged read-only: it is grown when it is "
			       "next staged for a writer");
	return node_work_check_stuck(w, id_of(w), err);
}

/* A malformed id or path does not exist; the spec's NOT_FOUND. */
static int prepare(struct node_work *w, struct err *err)
{
	const Csi__V1__NodeExpandVolumeRequest *req = request(&w->rpc);
	struct node_place at = { .id = req->volume_id, .path = w->path };
	struct err ignored;

	if (!id_is_volume(req->volume_id) ||
	    node_path_check(req->volume_path, "volume_path", &ignored))
		return err_set(err, ERR_NOT_FOUND, "there is no such volume or path");
	w->rpc.resp = rpc_new_response(&w->rpc);
	if (!w->rpc.resp)
		return err_nomem(err);
	node_path_canonical(req->volume_path, w->path);
	if (node_work_read_record(w, req->volume_id, err) || node_work_look(w, &at, err))
		return -1;
	if (w->view.top != NVME_TOP_OURS) {
		w->view.is_node = is_node_at(w);
		if (!w->view.is_node)
			return err_set(err, ERR_NOT_FOUND,
				       "the volume is not at volume_path");
	}
	return check_view(w, err);
}

static void do_start(struct node_work *w)
{
	struct err err = { .code = ERR_OK };

	if (op_failed(&w->rpc.op) || prepare(w, &err)) {
		finish(w, &err);
		return;
	}
	(void)node_work_prepare(w, NVME_RESCAN, id_of(w));
	node_work_expect_content(w);
	op_move(&w->rpc.op, ST_RESCANNING);
	node_work_go(w);
}

static int check_size(const struct node_work *w, struct err *err)
{
	const Csi__V1__CapacityRange *r = request(&w->rpc)->capacity_range;
	uint64_t size = w->view.device.size_bytes;

	if (r && size < (uint64_t)r->required_bytes)
		return err_set(
			err, ERR_PRECONDITION,
			"the device has %llu bytes, %lld are required: what the "
			"target does not show online comes at the next stage after "
			"a detach",
			(unsigned long long)size, (long long)r->required_bytes);
	if (r && r->limit_bytes && size > (uint64_t)r->limit_bytes)
		return err_set(err, ERR_RANGE,
			       "the device has %llu bytes, the limit is %lld",
			       (unsigned long long)size, (long long)r->limit_bytes);
	return 0;
}

static void complete(struct node_work *w)
{
	Csi__V1__NodeExpandVolumeResponse *resp = (void *)w->rpc.resp;
	struct err err = { .code = ERR_OK };

	resp->capacity_bytes = (int64_t)w->view.device.size_bytes;
	if (w->has_record && w->record.size_bytes != w->view.device.size_bytes) {
		w->record.size_bytes = w->view.device.size_bytes;
		(void)node_work_write_record(w, id_of(w), &err);
	}
	finish(w, &err);
}

/* A read-only target cannot be grown through; the staging mount below it can. */
static const char *where(const struct node_work *w)
{
	return w->view.is_readonly && w->has_record && w->record.staging[0]
		       ? w->record.staging
		       : w->path;
}

static void after_rescanning(struct node_work *w)
{
	struct err err = { .code = ERR_OK };
	struct nvme_req *req;

	w->view.device = w->req.device;
	if (check_size(w, &err)) {
		finish(w, &err);
		return;
	}
	if (w->view.is_node) {
		complete(w);
		return;
	}
	req = node_work_prepare(w, NVME_GROW, id_of(w));
	req->path = where(w);
	req->fs_type = w->view.fs_type;
	op_move(&w->rpc.op, ST_GROWING);
	node_work_go(w);
}

static void step(struct op *op)
{
	struct node_work *w = node_work_of(op);

	if (op->state == ST_START)
		do_start(w);
	else if (op->state == ST_DONE)
		return;
	else if (node_work_failed(w))
		op_move(op, ST_DONE);
	else if (op->state == ST_RESCANNING)
		after_rescanning(w);
	else
		complete(w);
}

const struct op_type node_expand_op = {
	.name = "node expand",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
