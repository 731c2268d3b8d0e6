#include "csi/controller/troubles.h"

#include <string.h>

#include "core/list.h"
#include "core/mem.h"

struct trouble {
	struct map_node node;
	char id[];
};

void troubles_init(struct troubles *t)
{
	map_init(&t->ids);
}

static void drop(struct troubles *t, struct map_node *n)
{
	map_remove(&t->ids, n);
	mem_free(CONTAINER_OF(n, struct trouble, node));
}

void troubles_clear(struct troubles *t)
{
	struct map_node *n, *following;
	size_t pos = 0;

	for (n = map_next(&t->ids, &pos, NULL); n; n = following) {
		following = map_next(&t->ids, &pos, n);
		drop(t, n);
	}
	map_fini(&t->ids);
	map_init(&t->ids);
}

void troubles_add(struct troubles *t, const char *id)
{
	size_t n = strlen(id) + 1;
	struct trouble *one;

	if (t->ids.count >= TROUBLES_MAX || map_find(&t->ids, id))
		return;
	one = mem_alloc(sizeof(*one) + n);
	if (!one)
		return;
	memcpy(one->id, id, n);
	if (map_add(&t->ids, &one->node, one->id))
		mem_free(one);
}

bool troubles_remove(struct troubles *t, const char *id)
{
	struct map_node *n = map_find(&t->ids, id);

	if (n)
		drop(t, n);
	return n != NULL;
}
