#include "csi/grpc/fields.h"

#include <string.h>
#include <strings.h>

enum { PS_METHOD, PS_SCHEME, PS_PATH, PS_AUTHORITY, PS_STATUS, PS_N };

/* Every field of every request is held against these: lengths first. */
struct name {
	const char *text;
	size_t len;
};
#define NAME(s)                  \
	{                        \
		s, sizeof(s) - 1 \
	}

static const struct name pseudo_names[PS_N] = {
	NAME(":method"),    NAME(":scheme"), NAME(":path"),
	NAME(":authority"), NAME(":status"),
};
static const struct name connection_specific[] = {
	NAME("connection"),	   NAME("keep-alive"), NAME("proxy-connection"),
	NAME("transfer-encoding"), NAME("upgrade"),
};
static const struct name te = NAME("te"), content_length = NAME("content-length");

void fields_init(struct fields *f)
{
	*f = (struct fields){ .kind = FIELDS_REQUEST };
	buf_init(&f->text, FIELDS_MAX);
}

void fields_fini(struct fields *f)
{
	buf_fini(&f->text);
}

void fields_begin(struct fields *f, enum fields_kind kind)
{
	f->kind = kind;
	f->seen = 0;
	f->has_regular = false;
}

/* RFC 9110 5.6.2 "token", without the capitals that RFC 9113 8.2.1 forbids. */
static bool is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || c == '-' || (c >= '0' && c <= '9') ||
		      (c && strchr("!#$%&'*+-.^_`|~", c))))
			return false;
	}
	return n > 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 9113 8.2.1: no NUL, CR, LF anywhere, no blank at either end. */
static bool is_value(const char *s, size_t n)
{
	if (n && (is_blank(s[0]) || is_blank(s[n - 1])))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= '\r' &&
		    (s[i] == '\0' || s[i] == '\r' || s[i] == '\n'))
			return false;
	return true;
}

static bool is_name(const struct field *field, const struct name *name)
{
	return field->name_len == name->len &&
	       memcmp(field->name, name->text, name->len) == 0;
}

static bool has_text(const struct field *field, const char *text)
{
	return field->value_len == strlen(text) &&
	       strncasecmp(field->value, text, field->value_len) == 0;
}

static bool is_pseudo_ok(struct fields *f, const struct field *field)
{
	unsigned which = 0;

	while (which < PS_N && !is_name(field, &pseudo_names[which]))
		which++;
	if (which == PS_N || f->kind == FIELDS_TRAILERS || f->has_regular ||
	    f->seen & 1U << which)
		return false;
	if ((which == PS_STATUS) != (f->kind == FIELDS_RESPONSE))
		return false;
	f->seen |= 1U << which;
	if (which == PS_METHOD)
		f->is_connect = has_text(field, "CONNECT");
	return which == PS_AUTHORITY || field->value_len > 0;
}

static bool is_length_ok(struct fields *f, const struct field *field)
{
	uint64_t v = 0;

	if (f->has_length || field->value_len == 0 || field->value_len > 18)
		return false;
	for (size_t i = 0; i < field->value_len; i++) {
		char c = field->value[i];

		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (uint64_t)(c - '0');
	}
	f->has_length = true;
	f->length_bytes = v;
	return true;
}

static bool is_regular_ok(struct fields *f, const struct field *field)
{
	f->has_regular = true;
	if (!is_token(field->name, field->name_len))
		return false;
	for (size_t i = 0; i < sizeof(connection_specific) / sizeof(struct name); i++)
		if (is_name(field, &connection_specific[i]))
			return false;
	if (is_name(field, &te))
		return has_text(field, "trailers");
	if (is_name(field, &content_length) && f->kind != FIELDS_TRAILERS)
		return is_length_ok(f, field);
	return true;
}

/* Before each pair in the text. */
struct pair {
	uint16_t name_len, value_len; /* FIELDS_MAX bounds both */
};

enum { FIELDS_USUAL = 400 }; /* text of a request of grpc-go: one allocation */

static int keep(struct fields *f, const struct field *field)
{
	struct pair pair;
	size_t need;
	char *p;

	f->size += field->name_len + field->value_len + FIELDS_OVERHEAD;
	if (f->size > FIELDS_MAX)
		f->is_too_large = true;
	if (f->is_too_large)
		return 0;
	need = sizeof(pair) + field->name_len + field->value_len + 2;
	if (need < FIELDS_USUAL && f->text.len == 0)
		need = FIELDS_USUAL;
	if (buf_reserve(&f->text, need))
		return -1;
	pair = (struct pair){ (uint16_t)field->name_len, (uint16_t)field->value_len };
	p = f->text.data + f->text.len;
	memcpy(p, &pair, sizeof(pair));
	p += sizeof(pair);
	memcpy(p, field->name, field->name_len);
	p[field->name_len] = '\0';
	p += field->name_len + 1;
	memcpy(p, field->value, field->value_len);
	p[field->value_len] = '\0';
	f->text.len = (size_t)(p - f->text.data) + field->value_len + 1;
	return 0;
}

int fields_add(struct fields *f, const struct field *field)
{
	bool is_pseudo = field->name_len > 0 && field->name[0] == ':';

	if (!is_value(field->value, field->value_len) ||
	    !(is_pseudo ? is_pseudo_ok(f, field) : is_regular_ok(f, field)))
		f->is_malformed = true;
	return f->is_malformed ? 0 : keep(f, field);
}

void fields_end(struct fields *f)
{
	unsigned must = 0;

	if (f->kind == FIELDS_RESPONSE)
		must = 1U << PS_STATUS;
	else if (f->kind == FIELDS_REQUEST && f->is_connect)
		must = 1U << PS_METHOD | 1U << PS_AUTHORITY;
	else if (f->kind == FIELDS_REQUEST)
		must = 1U << PS_METHOD | 1U << PS_SCHEME | 1U << PS_PATH;
	if ((f->seen & must) != must || (f->is_connect && f->seen & ~must))
		f->is_malformed = true;
}

/* Walks the stored pairs; *pos starts at 0. */
static const char *next_value(const struct fields *f, size_t *pos, const char *name)
{
	size_t len = strlen(name);

	while (*pos < f->text.len) {
		const char *n = f->text.data + *pos + sizeof(struct pair);
		struct pair pair;

		memcpy(&pair, n - sizeof(pair), sizeof(pair));
		*pos += sizeof(pair) + pair.name_len + pair.value_len + 2u;
		if (pair.name_len == len && memcmp(n, name, len) == 0)
			return n + len + 1;
	}
	return NULL;
}

const char *fields_find(const struct fields *f, const char *name)
{
	size_t pos = 0;

	return next_value(f, &pos, name);
}

unsigned fields_count(const struct fields *f, const char *name)
{
	unsigned n = 0;

	for (size_t pos = 0; next_value(f, &pos, name);)
		n++;
	return n;
}
