#ifndef NVME_FABRICS_H
#define NVME_FABRICS_H
#include "core/err.h"
#include "nvme/nvme.h"
#include "nvme/sysfs_nvme.h"

/* The kernel's door to a target: one line of options is written to /dev/nvme-fabrics, and
 * what is read back names the session (drivers/nvme/host/fabrics.c, opt_tokens and
 * nvmf_dev_show; kernels 6.1 and 6.12). libnvme, by which all NVMe commands go, connects
 * too, but looks for the new session under each subsystem of the machine then: with
 * hundreds of them that took longer than the connect, and 1.3, which Debian 12 has, knows
 * no other way (nvmf_connect_ctrl came later). In the child only: it blocks until the
 * target has answered, or not. */
enum { FABRICS_LINE_MAX = 1200, FABRICS_SETTINGS = 6 };

struct fabrics {
	const char *nqn, *host_nqn, *host_id, *address, *port;
	/* Queues, queue size, ctrl_loss_tmo, reconnect_delay, keep_alive_tmo,
	 * fast_io_fail_tmo, joined by commas; NVME_UNSET = the kernel's default. */
	const char *settings;
};

/* Pure. 0, or -1 with INTERNAL: what cannot be one line of options. */
int fabrics_line(const struct fabrics *to, char out[FABRICS_LINE_MAX], struct err *err);
/* Pure. "instance=3,cntlid=1" → "nvme3". 0, or -1. */
int fabrics_ctrl(const char *answer, char out[NVME_CTRL_MAX + 1]);
/* Pure. What the kernel's error at a connect means to people: UNAVAILABLE. -1. */
int fabrics_fail(int error, struct err *err);

/* 0 and the session's name, "" when another with that NQN is in the way; -1 with err. */
int fabrics_connect(const struct fabrics *to, char ret[NVME_CTRL_MAX + 1],
		    struct err *err);
#endif
