#include "core/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only the loop's thread allocates for us, but libuv's worker threads allocate through
 * the same process: two counts, because a locked add at each allocation is felt. The
 * first is atomic only in name, so that whoever reads it elsewhere reads a whole number.
 */
static atomic_size_t live, uv_live;
static atomic_long asked;
static atomic_long fail_at = -1;

static bool refuse(void)
{
	long n = atomic_load_explicit(&asked, memory_order_relaxed);
	long at = atomic_load_explicit(&fail_at, memory_order_relaxed);

	atomic_store_explicit(&asked, n + 1, memory_order_relaxed);
	return at >= 0 && n == at;
}

static void add(size_t n)
{
	size_t was = atomic_load_explicit(&live, memory_order_relaxed);

	atomic_store_explicit(&live, was + n, memory_order_relaxed);
}

static void *count(void *p)
{
	if (p)
		add(1);
	return p;
}

static void *uv_count(void *p)
{
	if (p)
		(void)atomic_fetch_add(&uv_live, 1);
	return p;
}

void *mem_alloc(size_t size)
{
	return refuse() ? NULL : count(malloc(size));
}

void *mem_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : count(calloc(n, size));
}

void *mem_realloc(void *p, size_t size)
{
	if (!p)
		return mem_alloc(size);
	return refuse() ? NULL : realloc(p, size);
}

void mem_free(void *p)
{
	if (!p)
		return;
	add((size_t)-1);
	free(p);
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = mem_alloc(len + 1);

	if (!p)
		return NULL;
	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

void *mem_uv_alloc(size_t size)
{
	return uv_count(malloc(size));
}

void *mem_uv_calloc(size_t n, size_t size)
{
	return uv_count(calloc(n, size));
}

void *mem_uv_realloc(void *p, size_t size)
{
	return p ? realloc(p, size) : mem_uv_alloc(size);
}

void mem_uv_free(void *p)
{
	if (!p)
		return;
	(void)atomic_fetch_sub(&uv_live, 1);
	free(p);
}

void mem_trim(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

size_t mem_live(void)
{
	return atomic_load(&live) + atomic_load(&uv_live);
}

long mem_count(void)
{
	return atomic_load(&asked);
}

void mem_fail_at(long nth)
{
	atomic_store(&asked, 0);
	atomic_store(&fail_at, nth);
}

void bug_at(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "bug: %s:%d: %s\n", file, line, what);
	abort();
}
