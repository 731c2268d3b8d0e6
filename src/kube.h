#ifndef KUBE_H
#define KUBE_H
#include "csi/controller/cluster.h"
#include "csi/controller/reconcile.h"
#include "csi/csi.h"
#include "k8s/api.h"
#include "k8s/events.h"
#include "k8s/lease.h"

/* The controller's side of Kubernetes: the API client with its stores, the cluster's id,
 * the Lease and the Events, begun together and ended in the one order that keeps the
 * promises of each: what works in the background ends first, then the Lease is given
 * back, then Events, and the client last. A long-lived op, made by app.c, run by main.c.
 */
struct kube_conf {
	const char *kubeconfig; /* "" = in-cluster */
	const char *ns;		/* of the Lease; "" = our pod's */
	const char *cluster_id; /* "" = the UID of namespace kube-system */
	struct reconcile_conf reconcile;
};

struct kube {
	struct op op;
	struct csi *csi;
	struct kube_conf conf;
	struct k8s_api *api;
	struct cluster cluster;
	struct lease lease;
	struct events events;
	struct reconcile reconcile;
	char cluster_id[RDS_CLUSTER_MAX + 1];
	char lease_name[LEASE_NAME_MAX + 1], identity[LEASE_IDENTITY_MAX];
};

/* Reads the configuration; sets csi->k8s and csi->cluster_id. Nothing runs yet. */
int kube_open(struct kube *k, struct csi *csi, const struct kube_conf *conf,
	      struct err *err);
/* csi->attachments must have been made. */
void kube_start(struct kube *k, void (*done)(struct op *op));
/* When no call works any more. */
void kube_stop(struct kube *k);
/* After done(), and after all that listens to the stores has gone. */
void kube_close(struct kube *k);
/* The API server's state was seen whole and is fresh, and the cluster's id is known. When
 * not, why says what is missing. */
bool kube_is_ready(const struct kube *k, struct buf *why);
#endif
