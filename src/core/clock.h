#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/list.h"

/* Time and timers of one loop, through one indirection so that tests can hold the clock
 * and move it by hand. A clock_timer is embedded in its owner and only linked and
 * unlinked: it is no libuv handle, needs no close and holds no loop alive beyond its due
 * time. One uv_timer per loop serves them all. The clock hangs at loop->data: one per
 * loop, opened right after uv_loop_init and closed before uv_loop_close. */
struct clock {
	uv_timer_t timer;
	struct list timers; /* by due_ms, soonest first */
	bool is_fake;
	uint64_t fake_now_ms;
	uint64_t fake_slept_ms; /* what clock_boot_ms is ahead of it */
};

struct clock_timer {
	struct list node; /* linked while it runs; zeroed = not running */
	uint64_t due_ms;
	void (*fire)(struct clock_timer *t);
};

void clock_open(struct clock *c, uv_loop_t *loop);
/* All timers must have been stopped. The loop must turn once more for the handle to
 * close. */
void clock_close(uv_loop_t *loop);

uint64_t clock_now_ms(uv_loop_t *loop); /* monotonic, milliseconds */
/* For what others measure too, such as a lease: CLOCK_BOOTTIME, which goes on while the
 * machine is suspended, read anew at each call. So whatever runs first after a pause
 * (suspend, SIGSTOP) sees the time that has passed, which the loop's cached time does not
 * show yet. Not to be compared with clock_now_ms. */
uint64_t clock_boot_ms(uv_loop_t *loop);
/* CLOCK_REALTIME, microseconds since 1970, never held: for texts, not for decisions. */
uint64_t clock_wall_us(void);

/* Restarts a running timer. fire() is called once, from the loop, never from inside
 * start; the timer is already stopped then, so fire() may free or restart it. */
void clock_timer_start(uv_loop_t *loop, struct clock_timer *t, uint64_t delay_ms,
		       void (*fire)(struct clock_timer *t));
void clock_timer_stop(struct clock_timer *t);
static inline bool clock_timer_is_running(const struct clock_timer *t)
{
	return list_is_linked(&t->node);
}

/* For tests: from now on time stands still until clock_advance, which fires what is due
 * in order of time. */
void clock_hold(uv_loop_t *loop);
void clock_advance(uv_loop_t *loop, uint64_t ms);
/* For tests, of a held clock: a pause. clock_boot_ms has gone on, no timer has. */
void clock_pause(uv_loop_t *loop, uint64_t ms);
#endif
