#ifndef RDS_ROW_H
#define RDS_ROW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* One row as RouterOS's :serialize writes it: a flat JSON object of texts, numbers, flags
 * and nothings; an array or object inside it is stepped over. A list has thousands of
 * rows, so that nothing is allocated and nothing copied before it is asked for. Pure.
 * Borrows the text. */
enum { ROW_FIELDS_MAX = 32, ROW_NUMBER_MAX = 39 };

enum row_type { ROW_NULL, ROW_TEXT, ROW_NUMBER, ROW_FLAG, ROW_OTHER };

struct row_field {
	const char *key, *value; /* into the text, without quotes, not unescaped */
	size_t key_len, value_len;
	enum row_type type;
	bool has_escape; /* or what is not ASCII: must be translated */
};

struct row {
	unsigned n;
	struct row_field fields[ROW_FIELDS_MAX];
};

/* n bytes that hold one JSON object and nothing else. -1 with ERR_INVALID when they do
 * not, when a key comes twice or when there are more than ROW_FIELDS_MAX. */
int row_parse(struct row *r, const char *text, size_t n, struct err *err);

/* Absent fields and nothings are the empty text, 0 or false; -1 when the value is of
 * another type or does not fit. What is not ASCII becomes '?'; a control character is
 * refused. */
int row_text(const struct row *r, const char *key, char *out, size_t size);
/* A whole number from 0, also as a real without fraction or as a text: RouterOS 7 writes
 * all three (the manual, Scripting, :serialize). */
int row_u64(const struct row *r, const char *key, uint64_t *ret);
int row_flag(const struct row *r, const char *key, bool *ret); /* or "yes", "no" */
bool row_has(const struct row *r, const char *key);	       /* and it is not nothing */
#endif
