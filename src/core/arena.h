#ifndef CORE_ARENA_H
#define CORE_ARENA_H
#include <stddef.h>

/* A bump allocator: many small objects of one call, freed whole. The chunk size doubles
 * up to 64 KiB; an arena never gives out more than its maximum in all. */
struct arena {
	struct arena_chunk *chunks; /* owned; newest first */
	size_t used_bytes, max_bytes;
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_fini(struct arena *a); /* accepts a zeroed struct */
/* Aligned for any type, zeroed; NULL when the maximum is reached or memory is short. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#endif
