#include <string.h>

#include "core/buf.h"
#include "rds/ros_reply.h"
#include "support/t.h"

/* Every kind of line, strings with every character that means something, a raw control
 * byte and raw bytes beyond ASCII. */
static const char said[] =
	"banner\r\n"
	"@r [{\"a\":\"x{[\\\"]}\\\\\",\"b\":[1,{\"c\":\"\xc3\xa9\x01\"}]},"
	" {\"d\":\"\"}]\r\n"
	"@rb {\"e\":\"plain text that is taken a run at a time\"}\r\n"
	"@e failure: no\r\n@r []\r\n@r nonsense\r\n@ok 0123456789abcdef\r\n";
static const char heard[] = "6:banner\n"
			    "0:{\"a\":\"x{[\\\"]}\\\\\",\"b\":[1,{\"c\":\"??\"}]}\n"
			    "0:{\"d\":\"\"}\n"
			    "0b:{\"e\":\"plain text that is taken a run at a time\"}\n"
			    "1:failure: no\n"
			    "7:rows that are no JSON\n"
			    "5:0123456789abcdef\n";

static void on_event(void *arg, const struct ros_event *ev)
{
	struct buf *log = arg;

	cr_assert_eq(strlen(ev->text), ev->len);
	(void)buf_printf(log, "%d", (int)ev->word);
	if (ev->tag)
		(void)buf_putc(log, ev->tag);
	(void)buf_printf(log, ":%s\n", ev->text);
}

static void check(size_t first, size_t step)
{
	struct ros_reply r;
	struct buf log;

	buf_init(&log, 4096);
	ros_reply_init(&r, on_event, &log);
	for (size_t at = 0, n = first; at < sizeof(said) - 1; at += n, n = step) {
		if (n > sizeof(said) - 1 - at)
			n = sizeof(said) - 1 - at;
		ros_reply_feed(&r, said + at, n);
	}
	ros_reply_end(&r);
	cr_assert_str_eq(log.data, heard, "first %zu, then %zu: %s", first, step,
			 log.data);
	ros_reply_fini(&r);
	buf_fini(&log);
	cr_assert_eq(mem_live(), 0);
}

Test(ros_rows, the_same_however_the_bytes_are_cut)
{
	for (size_t i = 1; i < sizeof(said); i++)
		check(i, sizeof(said));
	for (size_t step = 1; step < 9; step++)
		check(step, step);
}

Test(ros_rows, a_row_longer_than_the_limit_is_said_so_and_the_next_line_is_read)
{
	static char text[ROS_LINE_MAX + 64];
	struct ros_reply r;
	struct buf log;
	size_t n;

	buf_init(&log, 1 << 16);
	ros_reply_init(&r, on_event, &log);
	memcpy(text, "@r {\"a\":\"", 9);
	memset(text + 9, 'x', ROS_LINE_MAX);
	memcpy(text + 9 + ROS_LINE_MAX, "\"}\n@ok 1\n", 9);
	n = 9 + ROS_LINE_MAX + 9;
	ros_reply_feed(&r, text, n);
	cr_assert_str_eq(log.data, "7:a row too long\n5:1\n", "%.80s", log.data);
	/* The longest that fits: six bytes around the text. */
	buf_reset(&log);
	memcpy(text + 9 + ROS_LINE_MAX - 8, "\"}\n", 3);
	ros_reply_feed(&r, text, 9 + ROS_LINE_MAX - 8 + 3);
	cr_assert_eq(log.len, 2 + ROS_LINE_MAX + 1, "%zu", log.len);
	cr_assert_eq(log.data[0], '0');
	ros_reply_fini(&r);
	buf_fini(&log);
}
