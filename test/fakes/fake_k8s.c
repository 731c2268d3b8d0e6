#include "fakes/fake_k8s.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "support/t.h"

static struct fake_k8s_item *item_of(struct map_node *n)
{
	return n ? CONTAINER_OF(n, struct fake_k8s_item, node) : NULL;
}

/* One failed allocation in a row is all that mem_fail_at makes: the fake's own needs do
 * not fail. */
static struct k8s_object *copy(const struct k8s_object *o)
{
	struct k8s_object *ret = k8s_object_copy(o);

	ret = ret ? ret : k8s_object_copy(o);
	cr_assert_not_null(ret);
	return ret;
}

static void key_of(char *key, size_t n, const char *ns, const char *name)
{
	snprintf(key, n, "%s/%s", ns ? ns : "", name);
}

static struct fake_k8s_item *find(const struct fake_k8s *f, enum k8s_kind kind,
				  const char *ns, const char *name)
{
	char key[360];

	key_of(key, sizeof(key), ns, name);
	return item_of(map_find(&f->server[kind], key));
}

const struct k8s_object *fake_k8s_find(const struct fake_k8s *f, enum k8s_kind kind,
				       const char *ns, const char *name)
{
	struct fake_k8s_item *it = find(f, kind, ns, name);

	return it ? it->o : NULL;
}

static void store_put(struct fake_k8s *f, const struct k8s_object *o)
{
	struct k8s_store *s = &f->k8s.stores[o->kind];

	if (k8s_store_put_take(s, copy(o)))
		cr_assert_eq(k8s_store_put_take(s, copy(o)), 0);
}

/* A copy with the version and, where o has none, the uid that the API server gives. */
static struct k8s_object *admit(struct fake_k8s *f, const struct k8s_object *o,
				const struct fake_k8s_item *was)
{
	struct k8s_object *tmpl = copy(o), *ret;
	char version[32], uid[64];

	snprintf(version, sizeof(version), "%llu", (unsigned long long)++f->last_version);
	tmpl->version = version;
	if (was)
		snprintf(uid, sizeof(uid), "%s", was->o->uid);
	else
		snprintf(uid, sizeof(uid), "uid-%llu", (unsigned long long)++f->last_uid);
	tmpl->uid = *tmpl->uid ? tmpl->uid : uid;
	ret = copy(tmpl);
	k8s_object_free(tmpl);
	return ret;
}

void fake_k8s_put(struct fake_k8s *f, const struct k8s_object *o)
{
	struct fake_k8s_item *it = find(f, o->kind, o->ns, o->name);
	struct k8s_object *admitted = admit(f, o, it);
	struct map *m = &f->server[o->kind];

	if (!it) {
		it = calloc(1, sizeof(*it));
		cr_assert_not_null(it);
		key_of(it->key, sizeof(it->key), o->ns, o->name);
		if (map_add(m, &it->node, it->key))
			cr_assert_eq(map_add(m, &it->node, it->key), 0);
	}
	k8s_object_free(it->o);
	it->o = admitted;
	if (admitted->kind < K8S_WATCHED && !f->is_held[admitted->kind])
		store_put(f, admitted);
}

void fake_k8s_remove(struct fake_k8s *f, enum k8s_kind kind, const char *ns,
		     const char *name)
{
	struct fake_k8s_item *it = find(f, kind, ns, name);

	if (!it)
		return;
	map_remove(&f->server[kind], &it->node);
	if (kind < K8S_WATCHED && !f->is_held[kind])
		k8s_store_remove(&f->k8s.stores[kind], name);
	f->last_version++;
	k8s_object_free(it->o);
	free(it);
}

void fake_k8s_va(struct fake_k8s *f, const char *name, const char *uid, const char *node,
		 const char *pv, bool is_attached)
{
	struct k8s_va va = { .o = { .kind = K8S_VA, .name = name, .uid = uid },
			     .node = node,
			     .pv = pv,
			     .is_attached = is_attached };

	fake_k8s_put(f, &va.o);
}

void fake_k8s_pv(struct fake_k8s *f, const char *name, const char *handle)
{
	char claim[300], uid[320];
	struct k8s_pv pv = { .o = { .kind = K8S_PV, .name = name },
			     .handle = handle,
			     .claim_ns = "default",
			     .claim_name = claim,
			     .claim_uid = uid,
			     .phase = "Bound",
			     .modes = K8S_PV_RWO };

	snprintf(claim, sizeof(claim), "claim-%s", name);
	snprintf(uid, sizeof(uid), "uid-%s", claim);
	fake_k8s_put(f, &pv.o);
}

void fake_k8s_node(struct fake_k8s *f, const char *name, bool is_ready,
		   bool is_out_of_service, const char *in_use)
{
	struct k8s_node node = { .o = { .kind = K8S_NODE, .name = name },
				 .is_ready = is_ready,
				 .is_out_of_service = is_out_of_service,
				 .n_in_use = in_use ? 1 : 0,
				 .in_use = in_use };

	fake_k8s_put(f, &node.o);
}

void fake_k8s_csinode(struct fake_k8s *f, const char *name, bool has_driver)
{
	struct k8s_csinode c = { .o = { .kind = K8S_CSINODE, .name = name },
				 .has_driver = has_driver,
				 .node_id = has_driver ? name : "" };

	fake_k8s_put(f, &c.o);
}

void fake_k8s_pod(struct fake_k8s *f, const char *ns, const char *name, const char *node,
		  const char *claim, const char *vmi)
{
	struct k8s_pod pod = { .o = { .kind = K8S_POD, .ns = ns, .name = name },
			       .node = node,
			       .phase = "Running",
			       .vmi = vmi,
			       .n_claims = claim ? 1 : 0,
			       .claims = claim };

	fake_k8s_put(f, &pod.o);
}

void fake_k8s_hold(struct fake_k8s *f, enum k8s_kind kind)
{
	f->is_held[kind] = true;
}

static void relist(struct fake_k8s *f, enum k8s_kind kind)
{
	struct k8s_store *s = &f->k8s.stores[kind];
	uint64_t heard_ms = s->is_complete ? s->heard_ms : UINT64_MAX / 2;
	struct map_node *n = NULL;
	size_t pos = 0;

	k8s_store_list_begin(s);
	while ((n = map_next(&f->server[kind], &pos, n)))
		store_put(f, item_of(n)->o);
	k8s_store_list_end(s, heard_ms);
}

void fake_k8s_release(struct fake_k8s *f, enum k8s_kind kind)
{
	f->is_held[kind] = false;
	relist(f, kind);
}

void fake_k8s_relist(struct fake_k8s *f)
{
	for (unsigned i = 0; i < K8S_WATCHED; i++)
		fake_k8s_release(f, i);
}

void fake_k8s_incomplete(struct fake_k8s *f)
{
	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		struct k8s_store *s = &f->k8s.stores[i];
		struct list *first = s->listeners.next, *last = s->listeners.prev;

		/* The listeners are carried over the end of the old store. */
		if (first == &s->listeners)
			first = NULL;
		list_init(&s->listeners);
		k8s_store_fini(s);
		k8s_store_init(s, i);
		if (first) {
			s->listeners.next = first;
			s->listeners.prev = last;
			first->prev = last->next = &s->listeners;
		}
		f->is_held[i] = true;
	}
}

void fake_k8s_stale(struct fake_k8s *f, bool is_stale)
{
	uint64_t now = clock_boot_ms(f->k8s.loop);

	for (unsigned i = 0; i < K8S_WATCHED; i++)
		f->k8s.stores[i].heard_ms =
			is_stale ? now - K8S_STALE_MS - 1 : UINT64_MAX / 2;
}

unsigned fake_k8s_count(const struct fake_k8s *f, enum k8s_verb verb, enum k8s_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_requests; i++)
		n += f->requests[i].verb == verb && f->requests[i].kind == kind;
	return n;
}

unsigned fake_k8s_count_events(const struct fake_k8s *f, const char *reason)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_events; i++)
		n += strcmp(f->events[i].reason, reason) == 0;
	return n;
}

const struct fake_k8s_event *fake_k8s_last_event(const struct fake_k8s *f,
						 const char *reason)
{
	for (unsigned i = f->n_events; i-- > 0;)
		if (strcmp(f->events[i].reason, reason) == 0)
			return &f->events[i];
	return NULL;
}

static bool is_leader(const struct k8s *k)
{
	return ((const struct fake_k8s *)(const void *)k)->is_leader;
}

static void emit(struct k8s *k, const struct k8s_event *e)
{
	struct fake_k8s *f = (struct fake_k8s *)(void *)k;
	struct fake_k8s_event *to = &f->events[f->n_events++];

	cr_assert_lt(f->n_events, FAKE_K8S_KEPT);
	snprintf(to->ns, sizeof(to->ns), "%s", e->ns);
	snprintf(to->claim, sizeof(to->claim), "%s", e->claim);
	snprintf(to->uid, sizeof(to->uid), "%s", e->uid ? e->uid : "");
	snprintf(to->reason, sizeof(to->reason), "%s", e->reason);
	snprintf(to->message, sizeof(to->message), "%s", e->message);
	to->is_warning = e->is_warning;
}

static const struct k8s_ops ops = {
	.request = fake_k8s_request,
	.is_leader = is_leader,
	.emit = emit,
};

void fake_k8s_open(struct fake_k8s *f, uv_loop_t *loop, const char *driver_name)
{
	*f = (struct fake_k8s){ .k8s = { .ops = &ops, .loop = loop },
				.driver_name = driver_name,
				.is_leader = true };
	f->requests = calloc(FAKE_K8S_KEPT, sizeof(*f->requests));
	f->events = calloc(FAKE_K8S_KEPT, sizeof(*f->events));
	for (unsigned i = 0; i < K8S_KINDS; i++)
		map_init(&f->server[i]);
	for (unsigned i = 0; i < K8S_WATCHED; i++)
		k8s_store_init(&f->k8s.stores[i], i);
	fake_k8s_relist(f);
}

void fake_k8s_close(struct fake_k8s *f)
{
	for (unsigned i = 0; i < K8S_KINDS; i++) {
		size_t pos = 0;
		struct map_node *following;
		struct map_node *n = map_next(&f->server[i], &pos, NULL);

		for (; n; n = following) {
			following = map_next(&f->server[i], &pos, n);
			k8s_object_free(item_of(n)->o);
			free(item_of(n));
		}
		map_fini(&f->server[i]);
	}
	for (unsigned i = 0; i < K8S_WATCHED; i++)
		k8s_store_fini(&f->k8s.stores[i]);
	for (unsigned i = 0; i < f->n_requests; i++) {
		cr_assert(f->requests[i].is_over, "a request is under way");
		free(f->requests[i].body);
	}
	free(f->requests);
	free(f->events);
}
