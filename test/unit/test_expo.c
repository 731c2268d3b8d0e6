#include "metrics/expo.h"

#include <string.h>

#include "metrics/process.h"
#include "support/t.h"

static char text[64 * 1024];

static const char *shown(enum expo_format format, enum metric_roles roles,
			 const struct expo_source *sources, unsigned n)
{
	struct buf out;

	buf_init(&out, sizeof(text) - 1);
	cr_assert_eq(expo_write(&out, format, roles, sources, n), 0);
	memcpy(text, out.data, out.len + 1);
	buf_fini(&out);
	return text;
}

static bool has_line(const char *s, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = strstr(s, line); at; at = strstr(at + 1, line))
		if ((at == s || at[-1] == '\n') && at[n] == '\n')
			return true;
	return false;
}

static void collect_labels(void *ctx, struct expo *x)
{
	const char *const labels[] = { ctx, "c\\d\ne" };

	expo_put(x, 1, labels);
}

static void collect_value(void *ctx, struct expo *x)
{
	expo_put(x, *(const double *)ctx, NULL);
}

static void collect_nothing(void *ctx, struct expo *x)
{
	(void)ctx;
	(void)x;
}

Test(expo, what_was_counted_is_shown_and_what_was_not_is_zero)
{
	const char *s;

	metric_reset();
	metric_count(METRIC_VOLUME_OPERATIONS, METRIC_STAGE, METRIC_FAILURE);
	metric_count(METRIC_VOLUME_OPERATIONS, METRIC_STAGE, METRIC_FAILURE);
	metric_count(METRIC_CONFLICTS, 0, 0);
	s = shown(EXPO_PROMETHEUS, METRIC_ON_CONTROLLER, NULL, 0);
	cr_assert(has_line(s, "# TYPE rds_csi_volume_operations_total counter"));
	cr_assert(has_line(s, "rds_csi_volume_operations_total{operation=\"stage\","
			      "status=\"failure\"} 2"));
	cr_assert(has_line(s, "rds_csi_volume_operations_total{operation=\"stage\","
			      "status=\"success\"} 0"));
	cr_assert(has_line(s, "rds_csi_attachment_conflicts_total 1"));
	cr_assert(has_line(s, "rds_csi_fences_total{status=\"failure\"} 0"));
	cr_assert_null(strstr(s, "# EOF"));
	cr_assert_eq(metric_counted(METRIC_CONFLICTS, 0, 0), 1);
}

Test(expo, a_histogram_counts_upwards_and_sums_seconds)
{
	const char *s;

	metric_reset();
	metric_observe(METRIC_VOLUME_SECONDS, METRIC_CREATE, 100000);
	metric_observe(METRIC_VOLUME_SECONDS, METRIC_CREATE, 100001);
	metric_observe(METRIC_VOLUME_SECONDS, METRIC_CREATE, 61000000);
	s = shown(EXPO_PROMETHEUS, METRIC_ON_NODE, NULL, 0);
#define SERIES(suffix, labels) "rds_csi_volume_operation_duration_seconds" suffix labels
	cr_assert(has_line(s, SERIES("_bucket", "{operation=\"create\",le=\"0.1\"} 1")));
	cr_assert(has_line(s, SERIES("_bucket", "{operation=\"create\",le=\"0.25\"} 2")));
	cr_assert(has_line(s, SERIES("_bucket", "{operation=\"create\",le=\"60\"} 2")));
	cr_assert(has_line(s, SERIES("_bucket", "{operation=\"create\",le=\"+Inf\"} 3")));
	cr_assert(has_line(s, SERIES("_sum", "{operation=\"create\"} 61.200001")));
	cr_assert(has_line(s, SERIES("_count", "{operation=\"create\"} 3")));
	cr_assert(has_line(s, SERIES("_count", "{operation=\"delete\"} 0")));
	s = shown(EXPO_OPENMETRICS, METRIC_ON_NODE, NULL, 0);
	cr_assert(has_line(s, SERIES("_bucket", "{operation=\"create\",le=\"60.0\"} 2")));
	cr_assert(has_line(s, SERIES("_bucket", "{operation=\"create\",le=\"0.25\"} 2")));
}

Test(expo, openmetrics_names_a_counters_family_without_its_suffix_and_says_the_end)
{
	const char *s;

	metric_reset();
	s = shown(EXPO_OPENMETRICS, METRIC_ON_CONTROLLER, NULL, 0);
	cr_assert(has_line(s, "# TYPE rds_csi_attachment_conflicts counter"));
	cr_assert(has_line(s, "rds_csi_attachment_conflicts_total 0"));
	cr_assert_str_eq(s + strlen(s) - 6, "# EOF\n");
}

Test(expo, a_gauge_is_asked_for_each_time_and_absent_when_it_says_nothing)
{
	double value = 16;
	struct expo_source some[] = {
		{ METRIC_RPCS_IN_FLIGHT, collect_nothing, NULL },
		{ METRIC_CONNECTIONS_ACTIVE, collect_value, &value },
	};
	const char *s = shown(EXPO_PROMETHEUS, METRIC_ON_CONTROLLER, some, 2);

	cr_assert(has_line(s, "rds_csi_nvme_connections_active 16"));
	cr_assert_null(strstr(s, "rds_csi_rpcs_in_flight"));
	cr_assert_null(strstr(s, "rds_csi_build_info"));
	value = 0;
	s = shown(EXPO_PROMETHEUS, METRIC_ON_CONTROLLER, some, 2);
	cr_assert(has_line(s, "rds_csi_nvme_connections_active 0"));
	s = shown(EXPO_PROMETHEUS, METRIC_ON_NODE, some, 2);
	cr_assert_null(strstr(s, "rds_csi_nvme_connections_active"));
	cr_assert_null(strstr(s, "rds_csi_attachment"));
}

Test(expo, what_stands_in_a_label_cannot_end_it)
{
	char evil[] = "a\"b";
	struct expo_source info = { METRIC_BUILD_INFO, collect_labels, evil };
	const char *s = shown(EXPO_PROMETHEUS, METRIC_ON_NODE, &info, 1);

	cr_assert(has_line(s, "rds_csi_build_info{version=\"a\\\"b\","
			      "commit=\"c\\\\d\\ne\"} 1"));
}

Test(expo, series_without_a_count_are_left_out_where_labels_are_many)
{
	const char *s;

	metric_reset();
	s = shown(EXPO_PROMETHEUS, METRIC_ON_BOTH, NULL, 0);
	cr_assert_null(strstr(s, "rds_csi_rpcs_total"));
	metric_count(METRIC_RPCS, metric_label_value(METRIC_RPCS, 0, "Probe"), 0);
	metric_count(METRIC_RPCS, metric_label_value(METRIC_RPCS, 0, "NoSuch"), 12);
	s = shown(EXPO_PROMETHEUS, METRIC_ON_BOTH, NULL, 0);
	cr_assert(has_line(s, "rds_csi_rpcs_total{method=\"Probe\",code=\"OK\"} 1"));
	cr_assert(has_line(
		s, "rds_csi_rpcs_total{method=\"other\",code=\"UNIMPLEMENTED\"} 1"));
}

Test(expo, the_process_is_what_the_kernel_says)
{
	const struct expo_source sources[] = {
		{ METRIC_PROCESS_CPU, process_cpu, NULL },
		{ METRIC_PROCESS_RSS, process_rss, NULL },
		{ METRIC_PROCESS_FDS, process_fds, NULL },
		{ METRIC_PROCESS_START, process_start, NULL },
	};
	const char *s = shown(EXPO_PROMETHEUS, METRIC_ON_NODE, sources, 4);
	const char *at = strstr(s, "\nprocess_resident_memory_bytes ");
	double start;

	cr_assert_not_null(at);
	cr_assert(strtod(at + 31, NULL) > 1e6 && strtod(at + 31, NULL) < 1e9);
	at = strstr(s, "\nprocess_open_fds ");
	cr_assert(at && strtod(at + 18, NULL) >= 3 && strtod(at + 18, NULL) < 200);
	at = strstr(s, "\nprocess_cpu_seconds_total ");
	cr_assert(at && strtod(at + 27, NULL) >= 0);
	at = strstr(s, "\nprocess_start_time_seconds ");
	cr_assert_not_null(at);
	start = strtod(at + 28, NULL);
	cr_assert(start > (double)time(NULL) - 600 && start < (double)time(NULL) + 2);
}

Test(expo, fails_when_the_page_is_full_or_memory_is_out)
{
	struct buf out;

	buf_init(&out, 100);
	cr_assert_eq(expo_write(&out, EXPO_PROMETHEUS, METRIC_ON_BOTH, NULL, 0), -1);
	buf_fini(&out);
	for (int i = 0; i < 3; i++) {
		mem_fail_at(i);
		buf_init(&out, 65536);
		cr_assert_eq(expo_write(&out, EXPO_PROMETHEUS, METRIC_ON_BOTH, NULL, 0),
			     -1);
		buf_fini(&out);
	}
	mem_fail_at(-1);
	cr_assert_eq(mem_live(), 0);
}

Test(expo, every_metric_is_documented_once)
{
	struct buf out;

	buf_init(&out, 65536);
	cr_assert_eq(expo_reference(&out), 0);
	for (unsigned i = 0; i < METRIC_N; i++) {
		char row[128];
		const char *at;

		cr_assert(metrics_table[i].name && *metrics_table[i].help);
		snprintf(row, sizeof(row), "| `%s` |", metrics_table[i].name);
		at = strstr(out.data, row);
		cr_assert(at && !strstr(at + 1, row), "%s", row);
	}
	buf_fini(&out);
}
