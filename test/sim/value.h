/* Values of the RouterOS script language and what can be done with one or two of them.
 * Everything a value points at lives in the arena of the script that made it. Arrays are
 * never changed once made, so values are copied by assignment.
 * Source: reference manual "Scripting", and tests on 7.21 to 7.24. */
#ifndef SIM_VALUE_H
#define SIM_VALUE_H

#include "sim/util.h"

enum vtype {
	V_NOTHING,
	V_NIL,
	V_BOOL,
	V_NUM,
	V_STR,
	V_IP,
	V_PREFIX,
	V_TIME, /* n is milliseconds */
	V_ID,
	V_ARRAY,
	V_CODE,
};

struct node;
struct array;

struct value {
	enum vtype t;
	uint32_t len; /* of s */
	union {
		bool b;
		int64_t n;
		const char *s; /* V_STR, V_IP, V_PREFIX, V_ID; NUL-terminated */
		const struct array *a;
		const struct node *code;
	};
};

struct element {
	const char *key; /* NULL: unkeyed */
	struct value v;
};

struct array {
	struct element *e;
	unsigned n, cap;
};

struct value v_nothing(void);
struct value v_nil(void);
struct value v_bool(bool b);
struct value v_num(int64_t n);
struct value v_str(struct arena *a, const char *s); /* copies */
struct value v_strn(struct arena *a, const char *s, size_t n);
struct value v_lit(const char *s); /* borrows s */
struct value v_id(struct arena *a, const char *s);

struct array *array_new(struct arena *a, unsigned cap);
void array_push(struct arena *a, struct array *arr, const char *key, struct value v);
/* Unkeyed first, in order; then keyed by key (a later equal key wins). */
void array_sort(struct array *arr);
struct value v_array(const struct array *arr);
const struct value *array_get(const struct array *arr, const char *key);

const char *v_typeof(const struct value *v);
/* As :tostr: "" for nil, elements joined by ";" for arrays. */
struct value v_tostr(struct arena *a, const struct value *v);
/* As :tonum: nil where there is no number. */
struct value v_tonum(const struct value *v);
/* A bare word as the language reads it: number, bool, address, prefix, time, id, text. */
struct value v_typed(struct arena *a, const char *s, size_t n);
bool v_equal(struct arena *a, const struct value *x, const struct value *y);
bool v_is_empty(const struct value *v); /* nothing, nil or "" */

/* A time such as 1h30m, 01:30:00, 5s, 500ms; -1 when it is none. */
int parse_time(const char *s, int64_t *ret_ms);
void format_time(struct sb *out, int64_t ms);

#endif
