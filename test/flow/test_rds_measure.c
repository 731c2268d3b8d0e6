#include "support/box.h"

#include <math.h>

#include "metrics/registry.h"
#include "rds/figures.h"

/* What the box measures, read in the background of the same SSH sessions. The clock
 * stands still but where a test moves it. */
#if defined(__SANITIZE_ADDRESS__)
#define LSAN_OFF() __lsan_disable()
#else
#define LSAN_OFF() ((void)0)
#endif

enum { INTERVAL_MS = 60000 };

static struct t_box b;

static void open_box(const char *opts)
{
	t_box_open(&b, opts);
	clock_hold(&b.l.uv);
	b.conf.figures_interval_ms = INTERVAL_MS;
	t_box_connect(&b);
}

static unsigned execs(void)
{
	struct ros_stats s;

	ros_stats(b.rds, &s);
	return (unsigned)s.execs;
}

static void next_round(void)
{
	unsigned before = execs();

	clock_advance(&b.l.uv, INTERVAL_MS);
	t_run_until(&b.l, execs() > before);
}

static unsigned rounds(enum metric_status status)
{
	return (unsigned)metric_counted(METRIC_POLLS, status, 0);
}

static double sensor(const char *name)
{
	const struct figures *f = ros_figures(b.rds);

	return f ? figures_sensor(f, name) : (double)NAN;
}

static double written(void)
{
	const struct figures *f = ros_figures(b.rds);

	return f ? f->traffic[FIGURES_WRITE_BYTES] : (double)NAN;
}

static bool is(double a, double b2)
{
	return fabs(a - b2) < 1e-9;
}

Test(rds_measure, the_first_round_comes_by_itself_and_is_one_exec)
{
	const struct figures *f;

	open_box(NULL);
	cr_assert_null(ros_figures(b.rds));
	cr_assert_eq(ros_figures_time(b.rds), 0);
	t_run_until(&b.l, ros_figures(b.rds));
	f = ros_figures(b.rds);
	cr_assert_str_eq(f->pool_slot, "raid1");
	cr_assert(f->pool_size > 1e9 && f->pool_used >= 0 && f->pool_used < f->pool_size);
	cr_assert(is(written(), 1600000), "%g", written());
	cr_assert(is(f->traffic[FIGURES_WRITE_MS], 12));
	cr_assert(is(f->traffic[FIGURES_WRITE_OPS], 76));
	cr_assert(is(f->traffic[FIGURES_IN_FLIGHT], 0));
	for (unsigned i = 0; i < FIGURES_TRAFFIC_N; i++)
		cr_assert(!isnan(f->traffic[i]), "%u", i);
	cr_assert(is(sensor("cpu-temperature"), 52));
	cr_assert(is(sensor("fan2-speed"), 5460));
	cr_assert_eq(f->n_disks, 5);
	cr_assert_eq(execs(), 2, "what the box can do, and the figures");
	cr_assert(ros_figures_time(b.rds) > 0);
	next_round();
	t_run_until(&b.l, rounds(METRIC_SUCCESS) == 2);
	cr_assert_eq(execs(), 3);
	t_box_close(&b);
}

/* Readiness waits for it, and may not wait for somebody's request. */
Test(rds_measure, what_the_box_can_do_is_known_without_a_request)
{
	open_box(NULL);
	cr_assert(!b.rds->ops->features(b.rds)->is_known);
	t_run_until(&b.l, b.rds->ops->features(b.rds)->is_known);
	t_box_close(&b);
}

Test(rds_measure, figures_move_with_the_box)
{
	const struct figures *f;

	open_box(NULL);
	t_run_until(&b.l, ros_figures(b.rds));
	t_box_control(
		&b,
		"POST /figures?cpu-temperature=71&write-rate=8000&psu2-state=fail&"
		"nvme1.temperature=64&raid1.state=degraded&nvme2.raid-member-failed="
		"yes&psu1-power=&nvme1.critical-warning=temperature",
		"");
	cr_assert(is(sensor("cpu-temperature"), 52), "not before the next round");
	next_round();
	t_run_until(&b.l, is(sensor("cpu-temperature"), 71));
	f = ros_figures(b.rds);
	cr_assert(is(written(), 1000));
	cr_assert(isnan(sensor("psu1-power")), "what is not told is not known");
	for (unsigned i = 0; i < f->n_disks; i++) {
		const struct figures_disk *d = &f->disks[i];

		if (!strcmp(d->slot, "nvme1"))
			cr_assert(is(d->v[FIGURES_CELSIUS], 64) &&
				  is(d->v[FIGURES_WARNING], 1));
		if (!strcmp(d->slot, "nvme2"))
			cr_assert(is(d->v[FIGURES_FAILED], 1));
		if (!strcmp(d->slot, "raid1"))
			cr_assert_str_eq(d->state, "degraded");
	}
	t_box_control(&b, "POST /figures?cpu-temperature=-&psu1-power=-", "");
	next_round();
	t_run_until(&b.l, is(sensor("cpu-temperature"), 52));
	cr_assert(is(sensor("psu1-power"), 61));
	t_box_close(&b);
}

Test(rds_measure, absent_once_the_box_is_away_for_three_intervals_and_there_again)
{
	open_box(NULL);
	t_run_until(&b.l, ros_figures(b.rds));
	t_box_kill_sim(&b);
	for (int i = 0; i < 3; i++) {
		clock_advance(&b.l.uv, INTERVAL_MS);
		for (int k = 0; k < 50; k++)
			(void)uv_run(&b.l.uv, UV_RUN_NOWAIT);
		cr_assert(is(written(), 1600000), "still known after %d", i + 1);
	}
	clock_advance(&b.l.uv, 1);
	cr_assert_null(ros_figures(b.rds));
	cr_assert(isnan(written()) && isnan(sensor("cpu-temperature")));
	t_box_start_sim(&b, NULL);
	for (int i = 0; i < 100 && !ros_figures(b.rds); i++) {
		clock_advance(&b.l.uv, INTERVAL_MS);
		for (int k = 0; k < 2000 && !ros_figures(b.rds); k++)
			(void)uv_run(&b.l.uv, UV_RUN_ONCE);
	}
	cr_assert_not_null(ros_figures(b.rds));
	cr_assert(is(written(), 1600000));
	t_box_close(&b);
}

/* What the older figures say stays until it is too old, not longer. */
Test(rds_measure, an_answer_that_makes_no_sense_changes_nothing)
{
	open_box(NULL);
	t_run_until(&b.l, ros_figures(b.rds));
	for (int i = 0; i < 3; i++) {
		t_box_fault(&b, "garbage=1");
		next_round();
		t_run_until(&b.l, rounds(METRIC_FAILURE) > (unsigned)i);
	}
	cr_assert(is(written(), 1600000));
	clock_advance(&b.l.uv, 1);
	cr_assert_null(ros_figures(b.rds));
	t_box_close(&b);
}

Test(rds_measure, a_round_that_hangs_delays_no_request)
{
	struct t_req q;

	open_box(NULL);
	t_run_until(&b.l, ros_figures(b.rds));
	t_box_create(&b, "pvc-1");
	t_box_fault(&b, "hang=1&match=monitor-traffic");
	next_round();
	for (int i = 0; i < 5; i++) {
		t_req_init(&q, RDS_GET, "pvc-1");
		t_req_run(&b, &q);
		cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	}
	t_box_close(&b);
}

Test(rds_measure, a_box_without_the_pool_still_tells_of_its_drives)
{
	const struct figures *f;

	t_box_open(&b, NULL);
	b.conf.figures_interval_ms = INTERVAL_MS;
	b.conf.base = "/elsewhere/csi";
	t_box_connect(&b);
	t_run_until(&b.l, ros_figures(b.rds));
	f = ros_figures(b.rds);
	cr_assert_str_empty(f->pool_slot);
	cr_assert(isnan(f->pool_size) && isnan(f->pool_used) && isnan(written()));
	cr_assert_eq(f->n_disks, 5);
	cr_assert(is(sensor("cpu-temperature"), 52));
	t_box_close(&b);
}

/* The menu of sensors is no part of what this box knows: the line ends there. */
Test(rds_measure, a_box_that_breaks_off_half_way_has_told_of_its_disks)
{
	static char text[200000];
	char dir[128], opts[256], *at;
	FILE *in = fopen("test/data/routeros-schema.json", "r"), *out;
	size_t n;

	cr_assert_not_null(in, "run me at the top of the tree");
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = '\0';
	at = strstr(text, "\"/system/health\"");
	cr_assert_not_null(at);
	memcpy(at, "\"/system/wealth\"", 16);
	t_mkdir(dir);
	snprintf(opts, sizeof(opts), "--schema %s/schema.json", dir);
	out = fopen(opts + 9, "w");
	cr_assert_eq(fwrite(text, 1, n, out), n);
	fclose(out);
	open_box(opts);
	t_run_until(&b.l, ros_figures(b.rds));
	cr_assert_eq(ros_figures(b.rds)->n_disks, 5);
	cr_assert(ros_figures(b.rds)->pool_size > 0);
	cr_assert(isnan(sensor("cpu-temperature")) && isnan(written()));
	cr_assert_eq(rounds(METRIC_SUCCESS), 1);
	t_box_close(&b);
	t_rmdir(dir);
}

Test(rds_measure, never_when_it_is_off)
{
	struct t_req q;

	t_box_open(&b, NULL);
	t_box_connect(&b);
	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	cr_assert_null(ros_figures(b.rds));
	cr_assert_eq(ros_figures_time(b.rds), 0);
	cr_assert_eq(t_box_stat(&b, "unknown"), 0);
	t_box_close(&b);
}

Test(rds_measure, may_be_stopped_at_any_turn)
{
	bool was_known = false;

	LSAN_OFF();
	t_box_open(&b, NULL);
	b.conf.figures_interval_ms = INTERVAL_MS;
	for (int turns = 0; !was_known; turns++) {
		t_box_connect(&b);
		for (int i = 0; i < turns && !ros_figures(b.rds); i++)
			(void)uv_run(&b.l.uv, UV_RUN_ONCE);
		was_known = ros_figures(b.rds) != NULL;
		t_box_stop_rds(&b);
	}
	t_box_close(&b);
}

Test(rds_measure, every_allocation_may_fail)
{
	bool was_refused = true;
	struct err err;

	LSAN_OFF();
	t_box_open(&b, NULL);
	b.conf.figures_interval_ms = INTERVAL_MS;
	for (long i = 0; was_refused; i++) {
		metric_reset();
		mem_fail_at(i);
		if (ros_new(&b.rds, &b.l.uv, &b.conf, &err)) {
			cr_assert_eq(err.code, ERR_EXHAUSTED, "%ld: %s", i, err.msg);
			continue;
		}
		t_run_until(&b.l, rounds(METRIC_SUCCESS) + rounds(METRIC_FAILURE));
		was_refused = mem_count() > i;
		cr_assert_eq(ros_figures(b.rds) != NULL, rounds(METRIC_SUCCESS) > 0);
		cr_assert(was_refused || ros_figures(b.rds));
		mem_fail_at(-1);
		t_box_stop_rds(&b);
	}
	t_box_close(&b);
}
