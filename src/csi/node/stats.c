#include "csi/node/stats.h"

#include "csi/ids.h"
#include "csi/node/event.h"
#include "csi/node/health.h"

/*   start ─┬─▶ asking ─▶ done
 *          └─(block, nothing to ask, or unknown volume or path)─▶ done
 *
 * Failures: not at that path (NOT_FOUND); statfs refused or not answered in time. Where
 * the volume is abnormal anyway, that is the answer: the condition, without usage. */
enum { ST_START, ST_ASKING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "asking", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_DONE),
};

static const Csi__V1__NodeGetVolumeStatsRequest *request(const struct rpc *rpc)
{
	return (const void *)rpc->req;
}

const char *node_stats_volume(const struct rpc *rpc)
{
	return request(rpc)->volume_id;
}

int node_stats_check(const struct rpc *rpc, struct err *err)
{
	const Csi__V1__NodeGetVolumeStatsRequest *req = request(rpc);

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (!req->volume_path[0])
		return err_set(err, ERR_INVALID, "volume_path is missing");
	return 0;
}

static void finish(struct node_work *w, const struct err *err)
{
	op_fail_err(&w->rpc.op, err);
	op_move(&w->rpc.op, ST_DONE);
}

static Csi__V1__VolumeUsage *add_usage(struct node_work *w,
				       Csi__V1__VolumeUsage__Unit unit)
{
	Csi__V1__NodeGetVolumeStatsResponse *resp = (void *)w->rpc.resp;
	Csi__V1__VolumeUsage *u = arena_alloc(&w->rpc.arena, sizeof(*u));

	if (!u)
		return NULL;
	csi__v1__volume_usage__init(u);
	u->unit = unit;
	resp->usage[resp->n_usage++] = u;
	return u;
}

/* Always there in a successful answer; the bool says whether all is well. */
static int add_condition(struct node_work *w, bool is_other_node, bool *ret_is_well,
			 struct err *err)
{
	Csi__V1__NodeGetVolumeStatsResponse *resp = (void *)w->rpc.resp;
	Csi__V1__VolumeCondition *c = arena_alloc(&w->rpc.arena, sizeof(*c));
	struct nvme *nvme = w->rpc.csi->nvme;
	struct health_facts facts = { .view = &w->view,
				      .rec = w->has_record ? &w->record : NULL,
				      .stuck = nvme->ops->stuck(
					      nvme, request(&w->rpc)->volume_id),
				      .is_other_node = is_other_node };
	char message[200];

	if (!c)
		return err_nomem(err);
	csi__v1__volume_condition__init(c);
	c->abnormal = health_judge(&facts, message);
	c->message = arena_strdup(&w->rpc.arena, message);
	resp->volume_condition = c;
	*ret_is_well = !c->abnormal;
	if (w->view.is_dead)
		node_event(request(&w->rpc)->volume_id, NODE_EVENT_DEVICE_GONE, w->path);
	return c->message ? 0 : err_nomem(err);
}

/* The target as the earlier driver published a block volume: a device node, no mount. */
static int look(struct node_work *w, bool *ret_is_other_node, struct err *err)
{
	struct node_place at = { .id = request(&w->rpc)->volume_id, .path = w->path };
	enum node_file file = NODE_FILE_NONE;

	if (node_work_read_record(w, at.id, err) || node_work_look(w, &at, err))
		return -1;
	if (w->view.top == NVME_TOP_NONE)
		file = node_file_at(w->path, &w->view.device);
	if (w->view.top != NVME_TOP_OURS && file == NODE_FILE_NONE)
		return err_set(err, ERR_NOT_FOUND, "the volume is not at volume_path");
	w->view.is_node |= file != NODE_FILE_NONE;
	*ret_is_other_node = file == NODE_FILE_OTHER;
	return 0;
}

static int prepare(struct node_work *w, bool *ret_is_well, struct err *err)
{
	const Csi__V1__NodeGetVolumeStatsRequest *req = request(&w->rpc);
	Csi__V1__NodeGetVolumeStatsResponse *resp;
	bool is_other_node = false;
	struct err ignored;

	if (!id_is_volume(req->volume_id) ||
	    node_path_check(req->volume_path, "volume_path", &ignored))
		return err_set(err, ERR_NOT_FOUND, "there is no such volume or path");
	resp = rpc_new_response(&w->rpc);
	if (!resp)
		return err_nomem(err);
	w->rpc.resp = &resp->base;
	resp->usage = arena_alloc(&w->rpc.arena, 2 * sizeof(*resp->usage));
	if (!resp->usage)
		return err_nomem(err);
	node_path_canonical(req->volume_path, w->path);
	return look(w, &is_other_node, err) ||
			       add_condition(w, is_other_node, ret_is_well, err)
		       ? -1
		       : 0;
}

static int fill_block(struct node_work *w, struct err *err)
{
	Csi__V1__VolumeUsage *bytes = add_usage(w, CSI__V1__VOLUME_USAGE__UNIT__BYTES);

	if (!bytes)
		return err_nomem(err);
	bytes->total = (int64_t)w->view.device.size_bytes;
	return 0;
}

static void do_start(struct node_work *w)
{
	struct err err = { .code = ERR_OK };
	bool is_well = false;

	if (op_failed(&w->rpc.op) || prepare(w, &is_well, &err)) {
		finish(w, &err);
	} else if (is_well && !w->view.is_node) {
		node_work_prepare(w, NVME_STATS, request(&w->rpc)->volume_id)->path =
			w->path;
		op_move(&w->rpc.op, ST_ASKING);
		node_work_go(w);
	} else {
		if (is_well)
			(void)fill_block(w, &err);
		finish(w, &err);
	}
}

/* btrfs counts no inodes: its zeroes are what df shows too. */
static void after_asking(struct node_work *w)
{
	const struct nvme_stats *s = &w->req.stats;
	Csi__V1__VolumeUsage *bytes = add_usage(w, CSI__V1__VOLUME_USAGE__UNIT__BYTES);
	Csi__V1__VolumeUsage *inodes = add_usage(w, CSI__V1__VOLUME_USAGE__UNIT__INODES);
	struct err err = { .code = ERR_OK };

	if (!bytes || !inodes) {
		(void)err_nomem(&err);
		finish(w, &err);
		return;
	}
	bytes->total = (int64_t)s->total_bytes;
	bytes->used = (int64_t)s->used_bytes;
	bytes->available = (int64_t)s->available_bytes;
	inodes->total = (int64_t)s->total_inodes;
	inodes->used = (int64_t)s->used_inodes;
	inodes->available = (int64_t)s->free_inodes;
	finish(w, &err);
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
	else
		after_asking(w);
}

const struct op_type node_stats_op = {
	.name = "node stats",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
