#include "support/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvme/sysfs_nvme.h"

static char found[512];
static unsigned max_calls;

static bool on_session(void *arg, const char *ctrl, const char *nqn)
{
	(void)arg;
	(void)ctrl;
	strcat(strcat(found, nqn), " ");
	return --max_calls > 0;
}

static int each(const char *root, unsigned max)
{
	struct err err = { .code = ERR_OK };

	found[0] = '\0';
	max_calls = max;
	return sysfs_nvme_each(root, on_session, NULL, &err);
}

static void put(const char *root, const char *ctrl, const char *transport,
		const char *nqn)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "d=%s/class/nvme/%s; mkdir -p $d && echo %s >$d/transport && echo %s "
		 ">$d/subsysnqn",
		 root, ctrl, transport, nqn);
	cr_assert_eq(system(command), 0);
}

Test(sessions, those_over_tcp_whoever_made_them)
{
	char root[128];

	t_mkdir(root);
	cr_assert_eq(each(root, 9), 0); /* no NVMe in the kernel */
	cr_assert_str_eq(found, "");
	put(root, "nvme0", "pcie", "nqn.host.s-own");
	put(root, "nvme1", "tcp", "nqn.a");
	put(root, "nvme12", "tcp", "nqn.b");
	put(root, "nvme-fabrics", "tcp", "nqn.none");
	cr_assert_eq(each(root, 9), 0);
	cr_assert_eq(strlen(found), 12);
	cr_assert(strstr(found, "nqn.a ") && strstr(found, "nqn.b "), "%s", found);
	cr_assert_eq(each(root, 1), 0);
	cr_assert_eq(strlen(found), 6);
	t_rmdir(root);
}
