#ifndef RDS_ROS_SITE_H
#define RDS_ROS_SITE_H
#include <stdbool.h>

#include "core/err.h"
#include "rds/rds.h"

/* Where volumes lie on the box: from the configuration, completed by the probe. Two
 * shapes of backing file are accepted and no other: /<pool>/vol-<id>/volume.img and
 * <directory>/<id>.img. Pure. */
enum { ROS_MAX_BASES = 4 };

struct ros_site {
	const char *cluster_id; /* borrowed */
	bool adopt_unmarked;
	unsigned reserve_percent, n_bases;
	char bases[ROS_MAX_BASES][RDS_PATH_MAX + 1]; /* without leading slash */
	char pool[65];				     /* first name of every base */
	char pool_slot[65];			     /* the disk mounted there; probe */
	char label[65]; /* of its Btrfs; "" = no subvolumes here; probe */
};

/* "/a/b,/a/c": directories of one pool. Sets bases, n_bases and pool. */
int ros_site_bases(struct ros_site *site, const char *list, struct err *err);
/* The index of a directory with leading slash, or -1. */
int ros_site_base(const struct ros_site *site, const char *dir);
/* The backing file, with leading slash. 0, or -1 when it would be too long. base: index,
 * for the layout file. */
int ros_site_path(char out[RDS_PATH_MAX + 1], const struct ros_site *site,
		  enum rds_layout layout, unsigned base, const char *id);
/* Which shape path (with or without leading slash) has for this id; AUTO for none. */
enum rds_layout ros_site_layout(const struct ros_site *site, const char *id,
				const char *path);
#endif
