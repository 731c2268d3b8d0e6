#ifndef CSI_CONTROLLER_CHANGE_H
#define CSI_CONTROLLER_CHANGE_H
#include "csi/controller/attach_rules.h"
#include "csi/controller/attachments.h"
#include "csi/controller/fence.h"
#include "csi/controller/holders.h"
#include "csi/controller/node_check.h"
#include "csi/controller/resolve.h"

/* Op: makes the record on the box, and with it the export, what a Publish or an
 * Unpublish asks for. With a belief that allows it at once this is one exec; else the
 * volume is read first. The box compares the nonce; when it is another, the row that
 * came back is judged anew. A fence that is due or was left unfinished is run first.
 * With Kubernetes the VolumeAttachments are heard too; the API server is asked only where
 * a node looks lost, or a VolumeAttachment names a PV that nobody has seen. */
struct change {
	struct op op;
	struct csi *csi;
	struct op *parent;
	const char *id; /* borrowed; valid */
	struct attach_ask ask;
	bool is_publish;
	uint32_t migration_timeout_s; /* Publish of shared block; 0 = the default */
	/* Result: is_absent, or the volume. */
	bool is_absent;
	struct rds_volume volume;
	/* Work. */
	struct attachments_belief believed; /* record.kind NONE: nothing was */
	/* Expected by the exec under way. */
	char nqn[RDS_NQN_MAX + 1], nonce[RDS_NONCE + 1];
	bool is_disputed; /* the box lacks a holder that was believed in */
	bool has_volume;  /* volume is what the box showed in this call */
	/* The node was no holder of the record before this call (Publish), or was one
	 * (Unpublish). */
	bool is_news;
	bool was_clean;	  /* of the last write: attach_plan.is_clean */
	bool was_pending; /* attach_plan.is_pending, newly */
	bool was_stale;	  /* a holder of the record gave way to what was written */
	uint64_t started_ms;
	struct holders holders;
	struct attach_plan plan;
	struct resolve resolve;
	struct node_check check;
	struct box box;
	struct fence fence;
	unsigned rounds;
};

/* id, ask and is_publish are set before. Takes a reference on the parent, wakes it. */
void change_start(struct change *c, struct csi *csi, struct op *parent);
/* For the parent's interrupt. */
void change_cancel(struct change *c);
#endif
