#ifndef CORE_LOOP_H
#define CORE_LOOP_H
#include <uv.h>

#include "core/clock.h"
#include "core/err.h"
#include "core/log.h"

/* The process's one loop: its clock, its signals and its end. SIGTERM and SIGINT ask for
 * an ordered end, once; SIGUSR1 makes the log more verbose, SIGUSR2 less; SIGPIPE is
 * ignored, since libuv writes without MSG_NOSIGNAL. Owned by main; one per process. */
struct loop {
	uv_loop_t uv;
	struct clock clock;
	uv_signal_t signals[4];
	int stop_signal; /* 0 until one came */
	struct clock_timer guard;
	uint64_t guard_ms; /* LOOP_GUARD_MS, or what main sets after loop_open */
	void (*on_stop)(struct loop *l); /* called once, from the loop */
	/* NULL, or says what the guard cuts off, and the exit status. */
	int (*on_guard)(struct loop *l);
	/* NULL, or told after each turn how long it was at work: so long everything else
	 * had to wait. */
	void (*on_turn)(uint64_t busy_us);
	uv_check_t turn;
	uint64_t turn_ns, idle_ns; /* of the last turn's end, and waited until then */
};

/* How long an ordered end may take before the process ends itself. Kubernetes gives a
 * pod 30 s by default. */
enum { LOOP_GUARD_MS = 10000 };

/* Must come before any other call of libuv, for its memory hooks. 0 or -1. */
int loop_open(struct loop *l, void (*on_stop)(struct loop *l), struct err *err);
/* Turns until loop_stop; the guard runs as long. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Closes what loop_open opened and logs each handle that is still there: their number. */
unsigned loop_close(struct loop *l);
/* The level of the log, and with it whether every op's moves are traced. */
void loop_set_log_level(enum log_level level);
/* Flushes and ends the process without the exit of libc, whose destructor of libuv would
 * wait for pool threads that the kernel may hold (libuv 1.44, uv_library_shutdown). */
void loop_leave(int status) __attribute__((noreturn));
#endif
