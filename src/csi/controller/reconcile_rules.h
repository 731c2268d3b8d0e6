#ifndef CSI_CONTROLLER_RECONCILE_RULES_H
#define CSI_CONTROLLER_RECONCILE_RULES_H
#include <stdbool.h>
#include <stdint.h>

#include "rds/rds.h"

/* What is to be done about one volume on the box. Pure: what was seen in, one action
 * out.
 *
 * An orphan is removed only when its record says "released", and since when: that its PV
 * was seen to go, by a watch that missed nothing, with the reclaim policy Delete; or,
 * where that is wanted, that it is gone and had Delete when the record last told. A PV
 * with Retain that its administrator deletes leaves a disk that looks just like an
 * orphan, and its data is to be kept; nothing but that word tells the two apart, so what
 * lacks it is reported for ever and never removed. */
enum reconcile_action {
	RECONCILE_NOTHING,
	RECONCILE_NO_MOUNT,   /* the box may mount it, and has not */
	RECONCILE_UNMOUNT,    /* the box has mounted it, and nobody holds it */
	RECONCILE_GIVE_WAY,   /* a holder without any VolumeAttachment is unpublished */
	RECONCILE_KEEP,	      /* a PV with Retain: its word is taken back */
	RECONCILE_UNRELEASE,  /* a PV names a released volume again */
	RECONCILE_SWITCH_OFF, /* exported for nobody */
	RECONCILE_RELEASE,    /* its PV went: the record is to say so */
	RECONCILE_REMOVE,     /* disk and file */
	RECONCILE_REPORT,     /* an orphan that is kept */
	RECONCILE_N_ACTIONS
};

struct reconcile_view {
	const struct rds_volume *volume;
	bool has_pv, has_va; /* before or after the box was asked; in use counts too */
	bool is_unclear;     /* some VolumeAttachment may be any volume's */
	bool is_witnessed;   /* its last PV was seen to go, with Delete */
	bool is_retained;    /* one has Retain, or had it when it went */
	bool is_word_enough; /* for one that nobody saw go: the policy in the record */
	int stale_holder;    /* index, or -1 */
	bool is_export_kept; /* --export-policy=always */
	bool is_orphan_hunted;
};

enum reconcile_action reconcile_judge(const struct reconcile_view *view);
/* The box has it mounted, and somebody may hold it: only people can help. */
bool reconcile_is_alarming(const struct reconcile_view *view);

struct reconcile_times {
	uint64_t interval_ms;
	uint64_t grace_ms;    /* of orphans */
	uint64_t released_ms; /* so long ago, by the record; 0 = it does not tell */
};
enum { RECONCILE_MIN_GRACE_MS = 24 * 3600 * 1000 };

/* Seen without a break for so long, it may be done. */
bool reconcile_is_ripe(enum reconcile_action action, uint64_t age_ms,
		       const struct reconcile_times *times);

/* The brakes of one look at all volumes. */
struct reconcile_tally {
	unsigned volumes;
	unsigned without_pv;	/* bound once, and of no PV now */
	unsigned held;		/* with a holder in the record */
	unsigned stale_holders; /* of these, with one that gives way */
};
enum {
	RECONCILE_MAX_ACTS = 32, /* in one round, of every kind but: */
	RECONCILE_MAX_REMOVALS = 5,
	RECONCILE_MAX_GIVING_WAY = 8,
};
/* How many such actions may be done in this round. */
unsigned reconcile_allowance(enum reconcile_action action,
			     const struct reconcile_tally *tally);
/* Short, for logs and counters: "switch_off". */
const char *reconcile_name(enum reconcile_action action);
#endif
