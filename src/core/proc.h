#ifndef CORE_PROC_H
#define CORE_PROC_H
#include "core/buf.h"
#include "core/list.h"
#include "core/op.h"
#include "core/proc_fork.h"

/* One child process as an op: argv without a shell, an optional input, both outputs up to
 * a cap, a deadline. The child gets a fixed short environment, /dev/null or the input on
 * fd 0, and at most one inherited fd, as its fd 3.
 *
 * Ending it takes three steps: SIGTERM, SIGKILL, and then remembering. A child in an
 * uninterruptible sleep outlives both signals; the op then ends with is_stuck, and the
 * child stays in its registry until the kernel lets go of it. A second child under the
 * same key is refused meanwhile (ABORTED): retries must not pile up in the kernel. */
enum { PROC_MAX_OUTPUT = 64 * 1024, PROC_MAX_KEY = 256, PROC_FD = 3 };

struct proc_registry {
	uv_loop_t *loop;
	struct list children; /* every child that is not reaped yet */
	unsigned n_stuck;     /* those of them whose op has ended without them */
	struct clock_timer quiet;
	struct op stop;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

void proc_registry_init(struct proc_registry *reg, uv_loop_t *loop);
/* Has a worker ready for the first job; best early, while this process is small. One
 * stays ready from then on, those that a burst has needed leave after it. */
void proc_registry_prepare(struct proc_registry *reg, proc_entry_fn *entry);
/* Ends the workers, forgets the stuck children (nobody reaps them then) and calls stopped
 * once, from the loop. No proc of this registry may be running. */
void proc_registry_stop(struct proc_registry *reg, void (*stopped)(void *), void *arg);
/* What the stuck child under that key was to do, NULL when none is stuck there. */
const char *proc_registry_stuck(struct proc_registry *reg, const char *key);

struct proc {
	struct op op;
	/* Arguments, set before proc_start; texts are borrowed until done(). */
	const char *const *argv; /* ended by NULL; argv[0] a path, or a name in /usr/sbin,
				    /usr/bin, /sbin, /bin */
	/* NULL: argv is run. Else a worker calls it with the rest of argv, and its answer
	 * is the output, unless there is input or no worker can be had: see
	 * core/proc_fork.h. All of one registry have the same. */
	proc_entry_fn *entry;
	struct proc_registry *registry;
	const char *key;  /* NULL: not exclusive */
	const char *what; /* static; for proc_registry_stuck */
	const void *input;
	size_t n_input;
	int pass_fd; /* -1: none. Still the caller's */
	uint64_t timeout_ms;
	/* Results. op.err says whether the child could be run and ended by itself; what
	 * its exit status means is the caller's business. */
	int exit_status, term_signal;
	bool is_stuck;
	/* Owned; the caller takes what it needs in done() and calls proc_fini. What
	 * exceeds PROC_MAX_OUTPUT is read and dropped. */
	struct buf out, err_out;
	/* Private. */
	struct proc_child *child;
	uv_pipe_t in_pipe, out_pipe, err_pipe;
	uv_write_t write;
	unsigned n_eof;
	struct clock_timer timer;
	char chunk[4096]; /* both outputs read through it, one at a time */
};

/* Clears the results and starts. */
void proc_start(struct proc *p, void (*done)(struct op *op));
void proc_fini(struct proc *p); /* frees the outputs; accepts a zeroed struct */
#endif
