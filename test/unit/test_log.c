#include "support/t.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "support/capture.h"

static const char *text;
static size_t text_len;

static void release(void)
{
	text = t_captured(&text_len);
}

/* One line, valid JSON. */
static json_t *one_line(void)
{
	json_t *v;

	cr_assert_leq(text_len, LOG_LINE_MAX);
	cr_assert_gt(text_len, 0);
	cr_assert_eq(strchr(text, '\n'), text + text_len - 1, "%s", text);
	v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(v, "%s", text);
	return v;
}

static const char *field(json_t *v, const char *key)
{
	return json_string_value(json_object_get(v, key));
}

Test(log, one_json_line_with_typed_fields)
{
	json_t *v;

	log_open(LOG_INFO, true);
	t_capture();
	log_info("csi", "volume created", KS("volume", "pvc-1"), KU("bytes", INT64_MAX),
		 KI("diff", INT64_MIN), KB("is_new", true), KS("none", NULL));
	release();
	v = one_line();
	cr_assert_str_eq(field(v, "level"), "info");
	cr_assert_str_eq(field(v, "mod"), "csi");
	cr_assert_str_eq(field(v, "msg"), "volume created");
	cr_assert_str_eq(field(v, "volume"), "pvc-1");
	cr_assert_str_eq(field(v, "none"), "");
	cr_assert_eq(json_integer_value(json_object_get(v, "diff")), INT64_MIN);
	cr_assert(json_is_true(json_object_get(v, "is_new")));
	cr_assert_not_null(strstr(text, "\"bytes\":9223372036854775807"));
	cr_assert_eq(strlen(field(v, "time")), strlen("2026-01-31T12:00:00.000Z"));
	json_decref(v);
}

Test(log, every_byte_in_a_value_leaves_one_valid_line)
{
	log_open(LOG_INFO, true);
	for (int byte = 1; byte < 256; byte++) {
		char value[] = { 'a', (char)byte, 'b', '\0' };
		json_t *v;

		t_capture();
		log_info("csi", "x", KS("volume", value), KS("after", "ok"));
		release();
		v = one_line();
		cr_assert_str_eq(field(v, "after"), "ok");
		if (byte < 0x80)
			cr_assert_str_eq(field(v, "volume"), value);
		json_decref(v);
	}
}

Test(log, a_value_cannot_forge_a_line_or_a_field)
{
	static const char evil[] =
		"x\"}\n{\"level\":\"error\",\"msg\":\"forged\"}\x1b[2J\\";
	json_t *v;

	log_open(LOG_INFO, true);
	t_capture();
	log_info("csi", "x", KS("volume", evil));
	release();
	v = one_line();
	cr_assert_str_eq(field(v, "volume"), evil);
	cr_assert_str_eq(field(v, "level"), "info");
	json_decref(v);

	log_open(LOG_INFO, false);
	t_capture();
	log_info("csi", "x", KS("volume", "a b=c\nlevel=error"), KS("after", "ok"));
	release();
	cr_assert_eq(strchr(text, '\n'), text + text_len - 1);
	cr_assert_not_null(strstr(text, " volume=\"a b=c\\u000alevel=error\" after=ok\n"),
			   "%s", text);
}

Test(log, values_are_cut_and_the_line_stays_whole)
{
	char big[2000];
	json_t *v;

	log_open(LOG_INFO, true);
	memset(big, 'v', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	t_capture();
	log_info("csi", "x", KS("volume", big));
	release();
	v = one_line();
	cr_assert_eq(strlen(field(v, "volume")), LOG_VALUE_MAX);
	json_decref(v);
}

Test(log, the_worst_fields_never_exceed_the_line)
{
	char big[1000];

	memset(big, 1, sizeof(big)); /* each byte takes six */
	big[sizeof(big) - 1] = '\0';
	for (int json = 0; json < 2; json++) {
		log_open(LOG_INFO, json);
		t_capture();
		log_info(big, big, KS("a", big), KS("b", big), KS("c", big), KS("d", big),
			 KU("e", 5));
		release();
		cr_assert_leq(text_len, LOG_LINE_MAX);
		cr_assert_eq(strchr(text, '\n'), text + text_len - 1);
		if (json)
			json_decref(one_line());
	}
}

Test(log, a_cut_inside_a_character_is_still_valid)
{
	char big[LOG_VALUE_MAX + 8];

	log_open(LOG_INFO, true);
	for (size_t shift = 0; shift < 4; shift++) {
		json_t *v;

		memset(big, 'a', sizeof(big));
		for (size_t i = shift; i + 3 < sizeof(big); i += 3)
			memcpy(big + i, "\xe2\x98\xba", 3);
		big[sizeof(big) - 1] = '\0';
		t_capture();
		log_info("csi", "x", KS("volume", big));
		release();
		v = one_line();
		json_decref(v);
	}
}

Test(log, levels)
{
	log_open(LOG_WARN, true);
	t_capture();
	log_info("csi", "hidden");
	log_debug("csi", "hidden");
	log_warn("csi", "seen");
	log_set_level(LOG_DEBUG);
	log_debug("csi", "seen");
	release();
	cr_assert_eq(log_level(), LOG_DEBUG);
	cr_assert_null(strstr(text, "hidden"));
	cr_assert_not_null(strstr(text, "\"level\":\"warn\""));
	cr_assert_not_null(strstr(text, "\"level\":\"debug\""));
}

Test(log, one_line_an_interval_for_each_site)
{
	struct log_rate r = { .next_ms = 0 };

	cr_assert(log_may(&r, 100, 1000));
	cr_assert(!log_may(&r, 100, 1000));
	cr_assert(!log_may(&r, 1099, 1000));
	cr_assert(log_may(&r, 1100, 1000));
	cr_assert_eq(r.skipped, 2, "the line says how many went before it");
	cr_assert(!log_may(&r, 1101, 1000));
	cr_assert(log_may(&r, 2100, 1000));
	cr_assert_eq(r.skipped, 1, "each is told once");
	cr_assert(log_may(&r, 3100, 1000));
	cr_assert_eq(r.skipped, 0);
}

/* What of a value must come out again at the other end, byte for byte. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* Random values out of what hurts: quotes, escapes, controls, broken and whole UTF-8,
 * newlines, JSON. */
static void random_value(char *out, size_t size)
{
	static const char *const parts[] = {
		"\"",
		"\\",
		"\n",
		"\r\n",
		"\x1b[31m",
		"\x7f",
		"\xc3\xa9",
		"\xc3",
		"\xff",
		"\xe2\x80\xa8",
		"\xe2\x80",
		"\xc2\x9b",
		"\xf0\x9f\x92\xbe",
		"\xf0\x9f",
		"\",\"",
		"{\"a\":1}",
		"=",
		"a b",
		"\xed\xa0\x80",
		"\xc0\xaf",
		"\t",
		"\x01",
		"pvc-1",
		"\\u0000",
		"\xe2\x80\xae",
	};
	size_t n = 0;

	while (n + 8 < size && rand() % 40)
		n += (size_t)snprintf(
			out + n, size - n, "%s",
			parts[(unsigned)rand() % (sizeof(parts) / sizeof(parts[0]))]);
	out[n] = '\0';
}

/* Nothing that a terminal takes for a command, and no second line. */
static void check_bytes(void)
{
	for (size_t i = 0; i + 1 < text_len; i++) {
		unsigned char c = (unsigned char)text[i];

		cr_assert(c >= 0x20 && c != 0x7f, "%zu: %02x", i, c);
		cr_assert(c != 0xc2 || (unsigned char)text[i + 1] >= 0xa0);
		cr_assert_neq(strncmp(text + i, "\xe2\x80\xa8", 3), 0);
		cr_assert_neq(strncmp(text + i, "\xe2\x80\xae", 3), 0);
	}
}

Test(log, no_value_whatever_breaks_a_line)
{
	char a[700], b[700], c[40];
	json_t *v;

	srand(7);
	for (int i = 0; i < 3000; i++) {
		random_value(a, sizeof(a));
		random_value(b, sizeof(b));
		random_value(c, sizeof(c));
		log_open(LOG_INFO, i % 4 != 0);
		t_capture();
		log_info("csi", a, KS("volume", b), KS("node", c), KU("n", 7));
		release();
		check_bytes();
		if (i % 4 == 0) {
			cr_assert_eq(strchr(text, '\n'), text + text_len - 1);
			continue;
		}
		v = one_line();
		cr_assert_eq(json_integer_value(json_object_get(v, "n")), 7, "%s", text);
		cr_assert_eq(json_object_size(v), 7);
		if (is_plain(c))
			cr_assert_str_eq(field(v, "node"), c);
		json_decref(v);
	}
}
