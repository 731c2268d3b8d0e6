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
