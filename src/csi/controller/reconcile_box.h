#ifndef CSI_CONTROLLER_RECONCILE_BOX_H
#define CSI_CONTROLLER_RECONCILE_BOX_H
#include "csi/controller/reconcile_act.h"
#include "csi/controller/reconcile_seen.h"

/* Op: one round over the volumes on the box: records whose holders have no
 * VolumeAttachment, exports for nobody, orphans, and what the box might mount. The stores
 * are looked at before and after the box's list, and what either look wants is left
 * alone; a list that fails changes nothing. Of many things to do a round does a few. */
enum {
	RECONCILE_MAX_SUSPECTS = 512,
	RECONCILE_MAX_REPORTED = 256, /* of these, what is only reported */
};

struct reconcile_suspect {
	struct list node;
	struct rds_volume volume;
	enum reconcile_action action;
};

struct reconcile_box {
	struct op op;
	struct reconcile_shared *shared;
	struct op *parent;
	struct reconcile_seen *seen;
	bool may_remove; /* it is time for that, and to name all orphans in the log */
	struct reconcile_world before;
	struct box box;
	struct list suspects; /* owned */
	unsigned n_suspects, n_reported, n_troubles;
	unsigned n_started[RECONCILE_N_ACTIONS];
	struct reconcile_tally tally;
	struct reconcile_act act;
};

/* seen: kept from round to round. Takes a reference on the parent and wakes it. */
void reconcile_box_start(struct reconcile_box *b, struct reconcile_shared *shared,
			 struct reconcile_seen *seen, bool may_remove, struct op *parent);
#endif
