#include "support/t.h"

#include <string.h>

#include "rds/ros_reply.h"
#include "rds/row.h"

static struct buf seen;

static void on_event(void *arg, const struct ros_event *ev)
{
	(void)arg;
	buf_printf(&seen, "%d%c:%s|", ev->word, ev->tag ? ev->tag : '-', ev->text);
}

static const char *feed_in(const char *text, size_t piece)
{
	struct ros_reply r;
	size_t n = strlen(text);

	buf_reset(&seen);
	ros_reply_init(&r, on_event, NULL);
	for (size_t i = 0; i < n; i += piece)
		ros_reply_feed(&r, text + i, n - i < piece ? n - i : piece);
	ros_reply_end(&r);
	ros_reply_fini(&r);
	return seen.len ? seen.data : "";
}

static const char *feed(const char *text)
{
	static char whole[8192];

	snprintf(whole, sizeof(whole), "%s", feed_in(text, strlen(text) + 1));
	for (size_t piece = 1; piece < 40; piece++)
		cr_assert_str_eq(feed_in(text, piece), whole, "piece %zu", piece);
	return whole;
}

static void start(void)
{
	buf_init(&seen, 1 << 16);
}

static void end(void)
{
	buf_fini(&seen);
	cr_assert_eq(mem_live(), 0);
}

Test(ros_reply, hands_out_rows_one_by_one)
{
	start();
	cr_assert_str_eq(
		feed("@r [{\"a\":\"x\\\"}]\"},{\"b\":[1,{}]}]\r\n\r\n@ok 12\r\n"),
		"0-:{\"a\":\"x\\\"}]\"}|0-:{\"b\":[1,{}]}|5-:12|");
	cr_assert_str_eq(feed("@rb []\r\n@rc {\"a\":1}\r\n"), "0c:{\"a\":1}|");
	cr_assert_str_eq(
		feed("@n 5\n@e @cas (:error; line 1)\n@i pvc-1\n@v 7.24 (stable)\n"),
		"2-:5|1-:@cas (:error; line 1)|4-:pvc-1|3-:7.24 (stable)|");
	cr_assert_str_eq(feed("bad command name x\r\nlast"),
			 "6-:bad command name x|6-:last|");
	end();
}

Test(ros_reply, keeps_rows_with_foreign_bytes)
{
	start();
	cr_assert_str_eq(feed("@r [{\"a\":\"\x01"
			      "caf\xe9\t\"}]\n"),
			 "0-:{\"a\":\"caf?\"}|");
	end();
}

Test(ros_reply, says_when_it_makes_no_sense_and_goes_on)
{
	static const char *const bad[] = { "@r [{\"a\":1}", "@r [{\"a\":", "@r x",
					   "@r [1]",	    "@r []x",	   "@r ]",
					   "@r [{}] [{}]",  "@r [,{}]",	   "@r " };

	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s\r\n@ok 1\r\n", bad[i]);
		const char *said = feed(text);
		cr_assert(strstr(said, "7-:"), "%s: %s", bad[i], said);
		cr_assert(strstr(said, "|5-:1|"), "%s: %s", bad[i], said);
	}
	end();
}

Test(ros_reply, a_line_or_row_without_end_is_bounded)
{
	static char text[3 * ROS_LINE_MAX];

	start();
	memset(text, 'x', sizeof(text) - 10);
	strcpy(text + sizeof(text) - 10, "\n@ok 1\n");
	cr_assert_str_eq(feed_in(text, 999), "7-:a line too long|5-:1|");
	memcpy(text, "@r [{\"", 6);
	cr_assert_str_eq(feed_in(text, 999), "7-:a row too long|5-:1|");
	end();
}

Test(ros_reply, knows_our_stems_and_the_errors_of_routeros)
{
	static const struct {
		const char *text;
		enum ros_fault fault;
	} cases[] = {
		{ "@cas (:error; line 1)", ROS_FAULT_CAS },
		{ "@cas", ROS_FAULT_CAS },
		{ "@casual", ROS_FAULT_OTHER },
		{ "@still (:error; line 1)", ROS_FAULT_STILL },
		{ "action timed out - try again, if error continues (13)",
		  ROS_FAULT_TIMED_OUT },
		{ "not enough permissions (9)", ROS_FAULT_PERMISSION },
		{ "failure: not allowed by device-mode (x)", ROS_FAULT_PERMISSION },
		{ "failure: not enough space", ROS_FAULT_SPACE },
		{ "Script Error: missing value(s) of argument(s) type",
		  ROS_FAULT_SCRIPT },
		{ "something new", ROS_FAULT_OTHER },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(ros_fault_of(cases[i].text), cases[i].fault, "%s",
			     cases[i].text);
	cr_assert_eq(ros_console_fault("bad command name btrfs (line 1 column 9)"),
		     ROS_FAULT_SCRIPT);
	cr_assert_eq(ros_console_fault("Welcome to the box"), ROS_FAULT_NONE);
}

static int decode(struct rds_volume *v, const char *text)
{
	static const struct ros_site site = {
		.cluster_id = "prod-1", .n_bases = 1, .bases = { "p/b" }, .pool = "p"
	};
	struct err err = { .code = ERR_OK };
	struct row row;
	int rc;

	cr_assert_eq(row_parse(&row, text, strlen(text), &err), 0, "%s", text);
	rc = ros_row_volume(v, &row, &site, &err);
	cr_assert_eq(err.code, rc ? ERR_UNAVAILABLE : ERR_OK);
	return rc;
}

Test(ros_reply, decodes_a_disk_in_every_form_of_number_and_flag)
{
	static const char *const forms[] = {
		"{\"slot\":\"a\",\"type\":\"file\",\"size\":1073741824,\"file-path\":\"p/"
		"b/a.img\","
		"\"nvme-tcp-export\":true,\"nvme-tcp-server-port\":4420}",
		"{\"slot\":\"a\",\"type\":\"file\",\"size\":1073741824.000000,\"file-"
		"path\":"
		"\"/p/b/"
		"a.img\",\"nvme-tcp-export\":\"yes\",\"nvme-tcp-server-port\":\"4420\"}",
		"{\"slot\":\"a\",\"type\":\"file\",\"size\":\"1073741824\",\"file-path\":"
		"\"/p/b/a.img\",\"nvme-tcp-export\":true,\"nvme-tcp-server-port\":4420.0,"
		"\"comment\":null}",
	};
	struct rds_volume v;

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(decode(&v, forms[i]), 0, "%s", forms[i]);
		cr_assert_eq(v.size_bytes, 1 << 30);
		cr_assert_eq(v.port, 4420);
		cr_assert(v.is_exported && v.is_file_disk && !v.is_mounted);
		cr_assert_str_eq(v.path, "/p/b/a.img");
		cr_assert_eq(v.layout, RDS_LAYOUT_FILE);
		cr_assert_eq(v.record.kind, RDS_RECORD_NONE);
	}
	cr_assert_eq(decode(&v, "{\"slot\":\"raid1\",\"type\":\"raid\",\"comment\":7}"),
		     0);
	cr_assert(!v.is_file_disk);
	cr_assert_eq(v.record.kind, RDS_RECORD_UNREADABLE);
	cr_assert_eq(decode(&v, "{\"slot\":\"\"}"), -1);
	cr_assert_eq(decode(&v, "{}"), -1);
	cr_assert_eq(decode(&v, "{\"slot\":\"a\",\"size\":-1}"), -1);
	cr_assert_eq(decode(&v, "{\"slot\":\"a\",\"size\":1.5}"), -1);
	cr_assert_eq(decode(&v, "{\"slot\":\"a\",\"nvme-tcp-export\":\"maybe\"}"), -1);
	cr_assert_eq(decode(&v, "{\"slot\":\"a\",\"nvme-tcp-server-port\":65536}"), -1);
}
