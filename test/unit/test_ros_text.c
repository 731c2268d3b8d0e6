#include "support/t.h"

#include <string.h>

#include "rds/ros_text.h"

/* Reads a literal as RouterOS does (routeros-script 2): an oracle of its own. */
static size_t unquote(const char *s, unsigned char *out)
{
	size_t n = 0;
	unsigned x;

	cr_assert_eq(*s++, '"');
	for (; *s != '"'; s++) {
		cr_assert(*s && *s != '$', "%s", s);
		if (*s != '\\') {
			out[n++] = (unsigned char)*s;
			continue;
		}
		s++;
		if (strchr("\"\\$", *s)) {
			out[n++] = (unsigned char)*s;
			continue;
		}
		cr_assert_eq(sscanf(s, "%2X", &x), 1);
		cr_assert(strspn(s, "0123456789ABCDEF") >= 2);
		out[n++] = (unsigned char)x;
		s++;
	}
	cr_assert_eq(s[1], '\0');
	return n;
}

Test(ros_text, quotes_every_byte_so_that_it_is_read_back)
{
	for (int a = 1; a < 256; a++)
		for (int c = 1; c < 256; c++) {
			char text[4] = { (char)a, (char)c, 'A', '\0' };
			unsigned char back[16];
			struct buf b;

			buf_init(&b, 64);
			ros_quote(&b, text);
			for (size_t i = 0; i < b.len; i++)
				cr_assert(b.data[i] >= ' ' && b.data[i] <= '~');
			cr_assert_eq(unquote(b.data, back), 3);
			cr_assert_eq(memcmp(back, text, 3), 0, "%d %d: %s", a, c, b.data);
			buf_fini(&b);
		}
}

Test(ros_text, kinds_let_nothing_through_that_could_end_a_literal)
{
	for (int kind = ROS_ID; kind <= ROS_WORD; kind++)
		for (int c = 0; c < 256; c++) {
			char text[8] = { 'a', (char)c, 'a', '\0' };

			if (strchr("\"\\;{}#\n\r\t`'<>&*!%", c) || c < ' ' || c > '~')
				cr_assert(c == 0 ? ros_is(kind, "") == false
						 : !ros_is(kind, text),
					  "kind %d byte %d", kind, c);
			if (c == '$' && kind != ROS_PATTERN)
				cr_assert(!ros_is(kind, text), "kind %d", kind);
		}
}

Test(ros_text, kinds)
{
	static const struct {
		enum ros_kind kind;
		const char *text;
		bool is;
	} cases[] = {
		{ ROS_ID, "pvc-1", true },	 { ROS_ID, "-x", false },
		{ ROS_ID, "a.b", false },	 { ROS_ID, NULL, false },
		{ ROS_PATH, "a/b.c/d_e", true }, { ROS_PATH, "/a", true },
		{ ROS_PATH, "a//b", false },	 { ROS_PATH, "a/../b", false },
		{ ROS_PATH, "a/.b", false },	 { ROS_PATH, "a/", false },
		{ ROS_PATH, "/", false },	 { ROS_NQN, "nqn.2000-02.x:a", true },
		{ ROS_NQN, "nqn.X:a", false },	 { ROS_NQN, "iqn.x:a", false },
		{ ROS_DIGITS, "120", true },	 { ROS_DIGITS, "1a", false },
		{ ROS_UNSET, "a", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(ros_is(cases[i].kind, cases[i].text), cases[i].is, "%zu", i);
}

Test(ros_text, a_missing_value_and_a_full_buffer_are_errors)
{
	struct ros_values vs = { .v = { { ROS_UNSET, NULL } } };
	struct err err;
	struct buf b;

	buf_init(&b, 10);
	cr_assert_eq(ros_text(&b, "x %A", &vs, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	buf_reset(&b);
	ros_let(&vs, 'A', ROS_ID, "abc");
	cr_assert_eq(ros_text(&b, "x %A", &vs, &err), 0);
	cr_assert_str_eq(b.data, "x \"abc\"");
	cr_assert_eq(ros_text(&b, "%A", &vs, &err), -1);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	buf_fini(&b);
}
