#include "nvme/helper_nvme.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <libnvme.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "nvme/identify.h"
#include "nvme/sysfs.h"
#include "nvme/uevent.h"

enum {
	NODE_WITHIN_MS = 3000,
	ANSWER_WITHIN_MS = 5000,
	LEAVES_LIVE_WITHIN_MS = 15000,
	RESIZED_WITHIN_MS = 10000,
	GONE_WITHIN_MS = 90000,
	REREAD_MS = 250, /* of a state, whose change makes no event */
};

struct nvme_names helper_names;

/* The kernel makes the node before it tells of the device, and lets nobody open it for a
 * moment more (ENXIO: add_disk has not come to its end). */
int helper_nvme_open(const struct nvme_device *dev, int flags, int events,
		     struct err *err)
{
	uint64_t end = helper_now_ms() + NODE_WITHIN_MS;
	struct stat st;
	int fd;

	while ((fd = open(dev->path, flags | O_CLOEXEC)) < 0 &&
	       (errno == ENOENT || errno == ENXIO) && helper_now_ms() < end)
		uevent_wait(events, REREAD_MS);
	if (fd < 0)
		return helper_fail(err, "open", dev->path);
	if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) &&
	    st.st_rdev == makedev(dev->major, dev->minor))
		return fd;
	(void)close(fd);
	return err_set(err, ERR_ABORTED, "%s is the node of another device", dev->path);
}

static uint8_t data[IDENTIFY_SIZE] __attribute__((aligned(IDENTIFY_SIZE)));

/* 0, a positive NVMe status, or -1 with errno. */
static int identify(int fd, enum nvme_identify_cns cns, uint32_t nsid)
{
	struct nvme_identify_args args = { .args_size = sizeof(args),
					   .fd = fd,
					   .data = data,
					   .timeout = ANSWER_WITHIN_MS,
					   .cns = cns,
					   .nsid = nsid };

	memset(data, 0, sizeof(data));
	return nvme_identify(&args);
}

/* The descriptors are optional before NVMe 1.3: then there is no id. */
int helper_nvme_identify(int fd, uint64_t *ret_size, char *ns_id, struct err *err)
{
	uint32_t nsid = 0;
	int rc = nvme_get_nsid(fd, &nsid);

	if (!rc)
		rc = identify(fd, NVME_IDENTIFY_CNS_NS, nsid);
	if (rc < 0)
		return err_set(err, ERR_UNAVAILABLE, "identify the namespace: %s",
			       strerror(errno));
	if (rc > 0 || identify_size(data) == 0)
		return err_set(err, ERR_UNAVAILABLE,
			       "the target tells no size of the namespace (status %#x)",
			       (unsigned)rc);
	*ret_size = identify_size(data);
	if (!ns_id)
		return 0;
	rc = identify(fd, NVME_IDENTIFY_CNS_NS_DESC_LIST, nsid);
	if (rc)
		memset(data, 0, sizeof(data));
	identify_ns_id(data, ns_id);
	return 0;
}

/* Of a session, in sysfs. */
static int tell(const struct nvme_session *s, const char *file)
{
	char path[96];
	int fd, rc;

	(void)snprintf(path, sizeof(path), "/sys/class/nvme/%s/%s", s->ctrl, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = write(fd, "1", 1) == 1 ? 0 : -1;
	(void)close(fd);
	return rc;
}

void helper_nvme_look_again(const struct nvme_session *s)
{
	(void)tell(s, "rescan_controller");
}

int helper_nvme_refresh(const struct nvme_sessions *s, int fd, int events,
			struct err *err)
{
	uint64_t end = helper_now_ms() + RESIZED_WITHIN_MS, now, size, seen = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].state == NVME_LIVE)
			helper_nvme_look_again(&s->at[i]);
	if (helper_nvme_identify(fd, &size, NULL, err))
		return -1;
	while (ioctl(fd, BLKGETSIZE64, &seen) == 0 && seen != size) {
		now = helper_now_ms();
		if (now >= end)
			return err_set(err, ERR_UNAVAILABLE,
				       "the target has %llu bytes, the kernel still "
				       "knows %llu",
				       (unsigned long long)size,
				       (unsigned long long)seen);
		uevent_wait(events, end - now < 1000 ? end - now : 1000);
	}
	return 0;
}

bool helper_nvme_is_answering(const struct nvme_session *s)
{
	char path[64];
	int fd, rc;

	(void)snprintf(path, sizeof(path), "/dev/%s", s->ctrl);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return true; /* nothing is known: no reason to wait */
	rc = identify(fd, NVME_IDENTIFY_CNS_CTRL, 0);
	(void)close(fd);
	return rc >= 0;
}

bool helper_nvme_is_sizeless(const struct nvme_session *s)
{
	char path[64];
	uint32_t nsid = 0;
	int fd;
	bool is_sizeless;

	(void)snprintf(path, sizeof(path), "/dev/%s", s->ctrl);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	is_sizeless = identify(fd, NVME_IDENTIFY_CNS_NS_ACTIVE_LIST, 0) == 0;
	nsid = identify_first_nsid(data);
	is_sizeless = is_sizeless && nsid &&
		      identify(fd, NVME_IDENTIFY_CNS_NS, nsid) == 0 &&
		      identify_size(data) == 0;
	(void)close(fd);
	return is_sizeless;
}

/* Whether it is there still, and as what. */
static enum nvme_state state_of(const struct nvme_session *s)
{
	const struct nvme_wanted wanted = { s->nqn, "", s->host_nqn };
	struct nvme_session now;

	if (sysfs_nvme_read("/sys", &wanted, s->ctrl, &now))
		return NVME_ABSENT;
	return now.state;
}

static void await_not_live(const struct nvme_session *s, int events)
{
	uint64_t end = helper_now_ms() + LEAVES_LIVE_WITHIN_MS;

	while (state_of(s) == NVME_LIVE && helper_now_ms() < end)
		uevent_wait(events, REREAD_MS);
}

static int await_gone(const struct nvme_session *s, int events, struct err *err)
{
	uint64_t end = helper_now_ms() + GONE_WITHIN_MS, now;

	while (state_of(s) != NVME_ABSENT) {
		now = helper_now_ms();
		if (now >= end)
			return err_set(err, ERR_ABORTED, "%s is still being deleted",
				       s->ctrl);
		uevent_wait(events, end - now < 1000 ? end - now : 1000);
	}
	return 0;
}

int helper_nvme_end(const struct nvme_sessions *s, int events, struct err *err)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct nvme_session *at = &s->at[i];

		if (at->state == NVME_LIVE && !helper_nvme_is_answering(at))
			await_not_live(at, events);
		if (at->state != NVME_GOING && tell(at, "delete_controller") &&
		    errno != ENOENT)
			return helper_fail(err, "delete", at->ctrl);
	}
	for (unsigned i = 0; i < s->n; i++)
		if (await_gone(&s->at[i], events, err))
			return -1;
	return 0;
}
