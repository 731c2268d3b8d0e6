#include "nvme/mounted.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "support/t.h"

static char root[128], at[160];
static uint32_t dev[2];

/* Mounts of this test's process alone: they go with it, whatever becomes of it. */
static void open_dir(void)
{
	if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		t_skip("needs root and a mount namespace of its own");
	t_mkdir(root);
	snprintf(at, sizeof(at), "%s/at", root);
	mkdir(at, 0700);
}

static enum mounted look(const char *path)
{
	dev[0] = dev[1] = 0;
	return mounted_at(path, &dev[0], &dev[1]);
}

static void check_device_at(void)
{
	struct stat st;

	cr_assert_eq(stat(at, &st), 0);
	cr_assert(dev[0] == major(st.st_dev) && dev[1] == minor(st.st_dev));
}

Test(mounted, a_directory_is_no_mount)
{
	open_dir();
	cr_assert_eq(look(at), MOUNTED_NOTHING);
	cr_assert_eq(rmdir(at), 0);
	cr_assert_eq(look(at), MOUNTED_NOTHING, "nor is nothing");
	t_rmdir(root);
}

Test(mounted, the_topmost_of_several_is_told)
{
	uint32_t below;

	open_dir();
	cr_assert_eq(mount("t", at, "tmpfs", 0, ""), 0);
	cr_assert_eq(look(at), MOUNTED_SOMETHING);
	check_device_at();
	below = dev[1];
	cr_assert_eq(mount("t", at, "tmpfs", 0, ""), 0);
	cr_assert_eq(look(at), MOUNTED_SOMETHING);
	check_device_at();
	cr_assert_neq(dev[1], below);
	cr_assert_eq(umount(at), 0);
	cr_assert_eq(look(at), MOUNTED_SOMETHING);
	cr_assert_eq(dev[1], below);
	cr_assert_eq(umount(at), 0);
	cr_assert_eq(look(at), MOUNTED_NOTHING);
	t_rmdir(root);
}

Test(mounted, a_directory_in_a_mount_is_none)
{
	char below[200];

	open_dir();
	snprintf(below, sizeof(below), "%s/below", at);
	cr_assert_eq(mount("t", at, "tmpfs", 0, ""), 0);
	cr_assert_eq(mkdir(below, 0700), 0);
	cr_assert_eq(look(below), MOUNTED_NOTHING);
	cr_assert_eq(mount(root, below, NULL, MS_BIND, NULL), 0);
	cr_assert_eq(look(below), MOUNTED_SOMETHING, "one of the same file system too");
	cr_assert_eq(umount(below), 0);
	cr_assert_eq(umount(at), 0);
	t_rmdir(root);
}

Test(mounted, what_cannot_be_walked_is_not_taken_for_nothing)
{
	char path[200];
	FILE *f;

	open_dir();
	snprintf(path, sizeof(path), "%s/file", root);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fclose(f);
	cr_assert_eq(look(path), MOUNTED_NOTHING);
	snprintf(path, sizeof(path), "%s/file/below", root);
	cr_assert_eq(look(path), MOUNTED_UNKNOWN);
	t_rmdir(root);
}
