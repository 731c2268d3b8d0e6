/* :serialize to=json, as the box writes it: one line, numbers as integers, text that
 * looks like a number as a float unless told not to (7.17+:
 * options=json.no-string-conversion). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/interp.h"

/* Control bytes other than line ends and tabs go out raw: the box was never seen to
 * escape them, and a reader must cope. */
static void write_string(struct sb *out, const char *s, size_t n)
{
	size_t n_plain;

	sb_addc(out, '"');
	for (size_t i = 0; i < n; i++) {
		switch (s[i]) {
		case '"':
		case '\\':
			sb_addc(out, '\\');
			sb_addc(out, s[i]);
			break;
		case '\n':
			sb_adds(out, "\\n");
			break;
		case '\r':
			sb_adds(out, "\\r");
			break;
		case '\t':
			sb_adds(out, "\\t");
			break;
		default:
			n_plain = i + strcspn(s + i, "\"\\\n\r\t");
			n_plain = n_plain > i && n_plain <= n ? n_plain : i + 1;
			sb_add(out, s + i, n_plain - i);
			i = n_plain - 1;
		}
	}
	sb_addc(out, '"');
}

static bool looks_numeric(const char *s)
{
	unsigned digits = 0, dots = 0;

	if (*s == '-')
		s++;
	for (; *s; s++) {
		if (*s == '.')
			dots++;
		else if (isdigit((unsigned char)*s))
			digits++;
		else
			return false;
	}
	return digits && dots <= 1;
}

static void write_array(struct sb *out, const struct array *a, bool convert, int depth);

static void write_value(struct sb *out, const struct value *v, bool convert, int depth)
{
	switch (v->t) {
	case V_BOOL:
		sb_adds(out, v->b ? "true" : "false");
		break;
	case V_NUM:
		sb_printf(out, "%lld", (long long)v->n);
		break;
	case V_STR:
		if (convert && looks_numeric(v->s))
			sb_printf(out, "%f", strtod(v->s, NULL));
		else
			write_string(out, v->s, v->len);
		break;
	case V_ID:
	case V_IP:
	case V_PREFIX:
		write_string(out, v->s, v->len);
		break;
	case V_TIME:
		sb_addc(out, '"');
		format_time(out, v->n);
		sb_addc(out, '"');
		break;
	case V_ARRAY:
		write_array(out, v->a, convert, depth + 1);
		break;
	default:
		sb_adds(out, "null");
	}
}

static void write_array(struct sb *out, const struct array *a, bool convert, int depth)
{
	bool keyed = a->n && a->e[a->n - 1].key;

	sb_addc(out, keyed ? '{' : '[');
	for (unsigned i = 0; i < a->n && depth < 32; i++) {
		char index[16];

		if (i)
			sb_addc(out, ',');
		snprintf(index, sizeof index, "%u", i);
		if (keyed) {
			const char *k = a->e[i].key ? a->e[i].key : index;

			write_string(out, k, strlen(k));
			sb_addc(out, ':');
		}
		write_value(out, &a->e[i].v, convert, depth);
	}
	sb_addc(out, keyed ? '}' : ']');
}

void json_write(struct sb *out, const struct value *v, bool convert_strings)
{
	write_value(out, v, convert_strings, 0);
}
