/* The running scripts. Each has a stack of its own (ucontext) and gives way at statement
 * boundaries, round robin, so that two scripts interleave as two consoles of the box may.
 * One thread; the owner calls sched_turn from its poll loop. */
#ifndef SIM_SCHED_H
#define SIM_SCHED_H

#include <stdio.h>
#include <ucontext.h>

#include "sim/box.h"
#include "sim/fault.h"
#include "sim/interp.h"

enum {
	EXEC_STACK = 1 << 20,
	EXEC_MAX_MS = 600 * 1000, /* then the script ends: "interrupted" */
};

enum exec_state {
	EXEC_READY,
	EXEC_SLEEPING, /* until wake_ms */
	EXEC_PAUSED,   /* by a fault, until it is cleared */
	EXEC_HUNG,     /* for ever, or until its owner leaves */
	EXEC_DONE,
};

struct exec {
	struct exec *next;
	struct sched *sched;
	struct run run;
	char *line;
	ucontext_t ctx;
	void *stack, *fake_stack;
	enum exec_state state;
	uint64_t wake_ms, start_ms,
		die_ms; /* die_ms: cut, lives until then; 0: not cut */
	bool started, in_script, failed, is_mutating, is_garbage, hold_output, is_dead;
	bool hang_after;
	bool has_owner; /* somebody waits for the answer */
};

struct sched {
	ucontext_t main;
	struct exec *list, *running;
	struct box *box;
	struct fault *fault;
	FILE *log; /* every line and its output; NULL: none */
	unsigned next_exec;
	void *main_fake_stack;
	const void *main_stack;
	size_t main_stack_size;
};

void sched_init(struct sched *s, struct box *box, struct fault *fault);
void sched_fini(struct sched *s);
struct exec *sched_start(struct sched *s, const char *line, size_t len);
/* The client is gone; the exec ends by itself, at once or after fault->run_on_s. */
void exec_orphan(struct exec *e);
/* The owner has taken the answer of a done exec. */
void exec_release(struct exec *e);
/* One slice for every script that can run. Returns ms until the next one can, 0 for at
 * once, -1 for none. */
int sched_turn(struct sched *s);
void sched_resume(struct sched *s);
void sched_kill_all(struct sched *s);
/* How much of the output may be sent: all, unless it is held back. */
size_t exec_visible(const struct exec *e);

#endif
