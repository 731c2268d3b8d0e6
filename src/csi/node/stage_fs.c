#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "csi/node/event.h"
#include "csi/node/stage_impl.h"

/* The device is attached and large enough: what it holds decides. */

void node_stage_probe(struct node_stage *s)
{
	node_work_prepare(&s->w, NVME_PROBE, node_stage_id(s))->fs_uuid = s->want.fs_uuid;
	node_stage_go(s, NODE_STAGE_PROBING);
}

static void mount(struct node_stage *s)
{
	struct nvme_req *req;

	s->w.record.was_mounted = true;
	(void)snprintf(s->w.record.fs_uuid, sizeof(s->w.record.fs_uuid), "%s",
		       s->content.fs_uuid);
	if (node_stage_write(s, NVME_READY)) {
		node_stage_undo(s);
		return;
	}
	req = node_work_prepare(&s->w, NVME_MOUNT, node_stage_id(s));
	req->path = s->w.path;
	req->fs_type = s->want.fs_type;
	req->options = s->options;
	req->readonly = s->want.readonly;
	node_stage_go(s, NODE_STAGE_MOUNTING);
}

static void format(struct node_stage *s)
{
	struct nvme_req *req;

	s->w.record.size_bytes = s->w.view.device.size_bytes;
	s->w.record.fs_uuid[0] = '\0';
	if (node_stage_write(s, NVME_FORMATTING)) {
		node_stage_undo(s);
		return;
	}
	req = node_work_prepare(&s->w, NVME_FORMAT, node_stage_id(s));
	req->fs_type = s->want.fs_type;
	req->fs_uuid = s->own_uuid;
	node_stage_go(s, NODE_STAGE_FORMATTING);
}

/* Where growth must come before the mount. */
static bool grows_offline(const struct node_stage *s)
{
	return !s->want.readonly && s->content.kind == NVME_FS &&
	       plan_needs_growth(&s->content, s->w.view.device.size_bytes) &&
	       !s->w.rpc.csi->nvme->ops->may_grow_online(s->want.fs_type);
}

static void check(struct node_stage *s)
{
	struct nvme_req *req = node_work_prepare(&s->w, NVME_CHECK, node_stage_id(s));

	req->fs_type = s->want.fs_type;
	req->is_thorough = grows_offline(s);
	node_stage_go(s, NODE_STAGE_CHECKING);
}

static void after_checking(struct node_stage *s)
{
	if (!grows_offline(s)) {
		mount(s);
		return;
	}
	node_work_prepare(&s->w, NVME_GROW, node_stage_id(s))->fs_type = s->want.fs_type;
	node_stage_go(s, NODE_STAGE_GROWING_OFFLINE);
}

static void after_probing(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };
	enum plan_content plan;
	struct plan_found found = { .content = &s->content,
				    .device_bytes = s->w.view.device.size_bytes,
				    .rec = &s->w.record };

	s->content = s->w.req.content;
	if (plan_stage_content(&s->want, &found, &plan, &err)) {
		op_fail_err(&s->w.rpc.op, &err);
		node_stage_undo(s);
		return;
	}
	switch (plan) {
	case PLAN_MOUNT:
		if (grows_offline(s))
			check(s);
		else
			mount(s);
		return;
	case PLAN_CHECK:
		check(s);
		return;
	case PLAN_FORMAT:
		format(s);
		return;
	default:
		(void)node_work_prepare(&s->w, NVME_WIPE, node_stage_id(s));
		node_stage_go(s, NODE_STAGE_WIPING);
		return;
	}
}

static void after_formatting(struct node_stage *s)
{
	s->content = (struct nvme_content){ .kind = NVME_FS };
	memcpy(s->content.fs_uuid, s->own_uuid, sizeof(s->content.fs_uuid));
	log_info("node", "formatted", KS("volume", node_stage_id(s)),
		 KS("fs", s->want.fs_type), KU("bytes", s->w.view.device.size_bytes));
	mount(s);
}

void node_stage_grow(struct node_stage *s)
{
	struct nvme_req *req = node_work_prepare(&s->w, NVME_GROW, node_stage_id(s));

	req->path = s->w.path;
	req->fs_type = s->want.fs_type;
	node_stage_go(s, NODE_STAGE_GROWING);
}

static bool is_mounted(struct node_stage *s)
{
	struct nvme *nvme = s->w.rpc.csi->nvme;

	return nvme->ops->is_mounted &&
	       nvme->ops->is_mounted(nvme, s->w.path, &s->w.view.device, s->want.nqn);
}

static void after_mounting(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };

	if (!is_mounted(s) && !node_stage_look(s, s->want.nqn, &err) &&
	    s->w.view.top != NVME_TOP_OURS)
		(void)err_set(&err, ERR_ABORTED, "mounted, but mountinfo shows it not");
	if (err.code != ERR_OK) {
		op_fail_err(&s->w.rpc.op, &err);
		node_stage_undo(s);
		return;
	}
	if (s->want.readonly || grows_offline(s) ||
	    !plan_needs_growth(&s->content, s->w.view.device.size_bytes))
		node_stage_complete(s);
	else
		node_stage_grow(s);
}

static void after_growing(struct node_stage *s)
{
	if (op_failed(&s->w.rpc.op)) {
		node_stage_undo(s);
		return;
	}
	if (op_failed(&s->w.req.op))
		node_event(node_stage_id(s), NODE_EVENT_NOT_GROWN, s->w.req.op.err.msg);
	node_stage_complete(s);
}

static void (*const after[NODE_STAGE_N])(struct node_stage *) = {
	[NODE_STAGE_PROBING] = after_probing,
	[NODE_STAGE_CHECKING] = after_checking,
	[NODE_STAGE_GROWING_OFFLINE] = mount,
	[NODE_STAGE_WIPING] = format,
	[NODE_STAGE_FORMATTING] = after_formatting,
	[NODE_STAGE_MOUNTING] = after_mounting,
};

void node_stage_after_fs(struct node_stage *s)
{
	if (s->w.rpc.op.state == NODE_STAGE_GROWING)
		after_growing(s);
	else if (node_work_failed(&s->w))
		node_stage_undo(s);
	else
		after[s->w.rpc.op.state](s);
}
