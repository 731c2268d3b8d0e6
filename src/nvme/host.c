#include "nvme/host.h"

#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/fsio.h"
#include "core/mem.h"
#include "nvme/mountinfo.h"

enum { STATUS_MAX = 16 * 1024 };

int host_check_mounts(const char *mountinfo, const char *kubelet_dir, struct err *err)
{
	struct mountinfo_entry *e = mem_alloc(sizeof(*e));
	int rc;

	if (!e)
		return err_nomem(err);
	rc = mountinfo_top(mountinfo, kubelet_dir, e, err);
	if (rc > 0 && !e->is_shared)
		rc = err_set(err, ERR_PRECONDITION,
			     "the mount of %.100s is not shared, so the kubelet would "
			     "not see what is mounted in it: the container's needs "
			     "mountPropagation: Bidirectional",
			     kubelet_dir);
	mem_free(e);
	return rc < 0 ? -1 : 0;
}

/* The number after "NAME:" at the beginning of a line. 0, or -1 when there is none. */
static int line_of(const char *status, const char *name, int base, uint64_t *ret)
{
	const char *at = strstr(status, name);
	char *end;

	if (!at)
		return -1;
	at += strlen(name);
	*ret = strtoull(at, &end, base);
	return end == at ? -1 : 0;
}

int host_check_capabilities(const char *status, struct err *err)
{
	uint64_t uid, set;

	if (line_of(status, "\nUid:", 10, &uid) ||
	    line_of(status, "\nCapEff:", 16, &set) || uid != 0 ||
	    (set & (UINT64_C(1) << CAP_SYS_ADMIN)))
		return 0;
	return err_set(
		err, ERR_PRECONDITION,
		"CAP_SYS_ADMIN is missing, without which nothing can be mounted or "
		"connected: the container needs privileged: true");
}

int host_check_kubelet_dir(const char *kubelet_dir, struct err *err)
{
	struct err unread;
	struct buf text;
	int rc = 0;

	buf_init(&text, MOUNTINFO_MAX);
	if (fsio_read("/proc/self/mountinfo", &text, &unread) == 0)
		rc = host_check_mounts(text.data, kubelet_dir, err);
	buf_fini(&text);
	return rc;
}

int host_check_rights(struct err *err)
{
	struct err unread;
	struct buf text;
	int rc = 0;

	buf_init(&text, STATUS_MAX);
	if (fsio_read("/proc/self/status", &text, &unread) == 0)
		rc = host_check_capabilities(text.data, err);
	buf_fini(&text);
	return rc;
}
