#include "nvme/mount_opts.h"

#include <string.h>
#include <sys/mount.h>

#include "support/t.h"

static struct mount_opts o;
static struct err err;

#define PARSE(...) mount_opts_parse((const char *const[]){ __VA_ARGS__, NULL }, &o, &err)

Test(mount_opts, flags_and_data_are_told_apart)
{
	cr_assert_eq(PARSE("noatime,nosuid", "discard", "data=ordered,errors=remount-ro"),
		     0);
	cr_assert_eq(o.flags, MS_NOATIME | MS_NOSUID);
	cr_assert_str_eq(o.data, "discard,data=ordered,errors=remount-ro");
	cr_assert_eq(mount_opts_parse(NULL, &o, &err), 0);
	cr_assert(o.flags == 0 && o.data[0] == '\0');
	cr_assert_eq(PARSE("ro", "rw", ",,", "defaults,_netdev,x-systemd.automount"), 0);
	cr_assert(o.flags == 0 && o.data[0] == '\0');
}

Test(mount_opts, nothing_forces_noexec)
{
	cr_assert_eq(PARSE("exec", "suid", "dev"), 0);
	cr_assert_eq(o.flags, 0);
}

Test(mount_opts, what_reaches_beyond_the_volume_is_refused_by_name)
{
	static const char *const bad[] = { "bind",
					   "noatime,rbind",
					   "remount",
					   "move",
					   "shared",
					   "loop",
					   "loop=/dev/loop1",
					   "offset=4096",
					   "device=/dev/sda",
					   "logdev=/dev/sda",
					   "journal_path=/dev/sda" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(PARSE("noatime", bad[i]), -1, "%s", bad[i]);
		cr_assert_eq(err.code, ERR_INVALID);
	}
	cr_assert_eq(PARSE("nobinding", "binder=1"), 0, "only whole names are refused");
	cr_assert_eq(PARSE("a\nb"), -1);
}

Test(mount_opts, too_long_is_refused)
{
	static char big[MOUNT_OPTS_MAX + 10];

	memset(big, 'x', sizeof(big) - 1);
	cr_assert_eq(PARSE(big), -1);
	big[MOUNT_OPTS_MAX - 2] = '\0';
	cr_assert_eq(PARSE(big), 0);
	cr_assert_eq(PARSE(big, "y"), -1);
}
