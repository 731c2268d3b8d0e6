#include "core/loop.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "core/audit.h"
#include "core/mem.h"
#include "core/op.h"

static void trace_op(const struct op *op, unsigned from, unsigned to)
{
	log_debug("op", "move", KS("op", op->type->name),
		  KS("from", op->type->states[from]), KS("to", op->type->states[to]));
}

void loop_set_log_level(enum log_level level)
{
	log_set_level(level);
	op_trace = level == LOG_DEBUG ? trace_op : NULL;
}

void loop_leave(int status)
{
	(void)fflush(NULL);
	_exit(status);
}

static void log_handle(uv_handle_t *h, void *arg)
{
	unsigned *n = arg;

	++*n;
	log_error("loop", "handle still open", KS("type", uv_handle_type_name(h->type)),
		  KB("is_active", uv_is_active(h)), KB("is_closing", uv_is_closing(h)));
}

static void on_guard(struct clock_timer *t)
{
	struct loop *l = CONTAINER_OF(t, struct loop, guard);
	unsigned n = 0;

	uv_walk(&l->uv, log_handle, &n);
	log_error("loop", "the ordered end took too long", KU("handles", n));
	loop_leave(l->on_guard ? l->on_guard(l) : 1);
}

static void change_level(enum log_level level)
{
	loop_set_log_level(level);
	log_audit(AUDIT_LOG_LEVEL, "loop", "log level changed by a signal",
		  KS("log_level", log_level_name(level)));
}

static void on_signal(uv_signal_t *s, int signum)
{
	struct loop *l = s->data;
	enum log_level level = log_level();

	if (signum == SIGUSR1 && level > LOG_DEBUG)
		change_level(level - 1);
	if (signum == SIGUSR2 && level < LOG_ERROR)
		change_level(level + 1);
	if ((signum != SIGTERM && signum != SIGINT) || l->stop_signal)
		return;
	l->stop_signal = signum;
	clock_timer_start(&l->uv, &l->guard, l->guard_ms, on_guard);
	l->on_stop(l);
}

/* What libuv did not wait for events (since 1.39) it was at work. */
static void on_turn(uv_check_t *h)
{
	struct loop *l = h->data;
	uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(&l->uv);

	if (l->on_turn)
		l->on_turn((now_ns - l->turn_ns - (idle_ns - l->idle_ns)) / 1000);
	l->turn_ns = now_ns;
	l->idle_ns = idle_ns;
}

static void watch_turns(struct loop *l)
{
	(void)uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME);
	(void)uv_check_init(&l->uv, &l->turn);
	l->turn.data = l;
	l->turn_ns = uv_hrtime();
	uv_unref((uv_handle_t *)&l->turn);
	(void)uv_check_start(&l->turn, on_turn);
}

int loop_open(struct loop *l, void (*on_stop)(struct loop *l), struct err *err)
{
	static const int signums[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
	int rc;

	*l = (struct loop){ .on_stop = on_stop, .guard_ms = LOOP_GUARD_MS };
	(void)signal(SIGPIPE, SIG_IGN);
	rc = uv_replace_allocator(mem_uv_alloc, mem_uv_realloc, mem_uv_calloc,
				  mem_uv_free);
	if (rc == 0)
		rc = uv_loop_init(&l->uv);
	if (rc)
		return err_set(err, ERR_UNAVAILABLE, "event loop: %s", uv_strerror(rc));
	clock_open(&l->clock, &l->uv);
	watch_turns(l);
	for (unsigned i = 0; i < sizeof(signums) / sizeof(signums[0]); i++) {
		/* Listening for signals alone is no reason to go on turning. */
		(void)uv_signal_init(&l->uv, &l->signals[i]);
		l->signals[i].data = l;
		uv_unref((uv_handle_t *)&l->signals[i]);
		rc = uv_signal_start(&l->signals[i], on_signal, signums[i]);
		if (rc)
			log_warn("loop", "signal not caught", KI("signal", signums[i]));
	}
	return 0;
}

void loop_run(struct loop *l)
{
	(void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

unsigned loop_close(struct loop *l)
{
	unsigned n = 0;

	clock_timer_stop(&l->guard);
	for (unsigned i = 0; i < sizeof(l->signals) / sizeof(l->signals[0]); i++)
		uv_close((uv_handle_t *)&l->signals[i], NULL);
	uv_close((uv_handle_t *)&l->turn, NULL);
	clock_close(&l->uv);
	(void)uv_run(&l->uv, UV_RUN_NOWAIT);
	if (uv_loop_close(&l->uv) == UV_EBUSY)
		uv_walk(&l->uv, log_handle, &n);
	return n;
}
