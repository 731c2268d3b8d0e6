#ifndef RDS_FEATURES_H
#define RDS_FEATURES_H
#include "rds/rds.h"
#include "rds/ros_reply.h"
#include "rds/ros_site.h"

/* What the probe's answer tells about the box: the version (7.21 at least, for
 * nvme-tcp-server-nqn), the package rose-storage, the pool's disk, and whether volumes
 * can be Btrfs subvolumes there. Pure. */
struct features_seen { /* zeroed before the first event */
	char version[32];
	bool has_package, is_package_off, is_nonsense, has_root;
	unsigned n_pools;
	bool is_ambiguous; /* disks with different file systems at the mount point */
	char pool_slot[65], fs[16], label[65], uuid[64];
};

/* "7.24.4 (stable)", "7.21rc3": 7.21 or later. */
bool features_is_new_enough(const char *version);
void features_note(struct features_seen *seen, const struct ros_event *ev);
/* Fills site (pool_slot, label) and f. ERR_PRECONDITION names what the box lacks. */
int features_decide(const struct features_seen *seen, struct ros_site *site,
		    struct rds_features *f, struct err *err);
#endif
