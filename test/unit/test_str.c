#include "support/t.h"

#include <string.h>

#include "core/str.h"

Test(str, whole_numbers_or_nothing)
{
	static const struct {
		const char *s;
		int rc;
		uint64_t v;
	} rows[] = {
		{ "0", 0, 0 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -1, 0 },
		{ "184467440737095516150", -1, 0 },
		{ "", -1, 0 },
		{ "-1", -1, 0 },
		{ "+1", -1, 0 },
		{ " 1", -1, 0 },
		{ "1 ", -1, 0 },
		{ "0x10", -1, 0 },
		{ "1e3", -1, 0 },
		{ "1.0", -1, 0 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 42;

		cr_assert_eq(str_to_u64(rows[i].s, &v), rows[i].rc, "%s", rows[i].s);
		cr_assert_eq(v, rows[i].rc ? 42 : rows[i].v, "%s", rows[i].s);
	}
}

Test(str, signed_numbers)
{
	int64_t v = 42;

	cr_assert(str_to_i64("-9223372036854775807", &v) == 0 && v == -INT64_MAX);
	cr_assert(str_to_i64("9223372036854775807", &v) == 0 && v == INT64_MAX);
	cr_assert_eq(str_to_i64("9223372036854775808", &v), -1);
	cr_assert_eq(str_to_i64("--1", &v), -1);
	cr_assert_eq(str_to_i64("-", &v), -1);
	cr_assert_eq(str_to_i64("", &v), -1);
	cr_assert_eq(v, INT64_MAX);
}

Test(str, sizes_with_binary_suffixes)
{
	static const struct {
		const char *s;
		int rc;
		uint64_t v;
	} rows[] = {
		{ "512", 0, 512 },
		{ "4K", 0, 4096 },
		{ "1Mi", 0, 1 << 20 },
		{ "10G", 0, UINT64_C(10) << 30 },
		{ "1TiB", 0, UINT64_C(1) << 40 },
		{ "16383P", 0, UINT64_C(16383) << 50 },
		{ "16384P", -1, 0 },
		{ "K", -1, 0 },
		{ "1k", -1, 0 },
		{ "1Kb", -1, 0 },
		{ "1KiBB", -1, 0 },
		{ "1B", -1, 0 },
		{ "1.5G", -1, 0 },
		{ "99999999999999999999999", -1, 0 },
		{ "", -1, 0 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 42;

		cr_assert_eq(str_to_size(rows[i].s, &v), rows[i].rc, "%s", rows[i].s);
		cr_assert_eq(v, rows[i].rc ? 42 : rows[i].v, "%s", rows[i].s);
	}
}

Test(str, durations_as_go_writes_them)
{
	static const struct {
		const char *s;
		int rc;
		uint64_t v;
	} rows[] = {
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "300ms", 0, 300 },
		{ "30s", 0, 30000 },
		{ "5m", 0, 300000 },
		{ "5m0s", 0, 300000 },
		{ "1h30m", 0, 5400000 },
		{ "1m1ms", 0, 60001 },
		{ "30", -1, 0 },
		{ "s", -1, 0 },
		{ "", -1, 0 },
		{ "-1s", -1, 0 },
		{ "1.5s", -1, 0 },
		{ "1d", -1, 0 },
		{ "1s ", -1, 0 },
		{ "18446744073709551615h", -1, 0 },
		{ "18446744073709551615ms1ms", -1, 0 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 42;

		cr_assert_eq(str_to_duration_ms(rows[i].s, &v), rows[i].rc, "%s",
			     rows[i].s);
		cr_assert_eq(v, rows[i].rc ? 42 : rows[i].v, "%s", rows[i].s);
	}
}

/* The decoder of RFC 3629 spelled out, against which the table is held. */
static bool is_scalar(const unsigned char *s, size_t n)
{
	uint32_t c;

	if (n == 1)
		return s[0] < 0x80;
	c = n == 2 ? s[0] & 0x1fu : n == 3 ? s[0] & 0x0fu : s[0] & 0x07u;
	if ((n == 2 && (s[0] & 0xe0) != 0xc0) || (n == 3 && (s[0] & 0xf0) != 0xe0) ||
	    (n == 4 && (s[0] & 0xf8) != 0xf0))
		return false;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c >= 0xd800 && c <= 0xdfff)
		return false;
	return c >= (n == 2 ? 0x80u : n == 3 ? 0x800u : 0x10000u) && c <= 0x10ffff;
}

Test(str, utf8_is_that_of_rfc_3629)
{
	static const unsigned char edge[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90,
					      0x9f, 0xa0, 0xbf, 0xc0, 0xff };

	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			unsigned char s[4] = { (unsigned char)a, (unsigned char)b };
			bool want = is_scalar(s, 2) ||
				    (is_scalar(s, 1) && is_scalar(s + 1, 1));

			cr_assert_eq(str_is_utf8((char *)s, 2), want, "%02x %02x", a, b);
			for (unsigned c = 0; c < sizeof(edge) && a >= 0xe0; c++) {
				s[2] = edge[c];
				cr_assert_eq(str_is_utf8((char *)s, 3), is_scalar(s, 3));
				for (unsigned d = 0; d < sizeof(edge); d++) {
					s[3] = edge[d];
					cr_assert_eq(str_is_utf8((char *)s, 4),
						     is_scalar(s, 4) ||
							     (is_scalar(s, 3) &&
							      is_scalar(s + 3, 1)));
				}
			}
		}
	cr_assert(str_is_utf8("", 0));
	cr_assert(!str_is_utf8("\xe2\x98", 2));
	cr_assert(str_is_utf8("\xe2\x98\xba", 3));
}

Test(str, prefixes)
{
	cr_assert(str_starts_with("abc", "ab"));
	cr_assert(str_starts_with("abc", ""));
	cr_assert(!str_starts_with("ab", "abc"));
}
