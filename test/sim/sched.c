#include "sim/sched.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim/parse.h"

/* The address sanitizer must be told when the stack changes. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define FIBER_LEAVE(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define FIBER_ENTER(save, bottom, size) \
	__sanitizer_finish_switch_fiber(save, bottom, size)
#else
#define FIBER_LEAVE(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define FIBER_ENTER(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#endif

static void switch_to_main(struct exec *e)
{
	struct sched *s = e->sched;

	FIBER_LEAVE(e->state == EXEC_DONE ? NULL : &e->fake_stack, s->main_stack,
		    s->main_stack_size);
	swapcontext(&e->ctx, &s->main);
	FIBER_ENTER(e->fake_stack, &s->main_stack, &s->main_stack_size);
}

/* Another script, or the world outside, may want to go on. */
static bool is_crowded(const struct exec *e)
{
	uint64_t now = 0;

	for (const struct exec *x = e->sched->list; x; x = x->next) {
		if (x == e || (x->state != EXEC_READY && x->state != EXEC_SLEEPING))
			continue;
		if (!now)
			now = now_ms();
		if (x->state == EXEC_READY || x->wake_ms <= now)
			return true;
	}
	return e->run.statements % 64 == 0;
}

static int must_die(struct exec *e)
{
	uint64_t now = now_ms();

	if (e->die_ms && now >= e->die_ms) {
		e->is_dead = true;
	} else if (now - e->start_ms > EXEC_MAX_MS) {
		e->run.ctl = CTL_FATAL;
		e->run.err = "interrupted";
		return -1;
	}
	if (!e->is_dead)
		return 0;
	e->run.ctl = CTL_DEAD;
	return -1;
}

static int wait_as(struct exec *e, enum exec_state state)
{
	e->state = state;
	switch_to_main(e);
	return must_die(e);
}

static bool hits(const struct exec *e, int64_t at)
{
	/* The hook runs before a statement: after statement N is before statement N + 1.
	 */
	return at != FAULT_OFF && (int64_t)e->run.statements - 1 == at;
}

/* Faults at a statement are for one script: the next that changes things and matches. */
static int statement_faults(struct exec *e)
{
	struct fault *f = e->sched->fault;

	if (!e->is_mutating || !fault_matches(f, e->line))
		return 0;
	if (hits(e, f->die_at) || (f->die_after_mutation != FAULT_OFF &&
				   (int64_t)e->run.mutations >= f->die_after_mutation))
		_exit(9);
	if (hits(e, f->error_at)) {
		f->error_at = FAULT_OFF;
		return run_error(&e->run, NULL, "failure: simulated error");
	}
	if (hits(e, f->pause_at)) {
		f->pause_at = FAULT_OFF;
		return wait_as(e, EXEC_PAUSED);
	}
	return 0;
}

static int on_sleep(struct run *r, uint64_t ms)
{
	struct exec *e = r->hook_data;

	e->wake_ms = now_ms() + ms;
	return wait_as(e, EXEC_SLEEPING);
}

static int on_statement(struct run *r)
{
	struct exec *e = r->hook_data;
	int64_t spread = e->sched->fault->statement_ms;

	if (must_die(e) < 0 || statement_faults(e) < 0)
		return -1;
	if (spread)
		return on_sleep(r, rand_u64() % (uint64_t)(spread + 1));
	if (!e->sched->fault->interleave || !is_crowded(e))
		return 0;
	return wait_as(e, EXEC_READY);
}

static const struct run_hooks hooks = { on_statement, on_sleep };

static uint64_t latency(const struct fault *f)
{
	uint64_t ms = (uint64_t)f->latency_ms;

	return f->jitter_ms ? ms + rand_u64() % (uint64_t)(f->jitter_ms + 1) : ms;
}

static void make_garbage(struct run *r)
{
	r->out.len = 0;
	for (int i = 0; i < 200; i++)
		sb_addc(&r->out, (char)rand_u64());
}

/* Without interleaving one script holds the box until it is done; a hung one does not. */
static bool is_held(const struct exec *e)
{
	for (const struct exec *x = e->sched->list; x; x = x->next)
		if (x != e && x->in_script && x->state != EXEC_DONE &&
		    x->state != EXEC_HUNG)
			return true;
	return false;
}

static void exec_body(struct exec *e)
{
	struct fault *f = e->sched->fault;
	uint64_t ms = latency(f);

	e->hold_output = f->reply_ms > 0 || e->hang_after || e->is_garbage;
	if (ms)
		on_sleep(&e->run, ms);
	while (!f->interleave && !e->is_dead && is_held(e))
		on_sleep(&e->run, 1);
	e->in_script = true;
	e->failed =
		e->run.ctl == CTL_DEAD || run_line(&e->run, e->line, strlen(e->line)) < 0;
	e->in_script = false;
	if (!e->is_dead && f->reply_ms > 0)
		on_sleep(&e->run, (uint64_t)f->reply_ms);
	if (e->is_garbage)
		make_garbage(&e->run);
	if (e->hang_after && !e->is_dead)
		wait_as(e, EXEC_HUNG);
	e->hold_output = false;
	e->state = EXEC_DONE;
}

static void trampoline(unsigned high, unsigned low)
{
	struct exec *e = (struct exec *)(((uintptr_t)high << 32) | low);

	FIBER_ENTER(NULL, &e->sched->main_stack, &e->sched->main_stack_size);
	exec_body(e);
	switch_to_main(e);
	abort();
}

void sched_init(struct sched *s, struct box *box, struct fault *fault)
{
	*s = (struct sched){ .box = box, .fault = fault, .next_exec = 1 };
}

/* Whether the line would change things is known before it runs: faults aim at that. */
static bool line_mutates(const struct box *b, const char *line, size_t len)
{
	struct arena a;
	const char *err;
	struct node *n;
	bool yes;

	arena_init(&a, RUN_MAX_ARENA);
	n = parse_line(&a, line, len, b->opt.version, &err);
	yes = n && n->is_mutating;
	arena_fini(&a);
	return yes;
}

static void *make_stack(void)
{
	char *p = mmap(NULL, EXEC_STACK, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "rds-sim: mmap: %s\n", strerror(errno));
		abort();
	}
	mprotect(p, 4096, PROT_NONE);
	return p;
}

struct exec *sched_start(struct sched *s, const char *line, size_t len)
{
	struct exec *e = xmalloc(sizeof *e), **at = &s->list;
	struct fault *f = s->fault;
	uintptr_t p = (uintptr_t)e;

	e->sched = s;
	e->line = xmalloc(len + 1);
	memcpy(e->line, line, len);
	run_init(&e->run, s->box);
	e->run.hooks = &hooks;
	e->run.hook_data = e;
	e->run.exec_id = s->next_exec++;
	e->start_ms = now_ms();
	e->has_owner = true;
	e->is_mutating = line_mutates(s->box, e->line, len);
	e->state = fault_take(f, &f->hang, e->line) ? EXEC_HUNG : EXEC_READY;
	e->hang_after = fault_take(f, &f->hang_after, e->line);
	e->is_garbage = fault_take(f, &f->garbage, e->line);
	e->stack = make_stack();
	getcontext(&e->ctx);
	e->ctx.uc_stack.ss_sp = e->stack;
	e->ctx.uc_stack.ss_size = EXEC_STACK;
	makecontext(&e->ctx, (void (*)(void))(uintptr_t)trampoline, 2,
		    (unsigned)(p >> 32), (unsigned)p);
	while (*at)
		at = &(*at)->next;
	*at = e;
	s->box->stats.execs++;
	if (s->log) {
		fprintf(s->log, "%u > %s\n", e->run.exec_id, e->line);
		fflush(s->log);
	}
	if (++s->box->stats.execs_now > s->box->stats.execs_peak)
		s->box->stats.execs_peak = s->box->stats.execs_now;
	return e;
}

static void exec_free(struct exec *e)
{
	struct exec **at = &e->sched->list;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	run_fini(&e->run);
	munmap(e->stack, EXEC_STACK);
	free(e->line);
	free(e);
}

void exec_orphan(struct exec *e)
{
	uint64_t run_on = (uint64_t)e->sched->fault->run_on_s * 1000;

	e->has_owner = false;
	e->die_ms = now_ms() + run_on;
	if (e->state == EXEC_HUNG && !e->started)
		e->is_dead = true;
	/* A script that waits for nothing but its answer, or never began, is over. */
	if (e->state == EXEC_HUNG || e->state == EXEC_PAUSED ||
	    (e->state == EXEC_SLEEPING && !run_on))
		e->state = EXEC_READY;
	if (!run_on)
		e->is_dead = true;
}

void exec_release(struct exec *e)
{
	e->has_owner = false;
}

size_t exec_visible(const struct exec *e)
{
	return e->hold_output ? 0 : e->run.out.len;
}

static void exec_slice(struct exec *e)
{
	struct sched *s = e->sched;

	e->started = true;
	s->running = e;
	FIBER_LEAVE(&s->main_fake_stack, e->stack, (size_t)EXEC_STACK);
	swapcontext(&s->main, &e->ctx);
	FIBER_ENTER(s->main_fake_stack, NULL, NULL);
	s->running = NULL;
	if (e->state != EXEC_DONE)
		return;
	s->box->stats.execs_now--;
	s->box->stats.execs_failed += e->failed;
	if (s->log) {
		fprintf(s->log, "%u < %.*s%s\n", e->run.exec_id, (int)e->run.out.len,
			e->run.out.p ? e->run.out.p : "", e->is_dead ? "(died)" : "");
		fflush(s->log);
	}
}

static void wake_due(struct exec *e, uint64_t now)
{
	if (e->state == EXEC_SLEEPING && now >= e->wake_ms)
		e->state = EXEC_READY;
}

int sched_turn(struct sched *s)
{
	struct exec *e, *next;
	uint64_t now = now_ms();
	int wait = -1, ms;

	for (e = s->list; e; e = next) {
		next = e->next;
		wake_due(e, now);
		if (e->state == EXEC_READY)
			exec_slice(e);
		if (e->state == EXEC_DONE && !e->has_owner)
			exec_free(e);
	}
	for (e = s->list; e; e = e->next) {
		if (e->state == EXEC_READY)
			return 0;
		if (e->state != EXEC_SLEEPING)
			continue;
		now = now_ms();
		ms = e->wake_ms > now ? (int)(e->wake_ms - now) : 0;
		if (wait < 0 || ms < wait)
			wait = ms;
	}
	return wait;
}

/* Faults were cleared: paused scripts go on, hung ones run and answer after all. */
void sched_resume(struct sched *s)
{
	for (struct exec *e = s->list; e; e = e->next)
		if (e->state == EXEC_PAUSED || e->state == EXEC_HUNG)
			e->state = EXEC_READY;
}

/* A reboot: no script lives on, whatever its client or a fault says. */
void sched_kill_all(struct sched *s)
{
	for (struct exec *e = s->list; e; e = e->next) {
		e->is_dead = true;
		if (e->state != EXEC_DONE)
			e->state = EXEC_READY;
	}
}

/* Scripts still on their stacks are dropped with them: all they hold is in their arenas.
 */
void sched_fini(struct sched *s)
{
	while (s->list)
		exec_free(s->list);
}
