#ifndef CORE_BUF_H
#define CORE_BUF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growable byte buffer with a mandatory maximum. Always NUL-terminated behind its len
 * bytes once something was added, so text may be read as a string. A failed append frees
 * nothing and marks the buffer: buf_failed() then stays true, so that a writer may append
 * many times and ask once. */
struct buf {
	char *data; /* owned; NULL while empty */
	size_t len, cap, max;
	bool has_failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);  /* accepts a zeroed struct */
void buf_reset(struct buf *b); /* len 0, failure forgotten, memory kept */
int buf_append(struct buf *b, const void *p,
	       size_t n); /* 0, or -1 when full or no memory */
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for n more bytes, to be written at data + len by the caller, who then adds to len.
 */
int buf_reserve(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes */
static inline bool buf_failed(const struct buf *b)
{
	return b->has_failed;
}
#endif
