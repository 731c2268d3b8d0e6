#include "csi/node/stage.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"

/*   start ─(another NQN is recorded)─▶ dropping_mount ─▶ dropping_device ─┐
 *     │ ◀───────────────────────────(looked at anew)─────────────────────┘
 *     ├─(staged already)──────────────────────────────────────────────▶ done
 *     └─▶ attaching ─(block)──────────────────────────────────────────▶ done
 *             └─▶ probing ─┬─▶ checking ─▶ growing_offline┐
 *                          ├─▶ wiping ─▶ formatting ──────┼─▶ mounting ─▶ growing ─▶ done
 *                          └──────────────────────────────┘
 *   any failure from attaching on: ─▶ undoing_mount ─▶ undoing_attach ─▶ done
 *
 * Failures: not exported, attach refused; device too small; content that is not blank and
 * not what is wanted; mkfs, e2fsck or mount refused; the record cannot be written; a
 * child's deadline. A file system that cannot be grown is warned of and served as it is.
 */
enum {
	ST_START,
	ST_DROPPING_MOUNT,
	ST_DROPPING_DEVICE,
	ST_ATTACHING,
	ST_PROBING,
	ST_CHECKING,
	ST_GROWING_OFFLINE,
	ST_WIPING,
	ST_FORMATTING,
	ST_MOUNTING,
	ST_GROWING,
	ST_UNDOING_MOUNT,
	ST_UNDOING_ATTACH,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = {
	"start",    "dropping_mount",  "dropping_device", "attaching",	"probing",
	"checking", "growing_offline", "wiping",	  "formatting", "mounting",
	"growing",  "undoing_mount",   "undoing_attach",  "done",
};

#define UNDO (OP_BIT(ST_UNDOING_MOUNT) | OP_BIT(ST_UNDOING_ATTACH) | OP_BIT(ST_DONE))
#define DROP (OP_BIT(ST_DROPPING_MOUNT) | OP_BIT(ST_DROPPING_DEVICE))

static const uint32_t next[ST_N] = {
	[ST_START] = DROP | OP_BIT(ST_ATTACHING) | OP_BIT(ST_DONE),
	[ST_DROPPING_MOUNT] =
		OP_BIT(ST_DROPPING_DEVICE) | OP_BIT(ST_ATTACHING) | OP_BIT(ST_DONE),
	[ST_DROPPING_DEVICE] = OP_BIT(ST_ATTACHING) | OP_BIT(ST_DONE),
	[ST_ATTACHING] = OP_BIT(ST_PROBING) | UNDO,
	[ST_PROBING] = OP_BIT(ST_CHECKING) | OP_BIT(ST_WIPING) | OP_BIT(ST_FORMATTING) |
		       OP_BIT(ST_MOUNTING) | UNDO,
	[ST_CHECKING] = OP_BIT(ST_GROWING_OFFLINE) | OP_BIT(ST_MOUNTING) | UNDO,
	[ST_GROWING_OFFLINE] = OP_BIT(ST_MOUNTING) | UNDO,
	[ST_WIPING] = OP_BIT(ST_FORMATTING) | UNDO,
	[ST_FORMATTING] = OP_BIT(ST_MOUNTING) | UNDO,
	[ST_MOUNTING] = OP_BIT(ST_GROWING) | UNDO,
	[ST_GROWING] = UNDO,
	[ST_UNDOING_MOUNT] = OP_BIT(ST_UNDOING_ATTACH) | OP_BIT(ST_DONE),
	[ST_UNDOING_ATTACH] = OP_BIT(ST_DONE),
};

static const char *id_of(const struct node_stage *s)
{
	return node_stage_volume(&s->w.rpc);
}

/* ---- the end of the road
 * ---------------------------------------------------------------- */

static int look(struct node_stage *s, const char *nqn, struct err *err)
{
	struct node_place at = {
		.id = id_of(s), .nqn = nqn, .path = s->w.path, .is_staging = true
	};

	return node_work_look(&s->w, &at, err);
}

static void go(struct node_stage *s, unsigned state)
{
	op_move(&s->w.rpc.op, state);
	node_work_go(&s->w);
}

/* A mkfs that was begun must stay on record: only so may it be done again. */
static int forget(struct node_stage *s, struct err *err)
{
	struct nvme *nvme = s->w.rpc.csi->nvme;

	if (!s->w.has_record || s->w.record.stage == NVME_FORMATTING)
		return 0;
	s->w.has_record = false;
	return nvme->ops->record_forget(nvme, id_of(s), err);
}

static void give_up_undoing(struct node_stage *s, const struct err *why)
{
	node_work_abort(&s->w, why);
	op_move(&s->w.rpc.op, ST_DONE);
}

/* Whatever is there belongs to this volume and was not staged when this call began. */
static void undo(struct node_stage *s)
{
	struct op *op = &s->w.rpc.op;
	struct err err = { .code = ERR_OK };

	if (look(s, s->want.nqn, &err)) {
		give_up_undoing(s, &err);
	} else if (s->w.view.n_layers && op->state != ST_UNDOING_MOUNT) {
		node_work_prepare(&s->w, NVME_UNMOUNT, id_of(s))->path = s->w.path;
		go(s, ST_UNDOING_MOUNT);
	} else if (s->w.view.n_layers ||
		   (s->w.view.device.path[0] && op->state == ST_UNDOING_ATTACH)) {
		(void)err_set(&err, ERR_ABORTED, "it is still there");
		give_up_undoing(s, &err);
	} else if (s->w.view.device.path[0]) {
		(void)node_work_prepare(&s->w, NVME_DETACH, id_of(s));
		go(s, ST_UNDOING_ATTACH);
	} else if (forget(s, &err)) {
		give_up_undoing(s, &err);
	} else {
		op_move(op, ST_DONE);
	}
}

static void after_undoing(struct node_stage *s)
{
	if (op_failed(&s->w.req.op))
		give_up_undoing(s, &s->w.req.op.err);
	else
		undo(s);
}

/* ---- the way
 * ---------------------------------------------------------------------------- */

static void refuse(struct node_stage *s, const struct err *err)
{
	op_fail_err(&s->w.rpc.op, err);
	op_move(&s->w.rpc.op, ST_DONE);
}

static int write_record(struct node_stage *s, enum nvme_stage stage)
{
	struct err err = { .code = ERR_OK };

	s->w.record.stage = stage;
	if (node_work_write_record(&s->w, id_of(s), &err))
		op_fail_err(&s->w.rpc.op, &err);
	return op_failed(&s->w.rpc.op) ? -1 : 0;
}

static void complete(struct node_stage *s)
{
	node_stage_describe(s);
	s->w.record.size_bytes = s->w.view.device.size_bytes;
	if (write_record(s, NVME_STAGED))
		undo(s);
	else
		op_move(&s->w.rpc.op, ST_DONE);
}

/* What an earlier attempt learned stays; the record of a mkfs cut short stays as it is,
 * with the boot that it began in. */
static int begin_record(struct node_stage *s, struct err *err)
{
	struct nvme_record *rec = &s->w.record;

	if (s->w.has_record && rec->stage == NVME_FORMATTING)
		return 0;
	if (!s->w.has_record)
		*rec = (struct nvme_record){ .size_bytes = 0 };
	rec->stage = NVME_ATTACHING;
	node_stage_describe(s);
	return node_work_write_record(&s->w, id_of(s), err);
}

/* Nothing of another NQN is left: decide, and attach. */
static void begin(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };
	struct nvme_req *req;
	enum plan_begin plan;

	if (look(s, s->want.nqn, &err) ||
	    plan_stage_begin(&s->want, &s->w.view, s->w.has_record ? &s->w.record : NULL,
			     &plan, &err)) {
		refuse(s, &err);
		return;
	}
	if (plan == PLAN_STAGED) {
		op_move(&s->w.rpc.op, ST_DONE);
		return;
	}
	if (begin_record(s, &err)) {
		refuse(s, &err);
		return;
	}
	if (plan == PLAN_ADOPT) {
		s->w.record.was_mounted = true;
		s->w.record.size_bytes = s->w.view.device.size_bytes;
		(void)write_record(s, NVME_STAGED);
		op_move(&s->w.rpc.op, ST_DONE);
		return;
	}
	req = node_work_prepare(&s->w, NVME_ATTACH, id_of(s));
	req->target = &s->target.at;
	req->readonly = s->want.readonly;
	go(s, ST_ATTACHING);
}

/* ---- a fenced leftover: staged here under an NQN that is no longer the volume's
 * --------- */

static void drop_device(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };

	if (look(s, NULL, &err)) {
		refuse(s, &err);
	} else if (s->w.view.n_elsewhere || s->w.view.n_layers) {
		(void)err_set(&err, ERR_ABORTED,
			      "the volume was fenced and is still mounted at %u paths",
			      s->w.view.n_elsewhere + s->w.view.n_layers);
		refuse(s, &err);
	} else if (s->w.view.device.path[0] && s->w.rpc.op.state == ST_DROPPING_DEVICE) {
		(void)err_set(&err, ERR_ABORTED, "the fenced device is still there");
		refuse(s, &err);
	} else if (s->w.view.device.path[0]) {
		(void)node_work_prepare(&s->w, NVME_DETACH, id_of(s));
		go(s, ST_DROPPING_DEVICE);
	} else if (s->w.rpc.csi->nvme->ops->record_forget(s->w.rpc.csi->nvme, id_of(s),
							  &err)) {
		refuse(s, &err);
	} else {
		s->w.has_record = false;
		begin(s);
	}
}

static void drop(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };

	if (look(s, NULL, &err)) {
		refuse(s, &err);
		return;
	}
	if (s->w.view.n_foreign_layers) {
		(void)err_set(&err, ERR_PRECONDITION,
			      "something else is mounted at the staging path");
		refuse(s, &err);
		return;
	}
	if (!s->w.view.n_layers) {
		drop_device(s);
		return;
	}
	log_warn("node", "fenced leftover: unmounting what is staged under another NQN",
		 KS("volume", id_of(s)), KS("nqn", s->w.record.nqn));
	node_work_prepare(&s->w, NVME_UNMOUNT, id_of(s))->path = s->w.path;
	go(s, ST_DROPPING_MOUNT);
}

/* ---- the first step
 * --------------------------------------------------------------------- */

static void do_start(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };

	if (op_failed(&s->w.rpc.op) || node_stage_prepare(s, &err))
		refuse(s, &err);
	else if (s->w.has_record && strcmp(s->w.record.nqn, s->want.nqn) != 0)
		drop(s);
	else
		begin(s);
}

/* ---- after each request
 * ----------------------------------------------------------------- */

static void mount(struct node_stage *s)
{
	struct nvme_req *req;

	s->w.record.was_mounted = true;
	(void)snprintf(s->w.record.fs_uuid, sizeof(s->w.record.fs_uuid), "%s",
		       s->content.fs_uuid);
	if (write_record(s, NVME_READY)) {
		undo(s);
		return;
	}
	req = node_work_prepare(&s->w, NVME_MOUNT, id_of(s));
	req->path = s->w.path;
	req->fs_type = s->want.fs_type;
	req->options = s->options;
	req->readonly = s->want.readonly;
	go(s, ST_MOUNTING);
}

static void format(struct node_stage *s)
{
	struct nvme_req *req;

	s->w.record.size_bytes = s->w.view.device.size_bytes;
	s->w.record.fs_uuid[0] = '\0';
	if (write_record(s, NVME_FORMATTING)) {
		undo(s);
		return;
	}
	req = node_work_prepare(&s->w, NVME_FORMAT, id_of(s));
	req->fs_type = s->want.fs_type;
	req->fs_uuid = s->own_uuid;
	go(s, ST_FORMATTING);
}

static void after_attaching(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };

	s->w.view.device = s->w.req.device;
	if (plan_stage_device(&s->want, &s->w.view.device, &s->w.record, &err)) {
		op_fail_err(&s->w.rpc.op, &err);
		undo(s);
	} else if (s->want.is_block) {
		complete(s);
	} else {
		(void)node_work_prepare(&s->w, NVME_PROBE, id_of(s));
		go(s, ST_PROBING);
	}
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
	struct nvme_req *req = node_work_prepare(&s->w, NVME_CHECK, id_of(s));

	req->fs_type = s->want.fs_type;
	req->is_thorough = grows_offline(s);
	go(s, ST_CHECKING);
}

static void after_checking(struct node_stage *s)
{
	if (!grows_offline(s)) {
		mount(s);
		return;
	}
	node_work_prepare(&s->w, NVME_GROW, id_of(s))->fs_type = s->want.fs_type;
	go(s, ST_GROWING_OFFLINE);
}

static void after_probing(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };
	enum plan_content plan;

	s->content = s->w.req.content;
	if (plan_stage_content(&s->want, &s->content, &s->w.record, &plan, &err)) {
		op_fail_err(&s->w.rpc.op, &err);
		undo(s);
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
		(void)node_work_prepare(&s->w, NVME_WIPE, id_of(s));
		go(s, ST_WIPING);
		return;
	}
}

static void after_formatting(struct node_stage *s)
{
	s->content = (struct nvme_content){ .kind = NVME_FS };
	memcpy(s->content.fs_uuid, s->own_uuid, sizeof(s->content.fs_uuid));
	log_info("node", "formatted", KS("volume", id_of(s)), KS("fs", s->want.fs_type),
		 KU("bytes", s->w.view.device.size_bytes));
	mount(s);
}

static void after_mounting(struct node_stage *s)
{
	struct err err = { .code = ERR_OK };
	struct nvme_req *req;

	if (!look(s, s->want.nqn, &err) && s->w.view.top != NVME_TOP_OURS)
		(void)err_set(&err, ERR_ABORTED, "mounted, but mountinfo shows it not");
	if (err.code != ERR_OK) {
		op_fail_err(&s->w.rpc.op, &err);
		undo(s);
		return;
	}
	if (s->want.readonly || grows_offline(s) ||
	    !plan_needs_growth(&s->content, s->w.view.device.size_bytes)) {
		complete(s);
		return;
	}
	req = node_work_prepare(&s->w, NVME_GROW, id_of(s));
	req->path = s->w.path;
	req->fs_type = s->want.fs_type;
	go(s, ST_GROWING);
}

static void after_growing(struct node_stage *s)
{
	if (op_failed(&s->w.rpc.op)) {
		undo(s);
		return;
	}
	if (op_failed(&s->w.req.op))
		log_warn("node", "the file system could not be grown to its device",
			 KS("volume", id_of(s)), KS("err", s->w.req.op.err.msg));
	complete(s);
}

static void after_dropping(struct node_stage *s, void (*then)(struct node_stage *))
{
	if (node_work_failed(&s->w))
		op_move(&s->w.rpc.op, ST_DONE);
	else
		then(s);
}

static void (*const after[ST_N])(struct node_stage *) = {
	[ST_ATTACHING] = after_attaching, [ST_PROBING] = after_probing,
	[ST_CHECKING] = after_checking,	  [ST_WIPING] = format,
	[ST_GROWING_OFFLINE] = mount,	  [ST_FORMATTING] = after_formatting,
	[ST_MOUNTING] = after_mounting,
};

static void step(struct op *op)
{
	struct node_stage *s = CONTAINER_OF(op, struct node_stage, w.rpc.op);

	switch (op->state) {
	case ST_START:
		do_start(s);
		return;
	case ST_DROPPING_MOUNT:
	case ST_DROPPING_DEVICE:
		after_dropping(s, drop_device);
		return;
	case ST_GROWING:
		after_growing(s);
		return;
	case ST_UNDOING_MOUNT:
	case ST_UNDOING_ATTACH:
		after_undoing(s);
		return;
	default:
		if (node_work_failed(&s->w))
			undo(s);
		else
			after[op->state](s);
		return;
	}
}

const struct op_type node_stage_op = {
	.name = "stage",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = node_work_interrupt,
};
