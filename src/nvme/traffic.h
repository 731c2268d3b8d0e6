#ifndef NVME_TRAFFIC_H
#define NVME_TRAFFIC_H
#include "nvme/nvme.h"

/* What has gone through a block device since it came, as sysfs counts it, under a given
 * root ("/sys" but in tests). The kernel sums its counters of each CPU for the read
 * (block/genhd.c, part_stat_show): nothing is sent to the device and nothing waits for
 * it, so a target that is silent does not block the reader. */

/* A line of <root>/block/<disk>/stat. Pure. 0, or -1 and *ret untouched. */
int traffic_parse(const char *line, struct nvme_traffic *ret);
/* 0, or -1 when there is no such disk. */
int traffic_read(const char *root, const char *disk, struct nvme_traffic *ret);
/* Each TCP session of the machine until it says false; 0, or -1 with UNAVAILABLE when
 * sysfs cannot be read. */
int traffic_sessions(const char *root,
		     bool (*each)(void *arg, const struct nvme_traffic *t), void *arg,
		     struct err *err);
#endif
