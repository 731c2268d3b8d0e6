#ifndef CSI_NODE_TRAFFIC_H
#define CSI_NODE_TRAFFIC_H
#include "csi/csi.h"
#include "csi/ids.h"
#include "nvme/nvme.h"

/* The sessions of the volumes on this node and what each has carried, for the metrics:
 * read from sysfs when somebody asks, but not again within NODE_TRAFFIC_MS however often
 * that is. The reads neither reach a device nor wait for one (nvme/traffic.h). Owned by
 * main; zeroed it is empty. */
enum { NODE_TRAFFIC_MS = 2000, NODE_TRAFFIC_MAX = 256 };

struct node_traffic {
	struct node_traffic_volume {
		char id[ID_VOLUME]; /* as its NQN has it: in lower case */
		struct nvme_traffic t;
	} * at; /* owned; one per volume, however many sessions it has */
	unsigned n, room;
	unsigned n_live, n_connecting, n_deleting; /* sessions, of all volumes */
	uint64_t read_ms;
	bool is_known; /* the last reading was a whole one */
};

void node_traffic_look(struct node_traffic *n, const struct csi *csi);
void node_traffic_fini(struct node_traffic *n);
/* The volume behind an NQN of that prefix: what comes after it, without the generation.
 * False when it is none of ours. Pure. */
bool node_traffic_id(const char *nqn, const char *prefix, char ret[ID_VOLUME]);
#endif
