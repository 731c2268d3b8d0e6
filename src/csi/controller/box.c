#include "csi/controller/box.h"

#include "csi/controller/attachments.h"
#include "csi/controller/gate.h"

void box_prepare(struct box *box, enum rds_kind kind, const char *id)
{
	*box = (struct box){ .req = { .kind = kind, .id = id } };
	box->is_listing = kind == RDS_LIST || kind == RDS_CAPACITY;
}

/* Whatever becomes of the parent, what the box has shown is kept, and a write whose
 * outcome nobody knows casts doubt on what was believed. Growth and mount-filesystem
 * write no record. */
static void learn(const struct box *box)
{
	const struct rds_req *req = &box->req;
	struct attachments *a = box->csi->attachments;

	if (box->is_listing || !a)
		return;
	if (box_volume(box))
		attachments_learn(a, &req->volume,
				  req->kind >= RDS_PUBLISH && req->outcome == RDS_OK);
	else if (!op_failed(&req->op))
		attachments_forget(a, req->id);
	else if (req->is_outcome_unknown && req->kind != RDS_GROW &&
		 req->kind != RDS_NO_MOUNT)
		attachments_doubt(a, req->id);
}

static void on_box(struct op *op)
{
	struct rds_req *req = CONTAINER_OF(op, struct rds_req, op);
	struct box *box = CONTAINER_OF(req, struct box, req);

	learn(box);
	op_unref_wake(box->parent);
}

void box_start(struct box *box, struct csi *csi, struct op *parent)
{
	box->parent = parent;
	box->csi = csi;
	op_ref(parent);
	gate_guard(csi, &box->req);
	rds_start(csi->rds, &box->req, on_box);
	op_set_deadline(&box->req.op, parent->deadline_ms);
}

void box_cancel(struct box *box)
{
	op_cancel(&box->req.op, box->parent->err.code);
}

const struct rds_volume *box_volume(const struct box *box)
{
	const struct rds_req *req = &box->req;

	if (op_failed(&req->op) || req->outcome == RDS_ABSENT ||
	    (req->kind == RDS_DELETE && req->outcome == RDS_OK))
		return NULL;
	return &req->volume;
}
