#include "k8s/store.h"

#include <string.h>

#include "core/mem.h"

/* Rounds of the list under way; between lists it does not matter which one an object
 * bears, for the next beginning ages them all. */
enum { ROUND_OLD, ROUND_SHOWN, ROUND_NONE };

void k8s_store_init(struct k8s_store *s, enum k8s_kind kind)
{
	*s = (struct k8s_store){ .kind = kind };
	map_init(&s->objects);
	map_init(&s->unreadable);
	list_init(&s->listeners);
}

static struct k8s_object *object_of(struct map_node *n)
{
	return n ? CONTAINER_OF(n, struct k8s_object, node) : NULL;
}

/* A name of the map unreadable. */
struct unread {
	struct map_node node;
	uint8_t round;
	char name[];
};

static struct unread *unread_of(struct map_node *n)
{
	return n ? CONTAINER_OF(n, struct unread, node) : NULL;
}

static void forget_unread(struct k8s_store *s, struct unread *u)
{
	if (!u)
		return;
	map_remove(&s->unreadable, &u->node);
	mem_free(u);
}

/* Those not of the round; ROUND_NONE = all. */
static void forget_unreads(struct k8s_store *s, unsigned but_round)
{
	struct map_node *n, *following;
	size_t pos = 0;

	for (n = map_next(&s->unreadable, &pos, NULL); n; n = following) {
		following = map_next(&s->unreadable, &pos, n);
		if (unread_of(n)->round != but_round)
			forget_unread(s, unread_of(n));
	}
}

void k8s_store_fini(struct k8s_store *s)
{
	struct map_node *n, *following;
	size_t pos = 0;

	for (n = map_next(&s->objects, &pos, NULL); n; n = following) {
		following = map_next(&s->objects, &pos, n);
		k8s_object_free(object_of(n));
	}
	map_fini(&s->objects);
	forget_unreads(s, ROUND_NONE);
	map_fini(&s->unreadable);
	LIST_FOREACH (it, &s->listeners)
		list_remove(it);
}

void k8s_store_listen(struct k8s_store *s, struct k8s_listener *l)
{
	list_append(&s->listeners, &l->node);
}

const struct k8s_object *k8s_store_find(const struct k8s_store *s, const char *name)
{
	return object_of(map_find(&s->objects, name));
}

const struct k8s_object *k8s_store_next(const struct k8s_store *s, size_t *pos,
					const struct k8s_object *last)
{
	return object_of(map_next(&s->objects, pos, last ? &last->node : NULL));
}

bool k8s_store_is_unreadable(const struct k8s_store *s, const char *name)
{
	return map_find(&s->unreadable, name) != NULL;
}

bool k8s_store_is_current(const struct k8s_store *s, uint64_t now_ms)
{
	return s->is_complete && now_ms <= s->heard_ms + K8S_STALE_MS;
}

static void tell(struct k8s_store *s, const struct k8s_object *before,
		 const struct k8s_object *after)
{
	LIST_FOREACH (it, &s->listeners) {
		struct k8s_listener *l = CONTAINER_OF(it, struct k8s_listener, node);

		l->changed(l, before, after);
	}
}

/* A name that was given to another object in between is told as what it is: one gone,
 * one come. */
static void replace(struct k8s_store *s, struct k8s_object *was, struct k8s_object *o)
{
	map_remove(&s->objects, &was->node);
	/* Cannot fail: there was room for the one just removed. */
	bug_on(map_add(&s->objects, &o->node, o->name));
	if (strcmp(was->uid, o->uid) == 0) {
		tell(s, was, o);
	} else {
		tell(s, was, NULL);
		tell(s, NULL, o);
	}
	k8s_object_free(was);
}

int k8s_store_put_take(struct k8s_store *s, struct k8s_object *o)
{
	struct k8s_object *was = object_of(map_find(&s->objects, o->name));

	bug_on(o->kind != s->kind);
	forget_unread(s, unread_of(map_find(&s->unreadable, o->name)));
	o->round = ROUND_SHOWN;
	if (was && strcmp(was->uid, o->uid) == 0 &&
	    strcmp(was->version, o->version) == 0) {
		was->round = ROUND_SHOWN;
		k8s_object_free(o);
		return 0;
	}
	if (was) {
		replace(s, was, o);
		return 0;
	}
	if (map_add(&s->objects, &o->node, o->name)) {
		k8s_object_free(o);
		return -1;
	}
	tell(s, NULL, o);
	return 0;
}

bool k8s_store_saw_it_go(const struct k8s_object *before)
{
	return before->round == ROUND_SHOWN;
}

static void drop(struct k8s_store *s, struct k8s_object *o)
{
	map_remove(&s->objects, &o->node);
	tell(s, o, NULL);
	k8s_object_free(o);
}

void k8s_store_remove(struct k8s_store *s, const char *name)
{
	struct k8s_object *o = object_of(map_find(&s->objects, name));
	struct unread *u = unread_of(map_find(&s->unreadable, name));

	/* How it was at its end could not be read. */
	if (o && u)
		o->round = ROUND_OLD;
	forget_unread(s, u);
	if (o)
		drop(s, o);
}

int k8s_store_put_unreadable(struct k8s_store *s, const char *name)
{
	struct k8s_object *o = object_of(map_find(&s->objects, name));
	struct unread *u = unread_of(map_find(&s->unreadable, name));
	size_t n = strlen(name) + 1;

	if (o)
		o->round = ROUND_SHOWN;
	if (u) {
		u->round = ROUND_SHOWN;
		return 0;
	}
	if (s->unreadable.count >= K8S_UNREADABLE_MAX)
		return -1;
	u = mem_alloc(sizeof(*u) + n);
	if (!u)
		return -1;
	*u = (struct unread){ .round = ROUND_SHOWN };
	memcpy(u->name, name, n);
	if (map_add(&s->unreadable, &u->node, u->name) == 0)
		return 0;
	mem_free(u);
	return -1;
}

void k8s_store_list_begin(struct k8s_store *s)
{
	size_t pos = 0;

	for (struct map_node *n = map_next(&s->objects, &pos, NULL); n;
	     n = map_next(&s->objects, &pos, n))
		object_of(n)->round = ROUND_OLD;
	pos = 0;
	for (struct map_node *n = map_next(&s->unreadable, &pos, NULL); n;
	     n = map_next(&s->unreadable, &pos, n))
		unread_of(n)->round = ROUND_OLD;
	s->round = ROUND_SHOWN;
}

void k8s_store_list_end(struct k8s_store *s, uint64_t now_ms)
{
	struct map_node *n, *following;
	size_t pos = 0;

	s->is_complete = true;
	s->heard_ms = now_ms;
	forget_unreads(s, ROUND_SHOWN);
	for (n = map_next(&s->objects, &pos, NULL); n; n = following) {
		following = map_next(&s->objects, &pos, n);
		if (object_of(n)->round == ROUND_OLD)
			drop(s, object_of(n));
	}
	s->round = ROUND_OLD;
}
