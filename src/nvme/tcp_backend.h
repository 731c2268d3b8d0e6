#ifndef NVME_TCP_BACKEND_H
#define NVME_TCP_BACKEND_H
#include "nvme/backend.h"
#include "nvme/sysfs_nvme.h"

/* The NVMe/TCP back end's own, shared by its files. */
struct nvme_tcp {
	struct backend base;
	unsigned refusal_settle_ms;
	const char *host_nqn, *host_id, *sys_root, *mountinfo; /* borrowed */
	bool is_real_sys;				       /* names may be kept */
	bool is_real_mountinfo;	 /* what paths say of mounts is the same */
	struct nvme_names names; /* owned */
};

static inline struct nvme_tcp *nvme_tcp_of(struct nvme *nvme)
{
	return CONTAINER_OF(nvme, struct nvme_tcp, base.nvme);
}

/* The requests that are the back end's own, as helper verbs: struct request_host. */
int tcp_command(struct request_host *host, struct nvme_req *req, struct command *c,
		struct err *err);

/* By sysfs, the device's name, number and NQN: struct request_host. */
int tcp_check_device(struct request_host *host, const struct nvme_req *req,
		     struct err *err);

/* An NQN as one option in a line of options. 0, or -1 with INVALID_ARGUMENT. Pure. */
int tcp_check_name(const char *nqn, const char *what, struct err *err);
#endif
