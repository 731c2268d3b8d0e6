#include "csi/grpc/wire.h"

#include <string.h>

#include "csi/grpc/call.h"
#include "support/t.h"

static uint64_t parse(const char *s)
{
	uint64_t ms = UINT64_MAX;

	if (wire_parse_timeout(s, &ms))
		cr_assert_eq(ms, UINT64_MAX, "%s: touched although malformed", s);
	return ms;
}

Test(wire, timeout_units)
{
	cr_assert_eq(parse("1H"), 600000); /* cut */
	cr_assert_eq(parse("2M"), 120000);
	cr_assert_eq(parse("3S"), 3000);
	cr_assert_eq(parse("4m"), 4);
	cr_assert_eq(parse("1999954u"), 2000);
	cr_assert_eq(parse("1u"), 1, "only a true 0 is 0");
	cr_assert_eq(parse("1000001n"), 2);
	cr_assert_eq(parse("0H"), 0);
	cr_assert_eq(parse("00000000n"), 0);
	cr_assert_eq(parse("99999999H"), 600000, "no overflow");
}

Test(wire, timeout_malformed)
{
	static const char *const bad[] = { "",	  "5",	  "S",	 "123456789S", "5s",
					   "5 S", "-5S",  "+5S", "5SS",	       " 5S",
					   "5h",  "0x5S", "1.5S" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(parse(bad[i]), UINT64_MAX, "%s", bad[i]);
}

Test(wire, timeout_text_is_read_back)
{
	static const uint64_t ms[] = { 1, 999, 1000, 15000, 599999, 600000 };
	char text[WIRE_TIMEOUT_TEXT];

	for (size_t i = 0; i < sizeof(ms) / sizeof(*ms); i++) {
		wire_format_timeout(ms[i], text);
		cr_assert_leq(strlen(text), 9);
		cr_assert_eq(parse(text), ms[i], "%s", text);
	}
	wire_format_timeout(UINT64_MAX, text);
	cr_assert_str_eq(text, "600000m");
}

Test(wire, text_is_escaped_and_read_back)
{
	char out[100], back[100];

	wire_encode_text("\xe2\x82\xac 100% x\ny~\x7f", out, sizeof(out));
	cr_assert_str_eq(out, "%E2%82%AC 100%25 x%0Ay~%7F");
	wire_decode_text(out, back, sizeof(back));
	cr_assert_str_eq(back, "\xe2\x82\xac 100% x\ny~\x7f");
	wire_decode_text("50% of %zz %4 %", back, sizeof(back));
	cr_assert_str_eq(back, "50% of %zz %4 %");
}

Test(wire, text_is_cut_between_characters)
{
	char out[32];

	for (size_t size = 1; size < sizeof(out); size++) {
		size_t n = wire_encode_text("a\xe2\x82\xac\xe2\x82\xac%", out, size);

		cr_assert_lt(n, size);
		cr_assert_eq(n, strlen(out));
		cr_assert(n == 0 || n == 1 || n == 10 || n == 19 || n == 22, "%zu", n);
	}
	cr_assert_eq(wire_decode_text("abcdef", out, 4), 3);
	cr_assert_str_eq(out, "abc");
}

static const uint8_t good[] = { 0, 0, 0, 0, 3, 'a', 'b', 'c' };

/* Feeds in pieces cut at a and b; returns the code of the first error. */
static enum err_code feed(const uint8_t *p, size_t n, size_t a, size_t b, bool is_encoded)
{
	struct err err = { .code = ERR_OK };
	struct wire_frame f;

	wire_frame_init(&f, is_encoded);
	if (wire_frame_feed(&f, p, a, &err) || wire_frame_feed(&f, p + a, b - a, &err) ||
	    wire_frame_feed(&f, p + b, n - b, &err) || wire_frame_end(&f, &err))
		cr_assert_neq(err.code, ERR_OK);
	else
		cr_assert_eq(memcmp(f.message.data, "abc", 3), 0);
	wire_frame_fini(&f);
	cr_assert_eq(mem_live(), 0);
	return err.code;
}

Test(wire, frame_split_anywhere)
{
	uint8_t longer[sizeof(good) + 1];

	memcpy(longer, good, sizeof(good));
	longer[sizeof(good)] = 0;
	for (size_t a = 0; a <= sizeof(good); a++) {
		for (size_t b = a; b <= sizeof(good); b++) {
			cr_assert_eq(feed(good, sizeof(good), a, b, false), ERR_OK);
			cr_assert_eq(feed(longer, sizeof(longer), a, b, false),
				     ERR_INTERNAL);
		}
	}
	for (size_t n = 0; n < sizeof(good); n++)
		cr_assert_eq(feed(good, n, 0, n, false), ERR_INTERNAL, "cut at %zu", n);
}

Test(wire, frame_flags_and_size)
{
	uint8_t b[8] = { 1, 0, 0, 0, 3, 'a', 'b', 'c' };
	struct wire_frame f;
	struct err err;

	cr_assert_eq(feed(b, 8, 0, 8, false), ERR_INTERNAL);
	cr_assert_eq(feed(b, 8, 0, 8, true), ERR_UNIMPLEMENTED);
	b[0] = 2;
	cr_assert_eq(feed(b, 8, 0, 8, true), ERR_INTERNAL);
	wire_put_prefix(b, GRPC_MAX_MESSAGE + 1);
	cr_assert_eq(feed(b, 5, 0, 5, false), ERR_EXHAUSTED, "judged from the prefix");
	wire_put_prefix(b, GRPC_MAX_MESSAGE);
	wire_frame_init(&f, false);
	cr_assert_eq(wire_frame_feed(&f, b, 5, &err), 0);
	wire_frame_fini(&f);
}

Test(wire, frame_without_memory)
{
	mem_fail_at(0);
	cr_assert_eq(feed(good, sizeof(good), 0, sizeof(good), false), ERR_EXHAUSTED);
	mem_fail_at(-1);
}
