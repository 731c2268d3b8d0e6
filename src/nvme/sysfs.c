#include "nvme/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/str.h"

enum { ATTR_MAX = 4200 };

/* The kernel gives paths as they are, so a path that ends in a newline cannot be told;
 * none of ours does. */
int sysfs_attr(char *out, size_t size, const char *fmt, ...)
{
	char path[512];
	ssize_t n = 0;
	va_list ap;
	int fd, m;

	va_start(ap, fmt);
	m = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (m < 0 || (size_t)m >= sizeof(path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	do
		n = read(fd, out, size);
	while (n < 0 && errno == EINTR);
	(void)close(fd);
	if (n > 0 && out[n - 1] == '\n')
		n--;
	if (n < 0 || (size_t)n >= size || memchr(out, '\0', (size_t)n))
		return -1;
	out[n] = '\0';
	return 0;
}

static int number(const char *text, uint64_t max, uint64_t *ret)
{
	return str_to_u64(text, ret) || *ret > max ? -1 : 0;
}

int sysfs_device(const char *root, const char *name, struct nvme_device *dev)
{
	char text[64], *colon;
	uint64_t major, minor, sectors;

	if (sysfs_attr(text, sizeof(text), "%s/block/%.32s/dev", root, name))
		return -1;
	colon = strchr(text, ':');
	if (!colon)
		return -1;
	*colon = '\0';
	if (number(text, UINT32_MAX, &major) || number(colon + 1, UINT32_MAX, &minor))
		return -1;
	if (sysfs_attr(text, sizeof(text), "%s/block/%.32s/size", root, name) ||
	    number(text, UINT64_MAX / 512, &sectors))
		return -1;
	(void)snprintf(dev->path, sizeof(dev->path), "/dev/%.32s", name);
	dev->major = (uint32_t)major;
	dev->minor = (uint32_t)minor;
	dev->size_bytes = sectors * 512;
	dev->is_readonly =
		sysfs_attr(text, sizeof(text), "%s/block/%.32s/ro", root, name) == 0 &&
		strcmp(text, "1") == 0;
	return 0;
}

/* The kernel tells the path as far up as the mount that the file was opened through. When
 * that was a container's and the container has ended, it is the path's last part alone
 * (kernels 6.1 and 6.18). The volume's name must be in that part: a subvolume's file is
 * called as every other's. */
static bool is_backed_by(const char *root, const char *name, const char *image)
{
	char file[ATTR_MAX];
	size_t n, all = strlen(image);

	if (sysfs_attr(file, sizeof(file), "%s/block/%s/loop/backing_file", root, name))
		return false;
	n = strlen(file);
	if (n < all && strcmp(file, "/volume.img") == 0)
		return false;
	return file[0] == '/' && n > 1 && n <= all && strcmp(image + all - n, file) == 0;
}

int sysfs_find_loop(const char *root, const char *image, struct nvme_device *ret,
		    struct err *err)
{
	struct nvme_device dev = { .path = "" };
	char path[256];
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/block", root);
	d = opendir(path);
	if (!d)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	while (!dev.path[0] && (e = readdir(d)))
		if (str_starts_with(e->d_name, "loop") &&
		    is_backed_by(root, e->d_name, image) &&
		    sysfs_device(root, e->d_name, &dev))
			dev.path[0] = '\0';
	(void)closedir(d);
	*ret = dev;
	return 0;
}

int sysfs_loop_image(const char *root, uint32_t major, uint32_t minor, char *out,
		     size_t size)
{
	return sysfs_attr(out, size, "%s/dev/block/%u:%u/loop/backing_file", root, major,
			  minor);
}

bool sysfs_is_image_of(const char *image, const char *id)
{
	char tail[NVME_ID_MAX + 32];
	size_t n = strlen(image), t;

	(void)snprintf(tail, sizeof(tail), "/vol-%.128s/volume.img", id);
	t = strlen(tail);
	if (n >= t && strcmp(image + n - t, tail) == 0)
		return true;
	(void)snprintf(tail, sizeof(tail), "/%.128s.img", id);
	t = strlen(tail);
	return n >= t && strcmp(image + n - t, tail) == 0;
}
