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
