#include "nvme/traffic.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"
#include "nvme/sysfs.h"
#include "nvme/sysfs_nvme.h"

enum { SECTOR = 512 }; /* whatever the device's own (Documentation/block/stat.rst) */

int traffic_parse(const char *line, struct nvme_traffic *ret)
{
	uint64_t v[10];

	/* The next ones (discards, flushes) came with later kernels. */
	if (sscanf(line,
		   "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8],
		   &v[9]) != 10)
		return -1;
	ret->reads = v[0];
	ret->read_bytes = v[2] * SECTOR;
	ret->writes = v[4];
	ret->written_bytes = v[6] * SECTOR;
	ret->in_flight = v[8];
	ret->busy_ms = v[9];
	return 0;
}

int traffic_read(const char *root, const char *disk, struct nvme_traffic *ret)
{
	char line[512];

	if (sysfs_attr(line, sizeof(line), "%s/block/%.32s/stat", root, disk))
		return -1;
	return traffic_parse(line, ret);
}

/* Of the session's own path to the disk, which is nvmeXcYnZ with nvme_core.multipath=Y:
 * the disk nvmeXnZ itself counts nothing there before kernel 6.5. */
static int read_path(const char *root, const char *ctrl, struct nvme_traffic *ret)
{
	char path[256], line[512];
	struct dirent *e;
	int rc = -1;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/class/nvme/%.23s", root, ctrl);
	d = opendir(path);
	while (d && rc && (e = readdir(d)))
		if (str_starts_with(e->d_name, "nvme") &&
		    sysfs_attr(line, sizeof(line), "%s/%.32s/stat", path, e->d_name) == 0)
			rc = traffic_parse(line, ret);
	if (d)
		(void)closedir(d);
	return rc;
}

/* One that is just being made or taken away has not all of its attributes. */
static bool read_session(const char *root, const char *ctrl, char nqn[NVME_NQN_MAX + 1],
			 struct nvme_traffic *ret)
{
	char text[32];

	if (!str_starts_with(ctrl, "nvme") ||
	    sysfs_attr(text, sizeof(text), "%s/class/nvme/%.23s/transport", root, ctrl) ||
	    strcmp(text, "tcp") != 0 ||
	    sysfs_attr(nqn, NVME_NQN_MAX + 1, "%s/class/nvme/%.23s/subsysnqn", root,
		       ctrl) ||
	    sysfs_attr(text, sizeof(text), "%s/class/nvme/%.23s/state", root, ctrl))
		return false;
	*ret = (struct nvme_traffic){ .nqn = nqn, .state = nvme_state_of(text) };
	ret->has_device = read_path(root, ctrl, ret) == 0;
	return true;
}

int traffic_sessions(const char *root,
		     bool (*each)(void *arg, const struct nvme_traffic *t), void *arg,
		     struct err *err)
{
	char path[256], nqn[NVME_NQN_MAX + 1];
	struct nvme_traffic t;
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/class/nvme", root);
	d = opendir(path);
	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	while ((e = readdir(d)))
		if (read_session(root, e->d_name, nqn, &t) && !each(arg, &t))
			break;
	(void)closedir(d);
	return 0;
}
