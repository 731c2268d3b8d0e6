#include "rds/ros_site.h"

#include <stdio.h>
#include <string.h>

#include "rds/ros_text.h"

static int add_base(struct ros_site *site, const char *dir, size_t n, struct err *err)
{
	char *base = site->bases[site->n_bases];
	size_t first;

	if (site->n_bases == ROS_MAX_BASES)
		return err_set(err, ERR_INVALID, "more than %d volume directories",
			       ROS_MAX_BASES);
	if (n < 2 || dir[0] != '/' || n > RDS_PATH_MAX)
		return err_set(err, ERR_INVALID,
			       "volume directory \"%.100s\": not an absolute path", dir);
	memcpy(base, dir + 1, n - 1);
	base[n - 1] = '\0';
	if (!ros_is(ROS_PATH, base))
		return err_set(err, ERR_INVALID,
			       "volume directory \"/%.100s\": only names of letters, "
			       "digits, \".\", \"_\" and \"-\"",
			       base);
	first = strcspn(base, "/");
	if (first >= sizeof(site->pool))
		return err_set(err, ERR_INVALID, "the pool's name is too long");
	if (site->n_bases == 0) {
		memcpy(site->pool, base, first);
		site->pool[first] = '\0';
	} else if (strncmp(site->pool, base, first) != 0 || site->pool[first])
		return err_set(err, ERR_INVALID,
			       "volume directories must lie on one pool, not on %s and "
			       "%.64s",
			       site->pool, base);
	site->n_bases++;
	return 0;
}

int ros_site_bases(struct ros_site *site, const char *list, struct err *err)
{
	site->n_bases = 0;
	for (const char *p = list;; p++) {
		size_t n = strcspn(p, ",");

		if (add_base(site, p, n, err))
			return -1;
		p += n;
		if (!*p)
			return 0;
	}
}

int ros_site_base(const struct ros_site *site, const char *dir)
{
	for (unsigned i = 0; i < site->n_bases; i++)
		if (dir[0] == '/' && strcmp(site->bases[i], dir + 1) == 0)
			return (int)i;
	return -1;
}

int ros_site_path(char out[RDS_PATH_MAX + 1], const struct ros_site *site,
		  enum rds_layout layout, unsigned base, const char *id)
{
	int n = layout == RDS_LAYOUT_FILE
			? snprintf(out, RDS_PATH_MAX + 1, "/%s/%s.img", site->bases[base],
				   id)
			: snprintf(out, RDS_PATH_MAX + 1, "/%s/vol-%s/volume.img",
				   site->pool, id);

	return n < 0 || n > RDS_PATH_MAX ? -1 : 0;
}

enum rds_layout ros_site_layout(const struct ros_site *site, const char *id,
				const char *path)
{
	char want[RDS_PATH_MAX + 1];

	path += path[0] == '/';
	if (ros_site_path(want, site, RDS_LAYOUT_SUBVOLUME, 0, id) == 0 &&
	    strcmp(want + 1, path) == 0)
		return RDS_LAYOUT_SUBVOLUME;
	for (unsigned i = 0; i < site->n_bases; i++)
		if (ros_site_path(want, site, RDS_LAYOUT_FILE, i, id) == 0 &&
		    strcmp(want + 1, path) == 0)
			return RDS_LAYOUT_FILE;
	return RDS_LAYOUT_AUTO;
}
