#include "nvme/uevent.h"

#include <fcntl.h>
#include <unistd.h>

#include "support/t.h"

/* Asks the kernel to say once more that the device is there: /dev/null's. */
static void speak(void)
{
	int fd = open("/sys/devices/virtual/mem/null/uevent", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		t_skip("needs root and a writable sysfs");
	cr_assert_eq(write(fd, "change", 6), 6);
	close(fd);
}

/* A message that is not heard makes this test hang, until its time limit ends it. */
Test(uevent, a_message_ends_the_wait)
{
	int fd = uevent_open();

	cr_assert_geq(fd, 0);
	speak();
	uevent_wait(fd, 1000000);
	close(fd);
}

Test(uevent, without_messages_the_time_ends_it)
{
	int fd = uevent_open();

	for (int i = 0; i < 3; i++)
		uevent_wait(fd, 1);
	uevent_wait(-1, 1);
	close(fd);
}

Test(uevent, messages_of_others_are_told_apart)
{
	static const char ctl[] = "add@/devices/virtual/nvme-fabrics/ctl/nvme5";

	cr_assert(uevent_may_be_of(ctl, "nvme5"));
	cr_assert(!uevent_may_be_of(ctl, "nvme51"));
	cr_assert(!uevent_may_be_of(ctl, "nvme"));
	cr_assert(uevent_may_be_of("add@/devices/virtual/nvme-fabrics/ctl/nvme5/nvme5n1",
				   "nvme5"));
	cr_assert(!uevent_may_be_of(
		"change@/devices/virtual/nvme-fabrics/ctl/nvme51/nvme51n1", "nvme5"));
	cr_assert(uevent_may_be_of(
		"add@/devices/virtual/nvme-subsystem/nvme-subsys9/nvme9n1", "nvme5"));
	cr_assert(!uevent_may_be_of("add@/devices/virtual/bdi/259:4", "nvme5"));
	cr_assert(uevent_may_be_of("", "nvme5"));
}

Test(uevent, only_what_concerns_the_session_ends_that_wait)
{
	int fd = uevent_open();

	speak();
	uevent_wait_for(fd, "nvme5", 1000000);
	uevent_wait_for(fd, "nvme5", 5);
	uevent_wait_for(-1, "nvme5", 1);
	close(fd);
}
