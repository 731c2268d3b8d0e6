#include <stdio.h>
#include <string.h>

#include "csi/ids.h"
#include "csi/node/event.h"
#include "csi/node/plan_off.h"
#include "csi/node/stage_impl.h"
#include "metrics/registry.h"

/* A fenced leftover, or a mount whose device is gone: what is here of the volume is of no
 * use, and nothing may keep it. */

static enum plan_off last_of(const struct node_stage *s)
{
	switch (s->w.rpc.op.state) {
	case NODE_STAGE_CUTTING_LEFTOVER:
		return PLAN_OFF_CUT;
	case NODE_STAGE_UNMOUNTING_LEFTOVER:
		return PLAN_OFF_UNMOUNT;
	case NODE_STAGE_UNMOUNTING_TARGET:
		return PLAN_OFF_TARGET;
	case NODE_STAGE_DETACHING_LEFTOVER:
		return PLAN_OFF_DETACH;
	default:
		return PLAN_OFF_BEGIN;
	}
}

static void refuse(struct node_stage *s, const struct err *err)
{
	metric_count(METRIC_STALE_RECOVERIES, METRIC_FAILURE, 0);
	node_stage_refuse(s, err);
}

static void forget_and_begin(struct node_stage *s)
{
	struct nvme *nvme = s->w.rpc.csi->nvme;
	struct err err = { .code = ERR_OK };

	if (s->w.has_record && nvme->ops->record_forget(nvme, node_stage_id(s), &err)) {
		refuse(s, &err);
		return;
	}
	metric_count(METRIC_STALE_RECOVERIES, METRIC_SUCCESS, 0);
	s->w.has_record = false;
	s->w.record = (struct nvme_record){ .size_bytes = 0 };
	node_stage_begin(s);
}

static void unmount(struct node_stage *s, const char *path, unsigned state)
{
	node_work_prepare(&s->w, NVME_UNMOUNT, node_stage_id(s))->path = path;
	node_stage_go(s, state);
}

static void take_step(struct node_stage *s, enum plan_off next)
{
	switch (next) {
	case PLAN_OFF_CUT:
		node_event(node_stage_id(s), NODE_EVENT_FENCED, s->w.view.nqn);
		(void)node_work_prepare(&s->w, NVME_CUT, node_stage_id(s));
		node_stage_go(s, NODE_STAGE_CUTTING_LEFTOVER);
		return;
	case PLAN_OFF_UNMOUNT:
		unmount(s, s->w.path, NODE_STAGE_UNMOUNTING_LEFTOVER);
		return;
	case PLAN_OFF_TARGET:
		memcpy(s->w.staging, s->w.view.dead_path, sizeof(s->w.staging));
		unmount(s, s->w.staging, NODE_STAGE_UNMOUNTING_TARGET);
		return;
	case PLAN_OFF_DETACH:
		(void)node_work_prepare(&s->w, NVME_DETACH, node_stage_id(s));
		node_stage_go(s, NODE_STAGE_DETACHING_LEFTOVER);
		return;
	default:
		forget_and_begin(s);
		return;
	}
}

void node_stage_clear(struct node_stage *s)
{
	struct plan_off_facts facts = { .view = &s->w.view,
					.last = last_of(s),
					.last_path = s->w.staging };
	struct err err = { .code = ERR_OK };
	enum plan_off next;

	if (node_stage_look(s, NULL, &err) ||
	    (facts.last == PLAN_OFF_BEGIN && s->w.has_record &&
	     plan_may_clear(node_stage_id(s), s->want.nqn, &s->w.view, &s->w.record,
			    &err)) ||
	    plan_clear(&facts, &next, &err))
		refuse(s, &err);
	else
		take_step(s, next);
}

/* Whatever the request said: something is still here, so no final code. */
void node_stage_after_clearing(struct node_stage *s)
{
	if (!node_work_failed(&s->w)) {
		node_stage_clear(s);
		return;
	}
	metric_count(METRIC_STALE_RECOVERIES, METRIC_FAILURE, 0);
	(void)err_wrap(&s->w.rpc.op.err, "an earlier session is not cleared away");
	s->w.rpc.op.err.code = ERR_ABORTED;
	op_move(&s->w.rpc.op, NODE_STAGE_DONE);
}

void node_stage_clear_unrecorded(struct node_stage *s)
{
	struct nvme_record *rec = &s->w.record;
	struct err err = { .code = ERR_OK };
	uint32_t generation;

	if (node_stage_look(s, "", &err)) {
		node_stage_refuse(s, &err);
		return;
	}
	if (s->w.view.n_foreign_layers || strcmp(s->w.view.nqn, s->want.nqn) == 0 ||
	    !id_nqn_is_of(s->w.view.nqn, node_stage_id(s), &generation)) {
		(void)err_set(&err, ERR_PRECONDITION,
			      "something else is mounted at the staging path");
		node_stage_refuse(s, &err);
		return;
	}
	*rec = (struct nvme_record){ .is_adopted = true, .was_mounted = true };
	(void)snprintf(rec->nqn, sizeof(rec->nqn), "%s", s->w.view.nqn);
	(void)snprintf(rec->source, sizeof(rec->source), "%s", s->w.view.source);
	memcpy(rec->staging, s->w.path, sizeof(rec->staging));
	if (node_stage_write(s, NVME_STAGED))
		op_move(&s->w.rpc.op, NODE_STAGE_DONE);
	else
		node_stage_clear(s);
}
