#ifndef CORE_JSON_H
#define CORE_JSON_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"

/* jansson behind our limits: its heap goes through core/mem, and the depth is checked
 * before it recurses. Values are jansson's own, freed with json_decref(). Pure. */
enum { JSON_DEPTH_MAX = 32 };

/* Sets jansson's allocation hooks; json_parse does it too. Whoever builds values without
 * parsing first calls it before the first one. */
void json_use_mem(void);

/* One JSON value in exactly n bytes (need not be NUL-terminated). NULL and ERR_INVALID
 * when it is none, is nested deeper than JSON_DEPTH_MAX or has a key twice;
 * ERR_EXHAUSTED for lack of memory. */
json_t *json_parse(const char *text, size_t n, struct err *err);

/* As json_parse, for what others wrote of which only a part is read: the character NUL
 * may stand in strings (anybody may annotate an object with it), so whoever uses a text
 * compares its strlen with json_string_length(). */
json_t *json_parse_foreign(const char *text, size_t n, struct err *err);

/* What RouterOS and protobuf's JSON form may write for an unsigned number: an integer, a
 * real without fraction, or a decimal string. 0, or -1 with *ret untouched. */
int json_to_u64(const json_t *v, uint64_t *ret);
/* true, false, or the words true, false, yes, no as strings. 0 or -1. */
int json_to_bool(const json_t *v, bool *ret);
/* The member's text, or NULL when it is absent or no string. */
const char *json_get_str(const json_t *obj, const char *key);
/* Appends v without blanks, NUL-terminated, and drops the reference on it. NULL for v is
 * taken for lack of memory. 0, or -1: no memory, or more than the buffer holds. */
int json_print_take(json_t *v, struct buf *b);
#endif
