#include "vm/kubelet.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/left.h"

#define DRIVER "rds.csi.srvlab.io"
#define PLUGIN "kubelet/plugins/kubernetes.io/csi/"
enum { DATA_CAP = 400 };

char *kubelet_dir(char out[E2E_PATH])
{
	return e2e_path(out, "kubelet");
}

/* The directory and all above it that are missing. */
static bool make_dirs(const char *path)
{
	char part[E2E_PATH];

	(void)snprintf(part, sizeof(part), "%s", path);
	for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(part, 0750);
		*p = '/';
	}
	return CHECK(mkdir(part, 0750) == 0 || errno == EEXIST, "%s: %s", part,
		     strerror(errno));
}

static bool make_parent(const char *path)
{
	char part[E2E_PATH];

	(void)snprintf(part, sizeof(part), "%s", path);
	*strrchr(part, '/') = '\0';
	return make_dirs(part);
}

static char *mount_dir(const struct vol *v, char out[E2E_PATH])
{
	unsigned char h[SHA256_DIGEST_LENGTH];
	char hex[2 * SHA256_DIGEST_LENGTH + 1];

	SHA256((const unsigned char *)v->id, strlen(v->id), h);
	for (unsigned i = 0; i < sizeof(h); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", h[i]);
	return e2e_path(out, PLUGIN DRIVER "/%s", hex);
}

static bool write_data(const struct vol *v, const char *dir)
{
	char path[E2E_PATH + 20], text[DATA_CAP];

	(void)snprintf(path, sizeof(path), "%s/vol_data.json", dir);
	(void)snprintf(text, sizeof(text),
		       "{\"attachmentID\":\"csi-%.64s\",\"driverName\":\"" DRIVER
		       "\",\"nodeName\":\"node-a\",\"specVolID\":\"%.100s\","
		       "\"volumeHandle\":\"%.100s\",\"volumeLifecycleMode\":"
		       "\"Persistent\"}",
		       v->id, v->id, v->id);
	return CHECK(left_write(path, -1, text), "%s", path);
}

static void target(const struct vol *v, const char *pod, char out[E2E_PATH])
{
	if (v->is_block)
		e2e_path(out, PLUGIN "volumeDevices/publish/%.60s/%s", v->id, pod);
	else
		e2e_path(out, "kubelet/pods/%s/volumes/kubernetes.io~csi/%.60s/mount",
			 pod, v->id);
}

bool kubelet_place(struct vol *v)
{
	char dir[E2E_PATH];

	target(v, "pod-1", v->target);
	if (v->is_block) {
		e2e_path(dir, PLUGIN "volumeDevices/%.60s/data", v->id);
		e2e_path(v->staging, PLUGIN "volumeDevices/staging/%.60s", v->id);
	} else {
		mount_dir(v, dir);
		(void)snprintf(v->staging, sizeof(v->staging), "%.230s/globalmount", dir);
	}
	return make_dirs(dir) && make_dirs(v->staging) && make_parent(v->target) &&
	       write_data(v, dir);
}

bool kubelet_second_target(const struct vol *v, char out[E2E_PATH])
{
	target(v, "pod-2", out);
	return make_parent(out);
}

bool kubelet_forget(const struct vol *v)
{
	char dir[E2E_PATH], path[E2E_PATH + 20];

	if (v->is_block)
		e2e_path(dir, PLUGIN "volumeDevices/%.60s/data", v->id);
	else
		mount_dir(v, dir);
	(void)snprintf(path, sizeof(path), "%s/vol_data.json", dir);
	return CHECK(unlink(path) == 0, "%s: %s", path, strerror(errno));
}
