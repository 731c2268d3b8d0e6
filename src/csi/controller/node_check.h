#ifndef CSI_CONTROLLER_NODE_CHECK_H
#define CSI_CONTROLLER_NODE_CHECK_H
#include "csi/controller/nodes.h"
#include "csi/csi.h"
#include "k8s/k8s.h"
#include "rds/rds.h"

/* Op: a live look at some nodes, where the watched ones would have a volume fenced: a
 * watch may be behind, and a fence cuts a node off for good. */
enum { NODE_CHECK_MAX = RDS_MAX_HOLDERS + 1 };

struct node_check {
	struct op op;
	struct csi *csi;
	struct op *parent;
	const char *handle; /* borrowed */
	/* Each by its record's name; the facts are the result. */
	unsigned n, at;
	char nodes[NODE_CHECK_MAX][ID_NODE];
	struct node_facts facts[NODE_CHECK_MAX];
	struct k8s_request req;
	char object[254];
};

/* Adds a node unless it is there; before the start. */
void node_check_add(struct node_check *c, const char *node);
/* handle and nodes are set. Takes a reference on the parent, and its deadline. Fails:
 * UNAVAILABLE, as long as one of them cannot be read. */
void node_check_start(struct node_check *c, struct csi *csi, struct op *parent);
void node_check_cancel(struct node_check *c); /* for the parent's interrupt */
/* What a check that is over found of the node; NULL = it was not asked about. */
const struct node_facts *node_check_find(const struct node_check *c, const char *node);
#endif
