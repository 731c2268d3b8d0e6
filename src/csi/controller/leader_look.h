#ifndef CSI_CONTROLLER_LEADER_LOOK_H
#define CSI_CONTROLLER_LEADER_LOOK_H
#include "k8s/k8s.h"

/* Op: whether a controller of this driver runs and leads, found by looking at its Lease
 * alone, which it never touches. One that names a holder is looked at until it is renewed
 * (somebody leads) or has not been for longer than it says that a term lasts (its holder
 * died). Times that stand in it are only compared with each other. */
struct leader_look {
	struct op op;
	/* Set before the start; borrowed. */
	struct k8s *k8s;
	const char *ns, *name; /* of the Lease */
	/* Results, when op.err is ERR_OK. */
	bool is_led;
	char holder[128];
	/* Within. */
	struct k8s_request req;
	struct clock_timer rest;
	bool has_looked;
	char renewed[64];
	uint64_t since_ms; /* it stands as it is */
};

/* Fails when the API server does not answer. */
void leader_look_start(struct leader_look *l, void (*done)(struct op *op));
#endif
