#ifndef CSI_CONTROLLER_CHANGE_H
#define CSI_CONTROLLER_CHANGE_H
#include "csi/controller/attach_rules.h"
#include "csi/controller/fence.h"

/* Op: makes the record on the box, and with it the export, what a Publish or an
 * Unpublish asks for. With a belief that allows it at once this is one exec; else the
 * volume is read first. The box compares the nonce; when it is another, the row that
 * came back is judged anew. A fence that is due or was left unfinished is run first. */
struct change {
	struct op op;
	struct csi *csi;
	struct op *parent;
	const char *id; /* borrowed; valid */
	struct attach_ask ask;
	bool is_publish;
	/* Result: is_absent, or the volume. */
	bool is_absent;
	struct rds_volume volume;
	/* Work. */
	struct attachments_belief believed; /* record.kind NONE: nothing was */
	/* Expected by the exec under way. */
	char nqn[RDS_NQN_MAX + 1], nonce[RDS_NONCE + 1];
	bool is_disputed; /* the box lacks a holder that was believed in */
	struct attach_plan plan;
	struct box box;
	struct fence fence;
	unsigned rounds;
};

/* id, ask and is_publish are set before. Takes a reference on the parent, wakes it. */
void change_start(struct change *c, struct csi *csi, struct op *parent);
/* For the parent's interrupt. */
void change_cancel(struct change *c);
#endif
