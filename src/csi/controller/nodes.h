#ifndef CSI_CONTROLLER_NODES_H
#define CSI_CONTROLLER_NODES_H
#include <stdbool.h>

#include "csi/ids.h"

/* What is known of a node, as the watched Node and CSINode objects tell. A node has three
 * names: CSI's node id, the Node object's (CSINode says which belong together; without
 * one they are equal), and the record's, which is the node id or its UUID. */
struct k8s;
struct k8s_object;

enum node_standing {
	NODE_UNKNOWN, /* without Kubernetes: neither our own nor in --known-nodes */
	NODE_HEALTHY,
	/* With Kubernetes only. */
	NODE_LOST,	     /* there, not Ready: it may still write */
	NODE_OUT_OF_SERVICE, /* there, tainted so by somebody who vouches for it */
	NODE_GONE,	     /* no Node object */
};

struct node_facts {
	enum node_standing standing;
	bool is_in_use; /* its status.volumesInUse names the volume */
	/* Not asked of the API server, and never seen in use there: that it is not in use
	 * may be old news. With Kubernetes only. */
	bool is_unproven;
};

/* Of a Node object; NULL = there is none. */
struct node_facts nodes_judge(const struct k8s_object *node, const char *handle);
/* node as CSI or a record names it. */
struct node_facts nodes_facts(const struct k8s *k, const char *node, const char *handle);
/* The name of its Node object, whether there is one or not. Borrowed from the stores or
 * from node. */
const char *nodes_object_name(const struct k8s *k, const char *node);
/* Its node id as CSI has it, from a record's name. */
const char *nodes_csi_name(const struct k8s *k, const char *node);
/* Whether the node plugin there is known not to heed the publish_context, and so cannot
 * be told an NQN: its CSINode has topology keys, and ours is not among them. What has
 * none may be anything, and counts as able: what the base NQN names is not exported. */
bool nodes_has_older_plugin(const struct k8s *k, const char *driver, const char *node);
/* Whether the Node object's name and a record's name are one node's. */
bool nodes_is_same(const struct k8s *k, const char *object_name, const char *node);
#endif
