#include "support/t.h"

#include "core/json.h"

static json_t *parse(const char *text, struct err *err)
{
	return json_parse(text, strlen(text), err);
}

static int number(const char *text, uint64_t *ret)
{
	struct err err = { 0 };
	json_t *v = json_parse(text, strlen(text), &err);
	int rc;

	cr_assert_not_null(v, "%s: %s", text, err.msg);
	rc = json_to_u64(v, ret);
	json_decref(v);
	return rc;
}

Test(json, reads_numbers_in_every_form_the_box_writes)
{
	static const struct {
		const char *text;
		uint64_t n;
	} good[] = {
		{ "0", 0 },
		{ "443.000000", 443 },
		{ "\"4420\"", 4420 },
		{ "17592186044416", UINT64_C(1) << 44 },
		{ "17592186044416.000000", UINT64_C(1) << 44 },
		{ "\"18446744073709551615\"", UINT64_MAX },
	};
	static const char *const bad[] = {
		"-1",	"1.5",	"1e300", "\"\"", "\"1x\"",  "\" 1\"",
		"true", "null", "[1]",	 "-0.5", "\"1.0\"",
	};
	uint64_t n;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_eq(number(good[i].text, &n), 0, "%s", good[i].text);
		cr_assert_eq(n, good[i].n, "%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		n = 77;
		cr_assert_eq(number(bad[i], &n), -1, "%s", bad[i]);
		cr_assert_eq(n, 77);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(json, reads_bools)
{
	struct err err;
	json_t *v = parse("[true,false,\"yes\",\"no\",\"maybe\",1,null]", &err);
	bool b;

	cr_assert_not_null(v);
	for (size_t i = 0; i < 7; i++) {
		int rc = json_to_bool(json_array_get(v, i), &b);

		cr_assert_eq(rc, i < 4 ? 0 : -1);
		if (i < 4)
			cr_assert_eq(b, i % 2 == 0);
	}
	json_decref(v);
}

Test(json, refuses_what_is_malformed_or_too_deep)
{
	static const char *const bad[] = {
		"", "{", "{\"a\":1,\"a\":2}", "[1]x", "\"\xff\"", "nul", "{\"a\":1}}",
	};
	char deep[JSON_DEPTH_MAX * 2 + 3];
	struct err err;
	json_t *v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_null(json_parse(bad[i], strlen(bad[i]), &err), "%s", bad[i]);
		cr_assert_eq(err.code, ERR_INVALID);
	}
	memset(deep, '[', JSON_DEPTH_MAX + 1);
	memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	cr_assert_null(json_parse(deep, (JSON_DEPTH_MAX + 1) * 2, &err));
	v = json_parse(deep + 1, JSON_DEPTH_MAX * 2, &err);
	cr_assert_not_null(v);
	json_decref(v);
	v = parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"", &err);
	cr_assert_not_null(v, "%s", err.msg);
	json_decref(v);
	cr_assert_eq(mem_live(), 0);
}

static void parse_once(void)
{
	static const char text[] = "{\"a\":[1,2,{\"b\":\"c\"}],\"d\":\"e\"}";
	struct err err = { 0 };
	json_t *v = json_parse(text, sizeof(text) - 1, &err);

	if (!v)
		cr_assert_eq(err.code, ERR_EXHAUSTED);
	json_decref(v);
	cr_assert_eq(mem_live(), 0);
}

Test(json, every_allocation_fails)
{
	T_EACH_ALLOC_FAILS(parse_once());
}
