#include "csi/controller/change.h"

#include <stdio.h>
#include <string.h>

#include "csi/controller/attachments.h"
#include "csi/controller/gate.h"
#include "csi/controller/outcome.h"
#include "csi/controller/volume_check.h"
#include "csi/controller/watched.h"
#include "csi/ids.h"

/* start -> (resolving) -> (checking) -> reading -> (fencing) -> writing -> done
 * start -> (resolving) -> writing (warm) -> done, or -> reading
 *
 * resolving: fails: a volume that cannot be told apart from this one may be held.
 * checking:  fails: whether nodes are lost cannot be told; nothing was changed.
 * reading:   fails: nothing was changed. A volume that the box itself has mounted, and
 *            that nobody holds, is read with that mount ended.
 * writing:   stale: judged anew by the row that came back. Refused, warm: read first, for
 *            a refusal must have been seen. Fails: the outcome may be unknown; the belief
 *            is gone and the next call reads first.
 * fencing:   a child of its own, which can be cut anywhere and is found by its record. */
enum {
	ST_START = OP_START,
	ST_RESOLVING,
	ST_CHECKING,
	ST_READING,
	ST_WRITING,
	ST_FENCING,
	ST_DONE,
	ST_N
};

enum { MAX_ROUNDS = 8 };

static const char *const names[ST_N] = {
	"start", "resolving", "checking", "reading", "writing", "fencing", "done",
};

#define ANY_WORK \
	(OP_BIT(ST_CHECKING) | OP_BIT(ST_WRITING) | OP_BIT(ST_FENCING) | OP_BIT(ST_DONE))
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RESOLVING) | OP_BIT(ST_CHECKING) | OP_BIT(ST_READING) |
		     OP_BIT(ST_WRITING) | OP_BIT(ST_DONE),
	[ST_RESOLVING] = OP_BIT(ST_CHECKING) | OP_BIT(ST_READING) | OP_BIT(ST_WRITING) |
			 OP_BIT(ST_DONE),
	[ST_CHECKING] = OP_BIT(ST_READING) | ANY_WORK,
	[ST_READING] = ANY_WORK | OP_BIT(ST_READING),
	[ST_WRITING] = ANY_WORK | OP_BIT(ST_READING),
	[ST_FENCING] = ANY_WORK,
};

static bool is_well(const struct node_facts *f)
{
	return f->standing == NODE_HEALTHY && !f->is_in_use && !f->is_unproven;
}

static void fill_asker(const struct change *c, struct attach_view *view)
{
	const struct node_facts *live = node_check_find(&c->check, c->ask.node);

	view->is_asker_live = live != NULL;
	view->asker =
		live ? *live : attachments_facts(c->csi->attachments, c->ask.node, c->id);
}

/* Whether a record without a comment may become ours: where we were told so, and with
 * Kubernetes where a PV of ours names it, or did. */
static bool may_adopt(const struct change *c)
{
	const struct watched *w = attachments_watched(c->csi->attachments);

	return c->csi->may_adopt_unmarked ||
	       (w && (watched_pv(w, c->id) || watched_next(w, c->id, NULL)));
}

/* An older driver's node plugin goes by the volume_context and would ask for the base
 * NQN: a volume that bears another one, or is about to, is of no use to it. */
static enum attach_verdict check_plugin(struct change *c, enum attach_verdict verdict,
					struct err *err)
{
	char base[ID_NQN];

	if (!c->is_publish || !c->csi->k8s ||
	    (verdict != ATTACH_WRITE && verdict != ATTACH_FENCE &&
	     verdict != ATTACH_DONE) ||
	    !nodes_has_older_plugin(c->csi->k8s, c->csi->driver_name, c->ask.node))
		return verdict;
	id_base_nqn(c->id, base);
	if (verdict != ATTACH_FENCE && strcmp(c->nqn, base) == 0)
		return verdict;
	c->plan.why = ATTACH_WHY_PLUGIN;
	(void)err_set(err, ERR_PRECONDITION,
		      "node %.64s still runs the node plugin of an older driver, which "
		      "cannot attach a volume with an NQN of its own; upgrade the node "
		      "plugin there",
		      attachments_node_name(c->csi->attachments, c->ask.node));
	return ATTACH_REFUSED;
}

static enum attach_verdict decide(struct change *c, struct attach_view *view,
				  const struct rds_record *record, struct err *err)
{
	const struct holders_ask ask = { .id = c->id,
					 .node = c->ask.node,
					 .is_publish = c->is_publish,
					 .live = &c->check };
	attach_fn *judge_it = c->is_publish ? attach_publish : attach_unpublish;

	c->plan = (struct attach_plan){ .switch_off = false };
	if (holders_gather(&c->holders, c->csi, &ask, record, err))
		return ATTACH_REFUSED;
	view->record = &c->holders.record;
	memcpy(view->facts, c->holders.facts, sizeof(view->facts));
	view->has_objects = c->csi->k8s != NULL;
	view->is_export_kept = c->csi->is_export_kept;
	view->may_adopt = may_adopt(c);
	view->cluster_id = c->csi->cluster_id;
	view->has_own_nqn = id_nqn_is_of(c->nqn, c->id, &view->nqn_generation);
	fill_asker(c, view);
	return check_plugin(c, judge_it(view, &c->ask, &c->plan, err), err);
}

static void note_news(struct change *c, const struct rds_record *from)
{
	bool is_there = false;

	for (unsigned i = 0; i < from->n_holders; i++)
		is_there |=
			!*c->ask.node || strcmp(from->holders[i].node, c->ask.node) == 0;
	c->is_news |= c->is_publish ? !is_there : is_there;
}

/* A belief saves the read only where it leads to a write, which the box itself compares
 * with what is there; a refusal or a "done" must have been seen. */
static enum attach_verdict ask_belief(struct change *c)
{
	struct attach_view view = { .is_exported = true };
	struct err err = { .code = ERR_OK };

	if (!attachments_recall(c->csi->attachments, c->id, &c->believed)) {
		c->believed.record.kind = RDS_RECORD_NONE;
		return ATTACH_REFUSED;
	}
	view.is_sealed = c->believed.is_sealed;
	memcpy(c->nqn, c->believed.nqn, sizeof(c->nqn));
	if (c->believed.is_doubtful)
		return ATTACH_REFUSED;
	return decide(c, &view, &c->believed.record, &err);
}

static void start_read(struct change *c)
{
	box_prepare(&c->box, RDS_GET, c->id);
	op_move(&c->op, ST_READING);
	box_start(&c->box, c->csi, &c->op);
}

/* The box has the file system's blocks in its own hands, and nobody else has. */
static bool is_to_unmount(const struct change *c)
{
	return c->is_publish && c->volume.is_mounted && !c->holders.record.n_holders &&
	       c->volume.record.kind == RDS_RECORD_OURS;
}

static void start_unmount(struct change *c)
{
	box_prepare(&c->box, RDS_NO_MOUNT, c->id);
	c->box.req.may_unmount = true;
	op_move(&c->op, ST_READING);
	box_start(&c->box, c->csi, &c->op);
}

/* Of every node that looks lost, or where the volume looks in use. */
static void start_check(struct change *c)
{
	const struct holders *h = &c->holders;
	struct attach_view view;

	for (unsigned i = 0; i < h->record.n_holders; i++)
		if (!is_well(&h->facts[i].node) && !h->facts[i].gives_way)
			node_check_add(&c->check, h->record.holders[i].node);
	fill_asker(c, &view);
	if (!c->is_publish && *c->ask.node && !is_well(&view.asker))
		node_check_add(&c->check, c->ask.node);
	c->check.handle = c->id;
	op_move(&c->op, ST_CHECKING);
	node_check_start(&c->check, c->csi, &c->op);
}

/* What people and the reconcilers want to know of a volume that has a PV. */
static void note_pv(struct change *c)
{
	const struct watched *w = attachments_watched(c->csi->attachments);
	const struct k8s_pv *pv = w ? watched_pv(w, c->id) : NULL;
	struct rds_record *r = &c->plan.record;

	if (pv)
		r->is_deletable = !pv->is_retained;
	if (!pv || !c->is_publish)
		return;
	r->is_bound = true;
	r->is_released = false;
	if (!*r->claim && *pv->claim_name)
		(void)snprintf(r->claim, sizeof(r->claim), "%s/%s", pv->claim_ns,
			       pv->claim_name);
}

static void start_write(struct change *c, const struct rds_record *from)
{
	static const enum rds_kind kinds[] = { RDS_UNPUBLISH, RDS_PUBLISH };

	memcpy(c->nonce, from->nonce, sizeof(c->nonce));
	note_news(c, from);
	note_pv(c);
	c->was_clean = c->plan.is_clean;
	c->was_pending |= c->plan.is_pending;
	c->was_stale |= c->is_publish && c->holders.has_stale;
	box_prepare(&c->box, kinds[c->is_publish], c->id);
	c->box.req.expect_nonce = from->kind == RDS_RECORD_OURS ? c->nonce : NULL;
	c->box.req.record = &c->plan.record;
	c->box.req.nqn = c->nqn;
	c->box.req.switch_off = c->plan.switch_off;
	op_move(&c->op, ST_WRITING);
	box_start(&c->box, c->csi, &c->op);
}

static void start_fence(struct change *c)
{
	/* It cuts everybody off, those in dispute too. */
	c->believed.record.kind = RDS_RECORD_NONE;
	c->is_disputed = false;
	note_news(c, &c->volume.record);
	c->was_stale |= c->is_publish && c->holders.has_stale;
	fence_prepare(&c->fence, c->id, &c->volume.record, &c->plan.record);
	op_move(&c->op, ST_FENCING);
	fence_start(&c->fence, c->csi, &c->op);
}

/* Nobody is admitted while the box lacks a holder that was believed in and that nobody
 * unpublished here: an old script may have run on over its record, and the node may still
 * have the volume. Its Unpublish, or its own Publish, settles it. */
static int check_missing(struct change *c)
{
	const struct rds_record *believed = &c->believed.record;
	const char *missing;

	/* With Kubernetes the VolumeAttachments say who is missing. */
	if (believed->kind != RDS_RECORD_OURS || c->csi->k8s)
		return 0;
	missing = attach_missing(believed, &c->volume.record, c->ask.node);
	c->is_disputed = missing != NULL;
	if (!missing || !c->is_publish)
		return 0;
	op_fail(&c->op, ERR_PRECONDITION,
		"the record on the box has lost node %s, which was never unpublished; "
		"unpublish it first",
		missing);
	return -1;
}

/* The end. What this call wrote must not make a dispute over another node be forgotten:
 * the belief goes back to those who held the volume before, less the one that left. */
static void end(struct change *c)
{
	struct rds_volume v = c->volume;
	struct rds_record *r = &v.record;

	outcome_ended(c);
	op_move(&c->op, ST_DONE);
	if (!c->is_disputed || c->is_absent)
		return;
	r->n_holders = 0;
	for (unsigned i = 0; i < c->believed.record.n_holders; i++)
		if (strcmp(c->believed.record.holders[i].node, c->ask.node) != 0)
			r->holders[r->n_holders++] = c->believed.record.holders[i];
	attachments_accept(c->csi->attachments, &v);
	attachments_doubt(c->csi->attachments, c->id);
}

static void act(struct change *c, enum attach_verdict verdict)
{
	switch (verdict) {
	case ATTACH_WRITE:
		if (is_to_unmount(c))
			start_unmount(c);
		else
			start_write(c, &c->volume.record);
		return;
	case ATTACH_FENCE:
		start_fence(c);
		return;
	case ATTACH_CHECK:
		start_check(c);
		return;
	case ATTACH_DONE:
		attachments_accept(c->csi->attachments, &c->volume);
		end(c);
		return;
	case ATTACH_REFUSED:
		end(c);
	}
}

/* The volume as the box shows it now. */
static void judge(struct change *c, bool is_nonce_new)
{
	struct attach_view view = { .is_nonce_new = is_nonce_new };
	struct err err = { .code = ERR_OK };
	enum attach_verdict verdict;

	view.is_exported = c->volume.is_exported;
	view.is_sealed =
		is_nonce_new ||
		(c->believed.record.kind == RDS_RECORD_OURS && c->believed.is_sealed &&
		 strcmp(c->believed.record.nonce, c->volume.record.nonce) == 0);
	if (volume_check_shape(&c->volume, &err) || (!is_nonce_new && check_missing(c))) {
		op_fail_err(&c->op, &err);
		end(c);
		return;
	}
	memcpy(c->nqn, c->volume.nqn, sizeof(c->nqn));
	verdict = decide(c, &view, &c->volume.record, &err);
	op_fail_err(&c->op, &err);
	act(c, verdict);
}

static bool is_refused_warm(const struct change *c, const struct op *child)
{
	return c->op.state == ST_WRITING && c->is_publish && !c->has_volume &&
	       !op_failed(&c->op) && child->err.code == ERR_PRECONDITION;
}

static void do_result(struct change *c, const struct op *child, const struct box *from)
{
	if (is_refused_warm(c, child)) {
		start_read(c);
		return;
	}
	if (op_failed(child))
		outcome_box_failed(c, &child->err, c->op.state == ST_FENCING);
	op_fail_err(&c->op, &child->err);
	if (!op_failed(&c->op) && ++c->rounds > MAX_ROUNDS)
		op_fail(&c->op, ERR_ABORTED, "the record on the box keeps changing");
	if (!op_failed(&c->op) && from->req.outcome == RDS_ABSENT)
		c->is_absent = true;
	if (op_failed(&c->op) || c->is_absent) {
		end(c);
		return;
	}
	c->volume = from->req.volume;
	c->has_volume = true;
	if (c->op.state == ST_FENCING && from->req.outcome == RDS_OK)
		outcome_fenced(c);
	if (from->req.kind == RDS_UNPUBLISH && from->req.outcome == RDS_OK)
		outcome_let_go(c);
	judge(c, from->req.kind >= RDS_PUBLISH && from->req.outcome == RDS_OK);
}

static void begin(struct change *c)
{
	enum attach_verdict verdict = ask_belief(c);

	if (verdict == ATTACH_WRITE)
		start_write(c, &c->believed.record);
	else if (verdict == ATTACH_CHECK)
		start_check(c);
	else
		start_read(c);
}

static void do_start(struct change *c)
{
	struct err err = { .code = ERR_OK };

	c->started_ms = clock_now_ms(c->csi->loop);
	if (!op_failed(&c->op) && gate_check(c->csi, &err))
		op_fail_err(&c->op, &err);
	if (op_failed(&c->op)) {
		op_move(&c->op, ST_DONE);
		return;
	}
	if (!c->csi->k8s ||
	    !watched_unresolved(attachments_watched(c->csi->attachments))) {
		begin(c);
		return;
	}
	op_move(&c->op, ST_RESOLVING);
	resolve_start(&c->resolve, c->csi, &c->op);
}

/* The API server's answer is in; so what was seen before is judged anew. */
static void do_heard(struct change *c, const struct op *child)
{
	struct err err = { .code = ERR_OK };

	op_fail_err(&c->op, &child->err);
	if (!op_failed(&c->op) && gate_check(c->csi, &err))
		op_fail_err(&c->op, &err);
	if (!op_failed(&c->op) && ++c->rounds > MAX_ROUNDS)
		op_fail(&c->op, ERR_ABORTED, "the nodes' state keeps changing");
	if (op_failed(&c->op))
		end(c);
	else if (c->has_volume)
		judge(c, false);
	else
		begin(c);
}

static void step(struct op *op)
{
	struct change *c = CONTAINER_OF(op, struct change, op);

	switch (op->state) {
	case ST_START:
		do_start(c);
		return;
	case ST_RESOLVING:
		do_heard(c, &c->resolve.op);
		return;
	case ST_CHECKING:
		do_heard(c, &c->check.op);
		return;
	case ST_READING:
	case ST_WRITING:
		do_result(c, &c->box.req.op, &c->box);
		return;
	case ST_FENCING:
		do_result(c, &c->fence.op, &c->fence.box);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct change *c = CONTAINER_OF(op, struct change, op);

	switch (op->state) {
	case ST_RESOLVING:
		resolve_cancel(&c->resolve);
		return;
	case ST_CHECKING:
		node_check_cancel(&c->check);
		return;
	case ST_FENCING:
		op_cancel(&c->fence.op, op->err.code);
		return;
	default:
		box_cancel(&c->box);
	}
}

static const struct op_type change_type = {
	.name = "change",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_changed(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct change, op)->parent);
}

void change_start(struct change *c, struct csi *csi, struct op *parent)
{
	c->csi = csi;
	c->parent = parent;
	op_ref(parent);
	op_start(&c->op, &change_type, csi->loop, on_changed);
	op_set_deadline(&c->op, parent->deadline_ms);
}

void change_cancel(struct change *c)
{
	op_cancel(&c->op, c->parent->err.code);
}
