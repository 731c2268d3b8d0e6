#include "csi/controller/reconcile_rules.h"

#include "core/str.h"

/* No snapshot is ever an orphan, whatever disk it may one day have. */
#define SNAPSHOT "snap-"

static bool is_ours(const struct rds_volume *v)
{
	return v->record.kind == RDS_RECORD_OURS && v->is_file_disk &&
	       v->layout != RDS_LAYOUT_AUTO;
}

static bool may_be_held(const struct reconcile_view *view)
{
	const struct rds_record *r = &view->volume->record;

	return r->n_holders || r->is_fencing || view->has_va || view->is_unclear;
}

bool reconcile_is_alarming(const struct reconcile_view *view)
{
	return is_ours(view->volume) && view->volume->is_mounted && may_be_held(view);
}

static enum reconcile_action judge_orphan(const struct reconcile_view *view)
{
	const struct rds_volume *v = view->volume;

	if (view->has_pv || !view->is_orphan_hunted)
		return RECONCILE_NOTHING;
	if (!v->record.is_bound || str_starts_with(v->id, SNAPSHOT))
		return RECONCILE_REPORT;
	if (v->record.is_released)
		return RECONCILE_REMOVE;
	return view->is_witnessed || (v->record.is_deletable && view->is_word_enough)
		       ? RECONCILE_RELEASE
		       : RECONCILE_REPORT;
}

static enum reconcile_action judge_idle(const struct reconcile_view *view)
{
	if (may_be_held(view) || view->volume->is_mounted)
		return RECONCILE_NOTHING;
	if (view->volume->is_exported && !view->is_export_kept)
		return RECONCILE_SWITCH_OFF;
	return judge_orphan(view);
}

/* What the record says of the PV must be true, before anything is concluded from it. */
static enum reconcile_action judge_word(const struct reconcile_view *view)
{
	const struct rds_record *r = &view->volume->record;

	if (view->is_retained && (r->is_deletable || r->is_released))
		return RECONCILE_KEEP;
	if (r->is_released && view->has_pv)
		return RECONCILE_UNRELEASE;
	return judge_idle(view);
}

enum reconcile_action reconcile_judge(const struct reconcile_view *view)
{
	const struct rds_volume *v = view->volume;

	if (!is_ours(v))
		return RECONCILE_NOTHING;
	if (v->mount_filesystem && !v->is_mounted)
		return RECONCILE_NO_MOUNT;
	if (v->is_mounted && !may_be_held(view))
		return RECONCILE_UNMOUNT;
	if (v->record.n_holders && view->stale_holder >= 0 && !view->is_unclear)
		return RECONCILE_GIVE_WAY;
	if (v->record.n_holders || v->record.is_fencing)
		return RECONCILE_NOTHING;
	return judge_word(view);
}

bool reconcile_is_ripe(enum reconcile_action action, uint64_t age_ms,
		       const struct reconcile_times *times)
{
	uint64_t grace_ms = times->grace_ms > RECONCILE_MIN_GRACE_MS
				    ? times->grace_ms
				    : RECONCILE_MIN_GRACE_MS;

	switch (action) {
	case RECONCILE_NO_MOUNT:
	case RECONCILE_UNMOUNT:
	case RECONCILE_KEEP:
	case RECONCILE_UNRELEASE:
		return true;
	case RECONCILE_GIVE_WAY:
	case RECONCILE_SWITCH_OFF:
	case RECONCILE_RELEASE:
		return age_ms > 0 && age_ms >= times->interval_ms;
	case RECONCILE_REMOVE:
		return age_ms >= grace_ms || (times->released_ms >= grace_ms &&
					      age_ms > 0 && age_ms >= times->interval_ms);
	case RECONCILE_REPORT:
		return age_ms >= grace_ms;
	default:
		return false;
	}
}

/* So many at once are no accident of single volumes: an API server that was restored, or
 * lost, or is another one. */
static bool is_too_many(unsigned n, unsigned of)
{
	return n > 3 && n > of / 2;
}

unsigned reconcile_allowance(enum reconcile_action action,
			     const struct reconcile_tally *tally)
{
	unsigned tenth = tally->volumes / 10;

	switch (action) {
	case RECONCILE_NOTHING:
	case RECONCILE_REPORT:
		return 0;
	case RECONCILE_GIVE_WAY:
		return is_too_many(tally->stale_holders, tally->held)
			       ? 0
			       : RECONCILE_MAX_GIVING_WAY;
	case RECONCILE_RELEASE:
	case RECONCILE_REMOVE:
		if (is_too_many(tally->without_pv, tally->volumes))
			return 0;
		if (action == RECONCILE_RELEASE || tenth > RECONCILE_MAX_REMOVALS)
			return RECONCILE_MAX_REMOVALS;
		return tenth ? tenth : 1;
	default:
		return RECONCILE_MAX_ACTS;
	}
}

const char *reconcile_name(enum reconcile_action action)
{
	static const char *const names[RECONCILE_N_ACTIONS] = {
		"nothing",   "no_mount",   "unmount", "give_way", "keep",
		"unrelease", "switch_off", "release", "remove",	  "report",
	};

	return names[action];
}
