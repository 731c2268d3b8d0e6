/* A plain directory that behaves as nvmet's configfs does: attributes appear with their
 * directory, and what the kernel refuses is refused (seen on 6.1 and 6.12). Everything is
 * done in other processes, so the state is files, and so is the log: one line for every
 * change, ROOT/log. Writing enable=0 hangs while ROOT/hold-NQN is there. */
#ifndef SIM_TESTS_FAKE_CONFIGFS_H
#define SIM_TESTS_FAKE_CONFIGFS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "sim/nvmet.h"
#include "sim/tests/t_sim.h"

static char fake_root[256];

static inline int fake_put(const char *dir, const char *name, const char *text)
{
	char path[1400];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		return -1;
	fputs(text, f);
	fclose(f);
	return 0;
}

static inline void fake_log(const char *what, const char *path, const char *text)
{
	char file[300];
	FILE *f;

	snprintf(file, sizeof file, "%s/log", fake_root);
	f = fopen(file, "ae");
	fprintf(f, "%s %s%s%s\n", what, path + strlen(fake_root) + 1, *text ? " " : "",
		text);
	fclose(f);
}

static inline const char *fake_last(const char *path)
{
	return strrchr(path, '/') + 1;
}

static inline bool fake_is_port(const char *path)
{
	return strncmp(path + strlen(fake_root), "/ports/", 7) == 0;
}

static inline bool fake_is_namespace(const char *path)
{
	return strstr(path, "/namespaces/") != NULL;
}

static inline int fake_mkdir(const char *path)
{
	char sub[1100];

	if (mkdir(path, 0755) < 0)
		return -1;
	fake_log("mkdir", path, "");
	if (fake_is_port(path)) {
		fake_put(path, "addr_trtype", "");
		fake_put(path, "addr_adrfam", "");
		fake_put(path, "addr_traddr", "");
		fake_put(path, "addr_trsvcid", "");
		snprintf(sub, sizeof sub, "%s/subsystems", path);
		return mkdir(sub, 0755);
	}
	if (fake_is_namespace(path)) {
		fake_put(path, "device_path", "(null)");
		fake_put(path, "buffered_io", "0");
		fake_put(path, "device_uuid", "");
		fake_put(path, "revalidate_size", "");
		return fake_put(path, "enable", "0");
	}
	fake_put(path, "attr_allow_any_host", "0");
	snprintf(sub, sizeof sub, "%s/namespaces", path);
	return mkdir(sub, 0755);
}

static inline unsigned fake_count(const char *dir, const char *sub)
{
	char path[1100];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/%s", dir, sub);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static inline bool fake_is_linked(const char *name)
{
	char path[600];
	struct stat st;

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof path, "%s/ports/%d/subsystems/%s", fake_root, i,
			 name);
		if (lstat(path, &st) == 0)
			return true;
	}
	return false;
}

static inline int fake_rmdir(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -1;
	if (fake_is_port(path)
		    ? fake_count(path, "subsystems") != 0
		    : !fake_is_namespace(path) && fake_count(path, "namespaces") != 0) {
		errno = ENOTEMPTY;
		return -1;
	}
	if (!fake_is_port(path) && !fake_is_namespace(path) &&
	    fake_is_linked(fake_last(path))) {
		errno = EBUSY;
		return -1;
	}
	fake_log("rmdir", path, "");
	return nftw(path, t_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int fake_read(const char *path, char *ret, size_t size)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	ret[fread(ret, 1, size - 1, f)] = 0;
	fclose(f);
	return 0;
}

static inline bool fake_sibling_is(const char *path, const char *name, const char *want)
{
	char at[1100], text[600] = "";

	snprintf(at, sizeof at, "%.*s%s", (int)(fake_last(path) - path), path, name);
	fake_read(at, text, sizeof text);
	return strcmp(text, want) == 0;
}

static inline int fake_enable(const char *path, const char *text)
{
	char at[1100], file[600] = "", name[256];

	snprintf(at, sizeof at, "%.*sdevice_path", (int)(fake_last(path) - path), path);
	fake_read(at, file, sizeof file);
	if (*text == '1')
		return access(file, R_OK | W_OK);
	snprintf(name, sizeof name, "%s",
		 path + strlen(fake_root) + strlen("/subsystems/"));
	name[strcspn(name, "/")] = 0;
	snprintf(at, sizeof at, "%s/hold-%s", fake_root, name);
	while (access(at, F_OK) == 0)
		poll(NULL, 0, 1);
	return 0;
}

static inline int fake_write(const char *path, const char *text)
{
	const char *attr = fake_last(path);
	char dir[1100];

	if (access(path, F_OK) < 0)
		return -1;
	snprintf(dir, sizeof dir, "%.*s", (int)(attr - path - 1), path);
	if (strncmp(attr, "addr_", 5) == 0 && fake_count(dir, "subsystems")) {
		errno = EACCES;
		return -1;
	}
	if (fake_is_namespace(path) && strcmp(attr, "enable") != 0 &&
	    strcmp(attr, "revalidate_size") != 0 &&
	    fake_sibling_is(path, "enable", "1")) {
		errno = EBUSY;
		return -1;
	}
	if (!strcmp(attr, "enable") && fake_enable(path, text) < 0)
		return -1;
	fake_log("write", path, text);
	return fake_put(dir, attr, text);
}

static inline int fake_link(const char *to, const char *path)
{
	char dir[1100], text[16] = "";

	snprintf(dir, sizeof dir, "%.*s", (int)(strstr(path, "/subsystems/") - path),
		 path);
	if (access(to, F_OK) < 0)
		return -1;
	strcat(dir, "/addr_trsvcid");
	fake_read(dir, text, sizeof text);
	if (!*text) {
		errno = EINVAL;
		return -1;
	}
	if (symlink(to, path) < 0)
		return -1;
	fake_log("link", path, "");
	return 0;
}

static inline int fake_unlink(const char *path)
{
	if (unlink(path) < 0)
		return -1;
	fake_log("unlink", path, "");
	return 0;
}

static const struct nvmet_fs fake_configfs = { .mkdir = fake_mkdir,
					       .rmdir = fake_rmdir,
					       .write = fake_write,
					       .read = fake_read,
					       .link = fake_link,
					       .unlink = fake_unlink };

#endif
