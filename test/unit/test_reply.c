#include "nvme/reply.h"

#include <string.h>

#include "support/t.h"

static struct reply r;

Test(reply, carries_any_text_and_number)
{
	char out[64];
	uint64_t v;

	reply_begin(&r);
	reply_add_str(&r, "msg", "a \"b\" \\ \n \xc3\xa9 {}:,");
	reply_add_u64(&r, "n", UINT64_MAX);
	reply_add_str(&r, "", "");
	reply_end(&r);
	cr_assert(reply_is_valid(r.text), "%s", r.text);
	cr_assert_eq(reply_get_str(r.text, "msg", out, sizeof(out)), 0);
	cr_assert_str_eq(out, "a \"b\" \\ \n \xc3\xa9 {}:,");
	cr_assert_eq(reply_get_u64(r.text, "n", &v), 0);
	cr_assert_eq(v, UINT64_MAX);
	cr_assert_eq(reply_get_u64(r.text, "msg", &v), -1);
	cr_assert_eq(reply_get_str(r.text, "n", out, sizeof(out)), -1);
	cr_assert_eq(reply_get_str(r.text, "none", out, sizeof(out)), -1);
	cr_assert_eq(reply_get_str(r.text, "msg", out, 5), -1, "too long for the buffer");
}

Test(reply, every_cut_and_every_addition_is_invalid)
{
	char text[REPLY_MAX];

	reply_begin(&r);
	reply_add_str(&r, "k", "v\n");
	reply_add_u64(&r, "n", 12);
	reply_end(&r);
	for (size_t n = 0; n < r.len; n++) {
		memcpy(text, r.text, n);
		text[n] = '\0';
		cr_assert(!reply_is_valid(text), "%s", text);
	}
	memcpy(text, r.text, r.len + 1);
	strcat(text, "x");
	cr_assert(!reply_is_valid(text));
	cr_assert(!reply_is_valid("{\"a\":-1}\n"));
	cr_assert(!reply_is_valid("{\"a\":{}}\n"));
	cr_assert(!reply_is_valid("mkfs: warning\n{\"a\":1}\n"));
}

Test(reply, what_does_not_fit_is_invalid_not_shorter)
{
	static char big[REPLY_MAX];

	memset(big, 'x', sizeof(big) - 1);
	reply_begin(&r);
	reply_add_u64(&r, "code", 0);
	reply_add_str(&r, "msg", big);
	reply_end(&r);
	cr_assert(!reply_is_valid(r.text));
}
