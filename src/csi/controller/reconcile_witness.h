#ifndef CSI_CONTROLLER_RECONCILE_WITNESS_H
#define CSI_CONTROLLER_RECONCILE_WITNESS_H
#include <stdbool.h>

#include "k8s/k8s.h"

/* How PVs went, as this process saw it with its own eyes: the only ground on which the
 * disk of a PV that is gone may be removed. A handle is "witnessed" when the deletion of
 * its PV came as an event of a watch (what a list lacks may have changed unseen before it
 * went) and its reclaim policy was Delete to the last. A PV with Retain that goes or
 * turns to Delete keeps its handle from that as long as the process lives. */
struct reconcile_witness {
	struct k8s_listener listener;
	struct map handles; /* of struct witnessed */
	struct list list;
	bool is_blind; /* something could not be kept in mind: nothing is witnessed */
};

enum { RECONCILE_WITNESS_MAX = 8192 };

void reconcile_witness_open(struct reconcile_witness *w, struct k8s *k);
void reconcile_witness_close(struct reconcile_witness *w);
bool reconcile_witness_saw(const struct reconcile_witness *w, const char *handle);
/* One with Retain was seen to go, or to be one no more. */
bool reconcile_witness_kept(const struct reconcile_witness *w, const char *handle);
#endif
