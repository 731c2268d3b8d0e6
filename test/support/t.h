#ifndef T_H
#define T_H
#include <criterion/criterion.h>
#include <uv.h>

#include "core/clock.h"
#include "core/mem.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define T_LSAN() cr_assert_eq(__lsan_do_recoverable_leak_check(), 0)
#else
#define T_LSAN() ((void)0)
#endif

/* A loop with its clock, as main makes it. */
struct t_loop {
	uv_loop_t uv;
	struct clock clock;
};

void t_loop_open(struct t_loop *l);
/* Runs the loop until it is empty, then: no handle, no timer and no byte may be left.
 * Called in the test body, because Criterion 2.4.1 passes a test whose teardown fails. */
void t_loop_close(struct t_loop *l);

/* Turns the loop until cond holds; fails the test, naming the live handles, when that
 * takes longer than 60 s of real time: a hang, even on a machine that others keep busy.
 */
#define t_run_until(l, cond)                                           \
	do {                                                           \
		uint64_t t_end_ = uv_hrtime() + UINT64_C(60000000000); \
		while (!(cond)) {                                      \
			t_turn(l, t_end_, #cond);                      \
		}                                                      \
	} while (0)
void t_turn(struct t_loop *l, uint64_t end_ns, const char *what);

/* Counted as skipped with the reason, for want of root, loop devices and the like. */
void t_skip(const char *reason);

/* A directory of its own under $TMPDIR or /tmp; t_rmdir removes it with what is in it. */
const char *t_mkdir(char path[128]);
void t_rmdir(const char *path);

/* Runs body without failure to count its allocations, then once for each of them. */
#define T_EACH_ALLOC_FAILS(body)                   \
	do {                                       \
		mem_fail_at(-1);                   \
		body;                              \
		long n_ = mem_count();             \
		for (long i_ = 0; i_ < n_; i_++) { \
			mem_fail_at(i_);           \
			body;                      \
		}                                  \
		mem_fail_at(-1);                   \
	} while (0)
#endif
