#include "support/t.h"

static int fired[3], n_fired;

static void on_a(struct clock_timer *t)
{
	(void)t;
	fired[n_fired++] = 'a';
}

static void on_b(struct clock_timer *t)
{
	(void)t;
	fired[n_fired++] = 'b';
}

Test(clock, fires_in_order_of_time_when_held)
{
	struct t_loop l;
	struct clock_timer a = { .due_ms = 0 }, b = { .due_ms = 0 };

	t_loop_open(&l);
	clock_hold(&l.uv);
	clock_timer_start(&l.uv, &a, 50, on_a);
	clock_timer_start(&l.uv, &b, 20, on_b);
	clock_advance(&l.uv, 19);
	cr_assert_eq(n_fired, 0);
	clock_advance(&l.uv, 31);
	cr_assert_eq(n_fired, 2);
	cr_assert(fired[0] == 'b' && fired[1] == 'a');
	cr_assert(!clock_timer_is_running(&a));
	t_loop_close(&l);
}

Test(clock, real_time_fires_and_stopped_timers_do_not)
{
	struct t_loop l;
	struct clock_timer a = { .due_ms = 0 }, b = { .due_ms = 0 };

	t_loop_open(&l);
	clock_timer_start(&l.uv, &a, 1, on_a);
	clock_timer_start(&l.uv, &b, 3600000, on_b);
	t_run_until(&l, n_fired == 1);
	clock_timer_stop(&b);
	clock_timer_stop(&b);
	t_loop_close(&l); /* returns at once: nothing holds the loop */
	cr_assert_eq(n_fired, 1);
}

Test(clock, boot_time_goes_on_in_a_pause_and_timers_do_not)
{
	struct t_loop l;
	struct clock_timer a = { .due_ms = 0 };
	uint64_t boot, now;

	t_loop_open(&l);
	clock_hold(&l.uv);
	clock_timer_start(&l.uv, &a, 50, on_a);
	boot = clock_boot_ms(&l.uv);
	now = clock_now_ms(&l.uv);
	clock_advance(&l.uv, 10);
	cr_assert_eq(clock_boot_ms(&l.uv), boot + 10);
	clock_pause(&l.uv, 3600000);
	cr_assert_eq(clock_boot_ms(&l.uv), boot + 3600010);
	cr_assert_eq(clock_now_ms(&l.uv), now + 10);
	cr_assert_eq(n_fired, 0);
	clock_advance(&l.uv, 40);
	cr_assert_eq(n_fired, 1);
	t_loop_close(&l);
}

/* Unlike the loop's own time, which stands still within a turn. */
Test(clock, boot_time_is_read_anew_at_each_call)
{
	struct t_loop l;
	uint64_t now, boot;

	t_loop_open(&l);
	now = clock_now_ms(&l.uv);
	boot = clock_boot_ms(&l.uv);
	while (clock_boot_ms(&l.uv) == boot)
		;
	cr_assert_gt(clock_boot_ms(&l.uv), boot);
	cr_assert_eq(clock_now_ms(&l.uv), now);
	t_loop_close(&l);
}
