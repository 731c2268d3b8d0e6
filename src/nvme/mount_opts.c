#include "nvme/mount_opts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/* flag 0: for mount(8) or fstab only, or the default: nothing to do. */
static const struct {
	const char *name;
	unsigned long set, clear;
} known[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "noatime", MS_NOATIME, 0 },
	{ "atime", 0, MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "relatime", MS_RELATIME, 0 },
	{ "norelatime", 0, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME, 0 },
	{ "nostrictatime", 0, MS_STRICTATIME },
	{ "lazytime", MS_LAZYTIME, 0 },
	{ "nolazytime", 0, MS_LAZYTIME },
	{ "mand", MS_MANDLOCK, 0 },
	{ "nomand", 0, MS_MANDLOCK },
	{ "silent", MS_SILENT, 0 },
	{ "loud", 0, MS_SILENT },
	{ "defaults", 0, 0 },
	{ "auto", 0, 0 },
	{ "noauto", 0, 0 },
	{ "user", 0, 0 },
	{ "nouser", 0, 0 },
	{ "_netdev", 0, 0 },
	{ "nofail", 0, 0 },
};

static const char *const denied[] = {
	"bind",	  "rbind",   "move",	  "remount", "private",	     "rprivate",
	"shared", "rshared", "slave",	  "rslave",  "unbindable",   "runbindable",
	"loop",	  "offset",  "sizelimit", "device",  "journal_path", "journal_dev",
	"logdev", "rtdev",   "helper",
};

static bool is_name(const char *word, size_t n, const char *name)
{
	return strlen(name) == n && memcmp(word, name, n) == 0;
}

static int add_data(struct mount_opts *o, const char *word, size_t n, struct err *err)
{
	size_t len = strlen(o->data);

	if (len + n + 2 > sizeof(o->data))
		return err_set(err, ERR_INVALID, "mount_flags are longer than %d bytes",
			       MOUNT_OPTS_MAX);
	(void)snprintf(o->data + len, sizeof(o->data) - len, "%s%.*s", len ? "," : "",
		       (int)n, word);
	return 0;
}

static int add_word(struct mount_opts *o, const char *word, size_t n, struct err *err)
{
	size_t name = strcspn(word, "=,");

	if (name > n)
		name = n;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)word[i] < ' ' || word[i] == 127)
			return err_set(err, ERR_INVALID,
				       "mount_flags hold a control character");
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		if (is_name(word, name, denied[i]))
			return err_set(err, ERR_INVALID, "mount option %s is refused",
				       denied[i]);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (is_name(word, n, known[i].name)) {
			o->flags = (o->flags & ~known[i].clear) | known[i].set;
			return 0;
		}
	/* x-… and X-… are comments for mount(8) and others. */
	if (n > 2 && (word[0] == 'x' || word[0] == 'X') && word[1] == '-')
		return 0;
	return add_data(o, word, n, err);
}

int mount_opts_parse(const char *const *options, struct mount_opts *ret, struct err *err)
{
	ret->flags = 0;
	ret->data[0] = '\0';
	for (; options && *options; options++)
		for (const char *p = *options; *p;) {
			size_t n = strcspn(p, ",");

			if (n && add_word(ret, p, n, err))
				return -1;
			p += n + (p[n] == ',');
		}
	return 0;
}
