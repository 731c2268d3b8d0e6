#include "nvme/helper_verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "nvme/sysfs.h"

enum { LOOP_MAJOR = 7, MAX_TRIES = 64 };

/* /dev may be a container's own, without the node of a device that was just made. */
static int open_loop(int n, char path[32])
{
	int fd;

	(void)snprintf(path, 32, "/dev/loop%d", n);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mknod(path, S_IFBLK | 0600, makedev(LOOP_MAJOR, (unsigned)n)) &&
	    errno != EEXIST)
		return -1;
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Other programs take free devices too: EBUSY means that this one was lost to them. */
static int configure_free(int image_fd, char path[32], struct err *err)
{
	struct loop_config conf = { .fd = (unsigned)image_fd };
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (ctl < 0)
		return helper_fail(err, "open", "/dev/loop-control");
	for (int i = 0; i < MAX_TRIES; i++) {
		int n = ioctl(ctl, LOOP_CTL_GET_FREE), fd;

		if (n < 0)
			return helper_fail(err, "find a free", "loop device");
		fd = open_loop(n, path);
		if (fd < 0)
			return helper_fail(err, "open", path);
		if (ioctl(fd, LOOP_CONFIGURE, &conf) == 0)
			return fd;
		if (errno != EBUSY)
			return helper_fail(err, "configure", path);
		(void)close(fd);
	}
	return err_set(err, ERR_ABORTED, "no free loop device in %d tries", MAX_TRIES);
}

static int attach_new(const char *image, char path[32], struct err *err)
{
	int fd = open(image, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return helper_fail(err, "open", image);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return err_set(err, ERR_PRECONDITION, "%.120s is no regular file", image);
	return configure_free(fd, path, err);
}

int helper_loop_attach(char *const *argv, struct reply *r, struct err *err)
{
	struct nvme_device dev;
	char path[32];
	int fd;

	if (sysfs_find_loop("/sys", argv[0], &dev, err))
		return -1;
	if (dev.path[0]) {
		(void)snprintf(path, sizeof(path), "%.31s", dev.path);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return helper_fail(err, "open", path);
	} else {
		fd = attach_new(argv[0], path, err);
		if (fd < 0)
			return -1;
	}
	if (helper_set_readonly(fd, argv[1], err))
		return -1;
	return helper_add_device(fd, path, r, err);
}

/* While someone else has the device open, LOOP_CLR_FD only marks it: so the exclusive
 * open asks first, and what is left is looked at after. */
int helper_loop_detach(char *const *argv, struct reply *r, struct err *err)
{
	struct nvme_device dev;
	int fd;

	(void)r;
	if (sysfs_find_loop("/sys", argv[1], &dev, err))
		return -1;
	if (!dev.path[0])
		return 0;
	if (strcmp(dev.path, argv[0]) != 0)
		return err_set(err, ERR_ABORTED, "the image has moved to %s", dev.path);
	fd = open(dev.path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return helper_fail(err, "detach", dev.path);
	if (ioctl(fd, LOOP_CLR_FD) && errno != ENXIO)
		return helper_fail(err, "detach", dev.path);
	(void)close(fd);
	if (sysfs_find_loop("/sys", argv[1], &dev, err))
		return -1;
	if (dev.path[0])
		return err_set(err, ERR_ABORTED, "%s is still open somewhere", dev.path);
	return 0;
}

int helper_loop_rescan(char *const *argv, struct reply *r, struct err *err)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_SET_CAPACITY))
		return helper_fail(err, "rescan", argv[0]);
	return helper_add_device(fd, argv[0], r, err);
}
