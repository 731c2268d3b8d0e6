#include "support/t.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/log.h"
#include "nvme/tools.h"
#include "support/capture.h"

static char dir[128];

static void put(const char *names)
{
	char path[256], copy[256];

	snprintf(copy, sizeof(copy), "%s", names);
	for (char *name = strtok(copy, " "); name; name = strtok(NULL, " ")) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", dir, name);
		f = fopen(path, "w");
		cr_assert_not_null(f);
		fclose(f);
		cr_assert_eq(chmod(path, 0755), 0);
	}
}

/* What was logged about it. */
static const char *check(int want)
{
	const char *const dirs[] = { "/nonexistent", dir, NULL };
	struct err err = { .code = ERR_OK };
	const char *text;
	int rc;

	t_capture();
	rc = tools_check(dirs, &err);
	text = t_captured(NULL);
	cr_assert_eq(rc, want, "%s", err.msg);
	cr_assert_eq(err.code, want ? ERR_PRECONDITION : ERR_OK);
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

Test(tools, one_line_for_each_file_system_that_cannot_be_served)
{
	const char *text;

	log_open(LOG_INFO, true);
	t_mkdir(dir);
	cr_assert_eq(lines(check(-1)), 4);
	put("e2fsck resize2fs mkfs.ext4");
	text = check(0);
	cr_assert_eq(lines(text), 3, "%s", text);
	cr_assert_not_null(strstr(text, "\"missing\":\"mkfs.ext3\""), "%s", text);
	cr_assert_not_null(strstr(text, "\"missing\":\"mkfs.xfs xfs_growfs\""), "%s",
			   text);
	cr_assert_not_null(strstr(text, "\"missing\":\"mkfs.btrfs btrfs\""), "%s", text);
	put("mkfs.ext3 mkfs.xfs xfs_growfs mkfs.btrfs btrfs");
	text = check(0);
	cr_assert_str_eq(text, "");
	t_rmdir(dir);
}
