#ifndef T_PROG_H
#define T_PROG_H
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* One child program of a test, its two outputs in files of the test's directory. It dies
 * with the test: a failed assertion ends the test's process by a signal or exit, so the
 * child is told to follow (PR_SET_PDEATHSIG). */
struct prog {
	pid_t pid; /* 0 when none runs */
	char out[192], err[192];
};

/* argv[0] is the program's path; the outputs go to dir/NAME.out and dir/NAME.err. */
void prog_start(struct prog *p, const char *dir, const char *name,
		const char *const *argv);
/* The exit status, or 256 + the signal; fails the test after a minute, or when a line of
 * a log in JSON among what it wrote is none. */
int prog_wait(struct prog *p);

/* How many TCP ports it listens on, and the last of them. */
unsigned prog_listens(const struct prog *p, unsigned *ret_port);
bool prog_is_running(struct prog *p);
/* prog_start and prog_wait. */
int prog_run(struct prog *p, const char *dir, const char *name, const char *const *argv);
/* The file's text, cut at 1 MiB; static memory, valid until the next call. */
const char *prog_text(const char *path);
/* Waits until the file holds text; fails the test after a minute. */
void prog_await(const char *path, const char *text);

/* The binaries under test: $RDS_CSI and $RDS_SIM, or those of this build. */
const char *prog_csi(void);
const char *prog_sim(void);
#endif
