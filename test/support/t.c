#include "support/t.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void t_loop_open(struct t_loop *l)
{
	static bool is_hooked;

	if (!is_hooked)
		cr_assert_eq(uv_replace_allocator(mem_uv_alloc, mem_uv_realloc,
						  mem_uv_calloc, mem_uv_free),
			     0);
	is_hooked = true;
	(void)signal(SIGPIPE, SIG_IGN); /* as loop_open does */
	cr_assert_eq(uv_loop_init(&l->uv), 0);
	clock_open(&l->clock, &l->uv);
}

static void name_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	fprintf(stderr, "live handle: %s%s\n", uv_handle_type_name(h->type),
		uv_is_closing(h) ? " (closing)" : "");
}

void t_loop_close(struct t_loop *l)
{
	cr_assert_eq(uv_run(&l->uv, UV_RUN_DEFAULT), 0);
	clock_close(&l->uv);
	cr_assert_eq(uv_run(&l->uv, UV_RUN_DEFAULT), 0);
	if (uv_loop_close(&l->uv)) {
		uv_walk(&l->uv, name_handle, NULL);
		cr_assert_fail("a handle is still open");
	}
	T_LSAN();
}

static void on_tick(uv_timer_t *t)
{
	(void)t;
}

void t_turn(struct t_loop *l, uint64_t end_ns, const char *what)
{
	uv_timer_t tick;

	if (uv_hrtime() > end_ns) {
		uv_walk(&l->uv, name_handle, NULL);
		cr_assert_fail("gave up waiting for %s", what);
	}
	/* A short timer of its own keeps a turn from sleeping past the limit. */
	uv_timer_init(&l->uv, &tick);
	uv_timer_start(&tick, on_tick, 20, 0);
	uv_run(&l->uv, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&l->uv, UV_RUN_NOWAIT);
}

void t_skip(const char *reason)
{
	const char *path = getenv("T_RESULT");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (f) {
		fprintf(f, "skipped: %s\n", reason);
		fclose(f);
	}
	cr_skip_test("%s", reason);
}

const char *t_mkdir(char path[128])
{
	const char *tmp = getenv("TMPDIR");

	snprintf(path, 128, "%s/rds-csi-test.XXXXXX", tmp ? tmp : "/tmp");
	cr_assert_not_null(mkdtemp(path));
	return path;
}

static int on_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void t_rmdir(const char *path)
{
	(void)nftw(path, on_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
