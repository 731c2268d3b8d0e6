#include "core/map.h"

#include <string.h>
#include <sys/random.h>

#include "core/mem.h"

static uint64_t seed(void)
{
	static uint64_t value;

	if (!value && getrandom(&value, sizeof(value), GRND_NONBLOCK) < 0)
		value = (uint64_t)(uintptr_t)&value;
	return value;
}

static uint64_t hash_of(const char *key)
{
	uint64_t h = UINT64_C(14695981039346656037) ^ seed();

	for (const unsigned char *p = (const unsigned char *)key; *p; p++)
		h = (h ^ *p) * UINT64_C(1099511628211);
	return h;
}

void map_init(struct map *m)
{
	*m = (struct map){ .count = 0 };
}

void map_fini(struct map *m)
{
	mem_free(m->buckets);
	*m = (struct map){ .count = 0 };
}

static struct map_node **slot_of(const struct map *m, uint64_t hash)
{
	return &m->buckets[hash & (m->n_buckets - 1)];
}

struct map_node *map_find(const struct map *m, const char *key)
{
	uint64_t h = hash_of(key);

	if (!m->n_buckets)
		return NULL;
	for (struct map_node *n = *slot_of(m, h); n; n = n->next)
		if (n->hash == h && strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

static int grow(struct map *m)
{
	size_t n = m->n_buckets ? m->n_buckets * 2 : 16;
	struct map bigger = { .buckets = mem_calloc(n, sizeof(struct map_node *)),
			      .n_buckets = n,
			      .count = m->count };

	if (!bigger.buckets)
		return -1;
	for (size_t i = 0; i < m->n_buckets; i++) {
		struct map_node *next;

		for (struct map_node *it = m->buckets[i]; it; it = next) {
			struct map_node **to = slot_of(&bigger, it->hash);

			next = it->next;
			it->next = *to;
			*to = it;
		}
	}
	mem_free(m->buckets);
	*m = bigger;
	return 0;
}

int map_add(struct map *m, struct map_node *node, const char *key)
{
	struct map_node **to;

	if (map_find(m, key) || (m->count >= m->n_buckets && grow(m)))
		return -1;
	node->key = key;
	node->hash = hash_of(key);
	to = slot_of(m, node->hash);
	node->next = *to;
	*to = node;
	m->count++;
	return 0;
}

void map_remove(struct map *m, struct map_node *node)
{
	struct map_node **at;

	if (!m->n_buckets)
		return;
	for (at = slot_of(m, node->hash); *at; at = &(*at)->next)
		if (*at == node) {
			*at = node->next;
			node->next = NULL;
			m->count--;
			return;
		}
}

struct map_node *map_next(const struct map *m, size_t *pos, const struct map_node *last)
{
	if (last && last->next)
		return last->next;
	for (; *pos < m->n_buckets; ++*pos)
		if (m->buckets[*pos])
			return m->buckets[(*pos)++];
	return NULL;
}
