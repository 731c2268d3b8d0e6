#ifndef E2E_CHILD_H
#define E2E_CHILD_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Child processes of a test. All are known by pid, die with the program, and are ended by
 * pid only. Helpers of a killed driver are adopted (the program is a subreaper) and
 * awaited with child_wait_orphans. */
struct child_conf {
	const char *const *argv; /* ended by NULL; argv[0] is the path */
	const char *const
		*env;	 /* "NAME=value" added to ours, ended by NULL; may be NULL */
	const char *log; /* standard error is appended here; NULL = ours */
	int *ret_out;	 /* a pipe with its standard output; NULL = into the log too */
};

pid_t child_start(const struct child_conf *conf); /* -1 when it could not be started */
/* Waits until it has ended; its wait status, or -1 when it has not within the time. */
int child_wait(pid_t pid, unsigned timeout_ms);
/* Sends the signal and waits; -1 as above. */
int child_end(pid_t pid, int sig, unsigned timeout_ms);
bool child_is_stopped(pid_t pid); /* by SIGSTOP */
/* A child of its own that has not ended yet, and is no worker that waits for a job. */
bool child_has_running(pid_t pid);
/* Waits until every adopted process has ended; false when one has not. */
bool child_wait_orphans(unsigned timeout_ms);
/* Kills what child_start started and was not awaited; how many there were. */
unsigned child_kill_all(void);
/* Runs to the end, up to cap-1 bytes of its output in out; its exit status or -1. */
int child_run(const char *const *argv, char *out, size_t cap);
#endif
