#ifndef CORE_MEM_H
#define CORE_MEM_H
#include <stdbool.h>
#include <stddef.h>

/* All heap use goes through here, ours and (through their hooks) that of nghttp2,
 * libssh2, jansson and protobuf-c, so that a test can make the Nth allocation fail. */
void *mem_alloc(size_t size);
void *mem_calloc(size_t n, size_t size);
void *mem_realloc(void *p, size_t size);
void mem_free(void *p);
/* A copy of the string or of its first n bytes, NUL-terminated; NULL for lack of memory.
 */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);

/* Gives what is free back to the kernel, for a quiet moment: after a burst of calls glibc
 * keeps every page that has anything left on it or above it. Takes some 50 us. */
void mem_trim(void);

size_t mem_live(void);	    /* allocations not yet freed */
long mem_count(void);	    /* allocations asked for since mem_fail_at() */
void mem_fail_at(long nth); /* 0-based; -1: never fail */

/* For uv_replace_allocator(): counted in mem_live() but never refused, because libuv 1.44
 * aborts when it cannot grow its table of watchers (maybe_resize, core.c). */
void *mem_uv_alloc(size_t size);
void *mem_uv_calloc(size_t n, size_t size);
void *mem_uv_realloc(void *p, size_t size);
void mem_uv_free(void *p);

/* Ends the process with a message when a programming error is found; on in release
 * builds. */
void bug_at(const char *file, int line, const char *what) __attribute__((noreturn));
#define bug_on(cond) ((cond) ? bug_at(__FILE__, __LINE__, #cond) : (void)0)
#endif
