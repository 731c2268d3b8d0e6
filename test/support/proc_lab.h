#ifndef PROC_LAB_H
#define PROC_LAB_H
#include "core/proc.h"
#include "support/t.h"

/* A loop and a registry for the tests of children; for one test file's inclusion. */
static struct t_loop l;
static struct proc_registry reg;
static int n_done, n_stopped;

static inline void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static inline void on_stopped(void *arg)
{
	(void)arg;
	n_stopped++;
}

static inline void open_all(void)
{
	n_done = n_stopped = 0;
	t_loop_open(&l);
	proc_registry_init(&reg, &l.uv);
}

static inline void close_all(void)
{
	proc_registry_stop(&reg, on_stopped, NULL);
	t_loop_close(&l);
	cr_assert_eq(n_stopped, 1);
	cr_assert_eq(mem_live(), 0);
}
#endif
