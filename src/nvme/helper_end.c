#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "nvme/helper_nvme.h"
#include "nvme/sysfs.h"
#include "nvme/uevent.h"

enum { DEVICES_MAX = 8 };

/* What writers left in the cache of the block device. It is last written when the last of
 * them closes it, and then nobody hears of an error. */
static void flush(const struct nvme_device *dev, int events, struct reply *r)
{
	struct err ignored;
	int fd = helper_nvme_open(dev, O_RDONLY, events, &ignored);

	if (fd < 0)
		return;
	if (fsync(fd))
		reply_add_str(r, "lost", strerror(errno));
	(void)close(fd);
}

static int check_all_unused(const struct nvme_sessions *s, int events, struct err *err)
{
	struct nvme_device dev[DEVICES_MAX];

	for (unsigned i = 0; i < s->n; i++) {
		unsigned n = sysfs_nvme_devices("/sys", s->at[i].ctrl, dev, DEVICES_MAX);

		if (n > DEVICES_MAX)
			return err_set(err, ERR_PRECONDITION, "%s has %u namespaces",
				       s->at[i].ctrl, n);
		while (n--)
			if (helper_nvme_check_unused(&dev[n], events, err))
				return -1;
	}
	return 0;
}

/* Where the target does not answer nothing can be written, and the attempt would hang. */
static void flush_all(const struct nvme_sessions *s, int events, struct reply *r)
{
	struct nvme_device dev;

	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].state == NVME_LIVE && helper_nvme_is_answering(&s->at[i]) &&
		    sysfs_nvme_devices("/sys", s->at[i].ctrl, &dev, 1)) {
			flush(&dev, events, r);
			return;
		}
}

int helper_nvme_detach(char *const *argv, struct reply *r, struct err *err)
{
	const struct nvme_wanted wanted = { argv[0], "", argv[1] };
	int events = uevent_open();
	struct nvme_sessions s;

	if (sysfs_nvme_find("/sys", &wanted, &helper_names, &s, err) ||
	    check_all_unused(&s, events, err))
		return -1;
	flush_all(&s, events, r);
	return helper_nvme_end(&s, events, err);
}

int helper_nvme_cut(char *const *argv, struct reply *r, struct err *err)
{
	const struct nvme_wanted wanted = { argv[0], "", argv[1] };
	int events = uevent_open();
	struct nvme_sessions s;

	(void)r;
	if (sysfs_nvme_find("/sys", &wanted, &helper_names, &s, err))
		return -1;
	return helper_nvme_end(&s, events, err);
}

int helper_nvme_cut_others(char *const *argv, struct reply *r, struct err *err)
{
	const struct nvme_wanted wanted = { "", argv[1], argv[2] };
	int events = uevent_open();
	struct nvme_sessions s;
	unsigned n = 0;

	(void)r;
	if (sysfs_nvme_find("/sys", &wanted, &helper_names, &s, err))
		return -1;
	for (unsigned i = 0; i < s.n; i++)
		if (strcmp(s.at[i].nqn, argv[0]) != 0)
			s.at[n++] = s.at[i];
	s.n = n;
	if (check_all_unused(&s, events, err))
		return -1;
	return helper_nvme_end(&s, events, err);
}

/* All sessions of the device's subsystem, whoever made them: they share the namespace. */
int helper_nvme_rescan(char *const *argv, struct reply *r, struct err *err)
{
	const char *name = strrchr(argv[0], '/');
	int events = uevent_open(), fd;
	char nqn[NVME_NQN_MAX + 1], other[NVME_UUID_MAX + 1];
	struct nvme_wanted wanted = { nqn, "", NULL };
	struct nvme_sessions s;

	if (!name || sysfs_nvme_nqn_of("/sys", name + 1, nqn))
		return err_set(err, ERR_UNAVAILABLE, "%.64s is no NVMe device any more",
			       argv[0]);
	if (sysfs_nvme_find("/sys", &wanted, &helper_names, &s, err))
		return -1;
	fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return helper_fail(err, "open", argv[0]);
	if (helper_nvme_refresh(&s, fd, events, err))
		return -1;
	if (helper_is_other_fs(argv[0], argv[1], argv[2], other))
		return err_set(err, ERR_PRECONDITION,
			       "the file system on the device is %s, this volume's is "
			       "%.36s: nothing is grown",
			       other, argv[2]);
	return helper_add_device(fd, argv[0], r, err);
}
