#ifndef NVME_TCP_H
#define NVME_TCP_H
#include <uv.h>

#include "nvme/nvme.h"

/* The port over the kernel's NVMe/TCP host. Sessions are told by their NQN and host NQN:
 * what bears an NQN of the volume, and the host NQN given here or one that the caller
 * names as the source, is the volume's; nothing else is ever disconnected. A view's
 * source is the host NQNs of its sessions, joined by commas. */
struct nvme_tcp_conf {
	const char *state_dir; /* borrowed; made when missing, mode 0700 */
	const char *host_nqn;  /* borrowed; of the sessions that are made here */
	const char *host_id;   /* borrowed; a UUID */
	unsigned max_connects; /* at a time, the others wait their turn; 0 = no limit */
	/* Between the two answers by which a target refuses a name for good; up to 60 s
	 */
	unsigned refusal_settle_ms;
	const char *helper; /* program with helper_main; NULL = this program */
	/* For tests; NULL = /sys and /proc/self/mountinfo. */
	const char *sys_root, *mountinfo;
};

/* NULL with err when the state directory cannot be used. Connects nothing, and needs no
 * kernel module: see nvme_tcp_check_kernel. */
struct nvme *nvme_tcp_new(uv_loop_t *loop, const struct nvme_tcp_conf *conf,
			  struct err *err);
/* No request may be running. Frees nvme, then calls stopped once, from the loop. */
void nvme_tcp_stop(struct nvme *nvme, void (*stopped)(void *arg), void *arg);

/* A reconnect leaves from the initial network namespace, whatever namespace connected
 * (kernel 6.1), so this process must be in it: a pod with hostNetwork. 0, also where
 * the kernel cannot tell (before 5.14); -1 with FAILED_PRECONDITION. */
int nvme_tcp_check_network(struct err *err);
/* Whether the kernel has its NVMe/TCP host, and this process its device node. 0, or -1
 * with FAILED_PRECONDITION that says what to do. */
int nvme_tcp_check_kernel(struct err *err);
#endif
