#ifndef CSI_NODE_STAGE_IMPL_H
#define CSI_NODE_STAGE_IMPL_H
#include "csi/node/stage.h"

/* Between the files of the one op of Stage: stage.c has the table and the way to the
 * device, stage_fs.c what is done with a file system, stage_clear.c what is found of an
 * earlier session, stage_undo.c the way back. */
enum node_stage_state {
	NODE_STAGE_START,
	NODE_STAGE_CUTTING_LEFTOVER,
	NODE_STAGE_UNMOUNTING_LEFTOVER,
	NODE_STAGE_UNMOUNTING_TARGET,
	NODE_STAGE_DETACHING_LEFTOVER,
	NODE_STAGE_CUTTING_OTHERS,
	NODE_STAGE_ATTACHING,
	NODE_STAGE_PROBING,
	NODE_STAGE_CHECKING,
	NODE_STAGE_GROWING_OFFLINE,
	NODE_STAGE_WIPING,
	NODE_STAGE_FORMATTING,
	NODE_STAGE_MOUNTING,
	NODE_STAGE_GROWING,
	NODE_STAGE_UNDOING_MOUNT,
	NODE_STAGE_UNDOING_ATTACH,
	NODE_STAGE_DONE,
	NODE_STAGE_N
};

static inline const char *node_stage_id(const struct node_stage *s)
{
	return node_stage_volume(&s->w.rpc);
}

/* At the staging path; nqn NULL: as node_work_look. */
int node_stage_look(struct node_stage *s, const char *nqn, struct err *err);
/* Moves on and starts the request that was prepared. */
void node_stage_go(struct node_stage *s, unsigned state);
/* Ends the op with err, with nothing to undo. */
void node_stage_refuse(struct node_stage *s, const struct err *err);
/* 0, or -1 and the op has failed. */
int node_stage_write(struct node_stage *s, enum nvme_stage stage);
/* Nothing of another session is left: decides, and attaches. */
void node_stage_begin(struct node_stage *s);
/* Staged: completes the record, and ends the op. */
void node_stage_complete(struct node_stage *s);

/* Begins to undo, or goes on with it after a request. Whatever is there belongs to this
 * volume and was not staged when this call began. */
void node_stage_undo(struct node_stage *s);
void node_stage_after_undoing(struct node_stage *s);

/* What the record tells of goes, the record last; then begins. */
void node_stage_clear(struct node_stage *s);
void node_stage_after_clearing(struct node_stage *s);
/* Mounted at the staging path under another name of the volume, and no record says so. */
void node_stage_clear_unrecorded(struct node_stage *s);

/* The device is attached and right: probe, and what follows from it. */
void node_stage_probe(struct node_stage *s);
/* The mounted file system, to the size of its device. */
void node_stage_grow(struct node_stage *s);
void node_stage_after_fs(struct node_stage *s);
#endif
