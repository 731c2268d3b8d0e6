#include "support/t.h"

#include <math.h>
#include <string.h>

#include "rds/figures.h"

static struct figures f;

static void say(char tag, const char *text)
{
	struct ros_event ev = { ROS_SAID_ROW, tag, text, strlen(text) };

	figures_note(&f, &ev);
}

static bool is(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

Test(figures, numbers_bear_the_units_of_the_console)
{
	static const struct {
		const char *text;
		enum figures_unit unit;
		double want;
	} good[] = {
		{ "0", FIGURES_PLAIN, 0 },
		{ "443.000000", FIGURES_PLAIN, 443 },
		{ "17283541893120", FIGURES_PLAIN, 17283541893120.0 },
		{ "12800000", FIGURES_RATE, 1600000 },
		{ "0bps", FIGURES_RATE, 0 },
		{ "8kbps", FIGURES_RATE, 1000 },
		{ "12.8Mbps", FIGURES_RATE, 1600000 },
		{ "100Gbps", FIGURES_RATE, 12.5e9 },
		{ "12", FIGURES_TIME, 12 },
		{ "12ms", FIGURES_TIME, 12 },
		{ "250us", FIGURES_TIME, 0.25 },
		{ "2s", FIGURES_TIME, 2000 },
		{ "00:00:00.012", FIGURES_TIME, 12 },
		{ "01:30:15", FIGURES_TIME, 5415000 },
		{ "1w2d00:00:01", FIGURES_TIME, 777601000 },
		{ "38C", FIGURES_TEMPERATURE, 38 },
		{ "-5", FIGURES_TEMPERATURE, -5 },
		{ "3%", FIGURES_PERCENT, 3 },
		{ "-12.5", FIGURES_SIGNED, -12.5 },
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		double got = figures_number(good[i].text, good[i].unit);

		cr_assert(is(got, good[i].want), "%s: %g", good[i].text, got);
	}
}

Test(figures, what_is_no_plausible_number_is_unknown)
{
	static const struct {
		const char *text;
		enum figures_unit unit;
	} bad[] = {
		{ "", FIGURES_PLAIN },
		{ "-1", FIGURES_PLAIN },
		{ "-1", FIGURES_RATE },
		{ "-1ms", FIGURES_TIME },
		{ "-1%", FIGURES_PERCENT },
		{ "nan", FIGURES_PLAIN },
		{ "inf", FIGURES_PLAIN },
		{ "0x10", FIGURES_PLAIN },
		{ "1e300", FIGURES_PLAIN },
		{ "1e5", FIGURES_PLAIN },
		{ "1 234", FIGURES_PLAIN },
		{ "12MBps", FIGURES_RATE },
		{ "12ms", FIGURES_RATE },
		{ "12bps", FIGURES_TIME },
		{ "00:00", FIGURES_TIME },
		{ "00:00:00:00", FIGURES_TIME },
		{ "1:2:", FIGURES_TIME },
		{ ":::", FIGURES_TIME },
		{ "--5", FIGURES_SIGNED },
		{ "-", FIGURES_SIGNED },
		{ ".5", FIGURES_PLAIN },
		{ "5.", FIGURES_PLAIN },
		{ "38F", FIGURES_TEMPERATURE },
		{ "12ms", FIGURES_PLAIN },
		{ "99999999999999999999", FIGURES_PLAIN },
		{ "9999999999999999999w00:00:00", FIGURES_TIME },
		{ "\xff\xfe", FIGURES_PLAIN },
		{ "n/a", FIGURES_PERCENT },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(isnan(figures_number(bad[i].text, bad[i].unit)), "%s",
			  bad[i].text);
}

Test(figures, nothing_said_is_nothing_known)
{
	figures_init(&f);
	cr_assert_str_empty(f.pool_slot);
	cr_assert(isnan(f.pool_size) && isnan(f.pool_used));
	for (unsigned i = 0; i < FIGURES_TRAFFIC_N; i++)
		cr_assert(isnan(f.traffic[i]));
	cr_assert(isnan(figures_sensor(&f, "cpu-temperature")));
}

Test(figures, a_round)
{
	figures_init(&f);
	say('c', "{\"slot\":\"raid1\",\"size\":1000,\"free\":\"250\",\"fs\":\"btrfs\"}");
	say('c', "{\"slot\":\"other\",\"size\":7,\"free\":7}");
	say('e', "{\"slot\":\"nvme1\",\"temperature\":38,\"percentage-used\":\"3%\","
		 "\"available-spare\":\"100%\",\"critical-warning\":[],\"io-errors\":0,"
		 "\"unrecovered-integrity-errors\":2,\"raid-member\":true,"
		 "\"raid-member-failed\":false}");
	say('e', "{\"slot\":\"nvme2\",\"temperature\":\"41C\",\"critical-warning\":"
		 "[\"read-only\"],\"raid-member\":\"yes\",\"raid-member-failed\":true}");
	say('e', "{\"slot\":\"raid1\",\"state\":\"clean\",\"raid-member\":false,"
		 "\"raid-member-failed\":false}");
	say('f', "{\".id\":\"*1\",\"name\":\"cpu-temperature\",\"type\":\"C\",\"value\":"
		 "\"52\"}");
	say('f', "{\"name\":\"psu1-voltage\",\"type\":\"V\",\"value\":12.1}");
	say('f', "{\"name\":\"psu2-state\",\"type\":\"\",\"value\":\"fail\"}");
	say('g', "{\"read-rate\":8000,\"write-rate\":\"8kbps\",\"write-time\":"
		 "\"00:00:00.012\",\"in-flight-ops\":3,\"read-ops-per-second\":\"76\"}");
	cr_assert_str_eq(f.pool_slot, "raid1");
	cr_assert(is(f.pool_size, 1000) && is(f.pool_used, 750));
	cr_assert_eq(f.n_disks, 3);
	cr_assert(is(f.disks[0].v[FIGURES_CELSIUS], 38));
	cr_assert(is(f.disks[0].v[FIGURES_USED_PERCENT], 3));
	cr_assert(is(f.disks[0].v[FIGURES_SPARE_PERCENT], 100));
	cr_assert(is(f.disks[0].v[FIGURES_IO_ERRORS], 0));
	cr_assert(is(f.disks[0].v[FIGURES_INTEGRITY_ERRORS], 2));
	cr_assert(is(f.disks[0].v[FIGURES_WARNING], 0));
	cr_assert(is(f.disks[0].v[FIGURES_FAILED], 0));
	cr_assert(is(f.disks[1].v[FIGURES_CELSIUS], 41));
	cr_assert(is(f.disks[1].v[FIGURES_WARNING], 1));
	cr_assert(is(f.disks[1].v[FIGURES_FAILED], 1));
	cr_assert(isnan(f.disks[1].v[FIGURES_IO_ERRORS]), "not told is not 0");
	cr_assert(isnan(f.disks[2].v[FIGURES_FAILED]), "it is no member");
	cr_assert_str_eq(f.disks[2].state, "clean");
	cr_assert(is(figures_sensor(&f, "cpu-temperature"), 52));
	cr_assert(is(figures_sensor(&f, "psu1-voltage"), 12.1));
	cr_assert(isnan(figures_sensor(&f, "psu2-state")));
	cr_assert_eq(f.n_sensors, 3);
	cr_assert_str_eq(f.sensors[2].state, "fail");
	cr_assert(is(f.traffic[FIGURES_READ_BYTES], 1000));
	cr_assert(is(f.traffic[FIGURES_WRITE_BYTES], 1000));
	cr_assert(is(f.traffic[FIGURES_WRITE_MS], 12));
	cr_assert(is(f.traffic[FIGURES_IN_FLIGHT], 3));
	cr_assert(is(f.traffic[FIGURES_READ_OPS], 76));
	cr_assert(isnan(f.traffic[FIGURES_WAIT_MS]));
}

Test(figures, a_pool_that_contradicts_itself_has_no_size)
{
	figures_init(&f);
	say('c', "{\"slot\":\"raid1\",\"size\":1000,\"free\":1001}");
	cr_assert(isnan(f.pool_size) && isnan(f.pool_used));
	figures_init(&f);
	say('c', "{\"slot\":\"raid1\",\"size\":1000}");
	cr_assert(isnan(f.pool_size) && isnan(f.pool_used));
	figures_init(&f);
	say('c', "{\"slot\":\"raid1\",\"size\":0,\"free\":0}");
	cr_assert(isnan(f.pool_size), "what is 0 cannot be divided by");
}

Test(figures, what_makes_no_sense_is_left_out)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"7",

		"{\"slot\":{}}",
		"{\"slot\":\"\"}",
		"{\"slot\":\"a b\"}",
		"{\"slot\":\"a\\nb\"}",
		"{\"slot\":\"a\\\"} 1\\n\"}",
		"{\"name\":\"x y\",\"value\":\"1\"}",
		"{\"name\":null,\"value\":\"1\"}",
		"{\"name\":\"x\",\"value\":\"\"}",
		"{\"name\":\"x\",\"value\":[1]}",
		"{\"name\":\"x\",\"value\":\"a\\u0000b\"}",
		"{\"name\":\"x\"}",
		"{\"slot\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	};
	figures_init(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (char tag = 'a'; tag <= 'h'; tag++)
			say(tag, rows[i]);
	say('e', "{\"slot\":\"d1\",\"state\":\"a b\",\"temperature\":[38],\"io-errors\":"
		 "-1,\"critical-warning\":false,\"percentage-used\":\"300000000000000000"
		 "00000000000000000000000\",\"raid-member\":7}");
	cr_assert_str_empty(f.pool_slot);
	cr_assert_eq(f.n_sensors, 0);
	cr_assert_eq(f.n_disks, 1);
	cr_assert_str_empty(f.disks[0].state);
	for (unsigned i = 0; i < FIGURES_DRIVE_N; i++)
		cr_assert(isnan(f.disks[0].v[i]), "%u", i);
}

Test(figures, more_than_there_is_room_for_is_left_out)
{
	char text[128];

	figures_init(&f);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "{\"slot\":\"d%u\",\"temperature\":1}", i);
		say('e', text);
		snprintf(text, sizeof(text), "{\"name\":\"s%u\",\"value\":1}", i);
		say('f', text);
	}
	cr_assert_eq(f.n_disks, FIGURES_DISKS);
	cr_assert_eq(f.n_sensors, FIGURES_SENSORS);
	cr_assert_str_eq(f.disks[FIGURES_DISKS - 1].slot, "d39");
}
