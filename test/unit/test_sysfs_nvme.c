#include "nvme/sysfs_nvme.h"

#include <stdio.h>
#include <string.h>

#include "support/fake_sys.h"
#include "support/t.h"

#define BASE "nqn.2000-02.com.mikrotik:pvc-1"
#define OWN "nqn.2014-08.org.nvmexpress:uuid:own"
#define HIS "nqn.2014-08.org.nvmexpress:uuid:his"

static char root[128];

static unsigned find(const char *nqn, const char *base, const char *hosts,
		     struct nvme_sessions *s)
{
	struct nvme_wanted w = { nqn, base, hosts };
	struct err err = { .code = ERR_OK };

	cr_assert_eq(sysfs_nvme_find(root, &w, NULL, s, &err), 0, "%s", err.msg);
	return s->n;
}

Test(sysfs_nvme, sessions_are_told_by_nqn_and_host)
{
	struct nvme_sessions s;

	t_mkdir(root);
	cr_assert_eq(find(BASE, "", NULL, &s), 0, "no NVMe in the kernel");
	fake_session(root, "nvme0", BASE, OWN, "live");
	fake_session(root, "nvme1", BASE "0", OWN, "live");
	fake_session(root, "nvme2", BASE, HIS, "connecting");
	fake_session(root, "nvme3", BASE ".g7-0a1b2c3d", OWN, "deleting (no IO)");
	fake_session(root, "nvme4", "nqn.1994-11.com.vendor:disk", OWN, "live");
	fake_put(root, "class/nvme/nvme4/transport", "pcie\n");
	cr_assert_eq(find(BASE, "", OWN, &s), 1);
	cr_assert_str_eq(s.at[0].ctrl, "nvme0");
	cr_assert(s.at[0].state == NVME_LIVE && !strcmp(s.at[0].host_nqn, OWN));
	cr_assert_eq(find(BASE, "", NULL, &s), 2);
	cr_assert_eq(find(BASE, "", HIS, &s), 1);
	cr_assert_eq(s.at[0].state, NVME_RECOVERING);
	cr_assert_eq(find(BASE, "", HIS "," OWN, &s), 2);
	cr_assert_eq(find("", BASE, OWN, &s), 2, "the base and its generation");
	cr_assert_eq(find(BASE ".g7-0a1b2c3d", "", OWN, &s), 1);
	cr_assert_eq(s.at[0].state, NVME_GOING);
	cr_assert_eq(find("nqn.1994-11.com.vendor:disk", "", NULL, &s), 0,
		     "the host's own disk");
	cr_assert_eq(find("", "", NULL, &s), 0);
	t_rmdir(root);
}

/* In a real sysfs a new session has a new inode number. */
Test(sysfs_nvme, what_was_read_of_others_is_not_read_again)
{
	struct nvme_wanted w = { BASE, "", NULL }, other = { BASE "0", "", NULL };
	struct nvme_names names = { .at = NULL };
	struct nvme_sessions s;
	struct err err = { .code = ERR_OK };
	char from[300], to[300];

	t_mkdir(root);
	fake_session(root, "nvme0", BASE, OWN, "live");
	fake_session(root, "nvme70", BASE "0", OWN, "live");
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(sysfs_nvme_find(root, &w, &names, &s, &err), 0);
		cr_assert(s.n == 1 && strcmp(s.at[0].ctrl, "nvme0") == 0);
		cr_assert_eq(sysfs_nvme_find(root, &other, &names, &s, &err), 0);
		cr_assert(s.n == 1 && strcmp(s.at[0].ctrl, "nvme70") == 0);
	}
	/* The same entry with another text: only the numbers say that it is another. */
	fake_put(root, "class/nvme/nvme70/subsysnqn", BASE "\n");
	cr_assert_eq(sysfs_nvme_find(root, &w, &names, &s, &err), 0);
	cr_assert_eq(s.n, 1, "it was not read again");
	fake_session(root, "x", BASE, OWN, "live");
	snprintf(from, sizeof(from), "%s/class/nvme/x", root);
	snprintf(to, sizeof(to), "%s/class/nvme/nvme71", root);
	cr_assert_eq(rename(from, to), 0);
	cr_assert_eq(sysfs_nvme_find(root, &w, &names, &s, &err), 0);
	cr_assert_eq(s.n, 2);
	snprintf(from, sizeof(from), "%s/class/nvme/nvme70", root);
	cr_assert_eq(rename(to, from), -1, "not empty");
	snprintf(to, sizeof(to), "%s/class/nvme/gone", root);
	cr_assert_eq(rename(from, to), 0);
	snprintf(to, sizeof(to), "%s/class/nvme/nvme71", root);
	cr_assert_eq(rename(to, from), 0);
	cr_assert_eq(sysfs_nvme_find(root, &w, &names, &s, &err), 0);
	cr_assert_eq(s.n, 2, "another inode under the old name");
	/* What is wanted is believed only as it is read. */
	fake_put(root, "class/nvme/nvme0/subsysnqn", "nqn.else\n");
	cr_assert_eq(sysfs_nvme_find(root, &w, &names, &s, &err), 0);
	cr_assert_eq(s.n, 1);
	nvme_names_fini(&names);
	t_rmdir(root);
	cr_assert_eq(mem_live(), 0);
}

Test(sysfs_nvme, half_a_session_is_none)
{
	static const char *const files[] = { "subsysnqn", "transport", "hostnqn",
					     "state" };
	struct nvme_sessions s;
	char path[300];

	t_mkdir(root);
	for (unsigned i = 0; i < 4; i++) {
		fake_session(root, "nvme0", BASE, OWN, "live");
		snprintf(path, sizeof(path), "%s/class/nvme/nvme0/%s", root, files[i]);
		cr_assert_eq(remove(path), 0);
		cr_assert_eq(find(BASE, "", NULL, &s), 0, "%s", files[i]);
	}
	fake_session(root, "nvme0x", BASE, OWN, "live");
	fake_session(root, "nvme-x", BASE, OWN, "live");
	fake_session(root, "nvme", BASE, OWN, "live");
	cr_assert_eq(find(BASE, "", NULL, &s), 0, "no names of controllers");
	t_rmdir(root);
}

Test(sysfs_nvme, hostile_attributes_are_no_match)
{
	static char nqn[5000];
	struct nvme_sessions s;

	t_mkdir(root);
	memset(nqn, 'n', sizeof(nqn) - 1);
	fake_session(root, "nvme0", nqn, OWN, "live");
	fake_session(root, "nvme1", BASE "\n" BASE, OWN, "live");
	fake_session(root, "nvme2", "", OWN, "live");
	fake_session(root, "nvme3", BASE, "", "live");
	cr_assert_eq(find(BASE, "", OWN, &s), 0);
	cr_assert_eq(find(BASE, "", NULL, &s), 1);
	fake_session(root, "nvme4", BASE, OWN, "some new state");
	cr_assert_eq(find(BASE, "", OWN, &s), 1);
	cr_assert_eq(s.at[0].state, NVME_RECOVERING, "what is not known is not live");
	t_rmdir(root);
}

Test(sysfs_nvme, too_many_sessions_are_an_error)
{
	struct nvme_wanted w = { BASE, "", NULL };
	struct nvme_sessions s;
	struct err err;
	char name[16];

	t_mkdir(root);
	for (int i = 0; i <= NVME_SESSIONS_MAX; i++) {
		snprintf(name, sizeof(name), "nvme%d", i);
		fake_session(root, name, BASE, OWN, "live");
	}
	cr_assert_eq(sysfs_nvme_find(root, &w, NULL, &s, &err), -1);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	t_rmdir(root);
}

Test(sysfs_nvme, names_of_a_volume)
{
	cr_assert(nvme_is_name_of(BASE, BASE));
	cr_assert(nvme_is_name_of(BASE ".g12-0a1b2c3d", BASE));
	cr_assert(!nvme_is_name_of(BASE "1", BASE));
	cr_assert(!nvme_is_name_of(BASE ".x", BASE));
	cr_assert(!nvme_is_name_of(BASE ".g", BASE));
	cr_assert(!nvme_is_name_of(BASE ".gx", BASE));
	cr_assert(!nvme_is_name_of("nqn", BASE) && !nvme_is_name_of("", ""));
	cr_assert(nvme_is_host_in("a", "b,a") && nvme_is_host_in("a", "a"));
	cr_assert(!nvme_is_host_in("a", "ab,ba") && !nvme_is_host_in("", ","));
}

Test(sysfs_nvme, the_device_with_multipath)
{
	struct nvme_device d[2];
	char nqn[NVME_NQN_MAX + 1];

	t_mkdir(root);
	fake_session(root, "nvme5", BASE, OWN, "live");
	cr_assert_eq(sysfs_nvme_devices(root, "nvme5", d, 2), 0);
	fake_put(root, "class/nvme/nvme5/nvme3c5n1/size", "0\n");
	cr_assert_eq(sysfs_nvme_devices(root, "nvme5", d, 2), 0, "no path is up yet");
	fake_disk(root, "nvme3n1", "259:6", 2048, BASE);
	cr_assert_eq(sysfs_nvme_devices(root, "nvme5", d, 2), 1);
	cr_assert_str_eq(d[0].path, "/dev/nvme3n1");
	cr_assert(d[0].major == 259 && d[0].minor == 6 && d[0].size_bytes == 1 << 20);
	cr_assert_eq(sysfs_nvme_nqn_of(root, "nvme3n1", nqn), 0);
	cr_assert_str_eq(nqn, BASE);
	cr_assert_eq(sysfs_nvme_nqn_of(root, "../nvme3n1", nqn), -1);
	t_rmdir(root);
}

Test(sysfs_nvme, the_device_without_multipath_and_two_of_them)
{
	struct nvme_device d[2];

	t_mkdir(root);
	fake_session(root, "nvme5", BASE, OWN, "live");
	fake_put(root, "class/nvme/nvme5/nvme5n2/size", "8\n");
	fake_disk(root, "nvme5n2", "259:7", 8, BASE);
	cr_assert_eq(sysfs_nvme_devices(root, "nvme5", d, 2), 1);
	cr_assert_str_eq(d[0].path, "/dev/nvme5n2");
	fake_put(root, "class/nvme/nvme5/nvme5n1/size", "8\n");
	fake_disk(root, "nvme5n1", "259:8", 8, BASE);
	cr_assert_eq(sysfs_nvme_devices(root, "nvme5", d, 2), 2);
	cr_assert(!strcmp(d[0].path, "/dev/nvme5n1") &&
		  !strcmp(d[1].path, "/dev/nvme5n2"));
	cr_assert_eq(sysfs_nvme_devices(root, "nvme5", d, 1), 2);
	cr_assert_str_eq(d[0].path, "/dev/nvme5n1");
	cr_assert_eq(sysfs_nvme_devices(root, "nvme9", d, 2), 0);
	t_rmdir(root);
}
