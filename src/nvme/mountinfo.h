#ifndef NVME_MOUNTINFO_H
#define NVME_MOUNTINFO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"
#include "nvme/nvme.h"

/* /proc/<pid>/mountinfo (proc_pid_mountinfo(5)), and what it says of one volume and one
 * path. Pure. Blank, tab, newline and backslash stand in it as three octal digits. */
enum { MOUNTINFO_MAX = 8 * 1024 * 1024 };

struct mountinfo_entry {
	uint32_t id, parent, major, minor;
	bool is_readonly; /* this mount, or its whole file system */
	bool is_shared;	  /* what is mounted below goes on to its peers */
	char root[NVME_PATH_MAX + 1], path[NVME_PATH_MAX + 1];
	char fs_type[64], source[NVME_PATH_MAX + 1];
};

/* Reads the next line at *text. 1, 0 at the end, -1 when the line cannot be understood.
 */
int mountinfo_next(const char **text, struct mountinfo_entry *ret);

/* Whether the mount shows the device's file system, or its node bound somewhere. btrfs
 * reports an anonymous device number, so there the source decides. */
bool mountinfo_is_fs_of(const struct mountinfo_entry *e, const struct nvme_device *dev);
bool mountinfo_is_node_of(const struct mountinfo_entry *e, const struct nvme_device *dev);

/* A device of the volume that the kernel has given up while it was mounted. Its numbers,
 * and its name, are not given to another before the last mount is gone (kernel 6.1). */
struct mountinfo_dead {
	uint32_t major, minor; /* 0 major (btrfs): the source decides */
	char source[NVME_DEV_MAX + 1];
};
bool mountinfo_is_dead(const struct mountinfo_entry *e,
		       const struct mountinfo_dead *dead);
/* Whether a file of a device directory is bound that has since been removed there: the
 * node of an NVMe device that is gone. Which one cannot be told. */
bool mountinfo_is_dead_node(const struct mountinfo_entry *e);

/* Fills in the mount part of *view from the whole text, by view->device, dead (NULL =
 * none), q->path, q->besides and q->recorded. 0, or -1 with UNAVAILABLE (malformed) or
 * RESOURCE_EXHAUSTED. */
int mountinfo_view(const char *text, const struct nvme_query *q,
		   const struct mountinfo_dead *dead, struct nvme_view *view,
		   struct err *err);
/* The topmost mount at path: 1 and *ret, 0 when there is none, -1 as above. */
int mountinfo_top(const char *text, const char *path, struct mountinfo_entry *ret,
		  struct err *err);

/* The lines that hold one of the texts, as they are written there, in their order: among
 * hundreds of mounts few concern a volume. At most MOUNTINFO_WORDS texts; one that is
 * NULL or empty is none. 0, or -1 for lack of memory. */
enum { MOUNTINFO_WORDS = 4 };
int mountinfo_pick(const char *text, const char *const words[MOUNTINFO_WORDS],
		   struct buf *ret);
/* Of a path, what the kernel writes as it is, as far as it goes: the longest stretch of
 * plain characters. Borrowed from path; its length. */
size_t mountinfo_plain(const char *path, const char **ret);
#endif
