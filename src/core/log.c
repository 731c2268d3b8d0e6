#include "core/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/str.h"

static enum log_level min = LOG_INFO;
static bool json;

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* A line is built on the stack, so that logging works without memory. Room for the
 * closing bytes is kept back: a full line is cut, never malformed. */
struct line {
	char text[LOG_LINE_MAX];
	size_t len;
};

enum { CLOSING = 4 };

void log_open(enum log_level min_level, bool is_json)
{
	min = min_level;
	json = is_json;
}

void log_set_level(enum log_level min_level)
{
	min = min_level;
}

enum log_level log_level(void)
{
	return min;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

bool log_may(struct log_rate *rate, uint64_t now_ms, uint64_t interval_ms)
{
	if (now_ms < rate->next_ms) {
		rate->waiting++;
		return false;
	}
	rate->skipped = rate->waiting;
	rate->waiting = 0;
	rate->next_ms = now_ms + interval_ms;
	return true;
}

bool log_is_on(enum log_level level)
{
	return level >= min;
}

static void put(struct line *l, const char *s, size_t n)
{
	if (n > sizeof(l->text) - CLOSING - l->len)
		return;
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void puts_raw(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Length of the UTF-8 sequence at s, or 0 when it is not one. */
static size_t utf8_len(const char *s, size_t left)
{
	for (size_t n = 2; n <= 4 && n <= left; n++)
		if (str_is_utf8(s, n))
			return n;
	return 0;
}

/* Of a sequence of two or three bytes. */
static unsigned code_point(const unsigned char *s, size_t n)
{
	unsigned c = (unsigned)(s[0] & (n == 2 ? 0x1f : 0x0f)) << 6 | (s[1] & 0x3f);

	return n == 2 ? c : c << 6 | (s[2] & 0x3f);
}

/* Beyond ASCII: what a terminal or a viewer may take for a command or for a line's end:
 * C1 controls, line and paragraph separator, marks that turn the direction of text. */
static bool is_harmful(const unsigned char *s, size_t n)
{
	unsigned c = n <= 3 ? code_point(s, n) : 0;

	return (c >= 0x80 && c < 0xa0) || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void put_char(struct line *l, const unsigned char *s, size_t n)
{
	char esc[8];

	if (n > 1 && is_harmful(s, n)) {
		(void)snprintf(esc, sizeof(esc), "\\u%04x", code_point(s, n));
		puts_raw(l, esc);
	} else if (n > 1) {
		put(l, (const char *)s, n);
	} else if (*s == '"' || *s == '\\') {
		(void)snprintf(esc, sizeof(esc), "\\%c", *s);
		puts_raw(l, esc);
	} else if (*s < 0x20 || *s >= 0x7f) {
		(void)snprintf(esc, sizeof(esc), "\\u%04x", *s);
		puts_raw(l, esc);
	} else {
		put(l, (const char *)s, 1);
	}
}

static void put_quoted(struct line *l, const char *text)
{
	const unsigned char *s = (const unsigned char *)(text ? text : "");
	size_t left = strnlen((const char *)s, LOG_VALUE_MAX);

	/* The closing quote is part of the reserve, so a cut value is still closed. */
	puts_raw(l, "\"");
	while (left) {
		size_t n = *s < 0x80 ? 1 : utf8_len((const char *)s, left);

		if (sizeof(l->text) - l->len < CLOSING + 8)
			break;
		put_char(l, s, n ? n : 1);
		s += n ? n : 1;
		left -= n ? n : 1;
	}
	l->text[l->len++] = '"';
}

static bool needs_quotes(const char *s)
{
	if (!*s)
		return true;
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f || *s == '"' || *s == '\\' || *s == '=')
			return true;
	return false;
}

static void put_string(struct line *l, const char *s)
{
	if (!s)
		s = "";
	if (json || needs_quotes(s) || strlen(s) > LOG_VALUE_MAX)
		put_quoted(l, s);
	else
		puts_raw(l, s);
}

static void put_key(struct line *l, const char *key)
{
	if (json) {
		puts_raw(l, l->len > 1 ? ",\"" : "\"");
		puts_raw(l, key);
		puts_raw(l, "\":");
	} else {
		puts_raw(l, " ");
		puts_raw(l, key);
		puts_raw(l, "=");
	}
}

static void put_field(struct line *l, const struct log_field *f)
{
	char num[24];

	/* A field is written whole or not at all. */
	if (sizeof(l->text) - l->len < strlen(f->key) + 6 * LOG_VALUE_MAX + 16)
		return;
	put_key(l, f->key);
	switch (f->type) {
	case LOG_FIELD_STR:
		put_string(l, f->v.s);
		return;
	case LOG_FIELD_UINT:
		(void)snprintf(num, sizeof(num), "%" PRIu64, f->v.u);
		break;
	case LOG_FIELD_INT:
		(void)snprintf(num, sizeof(num), "%" PRId64, f->v.i);
		break;
	case LOG_FIELD_BOOL:
		(void)snprintf(num, sizeof(num), "%s", f->v.u ? "true" : "false");
		break;
	}
	puts_raw(l, num);
}

static void put_time(struct line *l)
{
	struct timespec ts;
	struct tm tm;
	char text[64];

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	(void)gmtime_r(&ts.tv_sec, &tm);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
		       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		       tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000);
	if (json) {
		puts_raw(l, "{\"time\":\"");
		puts_raw(l, text);
		puts_raw(l, "\"");
	} else {
		puts_raw(l, text);
	}
}

static void put_audit(struct line *l, const struct log_audit *a)
{
	put_field(l, &(struct log_field){ "audit", LOG_FIELD_BOOL, { .u = 1 } });
	put_field(l, &(struct log_field){ "event", LOG_FIELD_STR, { .s = a->event } });
	put_field(l,
		  &(struct log_field){ "category", LOG_FIELD_STR, { .s = a->category } });
	put_field(l,
		  &(struct log_field){ "severity", LOG_FIELD_STR, { .s = a->severity } });
	put_field(l,
		  &(struct log_field){ "outcome", LOG_FIELD_STR, { .s = a->outcome } });
}

static void put_head(struct line *l, enum log_level level, const char *module,
		     const char *msg)
{
	put_time(l);
	put_key(l, "level");
	put_string(l, level_names[level]);
	put_key(l, "mod");
	put_string(l, module);
	put_key(l, "msg");
	put_string(l, msg);
}

static void put_fields(struct line *l, va_list *ap)
{
	for (;;) {
		struct log_field f = va_arg(*ap, struct log_field);

		if (!f.key)
			return;
		put_field(l, &f);
	}
}

static void put_out(struct line *l)
{
	ssize_t rc;

	if (json)
		l->text[l->len++] = '}';
	l->text[l->len++] = '\n';
	rc = write(STDERR_FILENO, l->text, l->len);
	(void)rc; /* nowhere to report it */
}

void log_write_audit(enum log_level level, const struct log_audit *audit,
		     const char *module, const char *msg, ...)
{
	struct line l = { .len = 0 };
	va_list ap;

	if (!audit && !log_is_on(level))
		return;
	put_head(&l, level, module, msg);
	if (audit)
		put_audit(&l, audit);
	va_start(ap, msg);
	put_fields(&l, &ap);
	va_end(ap);
	put_out(&l);
}

void log_write(enum log_level level, const char *module, const char *msg, ...)
{
	struct line l = { .len = 0 };
	va_list ap;

	if (!log_is_on(level))
		return;
	put_head(&l, level, module, msg);
	va_start(ap, msg);
	put_fields(&l, &ap);
	va_end(ap);
	put_out(&l);
}
