#include "nvme/helper_verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "nvme/mounted.h"
#include "nvme/mountinfo.h"

/* 2048 layers were seen once on a node whose publish stacked mounts. */
enum { MAX_LAYERS = 8192, DIR_MODE = 0750, FILE_MODE = 0600 };

static int make_dir(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, DIR_MODE) == 0)
		return 0;
	if (errno != EEXIST)
		return helper_fail(err, "make the directory", path);
	if (lstat(path, &st))
		return helper_fail(err, "look at", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_PRECONDITION, "%.120s is no directory", path);
	return 0;
}

/* The two errors that file systems have for what they read and cannot believe. */
static int fail_mount(const char *dir, const char *fs_type, struct err *err)
{
	if (errno != EBADMSG && errno != EUCLEAN)
		return helper_fail(err, "mount at", dir);
	return err_set(err, ERR_PRECONDITION,
		       "the device holds a damaged %.15s file system, mount says: %s",
		       fs_type, strerror(errno));
}

/* What xfs says of a log that it would have to replay on a read-only device (kernel 6.1,
 * 6.12). */
static int fail_replay(struct err *err)
{
	return err_set(err, ERR_PRECONDITION,
		       "the file system was not cleanly unmounted: it must be mounted "
		       "writable once");
}

int helper_mount(char *const *argv, struct reply *r, struct err *err)
{
	const char *dev = argv[0], *dir = argv[1];
	bool is_ro = strcmp(argv[3], "ro") == 0;
	unsigned long flags = strtoul(argv[4], NULL, 16) | (is_ro ? MS_RDONLY : 0);
	int fd = open(dev, O_RDONLY | O_CLOEXEC);

	(void)r;
	if (fd < 0)
		return helper_fail(err, "open", dev);
	if (helper_set_readonly(fd, argv[3], err) || make_dir(dir, err))
		return -1;
	(void)close(fd);
	if (mount(dev, dir, argv[2], flags, argv[5]))
		return is_ro && errno == EROFS ? fail_replay(err)
					       : fail_mount(dir, argv[2], err);
	return 0;
}

/* A detached clone is made read-only before anyone can see it, and then moved into place:
 * no moment shows it writable. Kernel 5.12. */
static int clone_onto(const char *from, const char *onto, bool is_ro, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return helper_fail(err, "clone the mount", from);
	if (is_ro && mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return helper_fail(err, "make read-only", onto);
	if (move_mount(fd, "", AT_FDCWD, onto, MOVE_MOUNT_F_EMPTY_PATH))
		return helper_fail(err, "bind at", onto);
	return 0;
}

/* rmdir is the test of emptiness. */
static int must_be_empty(const char *path, struct err *err)
{
	if (rmdir(path) == 0)
		return make_dir(path, err);
	if (errno == ENOTEMPTY || errno == EEXIST)
		return err_set(err, ERR_PRECONDITION,
			       "%.120s is not empty: a mount would hide what it holds",
			       path);
	return helper_fail(err, "look at", path);
}

int helper_bind(char *const *argv, struct reply *r, struct err *err)
{
	(void)r;
	if (make_dir(argv[1], err) || must_be_empty(argv[1], err))
		return -1;
	if (clone_onto(argv[0], argv[1], strcmp(argv[2], "ro") == 0, err)) {
		(void)rmdir(argv[1]);
		return -1;
	}
	return 0;
}

static int make_file(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      FILE_MODE);

	if (fd < 0)
		return helper_fail(err, "make", path);
	(void)close(fd);
	return 0;
}

/* What may stand at a block target: nothing, the empty file of an earlier call, or a
 * device node (earlier drivers made those; numbers are given anew after a reboot). */
static int prepare_file(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st)) {
		if (errno != ENOENT)
			return helper_fail(err, "look at", path);
		return make_file(path, err);
	}
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return 0;
	if (!S_ISBLK(st.st_mode))
		return err_set(err, ERR_PRECONDITION,
			       "%.120s is neither an empty file nor a device node", path);
	if (unlink(path))
		return helper_fail(err, "replace", path);
	return make_file(path, err);
}

int helper_bind_node(char *const *argv, struct reply *r, struct err *err)
{
	bool is_ro = strcmp(argv[2], "ro") == 0;
	struct stat dev, there;
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);

	(void)r;
	if (fd < 0 || fstat(fd, &dev))
		return helper_fail(err, "open", argv[0]);
	if (!S_ISBLK(dev.st_mode))
		return err_set(err, ERR_UNAVAILABLE, "%s is no block device", argv[0]);
	if (prepare_file(argv[1], err) || helper_set_readonly(fd, argv[2], err))
		return -1;
	if (clone_onto(argv[0], argv[1], is_ro, err)) {
		(void)unlink(argv[1]);
		return -1;
	}
	if (stat(argv[1], &there) || there.st_rdev != dev.st_rdev)
		return err_set(err, ERR_ABORTED, "%.120s shows another device", argv[1]);
	return 0;
}

/* Only what we or our like put there; content of anybody is left alone and told of. */
static int remove_target(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : helper_fail(err, "look at", path);
	if (S_ISDIR(st.st_mode)) {
		if (rmdir(path) == 0)
			return 0;
		if (errno == ENOTEMPTY || errno == EEXIST)
			return err_set(err, ERR_PRECONDITION,
				       "%.120s is not mounted and not empty: its content "
				       "is not ours to remove",
				       path);
		return helper_fail(err, "remove", path);
	}
	if (!S_ISBLK(st.st_mode) && !(S_ISREG(st.st_mode) && st.st_size == 0))
		return err_set(err, ERR_PRECONDITION,
			       "%.120s is not ours: it is not removed", path);
	return unlink(path) && errno != ENOENT ? helper_fail(err, "remove", path) : 0;
}

/* EINVAL: no mount at that path. */
int helper_unmount(char *const *argv, struct reply *r, struct err *err)
{
	unsigned n = 0;

	while (umount2(argv[0], UMOUNT_NOFOLLOW) == 0)
		if (++n > MAX_LAYERS)
			return err_set(err, ERR_ABORTED, "more than %d mounts at %.120s",
				       MAX_LAYERS, argv[0]);
	if (errno != EINVAL && errno != ENOENT)
		return helper_fail(err, "unmount", argv[0]);
	reply_add_u64(r, "layers", n);
	return strcmp(argv[1], "remove") == 0 ? remove_target(argv[0], err) : 0;
}

int helper_sync(char *const *argv, struct reply *r, struct err *err)
{
	char other[NVME_UUID_MAX + 1] = "";
	bool is_other = helper_is_other_fs(argv[1], argv[2], argv[3], other);
	int fd = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	reply_add_str(r, "other", other);
	if (is_other)
		return 0;
	if (fd < 0 || syncfs(fd))
		return helper_fail(err, "sync", argv[0]);
	return 0;
}

int helper_stats(char *const *argv, struct reply *r, struct err *err)
{
	uint32_t major, minor;
	struct statvfs v;

	if (statvfs(argv[0], &v))
		return helper_fail(err, "statfs", argv[0]);
	/* Looked at afterwards: unmounted meanwhile, those are the node's own disk's. */
	if (mounted_at(argv[0], &major, &minor) == MOUNTED_NOTHING)
		return err_set(err, ERR_ABORTED, "%.120s is not mounted any more",
			       argv[0]);
	reply_add_u64(r, "total", (uint64_t)v.f_blocks * v.f_frsize);
	reply_add_u64(r, "used", (uint64_t)(v.f_blocks - v.f_bfree) * v.f_frsize);
	reply_add_u64(r, "available", (uint64_t)v.f_bavail * v.f_frsize);
	reply_add_u64(r, "inodes", v.f_files);
	reply_add_u64(r, "inodes_used", v.f_files - v.f_ffree);
	reply_add_u64(r, "inodes_free", v.f_ffree);
	return 0;
}
