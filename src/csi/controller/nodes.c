#include "csi/controller/nodes.h"

#include <stdio.h>
#include <string.h>

#include "k8s/k8s.h"

struct node_facts nodes_judge(const struct k8s_object *node, const char *handle)
{
	const struct k8s_node *n = K8S_NODE_OF(node);
	struct node_facts f = { .standing = NODE_GONE };

	if (!node)
		return f;
	f.is_in_use = k8s_list_has(n->in_use, n->n_in_use, handle);
	f.standing = n->is_out_of_service ? NODE_OUT_OF_SERVICE
		     : n->is_ready	  ? NODE_HEALTHY
					  : NODE_LOST;
	return f;
}

/* A record holds a long name as its UUID. */
static bool is_named(const char *full, const char *node)
{
	char record_name[ID_NODE];

	if (strcmp(full, node) == 0)
		return true;
	if (strlen(full) < ID_NODE)
		return false;
	id_record_node(full, record_name);
	return strcmp(record_name, node) == 0;
}

static bool is_csinode_of(const struct k8s_object *o, const char *node)
{
	const struct k8s_csinode *c = K8S_CSINODE_OF(o);

	return o && c->has_driver && is_named(c->node_id, node);
}

/* Nearly always the CSINode bears the very name; the others are searched, a few hundred
 * names at most. */
static const struct k8s_object *find_csinode(const struct k8s *k, const char *node)
{
	const struct k8s_store *s = &k->stores[K8S_CSINODE];
	const struct k8s_object *o = k8s_store_find(s, node);
	size_t pos = 0;

	if (is_csinode_of(o, node))
		return o;
	for (o = k8s_store_next(s, &pos, NULL); o; o = k8s_store_next(s, &pos, o))
		if (is_csinode_of(o, node))
			return o;
	return NULL;
}

static const struct k8s_object *find_node(const struct k8s *k, const char *node)
{
	const struct k8s_store *s = &k->stores[K8S_NODE];
	const struct k8s_object *o = k8s_store_find(s, node);
	size_t pos = 0;

	if (o)
		return o;
	for (o = k8s_store_next(s, &pos, NULL); o; o = k8s_store_next(s, &pos, o))
		if (is_named(o->name, node))
			return o;
	return NULL;
}

const char *nodes_object_name(const struct k8s *k, const char *node)
{
	const struct k8s_object *o = find_csinode(k, node);

	if (!o)
		o = find_node(k, node);
	return o ? o->name : node;
}

struct node_facts nodes_facts(const struct k8s *k, const char *node, const char *handle)
{
	const struct k8s_store *s = &k->stores[K8S_NODE];
	const char *name = nodes_object_name(k, node);

	/* What could not be read proves nothing, neither way. */
	if (k8s_store_is_unreadable(s, name))
		return (struct node_facts){ .standing = NODE_LOST, .is_in_use = true };
	return nodes_judge(k8s_store_find(s, name), handle);
}

const char *nodes_csi_name(const struct k8s *k, const char *node)
{
	const struct k8s_object *o = find_csinode(k, node);

	if (o)
		return K8S_CSINODE_OF(o)->node_id;
	o = find_node(k, node);
	return o ? o->name : node;
}

bool nodes_is_same(const struct k8s *k, const char *object_name, const char *node)
{
	return is_named(object_name, node) ||
	       strcmp(nodes_object_name(k, node), object_name) == 0;
}

bool nodes_has_older_plugin(const struct k8s *k, const char *driver, const char *node)
{
	const struct k8s_object *o = find_csinode(k, node);
	const struct k8s_csinode *c = K8S_CSINODE_OF(o);
	char key[300];

	if (!o || !c->n_keys)
		return false;
	(void)snprintf(key, sizeof(key), "topology.%s/" ID_TOPOLOGY_PLUGIN, driver);
	return !k8s_list_has(c->keys, c->n_keys, key);
}
