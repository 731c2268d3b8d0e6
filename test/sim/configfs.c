#include "sim/configfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sim/util.h"

enum {
	PATH_SIZE = 1024,
	MAX_PORTS = 64,
};

/* ---- the real one ---- */
static int real_mkdir(const char *path)
{
	return mkdir(path, 0755);
}

/* An attribute takes its text in one write. */
static int real_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), e;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	e = errno;
	close(fd);
	errno = n < 0 ? e : EIO;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int real_read(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, ret, size - 1);
	close(fd);
	if (n < 0)
		return -1;
	ret[n] = 0;
	ret[strcspn(ret, "\n")] = 0;
	return 0;
}

const struct nvmet_fs configfs_real = { .mkdir = real_mkdir,
					.rmdir = rmdir,
					.write = real_write,
					.read = real_read,
					.link = symlink,
					.unlink = unlink };

/* ---- steps ---- */
const char *nvmet_act_name(enum nvmet_act act)
{
	static const char *const names[] = { "on",     "off",	  "link",
					     "unlink", "admit",	  "refuse",
					     "enable", "disable", "grown" };

	return names[act];
}

static int failed(struct configfs *c, const char *path)
{
	snprintf(c->err, sizeof c->err, "%s: %s", path + strlen(c->root),
		 strerror(errno));
	return -1;
}

static void sub_path(const struct configfs *c, const char *name, const char *rest,
		     char *ret)
{
	snprintf(ret, PATH_SIZE, "%s/subsystems/%s%s", c->root, name, rest);
}

static void link_path(const struct configfs *c, unsigned port, const char *name,
		      char *ret)
{
	snprintf(ret, PATH_SIZE, "%s/ports/%u/subsystems/%s", c->root, port, name);
}

static int make(struct configfs *c, const char *path)
{
	if (c->fs->mkdir(path) < 0 && errno != EEXIST)
		return failed(c, path);
	return 0;
}

static int put(struct configfs *c, const char *name, const char *attr, const char *text)
{
	char path[PATH_SIZE];

	sub_path(c, name, attr, path);
	return c->fs->write(path, text) < 0 ? failed(c, path) : 0;
}

static bool is_enabled(struct configfs *c, const char *name)
{
	char path[PATH_SIZE], text[16];

	sub_path(c, name, "/namespaces/1/enable", path);
	return c->fs->read(path, text, sizeof text) == 0 && text[0] == '1';
}

/* The device goes by itself with its last user, which is the namespace. */
static int loop_open(struct configfs *c, const char *file, char *ret, size_t size)
{
	struct loop_config lc = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd = -1, n = -1;
	int backing = open(file, O_RDWR | O_CLOEXEC);

	lc.fd = (unsigned)backing;
	/* Another may take the number first. */
	for (int i = 0; i < 64 && ctl >= 0 && backing >= 0; i++) {
		n = ioctl(ctl, LOOP_CTL_GET_FREE);
		snprintf(ret, size, "/dev/loop%d", n);
		fd = n < 0 ? -1 : open(ret, O_RDWR | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, &lc) == 0 || errno != EBUSY)
			break;
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		snprintf(c->err, sizeof c->err, "loop device over %s: %s", file,
			 strerror(errno));
	if (ctl >= 0)
		close(ctl);
	if (backing >= 0)
		close(backing);
	return fd;
}

/* tmpfs knows no direct I/O. Elsewhere buffered reads are to be avoided: nvmet (6.1)
 * answers Internal Error with DNR for one of which only a part is in the page cache. A
 * device's node is in a tmpfs too, and is none of its files. */
static bool is_in_tmpfs(const char *file)
{
	struct statfs fs;
	struct stat st;

	return stat(file, &st) == 0 && S_ISREG(st.st_mode) && statfs(file, &fs) == 0 &&
	       (unsigned long)fs.f_type == TMPFS_MAGIC;
}

static int enable_over(struct configfs *c, const struct nvmet_item *it, const char *path,
		       bool is_buffered)
{
	if (put(c, it->name, "/namespaces/1/device_path", path) < 0 ||
	    put(c, it->name, "/namespaces/1/buffered_io", is_buffered ? "1" : "0") < 0 ||
	    put(c, it->name, "/namespaces/1/device_uuid", it->uuid) < 0)
		return -1;
	return put(c, it->name, "/namespaces/1/enable", "1");
}

static int add_namespace(struct configfs *c, const struct nvmet_item *it)
{
	char path[PATH_SIZE], dev[64];
	int loop, rc;

	sub_path(c, it->name, "/namespaces/1", path);
	if (make(c, path) < 0)
		return -1;
	if (is_enabled(c, it->name))
		return 0;
	if (!it->size_fixed)
		return enable_over(c, it, it->file, is_in_tmpfs(it->file));
	loop = loop_open(c, it->file, dev, sizeof dev);
	if (loop < 0)
		return -1;
	rc = enable_over(c, it, dev, false);
	close(loop);
	return rc;
}

static int link_in(struct configfs *c, const struct nvmet_item *it)
{
	char path[PATH_SIZE], sub[PATH_SIZE];

	link_path(c, it->port, it->name, path);
	sub_path(c, it->name, "", sub);
	return c->fs->link(sub, path) < 0 && errno != EEXIST ? failed(c, path) : 0;
}

static int turn_on(struct configfs *c, const struct nvmet_item *it)
{
	char path[PATH_SIZE];

	sub_path(c, it->name, "", path);
	if (make(c, path) < 0 || put(c, it->name, "/attr_allow_any_host", "1") < 0)
		return -1;
	if (it->file[0] && add_namespace(c, it) < 0)
		return -1;
	return it->is_unlinked ? 0 : link_in(c, it);
}

/* From every port: which one it was linked into is not known after a crash. */
static int unlink_all(struct configfs *c, const char *name)
{
	char path[PATH_SIZE];
	struct dirent *e;
	DIR *dir;
	int rc = 0;

	snprintf(path, sizeof path, "%s/ports", c->root);
	dir = opendir(path);
	while (dir && rc == 0 && (e = readdir(dir))) {
		uint64_t port;

		if (parse_u64(e->d_name, &port) < 0)
			continue;
		link_path(c, (unsigned)port, name, path);
		if (c->fs->unlink(path) < 0 && errno != ENOENT)
			rc = failed(c, path);
	}
	if (dir)
		closedir(dir);
	return rc;
}

static int drop(struct configfs *c, const char *name, const char *rest)
{
	char path[PATH_SIZE];

	sub_path(c, name, rest, path);
	return c->fs->rmdir(path) < 0 && errno != ENOENT ? failed(c, path) : 0;
}

static int turn_off(struct configfs *c, const char *name)
{
	if (unlink_all(c, name) < 0)
		return -1;
	if (is_enabled(c, name) && put(c, name, "/namespaces/1/enable", "0") < 0)
		return -1;
	return drop(c, name, "/namespaces/1") < 0 ? -1 : drop(c, name, "");
}

int configfs_apply(struct configfs *c, const struct nvmet_item *it)
{
	switch (it->act) {
	case NVMET_ON:
		return turn_on(c, it);
	case NVMET_OFF:
		return turn_off(c, it->name);
	case NVMET_LINK:
		return link_in(c, it);
	case NVMET_UNLINK:
		return unlink_all(c, it->name);
	case NVMET_ADMIT:
		return put(c, it->name, "/attr_allow_any_host", "1");
	case NVMET_REFUSE:
		return put(c, it->name, "/attr_allow_any_host", "0");
	case NVMET_ENABLE:
		return put(c, it->name, "/namespaces/1/enable", "1");
	case NVMET_DISABLE:
		return put(c, it->name, "/namespaces/1/enable", "0");
	case NVMET_GROWN:
		return put(c, it->name, "/namespaces/1/revalidate_size", "1");
	}
	return -1;
}

/* ---- ports ---- */
static bool port_is(struct configfs *c, unsigned id, const char *attr, const char *want)
{
	char path[PATH_SIZE], text[128];

	snprintf(path, sizeof path, "%s/ports/%u/%s", c->root, id, attr);
	return c->fs->read(path, text, sizeof text) == 0 && strcmp(text, want) == 0;
}

static int port_put(struct configfs *c, unsigned id, const char *attr, const char *text)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/ports/%u/%s", c->root, id, attr);
	return c->fs->write(path, text) < 0 ? failed(c, path) : 0;
}

static int port_make(struct configfs *c, unsigned id, const char *address,
		     const char *svcid)
{
	const char *family = strchr(address, ':') ? "ipv6" : "ipv4";

	if (port_put(c, id, "addr_trtype", "tcp") < 0 ||
	    port_put(c, id, "addr_adrfam", family) < 0 ||
	    port_put(c, id, "addr_traddr", address) < 0)
		return -1;
	return port_put(c, id, "addr_trsvcid", svcid);
}

int configfs_port(struct configfs *c, const char *address, unsigned svcid, unsigned *id)
{
	char path[PATH_SIZE], text[16];

	snprintf(text, sizeof text, "%u", svcid);
	for (unsigned i = *id; i < *id + MAX_PORTS; i++) {
		snprintf(path, sizeof path, "%s/ports/%u", c->root, i);
		if (c->fs->mkdir(path) == 0) {
			*id = i;
			return port_make(c, i, address, text);
		}
		if (errno != EEXIST)
			return failed(c, path);
		if (port_is(c, i, "addr_traddr", address) &&
		    port_is(c, i, "addr_trsvcid", text)) {
			*id = i;
			return 0;
		}
	}
	snprintf(c->err, sizeof c->err, "no free port number");
	return -1;
}

void configfs_drop_port(struct configfs *c, unsigned id)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/ports/%u", c->root, id);
	c->fs->rmdir(path);
}
