#include "vm/bare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nvme_ioctl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "vm/kern.h"

enum { DEVICE_MS = 60000, HEAD = 128 * 1024, IDENTIFY = 4096, ADMIN_IDENTIFY = 6 };

static int64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int listen_to_kernel(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The kernel makes a disk's node before the disk can be opened; this link comes between.
 */
static bool may_be_opened(unsigned subsystem, unsigned ns)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/sys/block/nvme%un%u/bdi", subsystem, ns);
	return access(path, F_OK) == 0;
}

/* The device of that session: its own, or the head above it with multipath. */
static bool find_device(int number, char device[KERN_NAME])
{
	unsigned subsystem, ctrl, ns;
	struct dirent *e;
	char path[64];
	bool ok = false;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/sys/class/nvme/nvme%d", number);
	d = opendir(path);
	while (d && !ok && (e = readdir(d))) {
		if (sscanf(e->d_name, "nvme%uc%un%u", &subsystem, &ctrl, &ns) != 3 &&
		    sscanf(e->d_name, "nvme%un%u", &subsystem, &ns) != 2)
			continue;
		(void)snprintf(device, KERN_NAME, "/dev/nvme%un%u", subsystem, ns);
		ok = access(device, F_OK) == 0 && may_be_opened(subsystem, ns);
	}
	if (d)
		closedir(d);
	return ok;
}

static bool wait_for_device(int events, int number, char device[KERN_NAME])
{
	struct pollfd p = { .fd = events, .events = POLLIN };
	char drop[4096];

	while (!find_device(number, device)) {
		if (poll(&p, 1, DEVICE_MS) != 1)
			return false;
		while (read(events, drop, sizeof(drop)) > 0)
			;
	}
	return true;
}

static bool look_at(const char *device)
{
	static char identify[IDENTIFY], head[HEAD];
	struct nvme_admin_cmd cmd = { .opcode = ADMIN_IDENTIFY,
				      .nsid = 1,
				      .addr = (uintptr_t)identify,
				      .data_len = sizeof(identify) };
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && ioctl(fd, NVME_IOCTL_ADMIN_CMD, &cmd) == 0 &&
		  pread(fd, head, sizeof(head), 0) == sizeof(head);

	if (fd >= 0)
		close(fd);
	return ok;
}

int64_t bare_stage(struct bare *b)
{
	int64_t began = now_us();
	int events = listen_to_kernel();
	char device[KERN_NAME];
	bool ok;

	b->number = hand_connect(&b->session);
	ok = CHECK(b->number >= 0, "%s: %s", b->session.nqn, strerror(-b->number)) &&
	     CHECK(wait_for_device(events, b->number, device), "no device of %s",
		   b->session.nqn) &&
	     CHECK(look_at(device), "%s: %s", device, strerror(errno)) &&
	     CHECK(mount(device, b->dir, b->fs, 0, "") == 0, "mount %s: %s", device,
		   strerror(errno));
	close(events);
	return ok ? now_us() - began : -1;
}

bool bare_unstage(struct bare *b)
{
	return CHECK(umount(b->dir) == 0, "umount %s: %s", b->dir, strerror(errno)) &&
	       CHECK(hand_disconnect(b->number), "%s stays", b->session.nqn) &&
	       CHECK(kern_until_gone(b->session.nqn, DEVICE_MS), "%s stays",
		     b->session.nqn);
}

static void stage_some(struct bare *all, unsigned n, unsigned first)
{
	for (unsigned i = first; i < n; i += BARE_AT_A_TIME)
		if (bare_stage(&all[i]) < 0)
			_exit(1);
	_exit(0);
}

int64_t bare_stage_all(struct bare *all, unsigned n)
{
	int64_t began = now_us();
	pid_t pid[BARE_AT_A_TIME];
	bool ok = true;
	int status;

	for (unsigned i = 0; i < BARE_AT_A_TIME; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			stage_some(all, n, i);
	}
	for (unsigned i = 0; i < BARE_AT_A_TIME; i++)
		ok = ok && pid[i] > 0 && waitpid(pid[i], &status, 0) == pid[i] &&
		     WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return CHECK(ok, "by hand") ? now_us() - began : -1;
}
