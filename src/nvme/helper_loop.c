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
#include "nvme/uevent.h"

/* Others have a device open for milliseconds as a rule: udev's blkid, or whoever lost the
 * race for a free one. */
enum { LOOP_MAJOR = 7, MAX_TRIES = 64, GONE_WITHIN_MS = 10000 };

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

/* Other programs take free devices too: EBUSY means that this one was lost to them, ENXIO
 * that they are giving it back already (kernel 6.11). */
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
		if (fd < 0 && errno == ENXIO)
			continue;
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

/* The image's device, open, so that it stays the image's. -1 with err ERR_OK: it has
 * none, or none any more. */
static int open_attached(const char *image, int flags, struct nvme_device *dev,
			 struct err *err)
{
	char path[sizeof(dev->path)];
	int fd;

	if (sysfs_find_loop("/sys", image, dev, err) || !dev->path[0])
		return -1;
	memcpy(path, dev->path, sizeof(path));
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0) /* ENXIO: its last user has gone, and it is on its way */
		return errno == ENXIO ? -1 : helper_fail(err, "open", path);
	if (sysfs_find_loop("/sys", image, dev, err) == 0 && strcmp(dev->path, path) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* An earlier detach may have marked it to go with its last user, who may leave any time:
 * the mark is taken back. */
static int keep_attached(int fd, const char *path, struct err *err)
{
	struct loop_info64 info;

	if (ioctl(fd, LOOP_GET_STATUS64, &info))
		return helper_fail(err, "status of", path);
	if (!(info.lo_flags & LO_FLAGS_AUTOCLEAR))
		return 0;
	info.lo_flags &= ~(unsigned)LO_FLAGS_AUTOCLEAR;
	return ioctl(fd, LOOP_SET_STATUS64, &info) ? helper_fail(err, "keep", path) : 0;
}

/* Clearing a device tells the world after its image has left sysfs (kernel 5.10 and
 * later). */
static int await_gone(int events, const char *image, struct err *err)
{
	uint64_t now = helper_now_ms(), end = now + GONE_WITHIN_MS;
	struct nvme_device dev;

	for (;; now = helper_now_ms()) {
		if (sysfs_find_loop("/sys", image, &dev, err))
			return -1;
		if (!dev.path[0])
			return 0;
		if (now >= end)
			return err_set(err, ERR_ABORTED, "%s is still open somewhere",
				       dev.path);
		uevent_wait(events, end - now);
	}
}

int helper_loop_attach(char *const *argv, struct reply *r, struct err *err)
{
	int events = uevent_open(), fd;
	struct nvme_device dev;
	char path[32];

	fd = open_attached(argv[0], O_RDWR, &dev, err);
	if (err->code != ERR_OK)
		return -1;
	if (fd >= 0) {
		(void)snprintf(path, sizeof(path), "%.31s", dev.path);
		if (keep_attached(fd, path, err))
			return -1;
	} else {
		if (await_gone(events, argv[0], err))
			return -1;
		fd = attach_new(argv[0], path, err);
		if (fd < 0)
			return -1;
	}
	if (helper_set_readonly(fd, argv[1], err))
		return -1;
	return helper_add_device(fd, path, r, err);
}

/* The exclusive open asks whether it is in use. Those who merely have it open are not
 * seen by it: LOOP_CLR_FD then marks the device, to go when the last of them closes. */
int helper_loop_detach(char *const *argv, struct reply *r, struct err *err)
{
	int events = uevent_open(), fd;
	struct nvme_device dev;

	(void)r;
	fd = open_attached(argv[1], O_RDWR | O_EXCL, &dev, err);
	if (err->code != ERR_OK)
		return err_wrap(err, "detach");
	if (fd >= 0) {
		if (strcmp(dev.path, argv[0]) != 0)
			return err_set(err, ERR_ABORTED, "the image has moved to %s",
				       dev.path);
		if (ioctl(fd, LOOP_CLR_FD) && errno != ENXIO)
			return helper_fail(err, "detach", dev.path);
		(void)close(fd);
	}
	return await_gone(events, argv[1], err);
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
