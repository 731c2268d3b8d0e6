#include "nvme/traffic.h"

#include <dirent.h>
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

struct walk {
	const char *root;
	bool (*each)(void *arg, const struct nvme_traffic *t);
	void *arg;
};

/* One that is just being made or taken away has not all of its attributes. */
static bool on_session(void *arg, const char *ctrl, const char *nqn)
{
	const struct walk *w = arg;
	struct nvme_traffic t = { .nqn = nqn };
	char state[32];

	if (sysfs_attr(state, sizeof(state), "%s/class/nvme/%.23s/state", w->root, ctrl))
		return true;
	t.state = nvme_state_of(state);
	t.has_device = read_path(w->root, ctrl, &t) == 0;
	return w->each(w->arg, &t);
}

int traffic_sessions(const char *root,
		     bool (*each)(void *arg, const struct nvme_traffic *t), void *arg,
		     struct err *err)
{
	struct walk w = { root, each, arg };

	return sysfs_nvme_each(root, on_session, &w, err);
}
