#ifndef CSI_CONTROLLER_RECONCILE_SHARED_H
#define CSI_CONTROLLER_RECONCILE_SHARED_H
#include "csi/controller/reconcile_rules.h"
#include "csi/controller/reconcile_witness.h"
#include "csi/controller/reconcile_world.h"
#include "csi/csi.h"
#include "metrics/registry.h"

/* What the reconcilers' ops have in common: configuration, counters, and the brakes that
 * are asked right before each change. */
struct reconcile_conf {
	uint64_t attachment_interval_ms; /* 0 = 5 min: between rounds and sightings */
	uint64_t orphan_interval_ms;	 /* 0 = 1 h: between rounds that may remove */
	uint64_t orphan_grace_ms;	 /* less than 24 h counts as 24 h */
	bool is_orphan_hunted;
	bool is_orphan_dry_run, is_attachment_dry_run, is_export_dry_run,
		is_mount_dry_run;
	bool is_export_kept;	/* --export-policy=always */
	bool is_unseen_removed; /* --orphan-unseen=remove */
};

/* For the metrics; the first two only grow. */
struct reconcile_stats {
	uint64_t rounds;
	uint64_t errors; /* rounds that broke off, and changes that failed */
	/* As the last whole round saw it. */
	bool is_known;
	unsigned orphans;	/* for longer than the grace period, kept or not */
	unsigned alarms;	/* mounted by the box under a holder */
	unsigned stale_holders; /* in records, without a VolumeAttachment */
	unsigned idle_exports;
};

enum { RECONCILE_MAX_GAP = 4 }; /* intervals between two looks */

struct reconcile_shared {
	struct csi *csi;
	struct reconcile_conf conf;
	struct reconcile_stats stats;
	struct reconcile_witness witness;
};

/* Leader, and every list whole and current: to be asked before each look and change. */
bool reconcile_may_act(const struct reconcile_shared *s);
/* action: reconcile_name's, or "clear_stale" for a VolumeAttachment. */
void reconcile_count(const char *action, enum metric_outcome outcome);
bool reconcile_is_dry(const struct reconcile_shared *s, enum reconcile_action action);
/* before: an earlier look, or NULL. */
void reconcile_see(const struct reconcile_shared *s, struct reconcile_view *ret,
		   const struct rds_volume *v,
		   const struct reconcile_world *const worlds[2]);
#endif
