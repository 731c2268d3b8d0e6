#include "core/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"

enum { CHUNK_MIN = 1024, CHUNK_MAX = 64 * 1024 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, cap;
	alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
	*a = (struct arena){ .max_bytes = max_bytes };
}

void arena_fini(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *next = a->chunks->next;

		mem_free(a->chunks);
		a->chunks = next;
	}
	a->used_bytes = 0;
}

static struct arena_chunk *add_chunk(struct arena *a, size_t need)
{
	size_t cap = a->chunks ? a->chunks->cap * 2 : CHUNK_MIN;
	struct arena_chunk *c;

	if (cap > CHUNK_MAX)
		cap = CHUNK_MAX;
	if (cap < need)
		cap = need;
	c = mem_alloc(sizeof(*c) + cap);
	if (!c)
		return NULL;
	c->next = a->chunks;
	c->used = 0;
	c->cap = cap;
	a->chunks = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t need;
	struct arena_chunk *c = a->chunks;
	void *p;

	if (size > a->max_bytes)
		return NULL;
	need = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (a->used_bytes + need > a->max_bytes)
		return NULL;
	if (!c || c->cap - c->used < need)
		c = add_chunk(a, need);
	if (!c)
		return NULL;
	p = c->data + c->used;
	c->used += need;
	a->used_bytes += need;
	memset(p, 0, size);
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_alloc(a, len + 1);

	if (p)
		memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p = NULL;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0)
		p = arena_alloc(a, (size_t)n + 1);
	if (p)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}
