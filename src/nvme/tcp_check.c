#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nvme/tcp.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h, kernel 5.14 */
#endif

/* Cookies are given from 1 upwards, and the first network namespace is the initial one
 * (net/core/net_namespace.c, setup_net; kernels 6.1 and 6.12). */
enum { INITIAL_COOKIE = 1 };

int nvme_tcp_check_network(struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = INITIAL_COOKIE;
	socklen_t n = sizeof(cookie);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n))
		cookie = INITIAL_COOKIE; /* cannot be told */
	(void)close(fd);
	if (cookie == INITIAL_COOKIE)
		return 0;
	return err_set(
		err, ERR_PRECONDITION,
		"this process is not in the host's network namespace (hostNetwork: "
		"true is missing): NVMe/TCP would connect from here, but reconnect "
		"from the host");
}

int nvme_tcp_check_kernel(struct err *err)
{
	if (access("/sys/module/nvme_tcp", F_OK))
		return err_set(err, ERR_PRECONDITION,
			       "the kernel module nvme-tcp is not loaded: run \"modprobe "
			       "nvme-tcp\" on the node, and list it in "
			       "/etc/modules-load.d");
	if (access("/dev/nvme-fabrics", R_OK | W_OK))
		return err_set(err, ERR_PRECONDITION,
			       "/dev/nvme-fabrics: %s; the node plugin needs the host's "
			       "/dev and the right to use it",
			       strerror(errno));
	return 0;
}
