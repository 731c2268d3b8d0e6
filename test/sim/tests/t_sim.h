/* A box in a directory of its own, and scripts run on it without SSH. */
#ifndef SIM_TESTS_T_SIM_H
#define SIM_TESTS_T_SIM_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/interp.h"
#include "sim/menu.h"
#include "sim/opts.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define T_LSAN() cr_expect_eq(__lsan_do_recoverable_leak_check(), 0)
#else
#define T_LSAN() ((void)0)
#endif

struct t_box {
	struct opts o;
	struct box *box;
	char dir[128], *last; /* last: output of the last script */
};

static inline int t_unlink(const char *path, const struct stat *st, int flag,
			   struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void t_rmtree(const char *dir)
{
	cr_assert_eq(nftw(dir, t_unlink, 16, FTW_DEPTH | FTW_PHYS), 0, "rm %s", dir);
}

static inline void t_tmpdir(char *ret, size_t size)
{
	const char *base = getenv("TMPDIR");

	snprintf(ret, size, "%s/rds-sim-test.XXXXXX", base ? base : "/tmp");
	cr_assert_not_null(mkdtemp(ret));
}

static inline void t_start(struct t_box *t)
{
	cr_assert_eq(schema_load(NULL), 0);
	menu_init();
	snprintf(t->o.box.dir, sizeof t->o.box.dir, "%s", t->dir);
	t->box = box_open(&t->o.box);
	cr_assert_not_null(t->box);
}

static inline void t_prepare(struct t_box *t)
{
	*t = (struct t_box){ 0 };
	opts_init(&t->o);
	t_tmpdir(t->dir, sizeof t->dir);
}

static inline void t_open(struct t_box *t)
{
	t_prepare(t);
	t_start(t);
}

static inline void t_close(struct t_box *t)
{
	box_close(t->box);
	free(t->last);
	t->box = NULL;
	t->last = NULL;
	t_rmtree(t->dir);
	T_LSAN();
}

/* The whole output, CRLF as "\n". */
static inline const char *t_run(struct t_box *t, const char *line)
{
	struct run r;
	char *to;

	run_init(&r, t->box);
	run_line(&r, line, strlen(line));
	free(t->last);
	t->last = to = calloc(1, r.out.len + 1);
	for (size_t i = 0; i < r.out.len; i++)
		if (r.out.p[i] != '\r')
			*to++ = r.out.p[i];
	run_fini(&r);
	return t->last;
}

#define t_is(t, line, want)                                                         \
	do {                                                                        \
		const char *got_ = t_run(t, line);                                  \
		cr_expect_str_eq(got_, want, "%s\n  gives: %s\n  wanted: %s", line, \
				 got_, want);                                       \
	} while (0)

#define t_has(t, line, part)                                                          \
	do {                                                                          \
		const char *got_ = t_run(t, line);                                    \
		cr_expect(strstr(got_, part) != NULL, "%s\n  gives: %s\n  lacks: %s", \
			  line, got_, part);                                          \
	} while (0)

struct t_row {
	const char *line, *want;
};

static inline void t_rows(struct t_box *t, const struct t_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		t_is(t, rows[i].line, rows[i].want);
}

#define T_ROWS(t, rows) t_rows(t, rows, sizeof(rows) / sizeof *(rows))

#define NQN "nqn.2000-02.com.mikrotik:"

static inline void add_disk(struct t_box *t, const char *slot)
{
	char line[512];

	snprintf(line, sizeof line,
		 "/disk add type=file slot=\"%s\" "
		 "file-path=\"/storage-pool/metal-csi/%s.img\" "
		 "file-size=1G mount-filesystem=no nvme-tcp-server-nqn=\"" NQN "%s\"",
		 slot, slot, slot);
	t_is(t, line, "");
}

#endif
