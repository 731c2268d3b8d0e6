#include "csi/controller/reconcile_seen.h"

#include <string.h>

#include "core/mem.h"

struct sighting {
	struct map_node node;
	struct list list;
	uint64_t first_ms, look;
	char key[];
};

void reconcile_seen_init(struct reconcile_seen *s)
{
	*s = (struct reconcile_seen){ .look = 0 };
	map_init(&s->map);
	list_init(&s->list);
}

static void drop(struct reconcile_seen *s, struct sighting *g)
{
	map_remove(&s->map, &g->node);
	list_remove(&g->list);
	mem_free(g);
}

void reconcile_seen_clear(struct reconcile_seen *s)
{
	LIST_FOREACH (it, &s->list)
		drop(s, CONTAINER_OF(it, struct sighting, list));
	map_fini(&s->map);
	map_init(&s->map);
}

void reconcile_seen_begin(struct reconcile_seen *s, uint64_t now_ms, uint64_t max_gap_ms)
{
	if (now_ms - s->look_ms > max_gap_ms)
		reconcile_seen_clear(s);
	s->look_ms = now_ms;
	s->look++;
}

uint64_t reconcile_seen_mark(struct reconcile_seen *s, const char *key)
{
	struct map_node *n = map_find(&s->map, key);
	size_t len = strlen(key) + 1;
	struct sighting *g;

	if (n) {
		g = CONTAINER_OF(n, struct sighting, node);
		g->look = s->look;
		return s->look_ms - g->first_ms;
	}
	g = s->map.count < RECONCILE_SEEN_MAX ? mem_alloc(sizeof(*g) + len) : NULL;
	if (!g)
		return 0;
	*g = (struct sighting){ .first_ms = s->look_ms, .look = s->look };
	memcpy(g->key, key, len);
	if (map_add(&s->map, &g->node, g->key)) {
		mem_free(g);
		return 0;
	}
	list_append(&s->list, &g->list);
	return 0;
}

void reconcile_seen_end(struct reconcile_seen *s)
{
	LIST_FOREACH (it, &s->list) {
		struct sighting *g = CONTAINER_OF(it, struct sighting, list);

		if (g->look != s->look)
			drop(s, g);
	}
}
