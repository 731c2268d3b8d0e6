#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/str.h"
#include "nvme/helper_nvme.h"
#include "nvme/sysfs.h"

/* Device mapper, md and the like. */
static int check_holders(const struct nvme_device *dev, struct err *err)
{
	char path[128];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", dev->major,
		       dev->minor);
	d = opendir(path);
	while (d && !rc && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = err_set(err, ERR_ABORTED, "%s is held by %.32s", dev->path,
				     e->d_name);
	if (d)
		(void)closedir(d);
	return rc;
}

/* The kubelet keeps a loop device over each raw block volume that it has published. Its
 * backing file may be a bind mount of our node, so the number decides. */
static bool is_over(const char *loop, const char *file, const struct nvme_device *dev)
{
	struct loop_info64 info;
	char path[64];
	int fd, rc;

	(void)snprintf(path, sizeof(path), "/dev/%.32s", loop);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return strcmp(file, dev->path) == 0;
	rc = ioctl(fd, LOOP_GET_STATUS64, &info);
	(void)close(fd);
	return rc == 0 && info.lo_rdevice == makedev(dev->major, dev->minor);
}

static int check_loops(const struct nvme_device *dev, struct err *err)
{
	char file[4200];
	struct dirent *e;
	DIR *d = opendir("/sys/block");
	int rc = 0;

	while (d && !rc && (e = readdir(d)))
		if (str_starts_with(e->d_name, "loop") &&
		    sysfs_attr(file, sizeof(file), "/sys/block/%.32s/loop/backing_file",
			       e->d_name) == 0 &&
		    is_over(e->d_name, file, dev))
			rc = err_set(err, ERR_ABORTED, "%s is under %.32s", dev->path,
				     e->d_name);
	if (d)
		(void)closedir(d);
	return rc;
}

int helper_nvme_check_unused(const struct nvme_device *dev, int events, struct err *err)
{
	int fd;

	if (check_holders(dev, err) || check_loops(dev, err))
		return -1;
	fd = helper_nvme_open(dev, O_RDONLY | O_EXCL, events, err);
	if (fd < 0)
		return -1;
	(void)close(fd);
	return 0;
}
