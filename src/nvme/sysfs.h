#ifndef NVME_SYSFS_H
#define NVME_SYSFS_H
#include "nvme/nvme.h"

/* Block devices as sysfs shows them, under a given root ("/sys" but in tests). Plain
 * text: no command reaches a device. */

/* One attribute without its newline; the path is given by format. 0, or -1 when it cannot
 * be read or is too long for out. */
int sysfs_attr(char *out, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The block device of that name ("nvme0n1"); sysfs has its size in sectors of 512 bytes,
 * whatever its own. 0, or -1 and *ret untouched. */
int sysfs_device(const char *root, const char *name, struct nvme_device *ret);
/* The loop device whose backing file is image, or was when the container that made it was
 * there. 0 and *ret, or *ret with an empty path when there is none; -1 with UNAVAILABLE
 * when sysfs cannot be read. */
int sysfs_find_loop(const char *root, const char *image, struct nvme_device *ret,
		    struct err *err);
/* The backing file of the loop device with that number. 0, or -1 when it is none. */
int sysfs_loop_image(const char *root, uint32_t major, uint32_t minor, char *out,
		     size_t size);
/* Whether a loop device's image bears the volume's name: …/vol-<id>/volume.img or
 * …/<id>.img. Pure. */
bool sysfs_is_image_of(const char *image, const char *id);
#endif
