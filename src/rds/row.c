#include "rds/row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

enum { DEPTH_MAX = 8 }; /* of what is stepped over */

struct scan {
	const char *p, *end;
};

static void skip_blanks(struct scan *s)
{
	while (s->p < s->end &&
	       (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	skip_blanks(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* The bytes between the quotes. What an escape stands for is judged when it is read. */
static bool take_string(struct scan *s, const char **ret, size_t *ret_len,
			bool *ret_escape)
{
	bool has_escape = false;

	if (!take(s, '"'))
		return false;
	*ret = s->p;
	for (; s->p < s->end && *s->p != '"'; s->p++) {
		if ((unsigned char)*s->p < ' ')
			return false;
		has_escape |= *s->p == '\\' || (unsigned char)*s->p > '~';
		if (*s->p == '\\' && ++s->p == s->end)
			return false;
	}
	if (s->p == s->end)
		return false;
	*ret_len = (size_t)(s->p++ - *ret);
	*ret_escape = has_escape;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take_digits(struct scan *s)
{
	const char *start = s->p;

	while (s->p < s->end && is_digit(*s->p))
		s->p++;
	return s->p > start;
}

/* RFC 8259 6. */
static bool take_number(struct scan *s)
{
	if (*s->p == '-')
		s->p++;
	if (s->p + 1 < s->end && s->p[0] == '0' && is_digit(s->p[1]))
		return false;
	if (!take_digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!take_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return take_digits(s);
	}
	return true;
}

static bool take_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

/* Brackets must pair; what is between them is not looked at. */
static bool step_over(struct scan *s)
{
	char closers[DEPTH_MAX];
	unsigned depth = 0;

	do {
		const char *text;
		size_t n;
		bool has_escape;

		if (s->p == s->end)
			return false;
		if (*s->p == '"') {
			if (!take_string(s, &text, &n, &has_escape))
				return false;
			continue;
		}
		if (*s->p == '{' || *s->p == '[') {
			if (depth == DEPTH_MAX)
				return false;
			closers[depth++] = *s->p == '{' ? '}' : ']';
		} else if ((*s->p == '}' || *s->p == ']') && closers[--depth] != *s->p) {
			return false;
		}
		s->p++;
	} while (depth);
	return true;
}

static bool take_value(struct scan *s, struct row_field *f)
{
	skip_blanks(s);
	if (s->p == s->end)
		return false;
	f->value = s->p;
	f->has_escape = false;
	switch (*s->p) {
	case '"':
		f->type = ROW_TEXT;
		return take_string(s, &f->value, &f->value_len, &f->has_escape);
	case '{':
	case '[':
		f->type = ROW_OTHER;
		return step_over(s);
	case 't':
		f->type = ROW_FLAG;
		return take_word(s, "true");
	case 'f':
		f->type = ROW_FLAG;
		return take_word(s, "false");
	case 'n':
		f->type = ROW_NULL;
		return take_word(s, "null");
	default:
		f->type = ROW_NUMBER;
		return take_number(s);
	}
}

static const struct row_field *find(const struct row *r, const char *key, size_t len)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->fields[i].key_len == len &&
		    memcmp(r->fields[i].key, key, len) == 0)
			return &r->fields[i];
	return NULL;
}

static bool take_field(struct scan *s, struct row *r)
{
	struct row_field *f = &r->fields[r->n];
	bool has_escape;

	if (r->n == ROW_FIELDS_MAX ||
	    !take_string(s, &f->key, &f->key_len, &has_escape) || !take(s, ':') ||
	    !take_value(s, f) || find(r, f->key, f->key_len))
		return false;
	if (f->type != ROW_TEXT)
		f->value_len = (size_t)(s->p - f->value);
	r->n++;
	return true;
}

int row_parse(struct row *r, const char *text, size_t n, struct err *err)
{
	struct scan s = { text, text + n };
	bool is_ok = take(&s, '{');

	r->n = 0;
	if (is_ok && !take(&s, '}')) {
		do
			is_ok = take_field(&s, r);
		while (is_ok && take(&s, ','));
		is_ok = is_ok && take(&s, '}');
	}
	skip_blanks(&s);
	if (is_ok && s.p == s.end)
		return 0;
	return err_set(err, ERR_INVALID, "not a flat JSON object, at byte %zu",
		       (size_t)(s.p - text));
}

/* The value if it is there. */
static const struct row_field *value_of(const struct row *r, const char *key)
{
	const struct row_field *f = find(r, key, strlen(key));

	return f && f->type != ROW_NULL ? f : NULL;
}

bool row_has(const struct row *r, const char *key)
{
	return value_of(r, key) != NULL;
}

/* The character of the escape at *p behind its backslash; *p moves to its last byte. -1:
 * none of RFC 8259's. */
static int escaped(const char **p, const char *end)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = memchr(from, **p, sizeof(from) - 1);
	int c = 0;

	if (at)
		return (unsigned char)to[at - from];
	if (**p != 'u' || end - *p < 5)
		return -1;
	for (int i = 0; i < 4; i++) {
		static const char hex[] = "0123456789abcdefABCDEF";
		const char *digit = memchr(hex, *++*p, sizeof(hex) - 1);

		if (!digit)
			return -1;
		c = c * 16 + (int)(digit - hex < 16 ? digit - hex : digit - hex - 6);
	}
	return c < 0x7f ? c : '?';
}

static int copy_text(const struct row_field *f, char *out, size_t size)
{
	const char *p = f->value, *end = p + f->value_len;
	size_t n = 0;

	for (; p < end; p++) {
		int c = (unsigned char)*p;

		if (c == '\\') {
			p++;
			c = escaped(&p, end);
		}
		if (c < ' ' || n + 1 >= size)
			return -1;
		out[n++] = c < 0x7f ? (char)c : '?';
	}
	out[n] = '\0';
	return 0;
}

int row_text(const struct row *r, const char *key, char *out, size_t size)
{
	const struct row_field *f = value_of(r, key);

	if (f && f->type != ROW_TEXT)
		return -1;
	if (f && f->has_escape)
		return copy_text(f, out, size);
	if (f && f->value_len >= size)
		return -1;
	if (f)
		memcpy(out, f->value, f->value_len);
	out[f ? f->value_len : 0] = '\0';
	return 0;
}

int row_u64(const struct row *r, const char *key, uint64_t *ret)
{
	const struct row_field *f = value_of(r, key);
	char text[ROW_NUMBER_MAX + 1];
	double d;

	if (!f) {
		*ret = 0;
		return 0;
	}
	if ((f->type != ROW_NUMBER && f->type != ROW_TEXT) || f->has_escape ||
	    f->value_len > ROW_NUMBER_MAX)
		return -1;
	memcpy(text, f->value, f->value_len);
	text[f->value_len] = '\0';
	if (f->type == ROW_TEXT || str_to_u64(text, ret) == 0)
		return f->type == ROW_TEXT ? str_to_u64(text, ret) : 0;
	/* A real. 2^53: above it neighbours cannot be told apart, and the figure is a
	 * guess. */
	if (strcspn(text, ".eE") == f->value_len)
		return -1;
	d = strtod(text, NULL);
	if (!(d >= 0.0 && d <= 9007199254740992.0) || floor(d) < d)
		return -1;
	*ret = (uint64_t)d;
	return 0;
}

int row_flag(const struct row *r, const char *key, bool *ret)
{
	const struct row_field *f = value_of(r, key);
	char text[8];

	*ret = false;
	if (!f)
		return 0;
	if (f->type == ROW_FLAG) {
		*ret = f->value[0] == 't';
		return 0;
	}
	if (row_text(r, key, text, sizeof(text)))
		return -1;
	*ret = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
	return *ret || strcmp(text, "no") == 0 || strcmp(text, "false") == 0 ? 0 : -1;
}
