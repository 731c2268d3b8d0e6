#include "support/t.h"

#include <signal.h>
#include <string.h>

#include "core/loop.h"
#include "core/op.h"
#include "support/capture.h"

static unsigned n_stops;

static void on_stop(struct loop *l)
{
	cr_assert_neq(l->stop_signal, 0);
	n_stops++;
}

static void on_stop_leave(struct loop *l)
{
	loop_stop(l);
}

static void on_tick(uv_timer_t *t)
{
	(void)t;
}

/* Something must keep the loop turning, as a server does: signals alone do not. */
static void turn(struct loop *l, unsigned n)
{
	uv_timer_t tick;

	uv_timer_init(&l->uv, &tick);
	uv_timer_start(&tick, on_tick, 3600000, 0);
	while (n--)
		(void)uv_run(&l->uv, UV_RUN_NOWAIT);
	uv_close((uv_handle_t *)&tick, NULL);
	(void)uv_run(&l->uv, UV_RUN_NOWAIT);
}

Test(loop, the_first_signal_asks_for_the_end_once)
{
	struct loop l;
	struct err e;

	cr_assert_eq(loop_open(&l, on_stop, &e), 0);
	turn(&l, 3);
	cr_assert_eq(n_stops, 0);
	raise(SIGINT);
	turn(&l, 3);
	raise(SIGTERM);
	raise(SIGINT);
	turn(&l, 3);
	cr_assert_eq(n_stops, 1);
	cr_assert_eq(l.stop_signal, SIGINT);
	cr_assert_eq(loop_close(&l), 0);
	cr_assert_eq(mem_live(), 0);
}

Test(loop, runs_until_stopped)
{
	struct loop l;
	struct err e;
	uv_timer_t busy;

	cr_assert_eq(loop_open(&l, on_stop_leave, &e), 0);
	uv_timer_init(&l.uv, &busy);
	uv_timer_start(&busy, on_tick, 3600000, 0);
	raise(SIGTERM);
	loop_run(&l);
	uv_close((uv_handle_t *)&busy, NULL);
	cr_assert_eq(loop_close(&l), 0);
}

Test(loop, a_broken_pipe_is_no_end)
{
	struct loop l;
	struct err e;

	cr_assert_eq(loop_open(&l, on_stop, &e), 0);
	raise(SIGPIPE);
	turn(&l, 2);
	cr_assert_eq(loop_close(&l), 0);
}

Test(loop, two_signals_turn_the_log_up_and_down)
{
	struct loop l;
	struct err e;

	cr_assert_eq(loop_open(&l, on_stop, &e), 0);
	log_open(LOG_INFO, true);
	loop_set_log_level(LOG_INFO);
	cr_assert_null(op_trace);
	for (int i = 0; i < 3; i++) {
		raise(SIGUSR1);
		turn(&l, 2);
		cr_assert_eq(log_level(), LOG_DEBUG);
		cr_assert_not_null(op_trace);
	}
	for (int i = 0; i < 5; i++) {
		raise(SIGUSR2);
		turn(&l, 2);
	}
	cr_assert_eq(log_level(), LOG_ERROR);
	cr_assert_null(op_trace);
	cr_assert_eq(loop_close(&l), 0);
}

static uint64_t busy_us, longest_us;

static void on_turn(uint64_t us)
{
	busy_us += us;
	longest_us = us > longest_us ? us : longest_us;
}

/* The work of one turn, after a wait that is none. */
static void on_work(uv_timer_t *t)
{
	uint64_t end_ns = uv_hrtime() + 30 * UINT64_C(1000000);

	while (uv_hrtime() < end_ns)
		;
	uv_close((uv_handle_t *)t, NULL);
}

/* Whether what was told was without the 200 ms that it waited. */
static bool is_work_alone(void)
{
	struct loop l;
	struct err e;
	uv_timer_t work;
	uint64_t begun_ns;
	bool is_so;

	busy_us = longest_us = 0;
	cr_assert_eq(loop_open(&l, on_stop, &e), 0);
	l.on_turn = on_turn;
	uv_timer_init(&l.uv, &work);
	begun_ns = uv_hrtime();
	uv_timer_start(&work, on_work, 200, 0);
	(void)uv_run(&l.uv, UV_RUN_DEFAULT);
	turn(&l, 1); /* a turn is told when the next poll has ended */
	cr_assert_geq(longest_us, 30000);
	is_so = busy_us <= (uv_hrtime() - begun_ns) / 1000 - 190000;
	cr_assert_eq(loop_close(&l), 0);
	return is_so;
}

/* Who gets no processor before the wait waits less: then once more. */
Test(loop, a_turn_is_as_long_as_it_worked_not_as_it_waited)
{
	for (int i = 0; i < 10 && !is_work_alone(); i++)
		cr_assert_lt(i, 9, "it waited while it worked");
}

Test(loop, what_is_left_is_counted_and_named)
{
	struct loop l;
	struct err e;
	uv_timer_t left;

	cr_assert_eq(loop_open(&l, on_stop, &e), 0);
	uv_timer_init(&l.uv, &left);
	log_open(LOG_ERROR, true);
	t_capture();
	cr_assert_eq(loop_close(&l), 1);
	cr_assert_not_null(strstr(t_captured(NULL), "\"type\":\"timer\""));
	uv_close((uv_handle_t *)&left, NULL);
	turn(&l, 1);
	cr_assert_eq(uv_loop_close(&l.uv), 0);
}

/* An end that hangs: the process leaves by itself, with status 1. */
Test(loop, the_guard_ends_a_process_whose_end_hangs, .exit_code = 1)
{
	struct loop l;
	struct err e;

	log_open(LOG_ERROR + 1, true);
	cr_assert_eq(loop_open(&l, on_stop, &e), 0);
	clock_hold(&l.uv);
	raise(SIGTERM);
	turn(&l, 3);
	clock_advance(&l.uv, LOOP_GUARD_MS - 1);
	cr_assert_eq(n_stops, 1);
	clock_advance(&l.uv, 1);
	loop_leave(0); /* not reached */
}

static int say_left(struct loop *l)
{
	(void)l;
	return 5;
}

Test(loop, the_guard_ends_with_the_status_of_who_knows_what_is_left, .exit_code = 5)
{
	struct loop l;
	struct err e;

	log_open(LOG_ERROR + 1, true);
	cr_assert_eq(loop_open(&l, on_stop, &e), 0);
	l.on_guard = say_left;
	clock_hold(&l.uv);
	raise(SIGTERM);
	turn(&l, 3);
	clock_advance(&l.uv, LOOP_GUARD_MS);
	loop_leave(0); /* not reached */
}

Test(loop, the_guard_waits_as_long_as_main_says, .exit_code = 7)
{
	struct loop l;
	struct err e;

	log_open(LOG_ERROR + 1, true);
	cr_assert_eq(loop_open(&l, on_stop, &e), 0);
	l.guard_ms = 3 * LOOP_GUARD_MS;
	clock_hold(&l.uv);
	raise(SIGTERM);
	turn(&l, 3);
	clock_advance(&l.uv, 3 * LOOP_GUARD_MS - 1);
	loop_leave(7); /* the guard's is 1 */
}
