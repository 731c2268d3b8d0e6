#include "rds/row.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/t.h"

static int parse(struct row *r, const char *text)
{
	struct err err;

	return row_parse(r, text, strlen(text), &err);
}

Test(row, reads_each_type)
{
	struct row r;
	char text[32];
	uint64_t n;
	bool flag;

	cr_assert_eq(parse(&r, "{\"slot\":\"pvc-1\",\"size\":1073741824,\"mounted\":true,"
			       "\"off\":false,\"nqn\":null,\"raid\":[1,{\"a\":\"]\"}], "
			       "\"last\" : \"yes\" }"),
		     0);
	cr_assert_eq(r.n, 7);
	cr_assert_eq(row_text(&r, "slot", text, sizeof(text)), 0);
	cr_assert_str_eq(text, "pvc-1");
	cr_assert_eq(row_u64(&r, "size", &n), 0);
	cr_assert_eq(n, 1073741824);
	cr_assert(row_flag(&r, "mounted", &flag) == 0 && flag);
	cr_assert(row_flag(&r, "off", &flag) == 0 && !flag);
	cr_assert(row_flag(&r, "last", &flag) == 0 && flag);
	/* Nothing, and what is not there. */
	cr_assert_eq(row_text(&r, "nqn", text, sizeof(text)), 0);
	cr_assert_str_eq(text, "");
	cr_assert(row_u64(&r, "none", &n) == 0 && n == 0);
	cr_assert(row_flag(&r, "nqn", &flag) == 0 && !flag);
	cr_assert(row_has(&r, "raid") && !row_has(&r, "nqn") && !row_has(&r, "none"));
	/* Of another type. */
	cr_assert_eq(row_text(&r, "size", text, sizeof(text)), -1);
	cr_assert_eq(row_text(&r, "raid", text, sizeof(text)), -1);
	cr_assert_eq(row_u64(&r, "mounted", &n), -1);
	cr_assert_eq(row_flag(&r, "slot", &flag), -1);
	/* Of the wrong length. */
	cr_assert_eq(row_text(&r, "slot", text, 6), 0);
	cr_assert_eq(row_text(&r, "slot", text, 5), -1);
}

static int number(const char *value, uint64_t *ret)
{
	char text[128];
	struct row r;

	(void)snprintf(text, sizeof(text), "{\"n\":%s}", value);
	*ret = 77;
	return parse(&r, text) ? -2 : row_u64(&r, "n", ret);
}

Test(row, numbers_in_all_their_spellings)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t n;
	} cases[] = {
		{ "0", 0, 0 },
		{ "17592186044416", 0, UINT64_C(17592186044416) },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -1, 0 },
		{ "443.000000", 0, 443 },
		{ "4.43e2", 0, 443 },
		{ "9007199254740992.0", 0, UINT64_C(9007199254740992) },
		{ "9007199254740994.0", -1, 0 },
		{ "443.5", -1, 0 },
		{ "-1", -1, 0 },
		{ "-1.0", -1, 0 },
		{ "\"1073741824\"", 0, 1073741824 },
		{ "\"1.5\"", -1, 0 },
		{ "\"\"", -1, 0 },
		{ "\" 1\"", -1, 0 },
		{ "1111111111111111111111111111111111111111", -1, 0 },
		/* No JSON. */
		{ "01", -2, 0 },
		{ "1.", -2, 0 },
		{ ".5", -2, 0 },
		{ "1e", -2, 0 },
		{ "-", -2, 0 },
		{ "+1", -2, 0 },
		{ "0x10", -2, 0 },
		{ "1 2", -2, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t n;
		int rc = number(cases[i].text, &n);

		cr_assert_eq(rc, cases[i].rc, "%s: %d", cases[i].text, rc);
		cr_assert(rc || n == cases[i].n, "%s", cases[i].text);
	}
}

Test(row, escapes)
{
	struct row r;
	char text[64];

	cr_assert_eq(parse(&r, "{\"a\":\"\\\"\\\\\\/q\\u0041\\u007e\\u00e9\xc3\xa9\","
			       "\"b\":\"x\\n\",\"c\":\"\\u0000\",\"d\":\"\\u00g0\","
			       "\"e\":\"\\x\",\"f\":\"\\u004\"}"),
		     0);
	cr_assert_eq(row_text(&r, "a", text, sizeof(text)), 0);
	cr_assert_str_eq(text, "\"\\/qA~???");
	cr_assert_eq(row_text(&r, "a", text, 10), 0, "nine characters and the NUL");
	cr_assert_eq(row_text(&r, "a", text, 9), -1);
	for (const char *key = "bcdef"; *key; key++) {
		const char name[2] = { *key };

		cr_assert_eq(row_text(&r, name, text, sizeof(text)), -1, "%c", *key);
	}
}

Test(row, refuses_what_is_no_flat_object)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"\"a\"",
		"{",
		"{}x",
		"{}{}",
		"{,}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{\"a\":1 \"b\":2}",
		"{a:1}",
		"{\"a\":tru}",
		"{\"a\":nul",
		"{\"a\":\"x}",
		"{\"a\":\"x\\",
		"{\"a\":\"x\ny\"}",
		"{\"a\":[1}",
		"{\"a\":[1]",
		"{\"a\":[}]}",
		"{\"a\":[[[[[[[[[1]]]]]]]]]}",
		"{\"a\":1,\"a\":1}",
	};
	struct row r;

	cr_assert_eq(parse(&r, "{}"), 0);
	cr_assert_eq(parse(&r, " { \"a\" : [[[[[[[[1]]]]]]]] } "), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(&r, bad[i]), -1, "%s", bad[i]);
}

Test(row, every_beginning_is_refused)
{
	static const char text[] =
		"{\"a\":\"\\u0041\",\"b\":-1.5e+3,\"c\":[{\"d\":\"}\"}],"
		"\"e\":null,\"f\":true}";
	struct row r;
	struct err err;

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		cr_assert_eq(row_parse(&r, text, n, &err), -1, "%zu bytes", n);
	cr_assert_eq(row_parse(&r, text, sizeof(text) - 1, &err), 0);
}

Test(row, has_a_maximum_of_fields)
{
	char text[1024] = "{", *p = text + 1;
	struct row r;

	for (int i = 0; i < ROW_FIELDS_MAX; i++)
		p += sprintf(p, "%s\"f%d\":%d", i ? "," : "", i, i);
	(void)strcpy(p, "}");
	cr_assert_eq(parse(&r, text), 0);
	(void)strcpy(p, ",\"x\":1}");
	cr_assert_eq(parse(&r, text), -1);
}
