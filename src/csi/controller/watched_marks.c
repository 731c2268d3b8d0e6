#include "csi/controller/watched.h"

#include <string.h>

#include "core/mem.h"
#include "csi/controller/nodes.h"
#include "csi/controller/watched_impl.h"

/* ---- what this process did -----------------------------------------------------------
 */

static void change_belief(struct watched *w, struct watched_volume *v, bool is_held)
{
	w->n_either =
		w->n_either + (v->is_held || is_held) - (v->is_held || v->is_believed);
	v->is_believed = is_held;
}

void watched_believe(struct watched *w, const char *handle, bool is_held)
{
	struct watched_volume *v =
		is_held ? watched_get(w, handle) : watched_find(w, handle);

	if (v) {
		change_belief(w, v, is_held);
		watched_recount(w, v);
	}
}

/* node NULL: all. */
static void forget_sightings(struct watched_volume *v, const char *node)
{
	LIST_FOREACH (it, &v->sightings) {
		struct sighting *s = CONTAINER_OF(it, struct sighting, link);

		if (!node || strcmp(s->node, node) == 0)
			watched_forget_sighting(s);
	}
}

void watched_ack(struct watched *w, const char *handle, const char *node)
{
	struct watched_volume *v = watched_get(w, handle);
	struct watched_va from = { .name = "", .uid = "", .node = node, .pv = "" };
	struct watched_va *va;
	bool is_there = false;

	if (!v)
		return; /* the record on the box has it all the same */
	forget_sightings(v, node);
	LIST_FOREACH (it, &v->vas) {
		va = watched_va_of(it);
		if (!watched_is_node(w, va, node))
			continue;
		va->is_acked = true;
		va->is_released = false;
		is_there = true;
	}
	va = is_there ? NULL : watched_va_new(&from);
	if (va) {
		va->is_acked = true;
		va->volume = v;
		list_append(&v->vas, &va->link);
		watched_look_for_use(w, va);
	}
	watched_recount(w, v);
}

void watched_release(struct watched *w, const char *handle,
		     const struct watched_release *r)
{
	struct watched_volume *v = watched_find(w, handle);

	if (!v)
		return;
	forget_sightings(v, r->node);
	LIST_FOREACH (it, &v->vas) {
		struct watched_va *va = watched_va_of(it);

		if (r->node && !watched_is_node(w, va, r->node))
			continue;
		if (!va->has_object) {
			list_remove(it);
			mem_free(va);
			continue;
		}
		va->is_acked = va->was_in_use = false;
		va->is_released = true;
		va->is_clean = r->is_clean;
		va->released_ms = r->now_ms;
	}
	watched_recount(w, v);
}

/* ---- what its node says of it ---------------------------------------------------------
 */

void watched_look_for_use(struct watched *w, struct watched_va *va)
{
	const char *name = nodes_object_name(w->k8s, va->node);
	const struct k8s_object *o = k8s_store_find(&w->k8s->stores[K8S_NODE], name);

	va->was_in_use |= nodes_judge(o, va->volume->handle).is_in_use;
}

void watched_note_use(struct watched *w, const struct k8s_node *node)
{
	const char *handle = node->in_use;

	for (unsigned i = 0; i < node->n_in_use; i++, handle += strlen(handle) + 1) {
		struct watched_volume *v = watched_find(w, handle);

		if (!v)
			continue;
		LIST_FOREACH (it, &v->vas) {
			struct watched_va *va = watched_va_of(it);

			va->was_in_use |= nodes_is_same(w->k8s, node->o.name, va->node);
		}
	}
}

bool watched_was_in_use(const struct watched *w, const char *handle, const char *node)
{
	const struct watched_va *va = NULL;

	while ((va = watched_next(w, handle, va)))
		if (va->was_in_use && watched_is_node(w, va, node))
			return true;
	return false;
}

/* ---- another process may have acted --------------------------------------------------
 */

static void restart_volume(struct watched *w, struct watched_volume *v)
{
	LIST_FOREACH (it, &v->vas) {
		struct watched_va *va = watched_va_of(it);

		va->is_acked = va->is_released = false;
		if (!va->has_object) {
			list_remove(it);
			mem_free(va);
		}
	}
	forget_sightings(v, NULL);
	watched_recount(w, v);
}

void watched_restart(struct watched *w)
{
	struct map_node *n, *following;
	size_t pos = 0;

	for (n = map_next(&w->volumes, &pos, NULL); n; n = following) {
		following = map_next(&w->volumes, &pos, n);
		restart_volume(w, CONTAINER_OF(n, struct watched_volume, node));
	}
}

static bool has_object(const struct watched *w, struct watched_volume *v,
		       const char *node)
{
	LIST_FOREACH (it, &v->vas) {
		const struct watched_va *va = watched_va_of(it);

		if (va->has_object && watched_is_node(w, va, node))
			return true;
	}
	return false;
}

/* The time of the first sighting, which may be this one; UINT64_MAX: no memory. */
static uint64_t sighted_ms(struct watched_volume *v, const char *node, uint64_t now_ms)
{
	size_t n = strlen(node) + 1;
	struct sighting *s;

	LIST_FOREACH (it, &v->sightings) {
		s = CONTAINER_OF(it, struct sighting, link);
		if (strcmp(s->node, node) == 0)
			return s->since_ms;
	}
	s = mem_calloc(1, sizeof(*s) + n);
	if (!s)
		return UINT64_MAX;
	memcpy(s->node, node, n);
	s->since_ms = now_ms;
	list_append(&v->sightings, &s->link);
	return now_ms;
}

bool watched_gives_way(struct watched *w, const char *handle, const char *node,
		       uint64_t now_ms, uint64_t interval_ms)
{
	struct watched_volume *v = watched_get(w, handle);
	uint64_t since_ms;

	if (!v)
		return false;
	if (has_object(w, v, node)) {
		watched_recount(w, v);
		return false;
	}
	since_ms = sighted_ms(v, node, now_ms);
	watched_recount(w, v);
	return since_ms <= now_ms && now_ms - since_ms >= interval_ms;
}

/* ---- what is asked -------------------------------------------------------------------
 */

const char *watched_unresolved(const struct watched *w)
{
	return list_is_empty(&w->unresolved) ? NULL
					     : watched_va_of(w->unresolved.next)->pv;
}

int watched_resolve(struct watched *w, const char *pv, const char *handle)
{
	struct watched_volume *v = watched_get(w, handle);

	if (!v)
		return -1;
	LIST_FOREACH (it, &w->unresolved)
		if (strcmp(watched_va_of(it)->pv, pv) == 0)
			watched_put_into(w, v, watched_va_of(it));
	watched_recount(w, v);
	return 0;
}

const struct watched_va *watched_next(const struct watched *w, const char *handle,
				      const struct watched_va *last)
{
	struct watched_volume *v = last ? last->volume : watched_find(w, handle);
	struct list *next;

	if (!v)
		return NULL;
	next = last ? last->link.next : v->vas.next;
	return next == &v->vas ? NULL : watched_va_of(next);
}

bool watched_is_node(const struct watched *w, const struct watched_va *va,
		     const char *node)
{
	return nodes_is_same(w->k8s, va->node, node);
}

const struct k8s_pv *watched_pv(const struct watched *w, const char *handle)
{
	struct watched_volume *v = watched_find(w, handle);

	if (!v || list_is_empty(&v->pvs))
		return NULL;
	return K8S_PV_OF(
		k8s_store_find(&w->k8s->stores[K8S_PV],
			       CONTAINER_OF(v->pvs.next, struct known_pv, link)->name));
}

unsigned watched_modes(const struct watched *w, const char *handle)
{
	struct watched_volume *v = watched_find(w, handle);
	unsigned modes = 0;

	if (!v)
		return 0;
	LIST_FOREACH (it, &v->pvs) {
		const char *name = CONTAINER_OF(it, struct known_pv, link)->name;
		const struct k8s_object *o =
			k8s_store_find(&w->k8s->stores[K8S_PV], name);

		modes |= o ? K8S_PV_OF(o)->modes : 0;
	}
	return modes;
}

size_t watched_count(const struct watched *w, bool with_records)
{
	return with_records ? w->n_either : w->n_held;
}
