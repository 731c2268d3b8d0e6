#include "core/proc_child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/proc_fork.h"

#ifndef P_PIDFD
#define P_PIDFD 3 /* linux/wait.h */
#endif

/* The child: what must outlive the op when the kernel will not let it go.
 *
 *   start ──▶ running ──(exit)──────────────▶ closing ──▶ done (frees itself)
 *     │        │   ▲  └──(cancel: the registry stops)─▲
 *     │ answer ▼   │ job                              │
 *     └─────▶ idle ┘──────(exit)──────────────────────┤
 *               └──(not wanted any more)─▶ leaving ───┘ (exit)
 */
enum { CH_START, CH_RUNNING, CH_IDLE, CH_LEAVING, CH_CLOSING, CH_DONE, CH_N };

static const char *const child_names[CH_N] = { "start",	  "running", "idle",
					       "leaving", "closing", "done" };
static const uint32_t child_next[CH_N] = {
	[CH_START] = OP_BIT(CH_RUNNING) | OP_BIT(CH_IDLE) | OP_BIT(CH_CLOSING),
	[CH_RUNNING] = OP_BIT(CH_IDLE) | OP_BIT(CH_CLOSING),
	[CH_IDLE] = OP_BIT(CH_RUNNING) | OP_BIT(CH_LEAVING) | OP_BIT(CH_CLOSING),
	[CH_LEAVING] = OP_BIT(CH_CLOSING),
	[CH_CLOSING] = OP_BIT(CH_DONE),
};

/* Of these one stays; the others are for a burst. */
enum { QUIET_MS = 2000, MAX_JOBS = 256 };

static bool is_in(const struct proc_child *c, unsigned state)
{
	return c->op.state == state;
}

static bool is_worker(const struct proc_child *c)
{
	return c->pid_fd >= 0;
}

/* It sees the end of its socket, and leaves. */
static void dismiss(struct proc_child *c)
{
	op_move(&c->op, CH_LEAVING);
	proc_child_hold(c, true);
	(void)shutdown(c->socket, SHUT_RDWR);
}

/* The burst is over: the one that has been idle for longest remains. */
static void on_quiet(struct clock_timer *t)
{
	struct proc_registry *reg = CONTAINER_OF(t, struct proc_registry, quiet);
	struct proc_child *kept = NULL;

	LIST_FOREACH (it, &reg->children) {
		struct proc_child *c = CONTAINER_OF(it, struct proc_child, node);

		if (!is_in(c, CH_IDLE))
			continue;
		if (kept)
			dismiss(c);
		else
			kept = c;
	}
}

static void go_idle(struct proc_child *c)
{
	struct proc_registry *reg = c->registry;

	c->key[0] = '\0';
	c->has_answered = false;
	op_move(&c->op, CH_IDLE);
	proc_child_hold(c, false);
	if (c->n_jobs >= MAX_JOBS || reg->stopped)
		dismiss(c); /* whatever a library has leaked in it goes with it */
	LIST_FOREACH (it, &reg->children)
		if (is_in(CONTAINER_OF(it, struct proc_child, node), CH_IDLE) &&
		    it != &c->node)
			clock_timer_start(c->op.loop, &reg->quiet, QUIET_MS, on_quiet);
}

static void end_job(struct proc_child *c)
{
	struct proc *p = c->owner;

	c->owner = NULL;
	go_idle(c);
	p->child = NULL;
	op_unref_wake(&p->op);
}

static void close_child(struct proc_child *c)
{
	op_move(&c->op, CH_CLOSING);
	op_close_handle(&c->op, &c->handle.any);
	if (is_worker(c))
		op_close_handle(&c->op, (uv_handle_t *)&c->answers);
}

static void child_step(struct op *op)
{
	struct proc_child *c = CONTAINER_OF(op, struct proc_child, op);

	if (op->state == CH_START && (c->owner || c->has_exited))
		op_move(op, CH_RUNNING);
	switch (op->state) {
	case CH_START:
		go_idle(c);
		return;
	case CH_RUNNING:
		if (c->has_exited || op_failed(op))
			close_child(c);
		else if (c->has_answered)
			end_job(c);
		return;
	case CH_IDLE:
	case CH_LEAVING:
		if (c->has_exited)
			close_child(c);
		return;
	case CH_CLOSING:
		if (!op->refs)
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
	if (is_worker(c)) {
		(void)close(c->pid_fd);
		(void)close(c->socket);
	}
	reg->n_stuck -= c->is_stuck;
	mem_free(c);
	if (owner) {
		owner->child = NULL;
		op_unref_wake(&owner->op);
	}
	tell_stopped(reg);
}

struct proc_child *proc_child_new(struct proc_registry *reg, struct proc *owner)
{
	struct proc_child *c = mem_calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->registry = reg;
	c->owner = owner;
	c->pid_fd = c->socket = -1;
	list_append(&reg->children, &c->node);
	op_start(&c->op, &child_type, reg->loop, on_child_done);
	op_ref(&c->op);
	c->handle.any.data = &c->op;
	return c;
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

/* ---- a program ---- */

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

/* ---- a worker ---- */

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

/* Of one that is being killed nothing is taken any more; the end of the socket is the
 * end of the worker, which the other descriptor tells. */
static void on_answer(uv_poll_t *poll, int status, int events)
{
	struct proc_child *c = CONTAINER_OF(poll, struct proc_child, answers);
	static char text[PROC_ANSWER_MAX];
	ssize_t n = recv(c->socket, text, sizeof(text), MSG_DONTWAIT);

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !c->owner || op_failed(&c->owner->op)) {
		(void)uv_poll_stop(poll);
		return;
	}
	(void)buf_append(&c->owner->out, text, (size_t)n);
	c->has_answered = true;
	op_wake(&c->op);
}

/* Of descriptors that are fresh and good. */
static void watch(struct proc_child *c, const struct proc_forked *f)
{
	c->pid = f->pid;
	c->pid_fd = f->pid_fd;
	c->socket = f->socket;
	bug_on(uv_poll_init(c->op.loop, &c->handle.poll, c->pid_fd) ||
	       uv_poll_init(c->op.loop, &c->answers, c->socket));
	c->handle.any.data = c->answers.data = &c->op;
	op_ref(&c->op);
	bug_on(uv_poll_start(&c->handle.poll, UV_READABLE, on_pid_fd) ||
	       uv_poll_start(&c->answers, UV_READABLE, on_answer));
}

/* NULL: it cannot be had. */
static struct proc_child *new_worker(struct proc_registry *reg, struct proc *owner,
				     proc_entry_fn *entry)
{
	struct proc_forked f;
	struct proc_child *c;

	if (proc_fork(entry, &f))
		return NULL;
	c = proc_child_new(reg, owner);
	if (c) {
		watch(c, &f);
		return c;
	}
	(void)close(f.socket); /* and so it leaves */
	(void)waitid((idtype_t)P_PIDFD, (id_t)f.pid_fd, &(siginfo_t){ 0 }, WEXITED);
	(void)close(f.pid_fd);
	return NULL;
}

static struct proc_child *find_idle(struct proc_registry *reg)
{
	LIST_FOREACH (it, &reg->children) {
		struct proc_child *c = CONTAINER_OF(it, struct proc_child, node);

		if (is_in(c, CH_IDLE) && !c->has_exited)
			return c;
	}
	return NULL;
}

/* One that does not take it is ending. */
static bool takes(struct proc_child *c, struct proc *p)
{
	if (proc_fork_send(c->socket, p->argv, p->pass_fd) == 0)
		return true;
	if (is_in(c, CH_IDLE))
		dismiss(c);
	return false;
}

int proc_worker_give(struct proc *p)
{
	struct proc_registry *reg = p->registry;
	struct proc_child *c;

	while ((c = find_idle(reg)) && !takes(c, p))
		;
	if (c) {
		c->owner = p;
		op_move(&c->op, CH_RUNNING);
		proc_child_hold(c, true);
	} else {
		c = new_worker(reg, p, p->entry);
		if (!c)
			return -1;
		if (!takes(c, p)) {
			c->owner = NULL;
			return -1;
		}
	}
	c->n_jobs++;
	p->child = c;
	return 0;
}

void proc_registry_prepare(struct proc_registry *reg, proc_entry_fn *entry)
{
	(void)new_worker(reg, NULL, entry);
}

int proc_child_spawn(struct proc_child *c, struct proc *p)
{
	return spawn(c, p);
}

void proc_child_hold(struct proc_child *c, bool is_held)
{
	void (*set)(uv_handle_t *) = is_held ? uv_ref : uv_unref;

	set(&c->handle.any);
	if (is_worker(c))
		set((uv_handle_t *)&c->answers);
}

void proc_child_kill(struct proc_child *c, int sig)
{
	if (c->has_exited)
		return;
	if (is_worker(c))
		(void)kill(c->pid, sig);
	else
		(void)uv_process_kill(&c->handle.process, sig);
}

/* ---- the registry ---- */

void proc_registry_init(struct proc_registry *reg, uv_loop_t *loop)
{
	*reg = (struct proc_registry){ .loop = loop };
	list_init(&reg->children);
}

const char *proc_registry_stuck(struct proc_registry *reg, const char *key)
{
	LIST_FOREACH (it, &reg->children) {
		struct proc_child *c = CONTAINER_OF(it, struct proc_child, node);

		if (c->is_stuck && strcmp(c->key, key) == 0)
			return c->what;
	}
	return NULL;
}

static void on_stop(struct op *op)
{
	tell_stopped(CONTAINER_OF(op, struct proc_registry, stop));
}

/* An op of its own, so that stopped() comes from the loop when nothing is stuck; not of
 * the heap, so that it comes in any case. */
static void stop_later(struct proc_registry *reg)
{
	static const char *const names[] = { "start", "done" };
	static const uint32_t next[] = { OP_BIT(1), 0 };
	static const struct op_type type = { "stop", names, next, 2, NULL, NULL };

	op_start(&reg->stop, &type, reg->loop, on_stop);
	op_move(&reg->stop, 1);
}

void proc_registry_stop(struct proc_registry *reg, void (*stopped)(void *), void *arg)
{
	reg->stopped = stopped;
	reg->stopped_arg = arg;
	clock_timer_stop(&reg->quiet);
	if (list_is_empty(&reg->children))
		stop_later(reg);
	LIST_FOREACH (it, &reg->children) {
		struct proc_child *c = CONTAINER_OF(it, struct proc_child, node);

		bug_on(c->owner);
		if (c->is_stuck)
			op_cancel(&c->op, ERR_CANCELLED);
		else if (is_in(c, CH_IDLE))
			dismiss(c);
	}
}
