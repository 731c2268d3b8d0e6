#include "support/t.h"

#include <string.h>

#include "core/buf.h"

Test(buf, grows_up_to_its_maximum_and_not_beyond)
{
	struct buf b;

	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(buf_putc(&b, 'x'), 0);
	cr_assert(!buf_failed(&b));
	cr_assert_leq(b.cap, 1001);
	cr_assert_eq(buf_putc(&b, 'y'), -1);
	cr_assert(buf_failed(&b));
	cr_assert_eq(b.len, 1000);
	cr_assert_eq(strlen(b.data), 1000);
	buf_fini(&b);
	cr_assert_eq(mem_live(), 0);
}

Test(buf, a_failure_sticks_until_reset)
{
	struct buf b;

	buf_init(&b, 8);
	cr_assert_eq(buf_puts(&b, "123456789"), -1);
	cr_assert_eq(buf_puts(&b, "1"), -1);
	buf_reset(&b);
	cr_assert_eq(buf_puts(&b, "12345678"), 0);
	cr_assert_str_eq(b.data, "12345678");
	buf_fini(&b);
}

Test(buf, a_huge_length_does_not_wrap_around)
{
	struct buf b;

	buf_init(&b, 100);
	cr_assert_eq(buf_puts(&b, "abc"), 0);
	cr_assert_eq(buf_reserve(&b, SIZE_MAX), -1);
	cr_assert_eq(buf_reserve(&b, SIZE_MAX - 2), -1);
	buf_fini(&b);
}

Test(buf, prints_and_consumes)
{
	struct buf b;

	buf_init(&b, 100);
	cr_assert_eq(buf_printf(&b, "%s-%d", "a", 7), 0);
	cr_assert_eq(buf_append(&b, "\0z", 2), 0);
	cr_assert_eq(b.len, 5);
	cr_assert_eq(memcmp(b.data, "a-7\0z", 6), 0);
	buf_consume(&b, 2);
	cr_assert_eq(b.len, 3);
	cr_assert_str_eq(b.data, "7");
	buf_consume(&b, 3);
	cr_assert_eq(b.len, 0);
	cr_assert_eq(b.data[0], '\0');
	cr_assert_eq(buf_printf(&b, "%0100d", 1), 0);
	cr_assert_eq(buf_printf(&b, "%d", 1), -1);
	buf_fini(&b);
}

Test(buf, lack_of_memory_keeps_what_was_there)
{
	struct buf b;

	buf_init(&b, 10000);
	cr_assert_eq(buf_puts(&b, "abc"), 0);
	mem_fail_at(0);
	cr_assert_eq(buf_printf(&b, "%05000d", 1), -1);
	mem_fail_at(-1);
	cr_assert_str_eq(b.data, "abc");
	cr_assert(buf_failed(&b));
	buf_fini(&b);
	buf_fini(&b);
	cr_assert_eq(mem_live(), 0);
}
