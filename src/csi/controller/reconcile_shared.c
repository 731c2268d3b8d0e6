#include "csi/controller/reconcile_shared.h"

bool reconcile_may_act(const struct reconcile_shared *s)
{
	return k8s_is_current(s->csi->k8s) && k8s_is_leader(s->csi->k8s);
}

void reconcile_count(const char *action, enum metric_outcome outcome)
{
	metric_count(METRIC_RECONCILE_ACTIONS,
		     metric_label_value(METRIC_RECONCILE_ACTIONS, 0, action), outcome);
}

bool reconcile_is_dry(const struct reconcile_shared *s, enum reconcile_action action)
{
	switch (action) {
	case RECONCILE_NO_MOUNT:
	case RECONCILE_UNMOUNT:
		return s->conf.is_mount_dry_run;
	case RECONCILE_GIVE_WAY:
		return s->conf.is_attachment_dry_run;
	case RECONCILE_SWITCH_OFF:
		return s->conf.is_export_dry_run;
	case RECONCILE_RELEASE:
	case RECONCILE_REMOVE:
		return s->conf.is_orphan_dry_run;
	default:
		return false;
	}
}

void reconcile_see(const struct reconcile_shared *s, struct reconcile_view *ret,
		   const struct rds_volume *v,
		   const struct reconcile_world *const worlds[2])
{
	*ret = (struct reconcile_view){
		.volume = v,
		.is_witnessed = reconcile_witness_saw(&s->witness, v->id),
		.is_retained = reconcile_witness_kept(&s->witness, v->id),
		.is_word_enough = s->conf.is_unseen_removed && !s->witness.is_blind,
		.is_export_kept = s->conf.is_export_kept,
		.is_orphan_hunted = s->conf.is_orphan_hunted,
		.stale_holder = reconcile_world_stale_holder(worlds[0], v),
	};
	for (unsigned i = 0; i < 2 && worlds[i]; i++) {
		unsigned flags = reconcile_world_of(worlds[i], v->id);

		ret->has_pv |= (flags & WORLD_PV) != 0;
		ret->is_retained |= (flags & WORLD_RETAINED) != 0;
		ret->has_va |= (flags & (WORLD_VA | WORLD_IN_USE)) != 0;
		ret->is_unclear |= worlds[i]->is_unclear;
	}
	/* The same one both times. */
	if (worlds[1] && ret->stale_holder >= 0 &&
	    reconcile_world_stale_holder(worlds[1], v) != ret->stale_holder)
		ret->stale_holder = -1;
}
