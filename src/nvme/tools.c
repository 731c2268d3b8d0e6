#include "nvme/tools.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "nvme/fs.h"

/* As core/proc. */
static const char *const default_dirs[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin",
					    NULL };
static const char *const fs_types[] = { "ext4", "ext3", "xfs", "btrfs" };

static bool is_there(const char *const *dirs, const char *name)
{
	char path[512];

	for (; *dirs; dirs++) {
		(void)snprintf(path, sizeof(path), "%s/%s", *dirs, name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Appends the command's name when it is missing. */
static void look_for(const char *const *dirs, const struct fs_command *c, char *missing,
		     size_t size)
{
	size_t n = strlen(missing);

	if (!is_there(dirs, c->argv[0]))
		(void)snprintf(missing + n, size - n, "%s%s", n ? " " : "", c->argv[0]);
}

/* What nvme/fs.c would run is what must be there. True when the type can be made. */
static bool check_type(const char *const *dirs, const char *type)
{
	static const char uuid[] = "00000000-0000-0000-0000-000000000000";
	char missing[128] = "";
	struct fs_command c;
	bool has_mkfs;

	if (fs_mkfs(&c, type, uuid, "/dev/x") == 0)
		look_for(dirs, &c, missing, sizeof(missing));
	has_mkfs = !missing[0];
	if (fs_check(&c, type, "/dev/x", false) == 0)
		look_for(dirs, &c, missing, sizeof(missing));
	if (fs_grow(&c, type, "/dev/x", "/x") == 0)
		look_for(dirs, &c, missing, sizeof(missing));
	if (missing[0])
		log_warn("node", "programs are missing: not every volume can be served",
			 KS("fs", type), KS("missing", missing));
	return has_mkfs;
}

int tools_check(const char *const *dirs, struct err *err)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(fs_types) / sizeof(fs_types[0]); i++)
		n += check_type(dirs ? dirs : default_dirs, fs_types[i]);
	if (n)
		return 0;
	return err_set(err, ERR_PRECONDITION,
		       "no program to make a file system is there: install e2fsprogs, "
		       "xfsprogs or btrfs-progs");
}
