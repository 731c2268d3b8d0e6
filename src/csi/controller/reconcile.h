#ifndef CSI_CONTROLLER_RECONCILE_H
#define CSI_CONTROLLER_RECONCILE_H
#include "csi/controller/reconcile_attachments.h"
#include "csi/controller/reconcile_box.h"

/* The background reconcilers, one long-lived op: every interval a round over the
 * VolumeAttachments and then one over the volumes on the box, never two at once; soon
 * after a Node was deleted, too. Only the leader does anything. main makes it with
 * Kubernetes alone, after csi->k8s and csi->attachments, and stops it before them. */
struct reconcile {
	struct op op;
	struct reconcile_shared shared;
	struct reconcile_seen attachments_seen, box_seen;
	struct k8s_listener nodes, pvs;
	struct clock_timer timer;
	uint64_t round_ms, remove_ms; /* when the next is due */
	uint64_t started_ms;	      /* the round under way */
	struct reconcile_attachments attachments;
	struct reconcile_box box;
};

enum { RECONCILE_HURRY_MS = 2000 }; /* a node's deletion comes with others */

void reconcile_start(struct reconcile *r, struct csi *csi,
		     const struct reconcile_conf *conf, void (*done)(struct op *op));
/* done() comes when what is under way has ended. */
void reconcile_stop(struct reconcile *r);
/* For the metrics; zeroed before the start. */
const struct reconcile_stats *reconcile_stats(const struct reconcile *r);
#endif
