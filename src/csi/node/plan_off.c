#include "csi/node/plan_off.h"

#include <string.h>

#include "csi/ids.h"

static int still_there(struct err *err)
{
	return err_set(err, ERR_ABORTED, "the device is still there");
}

static int still_mounted(struct err *err)
{
	return err_set(err, ERR_ABORTED, "the staging path is still mounted");
}

/* ---- unstage */

static int check_unstage(const struct nvme_view *v, struct err *err)
{
	if (v->n_foreign_layers)
		return err_set(err, ERR_PRECONDITION,
			       "what is mounted at the staging path is not this volume");
	/* Unmounting it would only hide from the kubelet what its pods still hold. */
	if (v->n_elsewhere)
		return err_set(err, ERR_PRECONDITION,
			       "the volume is still published at %u paths",
			       v->n_elsewhere);
	return 0;
}

/* Nothing is mounted: what is left of the session. */
static enum plan_off end_of_session(const struct nvme_view *v)
{
	if (v->device.path[0])
		return PLAN_OFF_PROVE;
	return plan_has_session(v) ? PLAN_OFF_CUT : PLAN_OFF_DONE;
}

static enum plan_off first_of_unstage(const struct nvme_view *v)
{
	if (!v->n_layers)
		return end_of_session(v);
	return v->is_dead ? PLAN_OFF_UNMOUNT : PLAN_OFF_SYNC;
}

/* Everything that is asked of a target that does not answer hangs in the kernel, and
 * holds what it wants to free. */
static bool must_ask(const struct nvme_view *v)
{
	return v->state == NVME_RECOVERING && !v->is_dead;
}

static int begin_unstage(const struct nvme_view *v, enum plan_off *ret, struct err *err)
{
	if (v->state == NVME_GOING)
		return err_set(err, ERR_ABORTED, "the session is being deleted already");
	*ret = must_ask(v) ? PLAN_OFF_ASK : first_of_unstage(v);
	return 0;
}

static int after_cut(const struct nvme_view *v, enum plan_off *ret, struct err *err)
{
	if (plan_has_session(v))
		return still_there(err);
	*ret = v->n_layers ? PLAN_OFF_UNMOUNT : PLAN_OFF_DONE;
	return 0;
}

int plan_unstage(const struct plan_off_facts *f, enum plan_off *ret, struct err *err)
{
	const struct nvme_view *v = f->view;

	if (check_unstage(v, err))
		return -1;
	switch (f->last) {
	case PLAN_OFF_BEGIN:
		return begin_unstage(v, ret, err);
	case PLAN_OFF_ASK:
		*ret = f->is_refused ? PLAN_OFF_CUT : first_of_unstage(v);
		return 0;
	case PLAN_OFF_SYNC:
		/* An unmount would write into what is not the volume's. */
		*ret = f->is_other ? PLAN_OFF_CUT : PLAN_OFF_UNMOUNT;
		return 0;
	case PLAN_OFF_UNMOUNT:
		*ret = end_of_session(v);
		return v->n_layers ? still_mounted(err) : 0;
	case PLAN_OFF_PROVE:
		*ret = PLAN_OFF_DETACH;
		return 0;
	default:
		return after_cut(v, ret, err);
	}
}

/* ---- a fenced leftover */

/* The staging mount is last: it is what tells that the dead ones elsewhere are this
 * volume's, also to the next call. */
static int next_layer(const struct plan_off_facts *f, enum plan_off *ret, struct err *err)
{
	const struct nvme_view *v = f->view;

	if (v->dead_path[0]) {
		*ret = PLAN_OFF_TARGET;
		return f->last == PLAN_OFF_TARGET &&
				       strcmp(f->last_path, v->dead_path) == 0
			       ? err_set(err, ERR_ABORTED, "%.120s is still mounted",
					 v->dead_path)
			       : 0;
	}
	if (v->n_layers) {
		*ret = PLAN_OFF_UNMOUNT;
		return f->last == PLAN_OFF_UNMOUNT ? still_mounted(err) : 0;
	}
	if (v->n_elsewhere)
		return err_set(err, ERR_ABORTED,
			       "what was fenced is still mounted at %u paths",
			       v->n_elsewhere);
	if (!plan_has_session(v)) {
		*ret = PLAN_OFF_DONE;
		return 0;
	}
	/* A back end without sessions has cut nothing. */
	*ret = PLAN_OFF_DETACH;
	return v->device.path[0] ? 0 : still_there(err);
}

int plan_clear(const struct plan_off_facts *f, enum plan_off *ret, struct err *err)
{
	const struct nvme_view *v = f->view;

	if (v->n_foreign_layers)
		return err_set(err, ERR_PRECONDITION,
			       "something else is mounted at the staging path");
	if (f->last == PLAN_OFF_DETACH && plan_has_session(v))
		return still_there(err);
	if (f->last == PLAN_OFF_BEGIN && plan_has_session(v)) {
		*ret = PLAN_OFF_CUT;
		return 0;
	}
	return next_layer(f, ret, err);
}

int plan_may_clear(const char *id, const char *wanted_nqn, const struct nvme_view *view,
		   const struct nvme_record *rec, struct err *err)
{
	uint32_t wanted, recorded;
	bool is_newer = id_nqn_is_of(wanted_nqn, id, &wanted) &&
			(!id_nqn_is_of(rec->nqn, id, &recorded) || wanted > recorded);

	if (view->state != NVME_LIVE || strcmp(wanted_nqn, rec->nqn) == 0 || is_newer)
		return 0;
	return err_set(
		err, ERR_ABORTED,
		"the volume is in use here under %.120s; it must be unstaged first",
		rec->nqn);
}
