#include "core/proc.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/proc_child.h"

/* The op:
 *   start ─▶ running ─(exit)─▶ draining ─(both outputs ended)─▶ closing ─▶ done
 *   running ─(cancel, deadline: SIGTERM)─▶ terminating ─(exit)─▶ draining
 *   terminating ─(2 s: SIGKILL)─▶ killing ─(exit)─▶ draining
 *   killing ─(2 s: stuck)─▶ closing
 *   start ─(key taken, no memory, cannot be spawned)─▶ done
 *
 * Failures: the key is taken (ABORTED); the program cannot be run (FAILED_PRECONDITION);
 * deadline or cancel (as given). A grandchild that keeps the outputs open is waited for
 * one second. */
enum {
	ST_START,
	ST_RUNNING,
	ST_TERMINATING,
	ST_KILLING,
	ST_DRAINING,
	ST_CLOSING,
	ST_DONE,
	ST_N
};
enum { GRACE_MS = 2000, DRAIN_MS = 1000, N_OUTPUTS = 2 };

static const char *const names[ST_N] = { "start",    "running", "terminating", "killing",
					 "draining", "closing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RUNNING) | OP_BIT(ST_CLOSING) | OP_BIT(ST_DONE),
	[ST_RUNNING] = OP_BIT(ST_TERMINATING) | OP_BIT(ST_DRAINING),
	[ST_TERMINATING] = OP_BIT(ST_KILLING) | OP_BIT(ST_DRAINING),
	[ST_KILLING] = OP_BIT(ST_DRAINING) | OP_BIT(ST_CLOSING),
	[ST_DRAINING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static void on_timer(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct proc, timer)->op);
}

static void arm(struct proc *p, uint64_t ms)
{
	clock_timer_start(p->op.loop, &p->timer, ms, on_timer);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
	struct proc *p = CONTAINER_OF((struct op *)h->data, struct proc, op);

	(void)suggested;
	*ret = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void on_output(uv_stream_t *s, ssize_t n, const uv_buf_t *chunk)
{
	struct proc *p = CONTAINER_OF((struct op *)s->data, struct proc, op);
	struct buf *to = s == (uv_stream_t *)&p->out_pipe ? &p->out : &p->err_out;

	if (n > 0) {
		size_t room = to->max - to->len;

		(void)buf_append(to, chunk->base, (size_t)n < room ? (size_t)n : room);
		return;
	}
	if (n == 0)
		return;
	(void)uv_read_stop(s);
	p->n_eof++;
	op_wake(&p->op);
}

/* A child that does not read its input to the end is no failure of ours. */
static void on_written(uv_write_t *w, int status)
{
	struct proc *p = CONTAINER_OF(w, struct proc, write);

	(void)status;
	if (!uv_is_closing((uv_handle_t *)&p->in_pipe))
		op_close_handle(&p->op, (uv_handle_t *)&p->in_pipe);
	op_unref_wake(&p->op);
}

static bool is_key_taken(const struct proc *p)
{
	if (!p->key)
		return false;
	LIST_FOREACH (it, &p->registry->children)
		if (strcmp(CONTAINER_OF(it, struct proc_child, node)->key, p->key) == 0)
			return true;
	return false;
}

static void open_pipe(struct proc *p, uv_pipe_t *pipe)
{
	(void)uv_pipe_init(p->op.loop, pipe, 0);
	pipe->data = &p->op;
	op_ref(&p->op);
}

static void feed(struct proc *p)
{
	uv_buf_t b = uv_buf_init(NULL, 0);
	union {
		const void *in;
		char *out;
	} input = { .in = p->input };

	if (!p->n_input)
		return;
	b = uv_buf_init(input.out, (unsigned)p->n_input);
	op_ref(&p->op);
	if (uv_write(&p->write, (uv_stream_t *)&p->in_pipe, &b, 1, on_written)) {
		op_close_handle(&p->op, (uv_handle_t *)&p->in_pipe);
		p->op.refs--;
	}
}

/* The child's op is started first: from here on the only way out is by its done(). */
static int start_program(struct proc *p)
{
	struct proc_child *c = proc_child_new(p->registry, p);

	if (!c) {
		op_fail(&p->op, ERR_EXHAUSTED, "out of memory");
		return -1;
	}
	p->child = c;
	op_ref(&p->op);
	open_pipe(p, &p->out_pipe);
	open_pipe(p, &p->err_pipe);
	if (p->n_input)
		open_pipe(p, &p->in_pipe);
	int rc = proc_child_spawn(c, p);

	if (rc) {
		op_fail(&p->op, ERR_PRECONDITION, "cannot run %s: %s", p->argv[0],
			uv_strerror(rc));
		c->has_exited = true;
		return -1;
	}
	(void)uv_read_start((uv_stream_t *)&p->out_pipe, on_alloc, on_output);
	(void)uv_read_start((uv_stream_t *)&p->err_pipe, on_alloc, on_output);
	feed(p);
	return 0;
}

static int start_child(struct proc *p)
{
	int rc;

	if (p->entry && !p->n_input && proc_worker_give(p) == 0) {
		op_ref(&p->op);
		p->n_eof = N_OUTPUTS;
		rc = 0;
	} else {
		rc = start_program(p);
	}
	if (p->child) {
		(void)snprintf(p->child->key, PROC_MAX_KEY, "%s", p->key ? p->key : "");
		p->child->what = p->what ? p->what : p->argv[0];
	}
	return rc;
}

static void do_start(struct proc *p)
{
	struct op *op = &p->op;

	if (!op_failed(op) && is_key_taken(p))
		op_fail(op, ERR_ABORTED,
			"the previous %s of this volume is still in the kernel",
			p->argv[0]);
	if (!op_failed(op) && start_child(p) == 0) {
		op_set_deadline(op, clock_now_ms(op->loop) + p->timeout_ms);
		op_move(op, ST_RUNNING);
		return;
	}
	op_move(op, p->child ? ST_CLOSING : ST_DONE);
}

static bool has_exited(const struct proc *p)
{
	return !p->child;
}

static void signal_child(struct proc *p, int sig)
{
	if (p->child)
		proc_child_kill(p->child, sig);
	arm(p, GRACE_MS);
}

/* Its process handle stays with the child, out of the way of a loop that wants to end. */
static void abandon(struct proc *p)
{
	struct proc_child *c = p->child;

	p->is_stuck = true;
	p->child = NULL;
	c->owner = NULL;
	c->is_stuck = true;
	c->registry->n_stuck++;
	proc_child_hold(c, false);
	p->op.refs--; /* the one held for the child; others remain for the pipes */
}

static void close_pipes(struct proc *p)
{
	uv_pipe_t *pipes[] = { &p->in_pipe, &p->out_pipe, &p->err_pipe };

	clock_timer_stop(&p->timer);
	for (unsigned i = p->n_input ? 0 : 1; i < 3; i++)
		if (pipes[i]->data && !uv_is_closing((uv_handle_t *)pipes[i]))
			op_close_handle(&p->op, (uv_handle_t *)pipes[i]);
}

/* True when the state has moved on. */
static bool step_alive(struct proc *p)
{
	struct op *op = &p->op;
	bool is_due = !clock_timer_is_running(&p->timer);

	if (has_exited(p)) {
		arm(p, DRAIN_MS);
		op_move(op, ST_DRAINING);
		return true;
	}
	if (op->state == ST_RUNNING && op_failed(op)) {
		signal_child(p, SIGTERM);
		op_move(op, ST_TERMINATING);
	} else if (op->state == ST_TERMINATING && is_due) {
		signal_child(p, SIGKILL);
		op_move(op, ST_KILLING);
	} else if (op->state == ST_KILLING && is_due && !p->child->has_exited) {
		abandon(p);
		op_move(op, ST_CLOSING);
		return true;
	}
	return false;
}

static void step(struct op *op)
{
	struct proc *p = CONTAINER_OF(op, struct proc, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			do_start(p);
			if (op->state != ST_CLOSING)
				return;
			break;
		case ST_RUNNING:
		case ST_TERMINATING:
		case ST_KILLING:
			if (!step_alive(p))
				return;
			break;
		case ST_DRAINING:
			if (p->n_eof < N_OUTPUTS && clock_timer_is_running(&p->timer))
				return;
			op_move(op, ST_CLOSING);
			break;
		case ST_CLOSING:
			close_pipes(p);
			op_move(op, ST_DONE);
			return;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	struct proc *p = CONTAINER_OF(op, struct proc, op);

	if (op->state == ST_RUNNING)
		arm(p, 0);
}

static const struct op_type proc_type = {
	.name = "proc",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void proc_start(struct proc *p, void (*done)(struct op *op))
{
	bug_on(p->key && strlen(p->key) >= PROC_MAX_KEY);
	p->exit_status = p->term_signal = 0;
	p->is_stuck = false;
	p->child = NULL;
	p->n_eof = 0;
	p->timer = (struct clock_timer){ .due_ms = 0 };
	p->in_pipe.data = p->out_pipe.data = p->err_pipe.data = NULL;
	buf_init(&p->out, PROC_MAX_OUTPUT);
	buf_init(&p->err_out, PROC_MAX_OUTPUT);
	op_start(&p->op, &proc_type, p->registry->loop, done);
}

void proc_fini(struct proc *p)
{
	buf_fini(&p->out);
	buf_fini(&p->err_out);
}
