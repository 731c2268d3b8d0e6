/* The pool's files and its space. Image files are sparse here but charged whole when
 * made, as a box on XFS was seen to do (RDS2216, 7.24.4). Snapshots share their data and
 * are charged nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/box.h"

const char *box_pool_path(const struct box *b, const char *path)
{
	size_t n = strlen(b->opt.mount_point);

	if (*path == '/')
		path++;
	if (strncmp(path, b->opt.mount_point, n) != 0 || path[n] != '/' || !path[n + 1])
		return NULL;
	for (const char *c = path; c; c = strchr(c + 1, '/')) {
		const char *part = *c == '/' ? c + 1 : c;

		if (!*part || *part == '/' || !strcmp(part, ".") || !strcmp(part, "..") ||
		    !strncmp(part, "./", 2) || !strncmp(part, "../", 3))
			return NULL;
	}
	return path;
}

/* A path on the pool becomes one under DIR/pool: the mount point's name is dropped. */
void box_host_path(const struct box *b, const char *path, char *ret, size_t size)
{
	size_t n = strlen(b->opt.mount_point);

	if (*path == '/')
		path++;
	snprintf(ret, size, "%s/pool%s", b->opt.dir,
		 strncmp(path, b->opt.mount_point, n) == 0 ? path + n : "/?");
}

static struct image **image_at(struct box *b, const char *path)
{
	struct image **at = &b->images[hash_str(path) % BOX_HASH];

	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	return at;
}

struct image *box_image(struct box *b, const char *path)
{
	return *image_at(b, path);
}

void box_image_charge(struct box *b, const char *path, uint64_t bytes)
{
	struct image **at = image_at(b, path);

	if (!*at) {
		*at = xmalloc(sizeof **at);
		(*at)->path = xstrdup(path);
		b->n_images++;
	}
	b->charged += bytes - (*at)->bytes;
	(*at)->bytes = bytes;
}

void box_image_forget(struct box *b, const char *path)
{
	struct image **at = image_at(b, path), *gone = *at;

	if (!gone)
		return;
	*at = gone->next;
	b->charged -= gone->bytes;
	b->n_images--;
	free(gone->path);
	free(gone);
}

uint64_t box_free(const struct box *b)
{
	uint64_t used = b->charged + BOX_OTHER_BYTES;

	return b->no_space || used >= b->opt.pool_bytes ? 0 : b->opt.pool_bytes - used;
}

int box_file_create(struct box *b, const char *path, uint64_t bytes)
{
	char host[1024];
	int fd, e;

	box_host_path(b, path, host, sizeof host);
	fd = open(host, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)bytes) < 0) {
		e = errno;
		close(fd);
		unlink(host);
		errno = e;
		return -1;
	}
	close(fd);
	box_image_charge(b, path, bytes);
	return 0;
}

int box_file_grow(struct box *b, const char *path, uint64_t bytes)
{
	char host[1024];

	box_host_path(b, path, host, sizeof host);
	if (truncate(host, (off_t)bytes) < 0)
		return -1;
	box_image_charge(b, path, bytes);
	return 0;
}

int box_file_remove(struct box *b, const char *path)
{
	char host[1024];
	struct stat st;

	box_host_path(b, path, host, sizeof host);
	if (lstat(host, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode) ? rmdir(host) < 0 : unlink(host) < 0)
		return -1;
	box_image_forget(b, path);
	return 0;
}

static bool has_magic(int fd, off_t at, const char *magic, size_t n)
{
	char buf[16];

	return pread(fd, buf, n, at) == (ssize_t)n && memcmp(buf, magic, n) == 0;
}

const char *box_file_fs(const struct box *b, const char *path)
{
	char host[1024];
	const char *fs = NULL;
	int fd;

	box_host_path(b, path, host, sizeof host);
	fd = open(host, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (has_magic(fd, 1024 + 56, "\x53\xef", 2))
		fs = "ext4";
	else if (has_magic(fd, 0, "XFSB", 4))
		fs = "xfs";
	else if (has_magic(fd, 65536 + 64, "_BHRfS_M", 8))
		fs = "btrfs";
	close(fd);
	return fs;
}

/* In a snapshot, whose data is its origin's. */
static bool is_shared(struct box *b, const char *path)
{
	const char *at = path + strlen(b->opt.mount_point) + 1;
	char name[512];
	const struct subvol *s;

	snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "/"), at);
	s = box_subvol_by_name(b, name);
	return s && s->is_snapshot;
}

/* Files that lie on the pool at start, whoever made them, take space too. */
static void scan_dir(struct box *b, const char *path, unsigned depth)
{
	char host[1024], sub[1024];
	struct dirent *e;
	struct stat st;
	DIR *dir;

	box_host_path(b, path, host, sizeof host);
	dir = depth < 6 ? opendir(host) : NULL;
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
		box_host_path(b, sub, host, sizeof host);
		if (lstat(host, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			scan_dir(b, sub, depth + 1);
		else if (S_ISREG(st.st_mode) && !box_image(b, sub) && !is_shared(b, sub))
			box_image_charge(b, sub, (uint64_t)st.st_size);
	}
	if (dir)
		closedir(dir);
}

void box_image_scan(struct box *b)
{
	for (const struct disk *d = b->first; d; d = d->next)
		if (d->path)
			box_image_charge(b, d->path, d->file_size);
	scan_dir(b, b->opt.mount_point, 0);
}
