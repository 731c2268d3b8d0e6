#include "rds/ros_text.h"

#include <string.h>

#include "core/mem.h"
#include "core/str.h"

struct rule {
	size_t max;
	const char *more; /* allowed beside letters and digits */
};

static const struct rule rules[] = {
	[ROS_ID] = { 128, "-" },
	[ROS_SUBVOL] = { 140, "-" },
	[ROS_PATH] = { 255, "._-/" },
	[ROS_SLOT] = { 64, "._-" },
	[ROS_LABEL] = { 64, "._-" },
	[ROS_NQN] = { 223, ".:-" },
	[ROS_RECORD] = { 1400, "._:/,= -" },
	[ROS_PATTERN] = { 1400, "._:/,= -^$()[]|?+" },
	[ROS_DIGITS] = { 20, "" },
	[ROS_WORD] = { 64, "@ -" },
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_path(const char *s)
{
	while (*s) {
		if (*s == '/')
			s++;
		if (!is_alnum(*s) && *s != '_')
			return false; /* an empty name, ".", "..", "-x" */
		s += strcspn(s, "/");
	}
	return true;
}

static bool is_nqn(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			return false;
	return str_starts_with(s, "nqn.");
}

bool ros_is(enum ros_kind kind, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (kind == ROS_UNSET || n == 0 || n > rules[kind].max)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(text[i]) && !strchr(rules[kind].more, text[i]))
			return false;
	switch (kind) {
	case ROS_ID:
	case ROS_SUBVOL:
		return is_alnum(text[0]);
	case ROS_PATH:
		return is_path(text);
	case ROS_NQN:
		return is_nqn(text);
	case ROS_DIGITS:
		return strspn(text, "0123456789") == n;
	default:
		return true;
	}
}

void ros_let(struct ros_values *vs, char letter, enum ros_kind kind, const char *text)
{
	bug_on(letter < 'A' || letter > 'z');
	vs->v[letter - 'A'] =
		(struct ros_value){ ros_is(kind, text) ? kind : ROS_UNSET, text };
}

void ros_quote(struct buf *out, const char *text)
{
	(void)buf_putc(out, '"');
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\' || *p == '$')
			(void)buf_printf(out, "\\%c", *p);
		else if (*p >= 0x20 && *p <= 0x7e)
			(void)buf_putc(out, *p);
		else
			(void)buf_printf(out, "\\%02X", (unsigned char)*p);
	}
	(void)buf_putc(out, '"');
}

int ros_text(struct buf *out, const char *template, const struct ros_values *vs,
	     struct err *err)
{
	for (const char *p = template; *p; p++) {
		const struct ros_value *v;

		if (*p != '%') {
			size_t n = strcspn(p, "%");

			(void)buf_append(out, p, n);
			p += n - 1;
			continue;
		}
		p++;
		bug_on(*p < 'A' || *p > 'z');
		v = &vs->v[*p - 'A'];
		if (v->kind == ROS_UNSET)
			return err_set(err, ERR_INVALID,
				       "a value is not fit for the box: \"%.64s\"",
				       v->text ? v->text : "");
		if (v->kind == ROS_DIGITS)
			(void)buf_puts(out, v->text);
		else
			ros_quote(out, v->text);
	}
	if (buf_failed(out))
		return err_set(err, ERR_EXHAUSTED, "the script would be too long");
	return 0;
}
