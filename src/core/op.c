#include "core/op.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/mem.h"

void (*op_trace)(const struct op *op, unsigned from, unsigned to);

static void on_kick_closed(uv_handle_t *h)
{
	struct op *op = h->data;

	op->done(op); /* op may be gone after this */
}

static void finish_if_drained(struct op *op)
{
	if (!op_is_done(op) || op->refs != 0 || uv_is_closing((uv_handle_t *)&op->kick))
		return;
	clock_timer_stop(&op->deadline);
	uv_close((uv_handle_t *)&op->kick, on_kick_closed);
}

void op_wake(struct op *op)
{
	bug_on(op->stepping);
	if (!op_is_done(op)) {
		op->stepping = true;
		op->type->step(op);
		op->stepping = false;
	}
	finish_if_drained(op);
}

static void on_kick(uv_idle_t *idle)
{
	uv_idle_stop(idle);
	op_wake(idle->data);
}

void op_start(struct op *op, const struct op_type *type, uv_loop_t *loop,
	      void (*done)(struct op *op))
{
	*op = (struct op){ .type = type, .loop = loop, .done = done };
	(void)uv_idle_init(loop, &op->kick);
	op->kick.data = op;
	(void)uv_idle_start(&op->kick, on_kick);
	if (op_trace)
		op_trace(op, OP_START, OP_START);
}

static void on_deadline(struct clock_timer *t)
{
	op_cancel(CONTAINER_OF(t, struct op, deadline), ERR_DEADLINE);
}

void op_set_deadline(struct op *op, uint64_t deadline_ms)
{
	uint64_t now = clock_now_ms(op->loop);

	if (!deadline_ms || (op->deadline_ms && op->deadline_ms <= deadline_ms))
		return;
	op->deadline_ms = deadline_ms;
	clock_timer_start(op->loop, &op->deadline,
			  deadline_ms > now ? deadline_ms - now : 0, on_deadline);
}

void op_move(struct op *op, unsigned state)
{
	unsigned from = op->state;

	bug_on(state >= op->type->n_states || !(op->type->next[from] & OP_BIT(state)));
	op->state = state;
	if (op_trace)
		op_trace(op, from, state);
}

void op_fail(struct op *op, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (op_failed(op))
		return;
	op->err.code = code;
	va_start(ap, fmt);
	(void)vsnprintf(op->err.msg, sizeof(op->err.msg), fmt, ap);
	va_end(ap);
}

void op_fail_err(struct op *op, const struct err *err)
{
	if (!op_failed(op) && err->code != ERR_OK)
		op->err = *err;
}

void op_cancel(struct op *op, enum err_code why)
{
	if (op_failed(op) || op_is_done(op))
		return;
	op_fail(op, why, "%s: %s while %s", op->type->name,
		why == ERR_DEADLINE ? "deadline passed" : "cancelled",
		op->type->states[op->state]);
	if (op->state != OP_START && op->type->interrupt)
		op->type->interrupt(op);
}

void op_ref(struct op *op)
{
	op->refs++;
}

void op_unref_wake(struct op *op)
{
	bug_on(op->refs == 0);
	op->refs--;
	op_wake(op);
}

static void on_handle_closed(uv_handle_t *h)
{
	op_unref_wake(h->data);
}

void op_close_handle(struct op *op, uv_handle_t *h)
{
	bug_on(h->data != op || uv_is_closing(h));
	uv_close(h, on_handle_closed);
}
