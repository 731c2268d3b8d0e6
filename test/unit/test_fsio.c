#include "core/fsio.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/t.h"

static char dir[128], path[160];

static void in_dir(void)
{
	snprintf(path, sizeof(path), "%s/file", t_mkdir(dir));
}

Test(fsio, writes_whole_and_private_and_reads_back)
{
	struct err err = { .code = ERR_OK };
	struct stat st;
	struct buf b;

	in_dir();
	buf_init(&b, 100);
	cr_assert_eq(fsio_read(path, &b, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	cr_assert_eq(fsio_write(path, "first", 5, &err), 0);
	cr_assert_eq(fsio_write(path, "between", 7, &err), 0);
	cr_assert_eq(fsio_replace(path, "second", 6, &err), 0);
	cr_assert_eq(fsio_read(path, &b, &err), 0);
	cr_assert_str_eq(b.data, "second");
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	strcat(path, ".new");
	cr_assert_neq(access(path, F_OK), 0, "the temporary file stayed");
	buf_fini(&b);
	t_rmdir(dir);
}

static void overwrite(const char *text, bool wants_same_file)
{
	struct err err = { .code = ERR_OK };
	struct stat before = { .st_ino = 0 }, after;
	struct buf b;

	(void)stat(path, &before);
	buf_init(&b, 8192);
	cr_assert_eq(fsio_overwrite(path, text, strlen(text), &err), 0, "%s", err.msg);
	cr_assert_eq(fsio_read(path, &b, &err), 0);
	cr_assert_str_eq(b.data, text);
	cr_assert_eq(lstat(path, &after), 0);
	cr_assert(S_ISREG(after.st_mode) && (after.st_mode & 0777) == 0600);
	cr_assert_eq(before.st_ino == after.st_ino, wants_same_file, "%s", text);
	buf_fini(&b);
}

Test(fsio, what_is_not_longer_is_overwritten)
{
	char other[200], page[4098];
	struct stat st;
	FILE *f;

	in_dir();
	overwrite("first", false);
	overwrite("other", true);
	overwrite("longer than that", true);
	overwrite("shorter", false);
	memset(page, 'p', sizeof(page));
	page[4096] = '\0';
	overwrite(page, true);
	page[4096] = 'p';
	page[4097] = '\0';
	overwrite(page, false);
	unlink(path);
	snprintf(other, sizeof(other), "%s/other", dir);
	f = fopen(other, "w");
	cr_assert_not_null(f);
	cr_assert_geq(fputs("his", f), 0);
	fclose(f);
	cr_assert_eq(symlink(other, path), 0);
	overwrite("not through a link", false);
	cr_assert_eq(stat(other, &st), 0);
	cr_assert_eq(st.st_size, 3);
	cr_assert_eq(truncate(path, 0), 0);
	overwrite("one that was cut is made anew", false);
	t_rmdir(dir);
}

Test(fsio, a_file_larger_than_the_buffer_is_refused)
{
	struct err err = { .code = ERR_OK };
	struct buf b;

	in_dir();
	buf_init(&b, 4);
	cr_assert_eq(fsio_write(path, "12345", 5, &err), 0);
	cr_assert_eq(fsio_read(path, &b, &err), -1);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	buf_fini(&b);
	t_rmdir(dir);
}

Test(fsio, a_write_that_fails_leaves_the_old_content)
{
	struct err err = { .code = ERR_OK };
	char sub[200];

	in_dir();
	snprintf(sub, sizeof(sub), "%s/none/x", dir);
	cr_assert_eq(fsio_write(sub, "x", 1, &err), -1);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(fsio_write(path, "x", 1, &err), -1);
	cr_assert_eq(fsio_remove(path, &err), -1);
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(fsio_remove(path, &err), 0, "a missing file is removed");
	t_rmdir(dir);
}

Test(fsio, a_lock_is_held_once)
{
	struct err err = { .code = ERR_OK };
	int a = -1, b = -1;

	in_dir();
	cr_assert_eq(fsio_lock(path, &a, &err), 0);
	cr_assert_eq(fsio_lock(path, &b, &err), -1);
	cr_assert_eq(err.code, ERR_ABORTED);
	close(a);
	cr_assert_eq(fsio_lock(path, &b, &err), 0);
	close(b);
	t_rmdir(dir);
}
