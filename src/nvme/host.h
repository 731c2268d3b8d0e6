#ifndef NVME_HOST_H
#define NVME_HOST_H
#include "core/err.h"

/* What a container must have been given so that the node plugin can work in it. Each
 * would else show late and far away: as a pod that writes into an empty directory, or as
 * a mount that is refused. FAILED_PRECONDITION says what is missing and how it is given.
 */

/* These read /proc. 0, also where it cannot be told. */
int host_check_kubelet_dir(const char *kubelet_dir, struct err *err);
int host_check_rights(struct err *err);

/* Pure. Of a mount at kubelet_dir itself what is mounted below must go on to the host's
 * mounts, where the kubelet and the pods look. No mount there: no container's. */
int host_check_mounts(const char *mountinfo, const char *kubelet_dir, struct err *err);
/* Pure. status is /proc/PID/status: root must have CAP_SYS_ADMIN, which mount(2) and the
 * NVMe commands ask for; other users are told so by the kernel, call by call. */
int host_check_capabilities(const char *status, struct err *err);
#endif
