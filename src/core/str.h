#ifndef CORE_STR_H
#define CORE_STR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strict parsing: the whole string or nothing, no sign tricks, no blanks, no overflow.
 * All are pure and return 0 or -1; *ret is untouched on failure. */
int str_to_u64(const char *s, uint64_t *ret);
int str_to_i64(const char *s, int64_t *ret); /* decimal, optional leading '-' */
/* Plain bytes or with a binary suffix: 512, 4K, 1Mi, 10G, 1TiB. */
int str_to_size(const char *s, uint64_t *ret_bytes);
/* A Go duration such as 300ms, 30s, 5m, 1h30m; 0 may stand without unit. */
int str_to_duration_ms(const char *s, uint64_t *ret_ms);

bool str_starts_with(const char *s, const char *prefix);
bool str_is_utf8(const char *s, size_t n); /* RFC 3629; NUL is a character like others */
#endif
