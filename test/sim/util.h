/* Small helpers of the simulator: arena, growable text, time, random numbers, hash.
 * The simulator shares nothing with src/, so it has its own. Memory that runs out ends
 * the program: it is a test program and nothing here recovers from that. */
#ifndef SIM_UTIL_H
#define SIM_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One script's memory: freed whole. `over` is set once more than max bytes were asked
 * for; the interpreter looks at it between statements and ends the script. */
struct arena {
	struct chunk *head;
	size_t used, max;
	bool over;
};

/* Growable text, always NUL-terminated once something was added. */
struct sb {
	char *p;
	size_t len, cap;
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);
void *arena_alloc(struct arena *a, size_t n); /* zeroed */
char *arena_dup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void sb_add(struct sb *b, const void *s, size_t n);
void sb_adds(struct sb *b, const char *s);
void sb_addc(struct sb *b, char c);
void sb_printf(struct sb *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sb_fini(struct sb *b);

void *xmalloc(size_t n); /* zeroed */
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);

uint64_t now_ms(void); /* monotonic */
uint64_t hash_str(const char *s);
void rand_seed(uint64_t seed);
uint64_t rand_u64(void);

/* -1 unless the whole of s is a decimal number that fits. */
int parse_u64(const char *s, uint64_t *ret);
/* "10G", "64K", "123": bytes, K M G T are binary. */
int parse_size(const char *s, uint64_t *ret);

#endif
