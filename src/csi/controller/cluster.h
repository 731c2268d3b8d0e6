#ifndef CSI_CONTROLLER_CLUSTER_H
#define CSI_CONTROLLER_CLUSTER_H
#include "core/backoff.h"
#include "k8s/k8s.h"
#include "rds/rds.h"

/* Op: learns the cluster's id, under which volumes on the box are ours: the UID of
 * namespace kube-system, which lives as long as the cluster. Asks until the API server
 * answers; fails only when it is cancelled. Until then *ret_id is "" and the box is asked
 * nothing. */
struct cluster {
	struct op op;
	struct k8s *k8s;
	char *ret_id; /* RDS_CLUSTER_MAX + 1 bytes */
	struct k8s_request req;
	struct clock_timer wait;
	struct backoff backoff;
};

void cluster_start(struct cluster *c, struct k8s *k8s, char *ret_id,
		   void (*done)(struct op *op));
#endif
