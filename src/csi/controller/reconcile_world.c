#include "csi/controller/reconcile_world.h"

#include <stdio.h>
#include <string.h>

#include "csi/controller/attach_rules.h"
#include "csi/ids.h"

enum { MAX_BYTES = 64 * 1024 * 1024 };

/* What a record says of a volume that several nodes only read. */
#define READERS "ro"

struct entry {
	struct map_node node;
	unsigned flags;
	char key[];
};

struct filter {
	struct reconcile_world *w;
	const struct k8s *k;
	const char *only;
};

static int add(struct reconcile_world *w, const char *key, unsigned flags)
{
	struct map_node *n = map_find(&w->entries, key);
	size_t len = strlen(key) + 1;
	struct entry *e;

	if (n) {
		CONTAINER_OF(n, struct entry, node)->flags |= flags;
		return 0;
	}
	e = arena_alloc(&w->arena, sizeof(*e) + len);
	if (!e)
		return -1;
	e->flags = flags;
	memcpy(e->key, key, len);
	return map_add(&w->entries, &e->node, e->key);
}

static bool is_wanted(const struct filter *f, const char *handle)
{
	return *handle && (!f->only || strcmp(f->only, handle) == 0);
}

/* No handle of ours has a slash, and no node name. */
static int add_pair(struct reconcile_world *w, const char *handle, const char *node)
{
	char record_name[ID_NODE], key[ID_VOLUME + ID_NODE];

	id_record_node(node, record_name);
	(void)snprintf(key, sizeof(key), "%.*s/%s", ID_VOLUME - 1, handle, record_name);
	return add(w, key, WORLD_VA);
}

static int add_pv(const struct filter *f, const struct k8s_object *o)
{
	const char *handle = K8S_PV_OF(o)->handle;

	unsigned flags = WORLD_PV | (K8S_PV_OF(o)->is_retained ? WORLD_RETAINED : 0);

	return is_wanted(f, handle) ? add(f->w, handle, flags) : 0;
}

/* The node goes by the Node's name, and by the id that its driver registered. */
static int add_va(const struct filter *f, const struct k8s_object *o)
{
	const struct k8s_va *va = K8S_VA_OF(o);
	const struct k8s_object *pv = k8s_store_find(&f->k->stores[K8S_PV], va->pv);
	const struct k8s_object *csinode =
		k8s_store_find(&f->k->stores[K8S_CSINODE], va->node);
	const char *handle = pv ? K8S_PV_OF(pv)->handle : va->handle;
	bool is_named = csinode && K8S_CSINODE_OF(csinode)->has_driver;

	f->w->is_unclear |= *handle == '\0';
	if (!is_wanted(f, handle))
		return 0;
	if (add(f->w, handle, WORLD_VA | (is_named ? 0 : WORLD_NAMELESS)) ||
	    add_pair(f->w, handle, va->node))
		return -1;
	return is_named ? add_pair(f->w, handle, K8S_CSINODE_OF(csinode)->node_id) : 0;
}

/* A node that is not Ready says nothing new of what it uses: that alone keeps no holder
 * in the record, but every disk. */
static int add_node(const struct filter *f, const struct k8s_object *o)
{
	const struct k8s_node *n = K8S_NODE_OF(o);
	const char *handle = n->in_use;

	for (unsigned i = 0; i < n->n_in_use; i++, handle += strlen(handle) + 1) {
		if (!is_wanted(f, handle))
			continue;
		if (add(f->w, handle, WORLD_IN_USE))
			return -1;
		if (n->is_ready && !n->is_out_of_service &&
		    add_pair(f->w, handle, o->name))
			return -1;
	}
	return 0;
}

int reconcile_world_open(struct reconcile_world *w, const struct k8s *k, const char *only)
{
	static int (*const adders[K8S_WATCHED])(const struct filter *,
						const struct k8s_object *) = {
		[K8S_PV] = add_pv,
		[K8S_VA] = add_va,
		[K8S_NODE] = add_node,
	};
	const struct filter f = { w, k, only };

	*w = (struct reconcile_world){ .is_unclear = k->stores[K8S_VA].unreadable.count ||
						     k->stores[K8S_PV].unreadable.count };
	map_init(&w->entries);
	arena_init(&w->arena, MAX_BYTES);
	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		const struct k8s_object *o = NULL;
		size_t pos = 0;

		while (adders[i] && (o = k8s_store_next(&k->stores[i], &pos, o)))
			if (adders[i](&f, o))
				return -1;
	}
	return 0;
}

void reconcile_world_close(struct reconcile_world *w)
{
	map_fini(&w->entries);
	arena_fini(&w->arena);
	*w = (struct reconcile_world){ .is_unclear = true };
}

static unsigned flags_of(const struct reconcile_world *w, const char *key)
{
	struct map_node *n = map_find(&w->entries, key);

	return n ? CONTAINER_OF(n, struct entry, node)->flags : 0;
}

unsigned reconcile_world_of(const struct reconcile_world *w, const char *handle)
{
	return flags_of(w, handle);
}

/* One that was let go already waits for the last of the others. */
static bool has_to_wait(const struct rds_record *r, const struct rds_holder *h)
{
	bool has_others = false;

	for (unsigned i = 0; i < r->n_holders; i++)
		has_others |= r->holders[i].use != ATTACH_UNFENCED;
	return h->use == ATTACH_UNFENCED && has_others;
}

int reconcile_world_stale_holder(const struct reconcile_world *w,
				 const struct rds_volume *v)
{
	unsigned flags = flags_of(w, v->id);
	char key[ID_VOLUME + ID_NODE];

	if (w->is_unclear || (flags & WORLD_NAMELESS))
		return -1;
	for (unsigned i = 0; i < v->record.n_holders; i++) {
		const char *node = v->record.holders[i].node;

		(void)snprintf(key, sizeof(key), "%s/%s", v->id, node);
		if (flags_of(w, key) || has_to_wait(&v->record, &v->record.holders[i]))
			continue;
		if (strcmp(node, READERS) != 0 || !(flags & (WORLD_VA | WORLD_IN_USE)))
			return (int)i;
	}
	return -1;
}
