#include "core/proc_child.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/proc_fork.h"

#ifndef P_PIDFD
#define P_PIDFD 3 /* linux/wait.h */
#endif

/* ---- the child: what must outlive the op when the kernel will not let it go
 * ---------------
 *
 *   start ──▶ running ──(exit)──▶ closing ──▶ done (frees itself)
 *                └──(cancel: the registry stops)──▲
 */
enum { CH_START, CH_RUNNING, CH_CLOSING, CH_DONE, CH_N };

static const char *const child_names[CH_N] = { "start", "running", "closing", "done" };
static const uint32_t child_next[CH_N] = {
	[CH_START] = OP_BIT(CH_RUNNING),
	[CH_RUNNING] = OP_BIT(CH_CLOSING),
	[CH_CLOSING] = OP_BIT(CH_DONE),
};

static void child_step(struct op *op)
{
	struct proc_child *c = CONTAINER_OF(op, struct proc_child, op);

	if (op->state == CH_START)
		op_move(op, CH_RUNNING);
	switch (op->state) {
	case CH_RUNNING:
		if (!c->has_exited && !op_failed(op))
			return;
		op_move(op, CH_CLOSING);
		op_close_handle(op, &c->handle.any);
		return;
	case CH_CLOSING:
		op_move(op, CH_DONE);
		return;
	default:
		return;
	}
}

static void child_interrupt(struct op *op)
{
	op_wake(op);
}

static const struct op_type child_type = {
	.name = "child",
	.states = child_names,
	.next = child_next,
	.n_states = CH_N,
	.step = child_step,
	.interrupt = child_interrupt,
};

static void tell_stopped(struct proc_registry *reg)
{
	if (!reg->stopped || !list_is_empty(&reg->children))
		return;
	void (*stopped)(void *) = reg->stopped;

	reg->stopped = NULL;
	stopped(reg->stopped_arg);
}

/* The owner holds one reference for its child. */
static void on_child_done(struct op *op)
{
	struct proc_child *c = CONTAINER_OF(op, struct proc_child, op);
	struct proc_registry *reg = c->registry;
	struct proc *owner = c->owner;

	list_remove(&c->node);
	if (c->pid_fd >= 0)
		(void)close(c->pid_fd);
	if (!owner)
		reg->n_stuck--;
	mem_free(c);
	if (owner) {
		owner->child = NULL;
		op_unref_wake(&owner->op);
	}
	tell_stopped(reg);
}

void proc_child_start(struct proc_child *c)
{
	c->pid_fd = -1;
	op_start(&c->op, &child_type, c->registry->loop, on_child_done);
	op_ref(&c->op);
	c->handle.any.data = &c->op;
}

static void on_exited(struct proc_child *c, int status, int term_signal)
{
	c->has_exited = true;
	if (c->owner) {
		c->owner->exit_status = status;
		c->owner->term_signal = term_signal;
	}
	op_wake(&c->op);
}

/* ---- a program
 * -------------------------------------------------------------------------- */

static void on_exit(uv_process_t *process, int64_t status, int term_signal)
{
	on_exited(CONTAINER_OF(process, struct proc_child, handle.process), (int)status,
		  term_signal);
}

static int spawn(struct proc_child *c, struct proc *p)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LC_ALL=C";
	static char *env[] = { path, lang, NULL };
	uv_stdio_container_t io[PROC_FD + 1] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&p->out_pipe },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&p->err_pipe },
		{ .flags = UV_INHERIT_FD, .data.fd = p->pass_fd },
	};
	union {
		const char *const *in;
		char **out;
	} argv = { .in = p->argv }; /* libuv does not write to them */
	uv_process_options_t opt = { .file = p->argv[0],
				     .args = argv.out,
				     .env = env,
				     .stdio = io,
				     .exit_cb = on_exit,
				     .stdio_count =
					     p->pass_fd < 0 ? PROC_FD : PROC_FD + 1 };

	if (p->n_input) {
		io[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
		io[0].data.stream = (uv_stream_t *)&p->in_pipe;
	}
	return uv_spawn(p->op.loop, &c->handle.process, &opt);
}

/* ---- a fork
 * ----------------------------------------------------------------------------- */

static void on_pid_fd(uv_poll_t *poll, int status, int events)
{
	struct proc_child *c = CONTAINER_OF(poll, struct proc_child, handle.poll);
	siginfo_t info = { .si_pid = 0 };

	(void)status;
	(void)events;
	if (waitid((idtype_t)P_PIDFD, (id_t)c->pid_fd, &info, WEXITED | WNOHANG) == 0 &&
	    info.si_pid == 0)
		return;
	(void)uv_poll_stop(poll);
	if (info.si_code == CLD_EXITED)
		on_exited(c, info.si_status, 0);
	else
		on_exited(c, 0, info.si_status);
}

/* 0, or an error of libuv's, and then there is no child. */
static int watch(struct proc_child *c, struct proc *p, const struct proc_forked *f)
{
	int rc = uv_pipe_open(&p->out_pipe, f->out);

	if (!rc)
		rc = uv_pipe_open(&p->err_pipe, f->err_out);
	if (!rc)
		rc = uv_poll_init(c->op.loop, &c->handle.poll, f->pid_fd);
	c->handle.any.data = &c->op;
	bug_on(rc); /* of descriptors that are fresh and good */
	c->pid = f->pid;
	c->pid_fd = f->pid_fd;
	return uv_poll_start(&c->handle.poll, UV_READABLE, on_pid_fd);
}

int proc_child_spawn(struct proc_child *c, struct proc *p)
{
	struct proc_forked f;

	if (p->entry && !p->n_input && proc_fork(p->entry, p->argv, p->pass_fd, &f) == 0)
		return watch(c, p, &f);
	return spawn(c, p);
}

void proc_child_kill(struct proc_child *c, int sig)
{
	if (c->has_exited)
		return;
	if (c->pid_fd >= 0)
		(void)kill(c->pid, sig);
	else
		(void)uv_process_kill(&c->handle.process, sig);
}

/* ---- the registry
 * ----------------------------------------------------------------------- */

void proc_registry_init(struct proc_registry *reg, uv_loop_t *loop)
{
	*reg = (struct proc_registry){ .loop = loop };
	list_init(&reg->children);
}

const char *proc_registry_stuck(struct proc_registry *reg, const char *key)
{
	LIST_FOREACH (it, &reg->children) {
		struct proc_child *c = CONTAINER_OF(it, struct proc_child, node);

		if (!c->owner && strcmp(c->key, key) == 0)
			return c->what;
	}
	return NULL;
}

static void on_stop(struct op *op)
{
	tell_stopped(CONTAINER_OF(op, struct proc_child, op)->registry);
	mem_free(CONTAINER_OF(op, struct proc_child, op));
}

/* An op of its own, so that stopped() comes from the loop when nothing is stuck. */
static void stop_later(struct proc_registry *reg)
{
	struct proc_child *c = mem_calloc(1, sizeof(*c));
	static const char *const names[] = { "start", "done" };
	static const uint32_t next[] = { OP_BIT(1), 0 };
	static const struct op_type type = { "stop", names, next, 2, NULL, NULL };

	if (!c) {
		tell_stopped(reg);
		return;
	}
	c->registry = reg;
	op_start(&c->op, &type, reg->loop, on_stop);
	op_move(&c->op, 1);
}

void proc_registry_stop(struct proc_registry *reg, void (*stopped)(void *), void *arg)
{
	reg->stopped = stopped;
	reg->stopped_arg = arg;
	if (list_is_empty(&reg->children))
		stop_later(reg);
	LIST_FOREACH (it, &reg->children) {
		struct proc_child *c = CONTAINER_OF(it, struct proc_child, node);

		bug_on(c->owner);
		op_cancel(&c->op, ERR_CANCELLED);
	}
}
