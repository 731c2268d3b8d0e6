#include "nvme/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/fsio.h"
#include "core/str.h"

enum { ATTR_MAX = 4200 };

/* One attribute without its newline. The kernel gives paths as they are, so a path that
 * ends in a newline cannot be told; none of ours does. */
static int attr(const char *path, char *out, size_t size)
{
	struct err err;
	struct buf b;
	int rc;

	buf_init(&b, ATTR_MAX);
	rc = fsio_read(path, &b, &err);
	if (!rc && b.len > 0 && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	if (!rc && b.len < size)
		memcpy(out, b.len ? b.data : "", b.len + 1);
	else
		rc = -1;
	buf_fini(&b);
	return rc;
}

static int number(const char *text, uint64_t max, uint64_t *ret)
{
	return str_to_u64(text, ret) || *ret > max ? -1 : 0;
}

/* "major:minor" and the size in sectors of 512 bytes, whatever the device's own. */
static int fill(const char *root, const char *name, struct nvme_device *dev)
{
	char path[512], text[64], *colon;
	uint64_t major, minor, sectors;

	(void)snprintf(path, sizeof(path), "%s/block/%s/dev", root, name);
	if (attr(path, text, sizeof(text)))
		return -1;
	colon = strchr(text, ':');
	if (!colon)
		return -1;
	*colon = '\0';
	if (number(text, UINT32_MAX, &major) || number(colon + 1, UINT32_MAX, &minor))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/block/%s/size", root, name);
	if (attr(path, text, sizeof(text)) || number(text, UINT64_MAX / 512, &sectors))
		return -1;
	(void)snprintf(dev->path, sizeof(dev->path), "/dev/%.32s", name);
	dev->major = (uint32_t)major;
	dev->minor = (uint32_t)minor;
	dev->size_bytes = sectors * 512;
	return 0;
}

static bool is_backed_by(const char *root, const char *name, const char *image)
{
	char path[512], file[ATTR_MAX];

	(void)snprintf(path, sizeof(path), "%s/block/%s/loop/backing_file", root, name);
	return attr(path, file, sizeof(file)) == 0 && strcmp(file, image) == 0;
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
		    is_backed_by(root, e->d_name, image) && fill(root, e->d_name, &dev))
			dev.path[0] = '\0';
	(void)closedir(d);
	*ret = dev;
	return 0;
}

int sysfs_loop_image(const char *root, uint32_t major, uint32_t minor, char *out,
		     size_t size)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/dev/block/%u:%u/loop/backing_file", root,
		       major, minor);
	return attr(path, out, size);
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
