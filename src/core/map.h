#ifndef CORE_MAP_H
#define CORE_MAP_H
#include <stddef.h>
#include <stdint.h>

/* String-keyed hash table with intrusive nodes: the owner embeds a map_node whose key
 * lives as long as the node is in the map. One node a key. */
struct map_node {
	struct map_node *next;
	const char *key; /* borrowed from the owner */
	uint64_t hash;
};

struct map {
	struct map_node **buckets; /* owned */
	size_t n_buckets, count;
};

/* SipHash-like strength is not needed where keys are bounded and few; FNV-1a with a
 * per-process seed keeps a hostile caller from choosing collisions beforehand. */
void map_init(struct map *m);
void map_fini(
	struct map *m); /* frees the table, not the nodes; accepts a zeroed struct */
struct map_node *map_find(const struct map *m, const char *key);
/* 0, or -1 for lack of memory or when the key is there already. */
int map_add(struct map *m, struct map_node *node, const char *key);
void map_remove(struct map *m, struct map_node *node);
/* Visits every node; *pos starts at 0. NULL at the end. Not across a map_add. */
struct map_node *map_next(const struct map *m, size_t *pos, const struct map_node *last);
#endif
