#ifndef NVME_REPLY_H
#define NVME_REPLY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* The one line by which a helper answers: a flat JSON object of strings and unsigned
 * numbers. Both ends are this program, so the reader is strict. Pure. */
enum { REPLY_MAX = 8192 };

struct reply {
	size_t len;
	char text[REPLY_MAX];
};

/* Written: reply_begin, any adds, reply_end. What does not fit makes the line invalid,
 * never shorter. */
void reply_begin(struct reply *r);
void reply_add_str(struct reply *r, const char *key, const char *value);
void reply_add_u64(struct reply *r, const char *key, uint64_t value);
void reply_end(struct reply *r); /* with the newline */

/* Whether the text is one such object and nothing else. */
bool reply_is_valid(const char *text);
/* Of a valid text. 0, or -1 when the key is missing, of the other kind or too long. */
int reply_get_str(const char *text, const char *key, char *out, size_t size);
int reply_get_u64(const char *text, const char *key, uint64_t *ret);
#endif
