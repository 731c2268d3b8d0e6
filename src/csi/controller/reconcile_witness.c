#include "csi/controller/reconcile_witness.h"

#include <string.h>

#include "core/mem.h"

struct witnessed {
	struct map_node node;
	struct list list;
	bool is_kept; /* a PV with Retain named it */
	char handle[];
};

static struct witnessed *find(const struct reconcile_witness *w, const char *handle)
{
	struct map_node *n = map_find(&w->handles, handle);

	return n ? CONTAINER_OF(n, struct witnessed, node) : NULL;
}

static void drop(struct reconcile_witness *w, struct witnessed *e)
{
	map_remove(&w->handles, &e->node);
	list_remove(&e->list);
	mem_free(e);
}

/* -1: no memory, or too many. */
static int note(struct reconcile_witness *w, const char *handle, bool is_kept)
{
	struct witnessed *e = find(w, handle);
	size_t len = strlen(handle) + 1;

	if (e) {
		e->is_kept = e->is_kept || is_kept;
		return 0;
	}
	if (w->handles.count >= RECONCILE_WITNESS_MAX)
		return -1;
	e = mem_alloc(sizeof(*e) + len);
	if (!e)
		return -1;
	*e = (struct witnessed){ .is_kept = is_kept };
	memcpy(e->handle, handle, len);
	if (map_add(&w->handles, &e->node, e->handle)) {
		mem_free(e);
		return -1;
	}
	list_append(&w->list, &e->list);
	return 0;
}

static void on_pv(struct k8s_listener *l, const struct k8s_object *before,
		  const struct k8s_object *after)
{
	struct reconcile_witness *w = CONTAINER_OF(l, struct reconcile_witness, listener);
	const struct k8s_pv *was = before ? K8S_PV_OF(before) : NULL;
	struct witnessed *e;

	if (after) {
		e = find(w, K8S_PV_OF(after)->handle);
		if (e && !e->is_kept)
			drop(w, e); /* it has a PV again */
	}
	if (!was || (after && was->is_retained == K8S_PV_OF(after)->is_retained))
		return;
	if (was->is_retained && note(w, was->handle, true))
		w->is_blind = true;
	else if (!after && !was->is_retained && k8s_store_saw_it_go(before))
		(void)note(w, was->handle, false); /* forgotten, it is only reported */
}

void reconcile_witness_open(struct reconcile_witness *w, struct k8s *k)
{
	*w = (struct reconcile_witness){ .listener = { .changed = on_pv } };
	map_init(&w->handles);
	list_init(&w->list);
	k8s_store_listen(&k->stores[K8S_PV], &w->listener);
}

void reconcile_witness_close(struct reconcile_witness *w)
{
	list_remove(&w->listener.node);
	LIST_FOREACH (it, &w->list)
		drop(w, CONTAINER_OF(it, struct witnessed, list));
	map_fini(&w->handles);
}

bool reconcile_witness_saw(const struct reconcile_witness *w, const char *handle)
{
	const struct witnessed *e = find(w, handle);

	return e && !e->is_kept && !w->is_blind;
}

bool reconcile_witness_kept(const struct reconcile_witness *w, const char *handle)
{
	const struct witnessed *e = find(w, handle);

	return e && e->is_kept;
}
