#include "csi/controller/watched.h"

#include <string.h>

#include "core/mem.h"
#include "csi/controller/watched_impl.h"

struct watched_volume *watched_find(const struct watched *w, const char *handle)
{
	struct map_node *n = map_find(&w->volumes, handle);

	return n ? CONTAINER_OF(n, struct watched_volume, node) : NULL;
}

struct watched_volume *watched_get(struct watched *w, const char *handle)
{
	struct watched_volume *v = watched_find(w, handle);
	size_t n = strlen(handle) + 1;

	if (v)
		return v;
	v = mem_calloc(1, sizeof(*v) + n);
	if (!v)
		return NULL;
	memcpy(v->handle, handle, n);
	list_init(&v->vas);
	list_init(&v->pvs);
	list_init(&v->sightings);
	if (map_add(&w->volumes, &v->node, v->handle)) {
		mem_free(v);
		return NULL;
	}
	return v;
}

bool watched_holds(const struct watched_va *va)
{
	return (va->is_attached || va->is_acked) && !va->is_released;
}

void watched_recount(struct watched *w, struct watched_volume *v)
{
	bool was_either = v->is_held || v->is_believed, is_held = false;

	LIST_FOREACH (it, &v->vas)
		is_held |= watched_holds(watched_va_of(it));
	w->n_held = w->n_held + is_held - v->is_held;
	v->is_held = is_held;
	w->n_either = w->n_either + (is_held || v->is_believed) - was_either;
	if (!list_is_empty(&v->vas) || !list_is_empty(&v->pvs) || v->is_believed ||
	    !list_is_empty(&v->sightings))
		return;
	map_remove(&w->volumes, &v->node);
	mem_free(v);
}

/* ---- VolumeAttachments --------------------------------------------------------------
 */

struct watched_va *watched_va_new(const struct watched_va *from)
{
	const char *texts[] = { from->name, from->uid, from->node, from->pv };
	size_t n = 0;
	struct watched_va *va;
	char *s;

	for (unsigned i = 0; i < 4; i++)
		n += strlen(texts[i]) + 1;
	va = mem_calloc(1, sizeof(*va) + n);
	if (!va)
		return NULL;
	va->is_attached = from->is_attached;
	va->is_acked = from->is_acked;
	va->has_object = from->has_object;
	s = va->text;
	for (unsigned i = 0; i < 4; i++) {
		n = strlen(texts[i]) + 1;
		memcpy(s, texts[i], n);
		texts[i] = s;
		s += n;
	}
	va->name = texts[0];
	va->uid = texts[1];
	va->node = texts[2];
	va->pv = texts[3];
	return va;
}

void watched_va_free(struct watched *w, struct watched_va *va)
{
	struct watched_volume *v = va->volume;

	if (va->has_object)
		map_remove(&w->vas, &va->named);
	list_remove(&va->link);
	mem_free(va);
	if (v)
		watched_recount(w, v);
}

void watched_forget_sighting(struct sighting *s)
{
	list_remove(&s->link);
	mem_free(s);
}

/* What was left without an object, or waits for one, is this: it goes on under it. */
static void take_over(struct watched *w, struct watched_volume *v, struct watched_va *va)
{
	LIST_FOREACH (it, &v->vas) {
		struct watched_va *old = watched_va_of(it);

		if (old->has_object || (*old->uid ? strcmp(old->uid, va->uid) != 0
						  : !watched_is_node(w, va, old->node)))
			continue;
		va->is_acked = true;
		va->was_in_use |= old->was_in_use;
		list_remove(it);
		mem_free(old);
	}
	LIST_FOREACH (it, &v->sightings) {
		struct sighting *s = CONTAINER_OF(it, struct sighting, link);

		if (watched_is_node(w, va, s->node))
			watched_forget_sighting(s);
	}
}

void watched_put_into(struct watched *w, struct watched_volume *v, struct watched_va *va)
{
	list_remove(&va->link);
	take_over(w, v, va);
	va->volume = v;
	list_append(&v->vas, &va->link);
	watched_look_for_use(w, va);
	watched_recount(w, v);
}

static struct known_pv *find_pv(const struct watched *w, const char *name)
{
	struct map_node *n = map_find(&w->pvs, name);

	return n ? CONTAINER_OF(n, struct known_pv, node) : NULL;
}

static int add_va(struct watched *w, const struct k8s_va *o)
{
	struct watched_va from = { .name = o->o.name,
				   .uid = o->o.uid,
				   .node = o->node,
				   .pv = *o->handle ? "" : o->pv,
				   .is_attached = o->is_attached,
				   .has_object = true };
	struct known_pv *pv = find_pv(w, o->pv);
	struct watched_volume *v = *o->handle ? watched_get(w, o->handle)
				   : pv	      ? pv->volume
					      : NULL;
	struct watched_va *va = *o->handle && !v ? NULL : watched_va_new(&from);

	if (!va || map_add(&w->vas, &va->named, va->name)) {
		mem_free(va);
		if (v)
			watched_recount(w, v);
		return -1;
	}
	if (v) {
		watched_put_into(w, v, va);
	} else {
		list_append(&w->unresolved, &va->link);
		w->is_due = true;
	}
	return 0;
}

static struct watched_va *find_va(const struct watched *w, const char *name)
{
	struct map_node *n = map_find(&w->vas, name);

	return n ? CONTAINER_OF(n, struct watched_va, named) : NULL;
}

/* was_seen: the watch told of the deletion; else only a list lacked it. */
static void drop_va(struct watched *w, struct watched_va *va, bool was_seen)
{
	if (was_seen || !va->is_acked || va->is_released) {
		watched_va_free(w, va);
		return;
	}
	map_remove(&w->vas, &va->named);
	va->has_object = false;
	va->is_attached = false;
}

/* Another object under the same name is told as one gone and one come. */
static void on_va(struct k8s_listener *l, const struct k8s_object *before,
		  const struct k8s_object *after)
{
	struct watched *w = CONTAINER_OF(l, struct watched, va_listener);
	struct watched_va *va = find_va(w, (after ? after : before)->name);

	if (!after) {
		if (va)
			drop_va(w, va, k8s_store_saw_it_go(before));
		return;
	}
	if (!va) {
		w->is_broken |= add_va(w, K8S_VA_OF(after)) != 0;
		return;
	}
	va->is_attached = K8S_VA_OF(after)->is_attached;
	if (va->volume)
		watched_recount(w, va->volume);
}

/* ---- PVs -----------------------------------------------------------------------------
 */

static void free_pv(struct watched *w, struct known_pv *pv)
{
	struct watched_volume *v = pv->volume;

	map_remove(&w->pvs, &pv->node);
	list_remove(&pv->link);
	mem_free(pv);
	watched_recount(w, v);
}

static int add_pv(struct watched *w, const struct k8s_pv *o)
{
	size_t n = strlen(o->o.name) + 1;
	struct watched_volume *v = watched_get(w, o->handle);
	struct known_pv *pv = v ? mem_calloc(1, sizeof(*pv) + n) : NULL;

	if (!pv)
		goto out;
	memcpy(pv->name, o->o.name, n);
	if (map_add(&w->pvs, &pv->node, pv->name))
		goto out;
	pv->volume = v;
	list_append(&v->pvs, &pv->link);
	w->is_due = true;
	return 0;
out:
	mem_free(pv);
	if (v)
		watched_recount(w, v);
	return -1;
}

static void on_pv(struct k8s_listener *l, const struct k8s_object *before,
		  const struct k8s_object *after)
{
	struct watched *w = CONTAINER_OF(l, struct watched, pv_listener);
	struct known_pv *pv = find_pv(w, (after ? after : before)->name);

	if (pv && after && strcmp(pv->volume->handle, K8S_PV_OF(after)->handle) == 0)
		return;
	if (pv)
		free_pv(w, pv);
	if (after)
		w->is_broken |= add_pv(w, K8S_PV_OF(after)) != 0;
}

static void on_node(struct k8s_listener *l, const struct k8s_object *before,
		    const struct k8s_object *after)
{
	(void)before;
	if (after)
		watched_note_use(CONTAINER_OF(l, struct watched, node_listener),
				 K8S_NODE_OF(after));
}

/* ---- bringing in ---------------------------------------------------------------------
 */

static int bring_in(struct watched *w)
{
	const struct k8s_store *pvs = &w->k8s->stores[K8S_PV];
	const struct k8s_store *vas = &w->k8s->stores[K8S_VA];
	const struct k8s_object *o;
	size_t pos = 0;

	for (o = k8s_store_next(pvs, &pos, NULL); o; o = k8s_store_next(pvs, &pos, o))
		if (!find_pv(w, o->name) && add_pv(w, K8S_PV_OF(o)))
			return -1;
	pos = 0;
	for (o = k8s_store_next(vas, &pos, NULL); o; o = k8s_store_next(vas, &pos, o))
		if (!find_va(w, o->name) && add_va(w, K8S_VA_OF(o)))
			return -1;
	return 0;
}

int watched_settle(struct watched *w)
{
	if (w->is_broken && bring_in(w))
		return -1;
	w->is_broken = false;
	if (!w->is_due)
		return 0;
	w->is_due = false;
	LIST_FOREACH (it, &w->unresolved) {
		struct known_pv *pv = find_pv(w, watched_va_of(it)->pv);

		if (pv)
			watched_put_into(w, pv->volume, watched_va_of(it));
	}
	return 0;
}

struct watched *watched_new(struct k8s *k8s)
{
	struct watched *w = mem_calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->k8s = k8s;
	w->is_broken = true; /* what the stores have already is brought in */
	map_init(&w->vas);
	map_init(&w->pvs);
	map_init(&w->volumes);
	list_init(&w->unresolved);
	w->va_listener.changed = on_va;
	w->pv_listener.changed = on_pv;
	k8s_store_listen(&k8s->stores[K8S_VA], &w->va_listener);
	k8s_store_listen(&k8s->stores[K8S_PV], &w->pv_listener);
	w->node_listener.changed = on_node;
	k8s_store_listen(&k8s->stores[K8S_NODE], &w->node_listener);
	return w;
}

static void free_volume(struct watched_volume *v)
{
	LIST_FOREACH (it, &v->vas)
		mem_free(watched_va_of(it));
	LIST_FOREACH (it, &v->pvs)
		mem_free(CONTAINER_OF(it, struct known_pv, link));
	LIST_FOREACH (it, &v->sightings)
		mem_free(CONTAINER_OF(it, struct sighting, link));
	mem_free(v);
}

void watched_free(struct watched *w)
{
	struct map_node *n, *following;
	size_t pos = 0;

	if (!w)
		return;
	list_remove(&w->va_listener.node);
	list_remove(&w->pv_listener.node);
	list_remove(&w->node_listener.node);
	for (n = map_next(&w->volumes, &pos, NULL); n; n = following) {
		following = map_next(&w->volumes, &pos, n);
		free_volume(CONTAINER_OF(n, struct watched_volume, node));
	}
	LIST_FOREACH (it, &w->unresolved)
		mem_free(watched_va_of(it));
	map_fini(&w->vas);
	map_fini(&w->pvs);
	map_fini(&w->volumes);
	mem_free(w);
}
