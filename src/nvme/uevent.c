#include "nvme/uevent.h"

#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The group that the kernel itself speaks to; udev repeats to another. */
enum { GROUP_KERNEL = 1 };

int uevent_open(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = GROUP_KERNEL };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

/* Messages that were lost for want of room (ENOBUFS) wake as well, once. */
void uevent_wait(int fd, uint64_t wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char scrap[64];

	if (poll(&p, 1, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms) <= 0)
		return;
	while (recv(fd, scrap, sizeof(scrap), 0) >= 0)
		;
}
