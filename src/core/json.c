#include "core/json.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"

/* jansson 2.14 calls most of its failed allocations a syntax error, and one none at all:
 * when its buffer for a token cannot grow the token is cut (load.c, lex_save). */
static bool was_refused;

static void *alloc(size_t n)
{
	void *p = mem_alloc(n);

	was_refused |= !p;
	return p;
}

void json_use_mem(void)
{
	json_set_alloc_funcs(alloc, mem_free);
}

/* jansson recurses once for each bracket (up to 2048 deep in Debian's build), so nesting
 * is counted before it sees the text. Brackets inside strings do not count. */
static bool is_too_deep(const char *text, size_t n)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (in_string)
			continue;
		else if ((c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
			return true;
		else if ((c == ']' || c == '}') && depth)
			depth--;
	}
	return false;
}

static json_t *parse(const char *text, size_t n, size_t flags, struct err *err)
{
	json_error_t why;
	json_t *v;

	json_use_mem();
	was_refused = false;
	if (is_too_deep(text, n)) {
		(void)err_set(err, ERR_INVALID, "JSON is nested too deep");
		return NULL;
	}
	v = json_loadb(text, n, flags | JSON_DECODE_ANY, &why);
	if (v && !was_refused)
		return v;
	json_decref(v);
	if (was_refused)
		(void)err_nomem(err);
	else
		(void)err_set(err, ERR_INVALID, "not JSON: %.100s at byte %d", why.text,
			      why.position);
	return NULL;
}

json_t *json_parse(const char *text, size_t n, struct err *err)
{
	return parse(text, n, JSON_REJECT_DUPLICATES, err);
}

json_t *json_parse_foreign(const char *text, size_t n, struct err *err)
{
	return parse(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, err);
}

static int real_to_u64(double d, uint64_t *ret)
{
	/* 2^53: above it a double cannot tell neighbours apart, so the figure is a guess.
	 */
	if (!(d >= 0.0 && d <= 9007199254740992.0) || floor(d) < d)
		return -1;
	*ret = (uint64_t)d;
	return 0;
}

int json_to_u64(const json_t *v, uint64_t *ret)
{
	json_int_t i;

	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_INTEGER:
		i = json_integer_value(v);
		if (i < 0)
			return -1;
		*ret = (uint64_t)i;
		return 0;
	case JSON_REAL:
		return real_to_u64(json_real_value(v), ret);
	case JSON_STRING:
		return str_to_u64(json_string_value(v), ret);
	default:
		return -1;
	}
}

int json_to_bool(const json_t *v, bool *ret)
{
	const char *s = json_string_value(v);

	if (json_is_boolean(v))
		*ret = json_is_true(v);
	else if (s && (strcmp(s, "yes") == 0 || strcmp(s, "true") == 0))
		*ret = true;
	else if (s && (strcmp(s, "no") == 0 || strcmp(s, "false") == 0))
		*ret = false;
	else
		return -1;
	return 0;
}

const char *json_get_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

static int on_text(const char *p, size_t n, void *ctx)
{
	return buf_append(ctx, p, n);
}

int json_print_take(json_t *v, struct buf *b)
{
	int rc = v ? json_dump_callback(v, on_text, b, JSON_COMPACT) : -1;

	json_decref(v);
	return rc;
}
