#include "sim/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct value v_nothing(void)
{
	return (struct value){ .t = V_NOTHING };
}

struct value v_nil(void)
{
	return (struct value){ .t = V_NIL };
}

struct value v_bool(bool b)
{
	return (struct value){ .t = V_BOOL, .b = b };
}

struct value v_num(int64_t n)
{
	return (struct value){ .t = V_NUM, .n = n };
}

struct value v_strn(struct arena *a, const char *s, size_t n)
{
	return (struct value){ .t = V_STR, .len = (uint32_t)n, .s = arena_dup(a, s, n) };
}

struct value v_str(struct arena *a, const char *s)
{
	return v_strn(a, s, strlen(s));
}

struct value v_lit(const char *s)
{
	return (struct value){ .t = V_STR, .len = (uint32_t)strlen(s), .s = s };
}

struct value v_id(struct arena *a, const char *s)
{
	struct value v = v_str(a, s);

	v.t = V_ID;
	return v;
}

struct array *array_new(struct arena *a, unsigned cap)
{
	struct array *arr = arena_alloc(a, sizeof *arr);

	arr->cap = cap;
	arr->e = arena_alloc(a, (cap ? cap : 1) * sizeof *arr->e);
	return arr;
}

void array_push(struct arena *a, struct array *arr, const char *key, struct value v)
{
	if (arr->n == arr->cap) {
		unsigned cap = arr->cap * 2 + 8;
		struct element *e = arena_alloc(a, cap * sizeof *e);

		memcpy(e, arr->e, arr->n * sizeof *e);
		arr->e = e;
		arr->cap = cap;
	}
	arr->e[arr->n++] = (struct element){ .key = key, .v = v };
}

void array_sort(struct array *arr)
{
	unsigned n = 0;

	/* Insertion: stable, and arrays with keys are short. */
	for (unsigned i = 0; i < arr->n; i++) {
		struct element x = arr->e[i];
		unsigned j = n;

		while (j > 0 && arr->e[j - 1].key &&
		       (!x.key || strcmp(arr->e[j - 1].key, x.key) > 0))
			j--;
		if (x.key && j > 0 && arr->e[j - 1].key &&
		    strcmp(arr->e[j - 1].key, x.key) == 0) {
			arr->e[j - 1] = x;
			continue;
		}
		memmove(arr->e + j + 1, arr->e + j, (n - j) * sizeof x);
		arr->e[j] = x;
		n++;
	}
	arr->n = n;
}

struct value v_array(const struct array *arr)
{
	return (struct value){ .t = V_ARRAY, .a = arr };
}

const struct value *array_get(const struct array *arr, const char *key)
{
	for (unsigned i = 0; i < arr->n; i++)
		if (arr->e[i].key && strcmp(arr->e[i].key, key) == 0)
			return &arr->e[i].v;
	return NULL;
}

const char *v_typeof(const struct value *v)
{
	static const char *const names[] = {
		[V_NOTHING] = "nothing",  [V_NIL] = "nil",   [V_BOOL] = "bool",
		[V_NUM] = "num",	  [V_STR] = "str",   [V_IP] = "ip",
		[V_PREFIX] = "ip-prefix", [V_TIME] = "time", [V_ID] = "id",
		[V_ARRAY] = "array",	  [V_CODE] = "code",
	};

	return names[v->t];
}

static void tostr_into(struct arena *a, struct sb *out, const struct value *v, int depth)
{
	switch (v->t) {
	case V_BOOL:
		sb_adds(out, v->b ? "true" : "false");
		break;
	case V_NUM:
		sb_printf(out, "%lld", (long long)v->n);
		break;
	case V_STR:
	case V_IP:
	case V_PREFIX:
	case V_ID:
		sb_add(out, v->s, v->len);
		break;
	case V_TIME:
		format_time(out, v->n);
		break;
	case V_ARRAY:
		for (unsigned i = 0; i < v->a->n && depth < 32; i++) {
			if (i)
				sb_addc(out, ';');
			if (v->a->e[i].key)
				sb_printf(out, "%s=", v->a->e[i].key);
			tostr_into(a, out, &v->a->e[i].v, depth + 1);
		}
		break;
	case V_CODE:
		sb_adds(out, "(code)");
		break;
	case V_NOTHING:
	case V_NIL:
		break;
	}
}

struct value v_tostr(struct arena *a, const struct value *v)
{
	struct sb out = { 0 };
	struct value r;

	if (v->t == V_STR)
		return *v;
	tostr_into(a, &out, v, 0);
	r = v_strn(a, out.p ? out.p : "", out.len);
	sb_fini(&out);
	return r;
}

static bool parse_num(const char *s, size_t n, int64_t *ret)
{
	char tmp[32], *end;

	if (n == 0 || n >= sizeof tmp)
		return false;
	memcpy(tmp, s, n);
	tmp[n] = 0;
	if (!isdigit((unsigned char)tmp[tmp[0] == '-']))
		return false;
	errno = 0;
	if (strncmp(tmp, "0x", 2) == 0)
		*ret = (int64_t)strtoull(tmp, &end, 16);
	else
		*ret = strtoll(tmp, &end, 10);
	return !*end && !errno;
}

struct value v_tonum(const struct value *v)
{
	int64_t n;

	switch (v->t) {
	case V_NUM:
		return *v;
	case V_BOOL:
		return v_num(v->b);
	case V_TIME:
		return v_num(v->n / 1000);
	case V_STR:
		return parse_num(v->s, v->len, &n) ? v_num(n) : v_nil();
	case V_ID:
		return v_num(strtoll(v->s + 1, NULL, 16));
	case V_ARRAY:
		return v->a->n == 1 ? v_tonum(&v->a->e[0].v) : v_nil();
	default:
		return v_nil();
	}
}

static int parse_clock(const char *s, int64_t *ret_ms)
{
	unsigned h, m, sec;
	int end = 0;

	if (sscanf(s, "%2u:%2u:%2u%n", &h, &m, &sec, &end) != 3 || s[end] || m > 59 ||
	    sec > 59)
		return -1;
	*ret_ms = ((int64_t)h * 3600 + m * 60 + sec) * 1000;
	return 0;
}

int parse_time(const char *s, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 },	{ "w", 604800000 }, { "d", 86400000 },
		      { "h", 3600000 }, { "m", 60000 },	    { "s", 1000 } };
	int64_t sum = 0;

	if (strchr(s, ':'))
		return parse_clock(s, ret_ms);
	if (!*s)
		return -1;
	while (*s) {
		char *end;
		int64_t n = strtoll(s, &end, 10);
		size_t i, ul = 0;

		if (end == s || !isdigit((unsigned char)*s))
			return -1;
		for (i = 0; i < sizeof units / sizeof *units; i++) {
			ul = strlen(units[i].unit);
			if (strncmp(end, units[i].unit, ul) == 0)
				break;
		}
		if (i == sizeof units / sizeof *units)
			return -1;
		sum += n * units[i].ms;
		s = end + ul;
	}
	*ret_ms = sum;
	return 0;
}

void format_time(struct sb *out, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s >= 604800)
		sb_printf(out, "%lldw", (long long)(s / 604800));
	if (s % 604800 >= 86400)
		sb_printf(out, "%lldd", (long long)(s % 604800 / 86400));
	s %= 86400;
	sb_printf(out, "%02d:%02d:%02d", (int)(s / 3600), (int)(s % 3600 / 60),
		  (int)(s % 60));
	if (ms % 1000)
		sb_printf(out, ".%03d", (int)(ms % 1000));
}

static bool is_ip(const char *s, size_t n, bool *ret_prefix)
{
	unsigned dots = 0, slash = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.')
			dots++;
		else if (s[i] == '/')
			slash++;
		else if (!isdigit((unsigned char)s[i]))
			return false;
	}
	*ret_prefix = slash == 1;
	return dots >= 1 && dots <= 3 && slash <= 1;
}

struct value v_typed(struct arena *a, const char *s, size_t n)
{
	struct value v = v_strn(a, s, n);
	bool prefix;
	int64_t num;

	if (parse_num(s, n, &num))
		return v_num(num);
	if (!strcmp(v.s, "true") || !strcmp(v.s, "yes"))
		return v_bool(true);
	if (!strcmp(v.s, "false") || !strcmp(v.s, "no"))
		return v_bool(false);
	if (s[0] == '*' && n > 1) {
		v.t = V_ID;
	} else if (is_ip(s, n, &prefix)) {
		v.t = prefix ? V_PREFIX : V_IP;
	} else if (isdigit((unsigned char)s[0]) && !parse_time(v.s, &num)) {
		v = v_num(num);
		v.t = V_TIME;
	}
	return v;
}

bool v_is_empty(const struct value *v)
{
	return v->t == V_NOTHING || v->t == V_NIL || (v->t == V_STR && v->len == 0);
}

static bool arrays_equal(struct arena *a, const struct array *x, const struct array *y)
{
	if (x->n != y->n)
		return false;
	for (unsigned i = 0; i < x->n; i++)
		if (!v_equal(a, &x->e[i].v, &y->e[i].v))
			return false;
	return true;
}

static bool is_text(const struct value *v)
{
	return v->t == V_STR || v->t == V_ID || v->t == V_IP || v->t == V_PREFIX;
}

bool v_equal(struct arena *a, const struct value *x, const struct value *y)
{
	if (v_is_empty(x) || v_is_empty(y))
		return v_is_empty(x) && v_is_empty(y);
	if (x->t == V_ARRAY && y->t == V_ARRAY)
		return arrays_equal(a, x->a, y->a);
	if (x->t == V_BOOL || y->t == V_BOOL)
		return x->t == y->t && x->b == y->b;
	if (is_text(x) && is_text(y))
		return x->len == y->len && memcmp(x->s, y->s, x->len) == 0;
	if (x->t == V_NUM || y->t == V_NUM) {
		struct value p = v_tonum(x), q = v_tonum(y);

		return p.t == V_NUM && q.t == V_NUM && p.n == q.n;
	}
	return x->t == y->t && x->t == V_TIME && x->n == y->n;
}
