#include "core/str.h"

#include <string.h>

int str_to_u64(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (*s < '0' || *s > '9')
			return -1;
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, digit, &v))
			return -1;
	}
	*ret = v;
	return 0;
}

int str_to_i64(const char *s, int64_t *ret)
{
	bool is_negative = *s == '-';
	uint64_t v;

	if (str_to_u64(s + is_negative, &v) || v > (uint64_t)INT64_MAX)
		return -1;
	*ret = is_negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* Splits "123abc" into 123 and the rest. */
static int leading_u64(const char **s, uint64_t *ret)
{
	char digits[24];
	size_t n = strspn(*s, "0123456789");

	if (n == 0 || n >= sizeof(digits))
		return -1;
	memcpy(digits, *s, n);
	digits[n] = '\0';
	*s += n;
	return str_to_u64(digits, ret);
}

int str_to_size(const char *s, uint64_t *ret_bytes)
{
	static const char units[] = "KMGTP";
	const char *unit;
	unsigned shift = 0;
	uint64_t v;

	if (leading_u64(&s, &v))
		return -1;
	unit = *s ? strchr(units, *s) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		s++;
		if (*s == 'i')
			s++;
		if (*s == 'B')
			s++;
	}
	if (*s || (shift && v > (UINT64_MAX >> shift)))
		return -1;
	*ret_bytes = v << shift;
	return 0;
}

static int unit_ms(const char **s, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_starts_with(*s, units[i].name)) {
			*s += strlen(units[i].name);
			*ret = units[i].ms;
			return 0;
		}
	return -1;
}

int str_to_duration_ms(const char *s, uint64_t *ret_ms)
{
	uint64_t total = 0, v, unit;

	if (strcmp(s, "0") == 0) {
		*ret_ms = 0;
		return 0;
	}
	if (!*s)
		return -1;
	while (*s) {
		if (leading_u64(&s, &v) || unit_ms(&s, &unit) ||
		    __builtin_mul_overflow(v, unit, &v) ||
		    __builtin_add_overflow(total, v, &total))
			return -1;
	}
	*ret_ms = total;
	return 0;
}

bool str_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static size_t sequence_len(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

/* The second byte rules out overlong forms, surrogates and code points above U+10FFFF. */
static bool second_is_ok(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

bool str_is_utf8(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < n;) {
		size_t len = sequence_len(s[i]);

		if (!len || len > n - i || (len > 1 && !second_is_ok(s[i], s[i + 1])))
			return false;
		for (size_t k = 1; k < len; k++)
			if ((s[i + k] & 0xc0) != 0x80)
				return false;
		i += len;
	}
	return true;
}
