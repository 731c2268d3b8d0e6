#ifndef NODE_ADOPT_H
#define NODE_ADOPT_H
#include "csi/csi.h"
#include "csi/ids.h"
#include "csi/node/adopt_rules.h"
#include "csi/node/kubelet_dirs.h"

/* Brings one volume's record in line with what is true on the node, at start, before any
 * call is served. Connects nothing, mounts nothing, unmounts nothing; disconnects only
 * what this driver connected in this boot and never staged. What fails is left as it is:
 * op.err says why, and the calls of the kubelet meet the same facts later. */
struct adopt {
	struct op op;
	/* Arguments. */
	struct csi *csi;
	const char *id;			    /* borrowed */
	const struct kubelet_volume *named; /* borrowed; NULL = only a record */
	bool may_detach;		    /* else what would be disconnected is left */
	/* Results. */
	enum adopt_do outcome;
	char nqn[NVME_NQN_MAX + 1]; /* of the record there is at the end, "" = none */
	/* Private. */
	struct nvme_req req;
	struct nvme_view view;
	struct nvme_record record;
	bool has_record;
};

/* The arguments must have been set. */
void adopt_start(struct adopt *a, void (*done)(struct op *op));
#endif
