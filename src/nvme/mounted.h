#ifndef NVME_MOUNTED_H
#define NVME_MOUNTED_H
#include <stdint.h>

/* Whether something is mounted at one path, by one statx(2): the kernel writes each line
 * of mountinfo anew for each reader, and with hundreds of mounts that is most of what a
 * look costs. What is hidden under a later mount is not seen. Attributes in memory alone
 * (AT_STATX_DONT_SYNC): no file system is asked, no automount set off. */
enum mounted { MOUNTED_NOTHING, MOUNTED_SOMETHING, MOUNTED_UNKNOWN };

/* UNKNOWN: it cannot be told so (kernels before 5.8, a path that cannot be walked). Of
 * SOMETHING the device of the topmost, 0 major = it has none of its own. */
enum mounted mounted_at(const char *path, uint32_t *ret_major, uint32_t *ret_minor);
#endif
