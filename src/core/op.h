#ifndef CORE_OP_H
#define CORE_OP_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/clock.h"
#include "core/err.h"

#define OP_BIT(s) (UINT32_C(1) << (s))

enum { OP_START = 0 }; /* state 0 of every op; the last one is its DONE */

struct op;

struct op_type {
	const char *name;
	const char *const *states;   /* names, for the log */
	const uint32_t *next;	     /* next[s]: states allowed after s */
	unsigned n_states;	     /* at most 32; the last state is DONE */
	void (*step)(struct op *op); /* run until the op must wait */
	void (*interrupt)(
		struct op *op); /* make the awaited event come now; may be NULL */
};

/* One asynchronous operation. The caller provides the memory (embeds it) and may free or
 * reuse it from inside done(), never before. done() is called exactly once, always from
 * the loop, never from inside op_start(). The loop must carry a clock (core/clock.h). */
struct op {
	const struct op_type *type;
	uv_loop_t *loop;
	void (*done)(struct op *op);
	struct err err; /* the first error wins */
	unsigned state;
	unsigned refs; /* open handles + requests in flight + child ops */
	bool stepping;
	uint64_t deadline_ms; /* absolute, of clock_now_ms; 0 = none */
	struct clock_timer deadline;
	uv_idle_t kick; /* first step and done() happen on a later turn */
};

/* Sets every field of *op; the fields of the struct around it must have been set before.
 */
void op_start(struct op *op, const struct op_type *type, uv_loop_t *loop,
	      void (*done)(struct op *op));
/* Cancels with ERR_DEADLINE at the absolute time; 0 = no deadline. The earlier of two
 * wins: a child is started with its parent's deadline_ms and can only shorten it. */
void op_set_deadline(struct op *op, uint64_t deadline_ms);
void op_move(struct op *op, unsigned state);
void op_fail(struct op *op, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void op_fail_err(struct op *op, const struct err *err); /* ignored when err is ERR_OK */
/* Records the error and calls interrupt; done() still comes by the normal road. Harmless
 * when the op has failed already or is done. */
void op_cancel(struct op *op, enum err_code why);
void op_wake(struct op *op); /* every completion ends with this */
void op_ref(struct op *op);
void op_unref_wake(struct op *op);
/* h->data must be op and one reference must be held for h; it is dropped when h is
 * closed. */
void op_close_handle(struct op *op, uv_handle_t *h);
static inline bool op_failed(const struct op *op)
{
	return op->err.code != ERR_OK;
}
static inline bool op_is_done(const struct op *op)
{
	return op->state == op->type->n_states - 1;
}

/* Called at each start (from == to == OP_START) and each move. For the debug log and for
 * tests that must be at every state once. NULL = off. */
extern void (*op_trace)(const struct op *op, unsigned from, unsigned to);
#endif
