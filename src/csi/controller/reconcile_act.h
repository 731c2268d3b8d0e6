#ifndef CSI_CONTROLLER_RECONCILE_ACT_H
#define CSI_CONTROLLER_RECONCILE_ACT_H
#include "csi/controller/change.h"
#include "csi/controller/reconcile_orphan.h"
#include "csi/ids.h"
#include "csi/inflight.h"

/* Op: one action on one volume, if it still is to be done now: this process leads, its
 * lists are current, no call works on the volume, and a fresh look at it says the same.
 * The box compares the record that was listed before anything is changed. */
struct reconcile_act {
	struct op op;
	struct reconcile_shared *shared;
	struct op *parent;
	enum reconcile_action action;
	const struct rds_volume *volume; /* borrowed, as listed */
	struct inflight inflight;
	struct rds_record record;
	char node[ID_NODE]; /* GIVE_WAY: who */
	union {
		struct change change;
		struct box box;
		struct reconcile_orphan orphan;
	} u;
	bool is_done; /* false without an error: it was left alone */
};

/* Takes a reference on the parent and wakes it. */
void reconcile_act_start(struct reconcile_act *a, struct reconcile_shared *shared,
			 struct op *parent);
#endif
