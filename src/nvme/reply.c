#include "nvme/reply.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"

static void put(struct reply *r, const char *s, size_t n)
{
	if (r->len > REPLY_MAX - 1 || n > REPLY_MAX - 1 - r->len) {
		r->len = REPLY_MAX;
		r->text[0] = '\0';
		return;
	}
	memcpy(r->text + r->len, s, n);
	r->len += n;
	r->text[r->len] = '\0';
}

static void put_quoted(struct reply *r, const char *s)
{
	char hex[8];

	put(r, "\"", 1);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < ' ' || c == '"' || c == '\\' || c >= 127) {
			int n = snprintf(hex, sizeof(hex), "\\u%04x", c);

			put(r, hex, (size_t)n);
		} else {
			put(r, s, 1);
		}
	}
	put(r, "\"", 1);
}

static void put_key(struct reply *r, const char *key)
{
	if (r->len > 1)
		put(r, ",", 1);
	put_quoted(r, key);
	put(r, ":", 1);
}

void reply_begin(struct reply *r)
{
	r->len = 0;
	put(r, "{", 1);
}

void reply_add_str(struct reply *r, const char *key, const char *value)
{
	put_key(r, key);
	put_quoted(r, value);
}

void reply_add_u64(struct reply *r, const char *key, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

	put_key(r, key);
	put(r, text, (size_t)n);
}

void reply_end(struct reply *r)
{
	put(r, "}\n", 2);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of a quoted text, plain or \u00xx: a byte, as the writer makes it. -1
 * when malformed. */
static int next_char(const char **s)
{
	const char *p = *s;
	int hi, lo;

	if ((unsigned char)*p < ' ' || *p == '"' || (unsigned char)*p >= 127)
		return -1;
	if (*p != '\\') {
		(*s)++;
		return (unsigned char)*p;
	}
	if (strncmp(p, "\\u00", 4) != 0)
		return -1;
	hi = hex_value(p[4]);
	lo = hi < 0 ? -1 : hex_value(p[5]);
	if (lo < 0 || (hi == 0 && lo == 0))
		return -1;
	*s = p + 6;
	return hi * 16 + lo;
}

/* Reads "text" at *s. Cuts what does not fit, and says so by its result 1. */
static int quoted(const char **s, char *out, size_t size)
{
	size_t n = 0;
	int c, is_cut = 0;

	if (**s != '"')
		return -1;
	(*s)++;
	while (**s != '"') {
		c = next_char(s);
		if (c < 0)
			return -1;
		if (n + 1 < size)
			out[n++] = (char)c;
		else
			is_cut = 1;
	}
	(*s)++;
	if (size)
		out[n] = '\0';
	return is_cut;
}

/* Moves over one value. -1 when malformed. */
static int skip_value(const char **s)
{
	size_t n = strspn(*s, "0123456789");

	if (n) {
		*s += n;
		return 0;
	}
	return quoted(s, NULL, 0) < 0 ? -1 : 0;
}

/* Walks the members until key, and leaves *s at its value: 1. 0 at a proper end of the
 * object, -1 when malformed. key NULL walks all. */
static int walk(const char **s, const char *key)
{
	char name[32];

	if (**s != '{')
		return -1;
	(*s)++;
	for (;;) {
		if (quoted(s, name, sizeof(name)) != 0 || **s != ':')
			return -1;
		(*s)++;
		if (key && strcmp(name, key) == 0)
			return 1;
		if (skip_value(s))
			return -1;
		if (**s == ',')
			(*s)++;
		else
			return **s == '}' ? 0 : -1;
	}
}

bool reply_is_valid(const char *text)
{
	return walk(&text, NULL) == 0 && strcmp(text, "}\n") == 0;
}

int reply_get_str(const char *text, const char *key, char *out, size_t size)
{
	if (walk(&text, key) != 1)
		return -1;
	return quoted(&text, out, size) == 0 ? 0 : -1;
}

int reply_get_u64(const char *text, const char *key, uint64_t *ret)
{
	char digits[24];
	size_t n;

	if (walk(&text, key) != 1)
		return -1;
	n = strspn(text, "0123456789");
	if (n == 0 || n >= sizeof(digits))
		return -1;
	memcpy(digits, text, n);
	digits[n] = '\0';
	return str_to_u64(digits, ret);
}
