#ifndef CSI_CONTROLLER_GATE_H
#define CSI_CONTROLLER_GATE_H
#include "csi/csi.h"
#include "rds/rds.h"

/* Who may decide about attachments, and when. Without Kubernetes: we, always. With it:
 * the controller that holds the driver's Lease, while every watched kind is complete and
 * heard of. One that has just become the holder starts from the objects and the box
 * alone, as a new process would: another controller may have acted meanwhile. */
int gate_check(struct csi *csi, struct err *err); /* 0, or -1 with UNAVAILABLE */
/* For a request to the box: asked right before its bytes leave, so that a holder that
 * slept past its Lease changes nothing. Sets req->may_send where the kind needs it. */
void gate_guard(struct csi *csi, struct rds_req *req);
#endif
