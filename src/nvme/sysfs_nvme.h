#ifndef NVME_SYSFS_NVME_H
#define NVME_SYSFS_NVME_H
#include "nvme/nvme.h"

/* The kernel's NVMe/TCP sessions ("controllers") and their namespaces as sysfs shows
 * them, under a given root. Reads attributes that the kernel keeps in memory, never sends
 * a command: a target that is silent is not noticed. What goes away meanwhile is simply
 * not there. Seen on kernels 6.1 and 6.12. */
enum { NVME_SESSIONS_MAX = 12, NVME_CTRL_MAX = 23 };

struct nvme_session {
	char ctrl[NVME_CTRL_MAX + 1]; /* "nvme0" */
	char nqn[NVME_NQN_MAX + 1], host_nqn[NVME_NQN_MAX + 1];
	enum nvme_state state; /* LIVE, RECOVERING or GOING */
};

/* Which sessions: those with that NQN exactly, and those with one of the volume's names:
 * base and base.g*. Either may be "". */
struct nvme_wanted {
	const char *nqn, *base;
	const char *hosts; /* host NQNs joined by commas; NULL = any */
};

struct nvme_sessions {
	unsigned n;
	struct nvme_session at[NVME_SESSIONS_MAX];
};

/* Pure. */
bool nvme_is_name_of(const char *nqn, const char *base); /* base or base.g<digit>… */
bool nvme_is_host_in(const char *host_nqn, const char *hosts);
enum nvme_state nvme_state_of(const char *attribute);

/* Which NQN each session of this machine has, as it was read before: in a crowd of
 * sessions all but one would be read for nothing. Known by the entry's inode number,
 * which a session in the real sysfs has for itself alone as long as the kernel runs
 * (kernfs: 64 bits, counted up). A zeroed one is empty. */
struct nvme_names {
	struct nvme_name *at; /* owned; by the session's number */
	unsigned n;
};
void nvme_names_fini(struct nvme_names *names);

/* TCP sessions alone; names NULL: all are read. 0, or -1: RESOURCE_EXHAUSTED when there
 * are more than fit, UNAVAILABLE when sysfs cannot be read. No NVMe in the kernel = no
 * session. */
int sysfs_nvme_find(const char *root, const struct nvme_wanted *wanted,
		    struct nvme_names *names, struct nvme_sessions *ret, struct err *err);

/* The one session of that name. 0, or -1 when there is none, or none that is wanted. */
int sysfs_nvme_read(const char *root, const struct nvme_wanted *wanted, const char *ctrl,
		    struct nvme_session *ret);

/* Calls each with the name and the NQN of every TCP session until it says false. 0 or -1
 * as above. */
int sysfs_nvme_each(const char *root,
		    bool (*each)(void *arg, const char *ctrl, const char *nqn), void *arg,
		    struct err *err);

/* The block devices of one session, at most max of them, the first by name first. With
 * nvme_core.multipath=Y those are the subsystem's, which hide the paths nvmeXcYnZ to
 * them; with N they are the session's own nvmeXnY. Returns how many there are. */
unsigned sysfs_nvme_devices(const char *root, const char *ctrl, struct nvme_device *out,
			    unsigned max);

/* The NQN behind a block device of that name, which may be no NVMe. 0 or -1. */
int sysfs_nvme_nqn_of(const char *root, const char *disk, char ret[NVME_NQN_MAX + 1]);
#endif
