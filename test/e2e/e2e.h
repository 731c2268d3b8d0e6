#ifndef E2E_E2E_H
#define E2E_E2E_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The frame of an end-to-end program: a table of tests, each run in a directory of its
 * own, checks that count, and one result line for test/run. The driver and the simulator
 * are real child processes; the program only talks to their sockets. */
struct e2e_test {
	const char *name;
	void (*run)(void);
	bool needs_root; /* mounts and loop devices: counted as skipped without root */
};

/* Runs the tests whose names contain one of the arguments (all without arguments), adds
 * up in $T_RESULT; the exit status is 1 when one failed. The table ends with a row
 * without name. */
int e2e_main(int argc, char **argv, const struct e2e_test *tests);

/* Counts a failure of the running test and tells why. Returns cond. */
#define CHECK(cond, ...) e2e_check((cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
bool e2e_check(bool cond, const char *file, int line, const char *what, const char *fmt,
	       ...) __attribute__((format(printf, 5, 6)));
/* A line of the test's protocol, with what was measured or how far it came. */
void e2e_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool e2e_failed(void); /* the running test has failed already */
/* Counts the running test as skipped; the caller then returns. */
void e2e_skip(const char *why);

const char *e2e_dir(void);	/* of the running test, removed after it */
bool e2e_is_full(void);		/* E2E_FULL=1: everything, not a seeded sample */
long e2e_ops(long dflt);	/* E2E_OPS, or the default */
uint64_t e2e_random(void);	/* seeded by E2E_SEED, which is told at the start */
unsigned e2e_below(unsigned n); /* 0 … n-1 */
uint64_t e2e_now_ms(void);
void e2e_sleep_ms(unsigned ms);
/* A path under e2e_dir(); out must hold E2E_PATH bytes. Returns out. */
enum { E2E_PATH = 256 };
char *e2e_path(char out[E2E_PATH], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#endif
