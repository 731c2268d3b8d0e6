/* Subvolumes: real ones by ioctl where the directory is on Btrfs, plain directories
 * elsewhere, whose snapshots are copies. Each subvolume lies at <pool>/<fullname>. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "sim/box.h"

enum {
	BTRFS_MAGIC = 0x9123683e,
};

bool box_is_btrfs(const char *dir)
{
	struct statfs st;

	return statfs(dir, &st) == 0 && (unsigned long)st.f_type == BTRFS_MAGIC;
}

static struct subvol **bucket(struct box *b, const char *fullname)
{
	return &b->svs[hash_str(fullname) % BOX_HASH];
}

struct subvol *box_subvol_by_name(struct box *b, const char *fullname)
{
	struct subvol *s;

	for (s = *bucket(b, fullname); s; s = s->hash_next)
		if (!s->dead_until && strcmp(s->fullname, fullname) == 0)
			return s;
	return NULL;
}

struct subvol *box_subvol_by_id(struct box *b, unsigned id)
{
	struct subvol *s;

	for (s = b->sv_last; s; s = s->prev)
		if (s->id == id)
			return s;
	return NULL;
}

static void host_of(const struct box *b, const char *fullname, char *ret, size_t size)
{
	snprintf(ret, size, "%s/pool/%s", b->opt.dir, fullname);
}

/* Opens the directory that holds host and finds the name in it. */
static int open_parent(const char *host, const char **ret_name)
{
	char parent[1024];
	const char *slash = strrchr(host, '/');

	snprintf(parent, sizeof parent, "%.*s", (int)(slash - host), host);
	*ret_name = slash + 1;
	return open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int btrfs_name_ioctl(const char *host, unsigned long request)
{
	struct btrfs_ioctl_vol_args args = { 0 };
	const char *name;
	int fd = open_parent(host, &name), rc, e;

	if (fd < 0)
		return -1;
	snprintf(args.name, sizeof args.name, "%s", name);
	rc = ioctl(fd, request, &args);
	e = errno;
	close(fd);
	errno = e;
	return rc;
}

static int btrfs_snapshot(const char *host, const char *from, bool read_only)
{
	struct btrfs_ioctl_vol_args_v2 args = { 0 };
	const char *name;
	int fd = open_parent(host, &name), src, rc, e;

	if (fd < 0)
		return -1;
	src = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	args.fd = src;
	args.flags = read_only ? BTRFS_SUBVOL_RDONLY : 0;
	snprintf(args.name, sizeof args.name, "%s", name);
	rc = ioctl(fd, BTRFS_IOC_SNAP_CREATE_V2, &args);
	e = errno;
	close(src);
	close(fd);
	errno = e;
	return rc;
}

/* Copies data and leaves the holes. */
static int copy_file(const char *to, const char *from)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	struct stat st;
	off_t at = 0, end;

	if (in < 0 || fstat(in, &st) < 0)
		return -1;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0 || ftruncate(out, st.st_size) < 0) {
		close(in);
		return -1;
	}
	while ((at = lseek(in, at, SEEK_DATA)) >= 0) {
		off_t dst = at;

		end = lseek(in, at, SEEK_HOLE);
		while (at < end &&
		       copy_file_range(in, &at, out, &dst, (size_t)(end - at), 0) > 0)
			;
		if (at < end)
			break;
	}
	close(in);
	close(out);
	return 0;
}

static int copy_tree(const char *to, const char *from)
{
	char src[1024], dst[1024];
	struct dirent *e;
	struct stat st;
	DIR *dir;
	int rc = 0;

	if (mkdir(to, 0755) < 0)
		return -1;
	dir = opendir(from);
	while (dir && rc == 0 && (e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (snprintf(src, sizeof src, "%s/%s", from, e->d_name) >=
			    (int)sizeof src ||
		    snprintf(dst, sizeof dst, "%s/%s", to, e->d_name) >= (int)sizeof dst)
			continue;
		if (lstat(src, &st) == 0 && S_ISREG(st.st_mode))
			rc = copy_file(dst, src);
	}
	if (dir)
		closedir(dir);
	return rc;
}

static void remove_tree(const char *path, unsigned depth)
{
	char sub[1024];
	struct dirent *e;
	DIR *dir = depth < 8 ? opendir(path) : NULL;

	while (dir && (e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (snprintf(sub, sizeof sub, "%s/%s", path, e->d_name) >=
		    (int)sizeof sub)
			continue;
		if (unlink(sub) < 0)
			remove_tree(sub, depth + 1);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

struct subvol *box_subvol_link(struct box *b, unsigned id, const char *fullname)
{
	struct subvol *s = xmalloc(sizeof *s), **at = bucket(b, fullname);
	const char *slash = strrchr(fullname, '/');

	s->id = id;
	if (id >= b->next_subvol)
		b->next_subvol = id + 1;
	s->fullname = xstrdup(fullname);
	s->name = slash ? s->fullname + (slash + 1 - fullname) : s->fullname;
	b->n_subvols++;
	b->n_nested += slash != NULL;
	s->prev = b->sv_last;
	if (b->sv_last)
		b->sv_last->next = s;
	else
		b->sv_first = s;
	b->sv_last = s;
	s->hash_next = *at;
	*at = s;
	return s;
}

void box_subvol_unlink(struct box *b, struct subvol *s)
{
	struct subvol **at = bucket(b, s->fullname);

	while (*at != s)
		at = &(*at)->hash_next;
	*at = s->hash_next;
	b->n_subvols--;
	b->n_nested -= s->name != s->fullname;
	if (s->prev)
		s->prev->next = s->next;
	else
		b->sv_first = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		b->sv_last = s->prev;
	free(s->fullname);
	free(s);
}

static int make_subvol(struct box *b, const char *host, struct subvol *from,
		       bool read_only)
{
	char src[1024];

	if (access(host, F_OK) == 0) {
		errno = EEXIST;
		return -1;
	}
	if (from)
		host_of(b, from->fullname, src, sizeof src);
	if (b->real_btrfs)
		return from ? btrfs_snapshot(host, src, read_only)
			    : btrfs_name_ioctl(host, BTRFS_IOC_SUBVOL_CREATE);
	return from ? copy_tree(host, src) : mkdir(host, 0755);
}

static void stamp(char *ret, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(ret, size, "%Y-%m-%d %H:%M:%S", &tm);
}

struct subvol *box_subvol_add(struct box *b, const char *fullname, struct subvol *from,
			      bool read_only)
{
	char host[1024];
	struct subvol *s;

	host_of(b, fullname, host, sizeof host);
	if (make_subvol(b, host, from, read_only) < 0)
		return NULL;
	s = box_subvol_link(b, b->next_subvol, fullname);
	s->is_read_only = read_only;
	s->is_snapshot = from != NULL;
	box_uuid(s->uuid);
	if (from)
		snprintf(s->parent_uuid, sizeof s->parent_uuid, "%s", from->uuid);
	stamp(s->created, sizeof s->created);
	box_save_subvol(b, s);
	return s;
}

static void forget_images_under(struct box *b, const char *fullname)
{
	char prefix[512];
	size_t n;

	snprintf(prefix, sizeof prefix, "%s/%s/", b->opt.mount_point, fullname);
	n = strlen(prefix);
	for (unsigned i = 0; i < BOX_HASH; i++) {
		struct image *img = b->images[i], *next;

		for (; img; img = next) {
			next = img->next;
			if (strncmp(img->path, prefix, n) == 0)
				box_image_forget(b, img->path);
		}
	}
}

int box_subvol_remove(struct box *b, struct subvol *s)
{
	char host[1024], image[512];

	host_of(b, s->fullname, host, sizeof host);
	if (b->real_btrfs) {
		if (btrfs_name_ioctl(host, BTRFS_IOC_SNAP_DESTROY) < 0)
			return -1;
	} else {
		remove_tree(host, 0);
	}
	/* Nearly always there is one image of the usual name: no walk for it. */
	snprintf(image, sizeof image, "%s/%s/volume.img", b->opt.mount_point,
		 s->fullname);
	if (box_image(b, image))
		box_image_forget(b, image);
	else
		forget_images_under(b, s->fullname);
	box_save_gone(b, "v", s->id);
	if (b->opt.dead_ms)
		s->dead_until = now_ms() + b->opt.dead_ms;
	else
		box_subvol_unlink(b, s);
	return 0;
}
