#include "fakes/slow_k8s.h"

#include <stdlib.h>
#include <string.h>

#include "support/t.h"

struct slow_event {
	struct list link;
	uint64_t due_ms;
	struct k8s_object *o; /* NULL: removed */
	char name[254];
};

static struct slow_k8s *view_of(struct k8s *k)
{
	return (struct slow_k8s *)(void *)k;
}

static void on_change(struct k8s_listener *l, const struct k8s_object *before,
		      const struct k8s_object *after)
{
	enum k8s_kind kind = (after ? after : before)->kind;
	struct slow_k8s *s = CONTAINER_OF(l, struct slow_k8s, listeners[kind]);
	struct slow_event *e = calloc(1, sizeof(*e));
	uint64_t due = clock_now_ms(s->k8s.loop) + s->delay_ms[kind];

	cr_assert_not_null(e);
	if (due < s->last_due_ms[kind])
		due = s->last_due_ms[kind];
	s->last_due_ms[kind] = e->due_ms = due;
	e->o = after ? k8s_object_copy(after) : NULL;
	memcpy(e->name, (after ? after : before)->name,
	       strlen((after ? after : before)->name) + 1);
	list_append(&s->events[kind], &e->link);
}

static struct slow_event *first_of(struct list *events)
{
	return CONTAINER_OF(events->next, struct slow_event, link);
}

static void deliver(struct slow_k8s *s, enum k8s_kind kind)
{
	struct slow_event *e = first_of(&s->events[kind]);

	list_remove(&e->link);
	if (e->o)
		cr_assert_eq(k8s_store_put_take(&s->k8s.stores[kind], e->o), 0);
	else
		k8s_store_remove(&s->k8s.stores[kind], e->name);
	free(e);
}

void slow_k8s_turn(struct slow_k8s *s)
{
	uint64_t now = clock_now_ms(s->k8s.loop);

	for (unsigned kind = 0; kind < K8S_WATCHED; kind++)
		while (!list_is_empty(&s->events[kind]) &&
		       first_of(&s->events[kind])->due_ms <= now)
			deliver(s, kind);
}

bool slow_k8s_is_even(const struct slow_k8s *s)
{
	for (unsigned kind = 0; kind < K8S_WATCHED; kind++)
		if (!list_is_empty(&s->events[kind]))
			return false;
	return true;
}

static void drop_events(struct slow_k8s *s)
{
	for (unsigned kind = 0; kind < K8S_WATCHED; kind++)
		while (!list_is_empty(&s->events[kind])) {
			struct slow_event *e = first_of(&s->events[kind]);

			list_remove(&e->link);
			k8s_object_free(e->o);
			free(e);
		}
}

void slow_k8s_restart(struct slow_k8s *s)
{
	drop_events(s);
	for (unsigned kind = 0; kind < K8S_WATCHED; kind++) {
		struct k8s_store *mine = &s->k8s.stores[kind];
		const struct k8s_store *truth = &s->api->k8s.stores[kind];
		const struct k8s_object *o;
		size_t pos = 0;

		k8s_store_fini(mine);
		k8s_store_init(mine, kind);
		k8s_store_list_begin(mine);
		for (o = k8s_store_next(truth, &pos, NULL); o;
		     o = k8s_store_next(truth, &pos, o))
			cr_assert_eq(k8s_store_put_take(mine, k8s_object_copy(o)), 0);
		k8s_store_list_end(mine, UINT64_MAX / 2);
		s->last_due_ms[kind] = 0;
	}
}

static void request(struct k8s *k, struct k8s_request *r, void (*done)(struct op *op))
{
	fake_k8s_request(&view_of(k)->api->k8s, r, done);
}

static bool is_leader(const struct k8s *k)
{
	return ((const struct slow_k8s *)(const void *)k)->is_leader;
}

static void emit(struct k8s *k, const struct k8s_event *e)
{
	(void)k;
	(void)e;
}

static const struct k8s_ops ops = {
	.request = request,
	.is_leader = is_leader,
	.emit = emit,
};

void slow_k8s_open(struct slow_k8s *s, struct fake_k8s *api)
{
	*s = (struct slow_k8s){ .k8s = { .ops = &ops, .loop = api->k8s.loop },
				.api = api };
	for (unsigned kind = 0; kind < K8S_WATCHED; kind++) {
		list_init(&s->events[kind]);
		k8s_store_init(&s->k8s.stores[kind], kind);
		s->listeners[kind].changed = on_change;
		k8s_store_listen(&api->k8s.stores[kind], &s->listeners[kind]);
	}
	slow_k8s_restart(s);
}

void slow_k8s_close(struct slow_k8s *s)
{
	drop_events(s);
	for (unsigned kind = 0; kind < K8S_WATCHED; kind++) {
		list_remove(&s->listeners[kind].node);
		k8s_store_fini(&s->k8s.stores[kind]);
	}
}
