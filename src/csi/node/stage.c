#include "csi/node/stage.h"

#include <stdio.h>
#include <string.h>

#include "csi/node/event.h"
#include "csi/node/stage_impl.h"

/*   start ─(another NQN is recorded, or the device is gone under the mount)
 *     │      └▶ cutting_leftover ─▶ unmounting_leftover ─▶ unmounting_target ─┐
 *     │ ◀─(nothing of it is left)── detaching_leftover ◀──────────────────────┘
 *     ├─(staged already)──────────────────────────────────────────────▶ done
 *     ├─(mounted by an earlier call that was cut short)─▶ growing ────▶ done
 *     └─▶ cutting_others ─▶ attaching ─(block)────────────────────────▶ done
 *             └─▶ probing ─┬─▶ checking ─▶ growing_offline┐
 *                          ├─▶ wiping ─▶ formatting ──────┼─▶ mounting ─▶ growing ─▶ done
 *                          └──────────────────────────────┘
 *   any failure from cutting_others on: ─▶ undoing_mount ─▶ undoing_attach ─▶ done
 *
 * A leftover takes those of its steps that it needs, and is looked at before each.
 *
 * Failures: not exported, attach refused; device too small; content that is not blank and
 * not what is wanted; mkfs, e2fsck or mount refused; the record cannot be written; a
 * child's deadline; a child that is stuck already. A file system that cannot be grown is
 * told of and served as it is.
 */
static const char *const names[NODE_STAGE_N] = {
	"start",
	"cutting_leftover",
	"unmounting_leftover",
	"unmounting_target",
	"detaching_leftover",
	"cutting_others",
	"attaching",
	"probing",
	"checking",
	"growing_offline",
	"wiping",
	"formatting",
	"mounting",
	"growing",
	"undoing_mount",
	"undoing_attach",
	"done",
};

#define BIT(s) OP_BIT(NODE_STAGE_##s)
#define UNDO (BIT(UNDOING_MOUNT) | BIT(UNDOING_ATTACH) | BIT(DONE))
#define CLEAR (BIT(UNMOUNTING_TARGET) | BIT(DETACHING_LEFTOVER))
#define CONNECT (BIT(CUTTING_OTHERS) | BIT(ATTACHING) | BIT(DONE))

static const uint32_t next[NODE_STAGE_N] = {
	[NODE_STAGE_START] = BIT(CUTTING_LEFTOVER) | BIT(UNMOUNTING_LEFTOVER) | CLEAR |
			     CONNECT | BIT(GROWING),
	[NODE_STAGE_CUTTING_LEFTOVER] = BIT(UNMOUNTING_LEFTOVER) | CLEAR | CONNECT,
	[NODE_STAGE_UNMOUNTING_LEFTOVER] = CLEAR | CONNECT,
	[NODE_STAGE_UNMOUNTING_TARGET] = BIT(UNMOUNTING_LEFTOVER) | CLEAR | CONNECT,
	[NODE_STAGE_DETACHING_LEFTOVER] = CONNECT,
	[NODE_STAGE_CUTTING_OTHERS] = BIT(ATTACHING) | UNDO,
	[NODE_STAGE_ATTACHING] = BIT(PROBING) | UNDO,
	[NODE_STAGE_PROBING] =
		BIT(CHECKING) | BIT(WIPING) | BIT(FORMATTING) | BIT(MOUNTING) | UNDO,
	[NODE_STAGE_CHECKING] = BIT(GROWING_OFFLINE) | BIT(MOUNTING) | UNDO,
	[NODE_STAGE_GROWING_OFFLINE] = BIT(MOUNTING) | UNDO,
	[NODE_STAGE_WIPING] = BIT(FORMATTING) | UNDO,
	[NODE_STAGE_FORMATTING] = BIT(MOUNTING) | UNDO,
	[NODE_STAGE_MOUNTING] = BIT(GROWING) | UNDO,
	[NODE_STAGE_GROWING] = UNDO,
	[NODE_STAGE_UNDOING_MOUNT] = BIT(UNDOING_ATTACH) | BIT(DONE),
	[NODE_STAGE_UNDOING_ATTACH] = BIT(DONE),
};

/* ---- what the other files use ---- */

int node_stage_look(struct node_stage *s, const char *nqn, struct err *err)
{
	struct node_place at = {
		.id = node_stage_id(s), .nqn = nqn, .path = s->w.path, .is_staging = true
	};

	return node_work_look(&s->w, &at, err);
}

void node_stage_go(struct node_stage *s, unsigned state)
{
	op_move(&s->w.rpc.op, state);
	node_work_go(&s->w);
}

void node_stage_refuse(struct node_stage *s, const struct err *err)
{
	op_fail_err(&s->w.rpc.op, err);
	op_move(&s->w.rpc.op, NODE_STAGE_DONE);
}

int node_stage_write(struct node_stage *s, enum nvme_stage stage)
{
	struct err err = { .code = ERR_OK };

	s->w.record.may_be_lost =
		stage != NVME_FORMATTING && s->w.record.stage != NVME_FORMATTING;
	s->w.record.stage = stage;
	if (node_work_write_record(&s->w, node_stage_id(s), &err))
		op_fail_err(&s->w.rpc.op, &err);
	return op_failed(&s->w.rpc.op) ? -1 : 0;
}

void node_stage_complete(struct node_stage *s)
{
	node_stage_describe(s);
	s->w.record.size_bytes = s->w.view.device.size_bytes;
	if (node_stage_write(s, NVME_STAGED))
		node_stage_undo(s);
	else
		op_move(&s->w.rpc.op, NODE_STAGE_DONE);
}

/* ---- the way to the device ---- */

static void attach(struct node_stage *s)
{
	struct nvme_req *req = node_work_prepare(&s->w, NVME_ATTACH, node_stage_id(s));

	req->nqn = s->want.nqn;
	req->target = &s->target.at;
	req->readonly = s->want.readonly;
	node_stage_go(s, NODE_STAGE_ATTACHING);
}

static void cut_others(struct node_stage *s)
{
	node_event(node_stage_id(s), NODE_EVENT_FENCED, s->want.nqn);
	node_work_prepare(&s->w, NVME_CUT_OTHERS, node_stage_id(s))->nqn = s->want.nqn;
	node_stage_go(s, NODE_STAGE_CUTTING_OTHERS);
}

/* What an earlier attempt learned stays; the record of a mkfs cut short stays as it is,
 * with the boot that it began in. */
static int begin_record(struct node_stage *s, struct err *err)
{
	struct nvme_record *rec = &s->w.record;

	s->is_joined =
		plan_has_session(&s->w.view) && !(s->w.has_record && rec->is_this_boot);
	if (s->w.has_record && rec->stage == NVME_FORMATTING)
		return 0;
	if (!s->w.has_record)
		*rec = (struct nvme_record){ .size_bytes = 0 };
	rec->stage = NVME_ATTACHING;
	rec->may_be_lost = true;
	rec->is_adopted |= s->is_joined;
	node_stage_describe(s);
	return node_work_write_record(&s->w, node_stage_id(s), err);
}

/* What this driver mounted itself, and never came to tell of, may have been about to be
 * grown: a file system that fills its device already is grown by nothing. */
static bool must_grow(const struct node_stage *s)
{
	const struct nvme_record *rec = &s->w.record;

	return rec->was_mounted && !rec->is_adopted && !s->want.readonly &&
	       s->w.rpc.csi->nvme->ops->may_grow_online(s->want.fs_type);
}

static void adopt(struct node_stage *s)
{
	if (must_grow(s)) {
		node_stage_grow(s);
		return;
	}
	s->w.record.was_mounted = true;
	s->w.record.size_bytes = s->w.view.device.size_bytes;
	(void)node_stage_write(s, NVME_STAGED);
	op_move(&s->w.rpc.op, NODE_STAGE_DONE);
}

static void carry_out(struct node_stage *s, enum plan_begin plan)
{
	struct err err = { .code = ERR_OK };

	if (plan == PLAN_STAGED)
		op_move(&s->w.rpc.op, NODE_STAGE_DONE);
	else if (node_work_check_stuck(&s->w, node_stage_id(s), &err) ||
		 begin_record(s, &err))
		node_stage_refuse(s, &err);
	else if (plan == PLAN_ADOPT)
		adopt(s);
	else if (plan == PLAN_CUT_OTHERS)
		cut_others(s);
	else
		attach(s);
}

/* A mount that came back under its clearing is another call's business. */
static void clear_dead(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };

	if (s->w.rpc.op.state == NODE_STAGE_START) {
		node_event(node_stage_id(s), NODE_EVENT_DEVICE_GONE, s->want.nqn);
		node_stage_clear(s);
		return;
	}
	(void)err_set(&err, ERR_ABORTED, "a dead mount came back at the staging path");
	node_stage_refuse(s, &err);
}

void node_stage_begin(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };
	enum plan_begin plan;

	if (node_stage_look(s, s->want.nqn, &err)) {
		node_stage_refuse(s, &err);
		return;
	}
	if (!s->w.has_record && s->w.view.n_foreign_layers &&
	    s->w.view.n_other_sessions) {
		node_stage_clear_unrecorded(s);
		return;
	}
	if (plan_stage_begin(&s->want, &s->w.view, s->w.has_record ? &s->w.record : NULL,
			     &plan, &err))
		node_stage_refuse(s, &err);
	else if (plan == PLAN_CLEAR)
		clear_dead(s);
	else
		carry_out(s, plan);
}

static void do_start(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };

	if (op_failed(&s->w.rpc.op) || node_stage_prepare(s, &err))
		node_stage_refuse(s, &err);
	else if (s->w.has_record && strcmp(s->w.record.nqn, s->want.nqn) != 0)
		node_stage_clear(s);
	else
		node_stage_begin(s);
}

/* RouterOS may make a new one at each export, so another UUID refuses nothing. */
static void note_identity(struct node_stage *s)
{
	struct nvme_record *rec = &s->w.record;
	const char *now = s->w.req.ns_id;

	if (rec->ns_id[0] && now[0] && strcmp(rec->ns_id, now) != 0)
		node_event(node_stage_id(s), NODE_EVENT_IDENTITY, now);
	if (now[0])
		memcpy(rec->ns_id, now, sizeof(rec->ns_id));
}

/* Made by this call: where none was, there is one now, and whose it is the child says,
 * which has read it from sysfs with the device. */
static bool take_new_session(struct node_stage *s)
{
	struct nvme_view *view = &s->w.view;

	if (plan_has_session(view) || view->n_layers || !s->w.req.source_now[0])
		return false;
	*view = (struct nvme_view){ .is_exported = true, .state = NVME_LIVE };
	(void)snprintf(view->nqn, sizeof(view->nqn), "%s", s->want.nqn);
	(void)snprintf(view->source, sizeof(view->source), "%s", s->w.req.source_now);
	view->device = s->w.req.device;
	return true;
}

/* Else another look tells all sources, and that sysfs agrees. */
static int check_device(struct node_stage *s, struct err *err)
{
	struct nvme_device dev = s->w.req.device;

	if (!take_new_session(s) && node_stage_look(s, s->want.nqn, err))
		return -1;
	if (strcmp(s->w.view.device.path, dev.path) != 0)
		return err_set(err, ERR_ABORTED, "%s is not the volume's device any more",
			       dev.path);
	s->w.view.device = dev;
	return plan_stage_device(&s->want, &dev, &s->w.record, err);
}

static void after_attaching(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };

	note_identity(s);
	if (check_device(s, &err)) {
		op_fail_err(&s->w.rpc.op, &err);
		node_stage_undo(s);
	} else if (s->want.is_block) {
		node_stage_complete(s);
	} else {
		node_stage_probe(s);
	}
}

static void after_connecting(struct node_stage *s)
{
	if (node_work_failed(&s->w))
		node_stage_undo(s);
	else if (s->w.rpc.op.state == NODE_STAGE_CUTTING_OTHERS)
		attach(s);
	else
		after_attaching(s);
}

static void step(struct op *op)
{
	struct node_stage *s = CONTAINER_OF(op, struct node_stage, w.rpc.op);

	switch (op->state) {
	case NODE_STAGE_START:
		do_start(s);
		return;
	case NODE_STAGE_CUTTING_LEFTOVER:
	case NODE_STAGE_UNMOUNTING_LEFTOVER:
	case NODE_STAGE_UNMOUNTING_TARGET:
	case NODE_STAGE_DETACHING_LEFTOVER:
		node_stage_after_clearing(s);
		return;
	case NODE_STAGE_CUTTING_OTHERS:
	case NODE_STAGE_ATTACHING:
		after_connecting(s);
		return;
	case NODE_STAGE_UNDOING_MOUNT:
	case NODE_STAGE_UNDOING_ATTACH:
		node_stage_after_undoing(s);
		return;
	default:
		node_stage_after_fs(s);
		return;
	}
}

const struct op_type node_stage_op = {
	.name = "stage",
	.states = names,
	.next = next,
	.n_states = NODE_STAGE_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
