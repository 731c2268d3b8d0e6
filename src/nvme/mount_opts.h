#ifndef NVME_MOUNT_OPTS_H
#define NVME_MOUNT_OPTS_H
#include "core/err.h"

/* A user's mount flags (StorageClass mountOptions) as mount(2) wants them. Pure. All that
 * a file system may know is passed on; refused is only what would change what is mounted
 * or how it is shared, or reach for other devices and files of the host. */
enum { MOUNT_OPTS_MAX = 4096 };

struct mount_opts {
	unsigned long flags;	   /* MS_… */
	char data[MOUNT_OPTS_MAX]; /* what is left for the file system, or "" */
};

/* options ends with NULL and may be NULL. Each may hold several, separated by commas. 0,
 * or -1 with INVALID_ARGUMENT. */
int mount_opts_parse(const char *const *options, struct mount_opts *ret, struct err *err);
#endif
