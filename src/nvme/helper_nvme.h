#ifndef NVME_HELPER_NVME_H
#define NVME_HELPER_NVME_H
#include "nvme/helper_verbs.h"
#include "nvme/sysfs_nvme.h"

/* What the NVMe verbs share. In the child only: all of it may block in the kernel. */

/* Of this process, from one verb to the next. */
extern struct nvme_names helper_names;

/* Opens the device's node in /dev, and sees that it is this device's. Waits a little for
 * a node that the kernel is about to make; never makes one: the kernel removes only
 * those that it has made itself. -1 with err. */
int helper_nvme_open(const struct nvme_device *dev, int flags, int events,
		     struct err *err);

/* Identify through the device: the size in bytes and the namespace's id (ns_id may be
 * NULL). 0, or -1 with UNAVAILABLE when no path to the target is up. */
int helper_nvme_identify(int fd, uint64_t *ret_size, char *ns_id, struct err *err);

/* Has the session look at its namespaces again. The kernel does it later. */
void helper_nvme_look_again(const struct nvme_session *s);
/* Rescans, and waits until the kernel has the size that the target tells. */
int helper_nvme_refresh(const struct nvme_sessions *s, int fd, int events,
			struct err *err);

/* ABORTED when the device is mounted, held by another device or under a loop device. A
 * mere open of a process is not seen (kernel 6.1). */
int helper_nvme_check_unused(const struct nvme_device *dev, int events, struct err *err);

/* Asks the target of a live session for a sign of life, for 5 s at most. */
bool helper_nvme_is_answering(const struct nvme_session *s);
/* Whether the target lists a namespace as active and tells size 0 of it: the kernel makes
 * no device of such a one. False when it does not answer. */
bool helper_nvme_is_sizeless(const struct nvme_session *s);
/* Ends the sessions and waits until they are gone. A silent target is waited for first:
 * to delete a session that is still live holds the caller for 64 to 94 s (6.1). */
int helper_nvme_end(const struct nvme_sessions *s, int events, struct err *err);
#endif
