#include "nvme/host.h"

#include <string.h>

#include "core/mem.h"
#include "support/t.h"

/* As a container has them (containerd 1.6, runc 1.1): a root of its own, the kubelet's
 * directory from the host. */
#define ROOT "309 182 0:75 / / ro,relatime - overlay overlay rw,lowerdir=/x\n"
#define KUBELET(how)                                                       \
	"320 309 254:0 /var/lib/kubelet /var/lib/kubelet rw,relatime " how \
	"- ext4 /dev/vda rw\n"

Test(host, what_is_mounted_must_reach_the_kubelet)
{
	const char *const dir = "/var/lib/kubelet";
	struct err err = { .code = ERR_OK };

	cr_assert_eq(host_check_mounts(ROOT KUBELET("shared:35 "), dir, &err), 0);
	cr_assert_eq(host_check_mounts(ROOT KUBELET("shared:35 master:2 "), dir, &err),
		     0);
	cr_assert_eq(host_check_mounts(ROOT, dir, &err), 0, "no container's");
	cr_assert_eq(host_check_mounts(ROOT KUBELET(""), "/var/lib", &err), 0);
	cr_assert_eq(host_check_mounts(ROOT KUBELET(""), dir, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
	cr_assert(strstr(err.msg, "mountPropagation: Bidirectional"), "%s", err.msg);
	cr_assert(strstr(err.msg, dir), "%s", err.msg);
	err.code = ERR_OK;
	cr_assert_eq(host_check_mounts(ROOT KUBELET("master:35 "), dir, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION, "HostToContainer is not enough");
	cr_assert_eq(mem_live(), 0);
}

Test(host, root_needs_the_capability_to_mount)
{
	struct err err = { .code = ERR_OK };

	cr_assert_eq(host_check_capabilities("Name:\tx\nUid:\t0\t0\t0\t0\n"
					     "CapEff:\t0000000000200000\n",
					     &err),
		     0);
	cr_assert_eq(host_check_capabilities("Name:\tx\nUid:\t1000\t0\t0\t0\n"
					     "CapEff:\t0000000000000000\n",
					     &err),
		     0, "no container's root");
	cr_assert_eq(host_check_capabilities("Name:\tx\n", &err), 0, "not told");
	cr_assert_eq(host_check_capabilities("Name:\tx\nUid:\t0\t0\t0\t0\n"
					     "CapEff:\t000001ffffdfffff\n",
					     &err),
		     -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
	cr_assert(strstr(err.msg, "CAP_SYS_ADMIN"), "%s", err.msg);
}

Test(host, reads_of_this_process)
{
	struct err err = { .code = ERR_OK };

	cr_assert_eq(host_check_kubelet_dir("/nonexistent", &err), 0, "%s", err.msg);
	cr_assert(host_check_rights(&err) == 0 || err.code == ERR_PRECONDITION);
	cr_assert_eq(mem_live(), 0);
}
