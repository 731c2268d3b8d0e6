#ifndef CSI_NODE_WORK_H
#define CSI_NODE_WORK_H
#include "csi.pb-c.h"
#include "csi/dispatch.h"
#include "nvme/nvme.h"

/* What the node's operations share: one request of the port at a time, the volume's
 * record, and a look at what is true. An operation embeds this as its first member and
 * waits, in every state but its first and last, for the request. */
struct node_work {
	struct rpc rpc;
	struct nvme_req req;
	struct nvme_view view;
	struct nvme_record record; /* valid when has_record */
	bool has_record;	   /* a fact read from disk, no progress */
	char path[NVME_PATH_MAX + 1], staging[NVME_PATH_MAX + 1]; /* canonical */
	char base_nqn[NVME_NQN_MAX + 1]; /* of the volume last looked at */
};

static inline struct node_work *node_work_of(struct op *op)
{
	return CONTAINER_OF(op, struct node_work, rpc.op);
}

/* Reads the record into w. 0, also when there is none; -1 with err. */
int node_work_read_record(struct node_work *w, const char *id, struct err *err);
/* Writes w->record, which then exists. */
int node_work_write_record(struct node_work *w, const char *id, struct err *err);
/* Looks at one path into w->view. nqn NULL: the record's; without one, whichever session
 * is the volume's. */
struct node_place {
	const char *id, *nqn, *path, *besides;
	bool is_staging;
};
int node_work_look(struct node_work *w, const struct node_place *at, struct err *err);

/* 0, or ABORTED naming what a child that the kernel does not let go of was to do. */
int node_work_check_stuck(const struct node_work *w, const char *id, struct err *err);

/* A request of that kind on what was seen last, not yet started: the caller sets the
 * rest.
 */
struct nvme_req *node_work_prepare(struct node_work *w, enum nvme_kind kind,
				   const char *id);
/* What the device must hold for the prepared request, where the record knows it. */
void node_work_expect_content(struct node_work *w);
/* Starts it; the op is woken at its end. Within the op's deadline, unless the op has
 * failed already: what undoes has the request's own. */
void node_work_go(struct node_work *w);
/* Moves the request's error, if any, to the op; one that is stuck is told of. True when
 * it failed. */
bool node_work_failed(struct node_work *w);
/* Ends an undoing that did not succeed: ABORTED, for a final code would tell the kubelet
 * that nothing is left (csi.md: uncertain codes). */
void node_work_abort(struct node_work *w, const struct err *why);
void node_work_interrupt(struct op *op);

/* Whether a device node stands at path itself (the earlier driver's way to publish a
 * block volume), and whether it leads to that device. Nothing mounted may be there. */
enum node_file { NODE_FILE_NONE, NODE_FILE_SAME, NODE_FILE_OTHER };
enum node_file node_file_at(const char *path, const struct nvme_device *dev);

/* ---- request fields -----------------------------------------------------------------
 */

/* A path of a request: absolute, shorter than PATH_MAX, without control characters and
 * without "." or ".." components. Pure. INVALID_ARGUMENT naming the field. */
int node_path_check(const char *path, const char *field, struct err *err);
/* As mountinfo shows it: the parent's symbolic links resolved, the last component not,
 * which may be a dead mount. The path must have passed the check. */
void node_path_canonical(const char *path, char out[NVME_PATH_MAX + 1]);
#endif
