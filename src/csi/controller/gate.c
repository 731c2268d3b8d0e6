#include "csi/controller/gate.h"

#include "csi/controller/attachments.h"
#include "csi/controller/watched.h"
#include "k8s/k8s.h"

int gate_check(struct csi *csi, struct err *err)
{
	if (!csi->k8s)
		return 0;
	if (!attachments_is_leader(csi->attachments))
		return err_set(
			err, ERR_UNAVAILABLE,
			"another controller holds the Lease, and it alone attaches "
			"and detaches");
	if (!k8s_is_current(csi->k8s))
		return err_set(err, ERR_UNAVAILABLE,
			       "the cluster's state is not known yet, or nothing was "
			       "heard of it for too long");
	if (watched_settle(attachments_watched(csi->attachments)))
		return err_set(err, ERR_UNAVAILABLE, "out of memory");
	return 0;
}

static bool may_send(const struct rds_req *req)
{
	return k8s_is_leader((const struct k8s *)req->sender);
}

/* A create and a growth touch no holder, and come from sidecars with elections of their
 * own. */
void gate_guard(struct csi *csi, struct rds_req *req)
{
	if (!csi->k8s || req->kind <= RDS_CREATE || req->kind == RDS_GROW)
		return;
	req->sender = csi->k8s;
	req->may_send = may_send;
}
