#include "nvme/uevent.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
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

/* "add@/devices/virtual/nvme-fabrics/ctl/nvme5/…"; a disk with multipath=Y lies under its
 * subsystem, whose number is its own. What is made of a session or a disk besides (its
 * readahead, its generic character device) says nothing that the disk does not say. */
bool uevent_may_be_of(const char *message, const char *ctrl)
{
	static const char ctl[] = "/ctl/";
	const char *at = strstr(message, ctl);
	size_t n;

	if (!at)
		return !strstr(message, "/virtual/bdi/") &&
		       !strstr(message, "/nvme-generic/");
	at += sizeof(ctl) - 1;
	n = strcspn(at, "/");
	return n == strlen(ctrl) && memcmp(at, ctrl, n) == 0;
}

/* Reads all that has come; whether any of it counts, be it that some was lost. */
static bool drain(int fd, const char *ctrl)
{
	char message[512];
	bool counts = false;
	ssize_t n;

	while ((n = recv(fd, message, sizeof(message) - 1, 0)) >= 0) {
		message[n] = '\0';
		counts |= uevent_may_be_of(message, ctrl);
	}
	return counts || errno != EAGAIN;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void uevent_wait_for(int fd, const char *ctrl, uint64_t wait_ms)
{
	uint64_t now = now_ms(), end = now + wait_ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (; now < end; now = now_ms()) {
		int left = end - now > INT_MAX ? INT_MAX : (int)(end - now);

		if (poll(&p, 1, left) <= 0 || drain(fd, ctrl))
			return;
	}
}
