#include "core/fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct err *err, const char *what, const char *path)
{
	return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
		       "%s %s: %s", what, path, strerror(errno));
}

static ssize_t read_some(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got;
}

int fsio_read(const char *path, struct buf *b, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char chunk[4096];
	ssize_t n;

	if (fd < 0)
		return fail(err, "open", path);
	while ((n = read_some(fd, chunk, sizeof(chunk))) > 0)
		if (buf_append(b, chunk, (size_t)n))
			break;
	if (n < 0)
		(void)fail(err, "read", path);
	else if (n > 0)
		(void)err_set(err, ERR_EXHAUSTED, "%s: larger than %zu bytes", path,
			      b->max);
	(void)close(fd);
	return n == 0 ? 0 : -1;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int sync_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	int fd, rc;

	(void)snprintf(dir, sizeof(dir), "%.*s",
		       slash && slash > path ? (int)(slash - path) : 1,
		       slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	(void)close(fd);
	return rc;
}

static int write_new(const char *path, const void *data, size_t n, bool must_last)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return -1;
	rc = write_all(fd, data, n) || (must_last && fsync(fd));
	if (close(fd) || rc)
		return -1;
	return 0;
}

static int put(const char *path, const void *data, size_t n, bool must_last,
	       struct err *err)
{
	char tmp[PATH_MAX];
	int len = snprintf(tmp, sizeof(tmp), "%s.new", path);

	if (len < 0 || (size_t)len >= sizeof(tmp))
		return err_set(err, ERR_INVALID, "path too long");
	if (write_new(tmp, data, n, must_last) || rename(tmp, path)) {
		(void)fail(err, "write", path);
		(void)unlink(tmp);
		return -1;
	}
	return must_last && sync_dir_of(path) ? fail(err, "sync the directory of", path)
					      : 0;
}

int fsio_write(const char *path, const void *data, size_t n, struct err *err)
{
	return put(path, data, n, true, err);
}

int fsio_replace(const char *path, const void *data, size_t n, struct err *err)
{
	return put(path, data, n, false, err);
}

/* Of one page the kernel takes a write whole, or, killed before it, not at all. */
enum { UNCUT_MAX = 4096 };

/* A rename over what is there makes a file system that allocates late (ext4) write the
 * new one out at once, and a new file is made and an old one deleted each time: together
 * most of what a small write costs. */
int fsio_overwrite(const char *path, const void *data, size_t n, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_done = false;
	struct stat st;

	if (fd >= 0) {
		is_done = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
			  (uint64_t)st.st_size <= n && n <= UNCUT_MAX &&
			  pwrite(fd, data, n, 0) == (ssize_t)n;
		is_done = close(fd) == 0 && is_done;
	}
	return is_done ? 0 : fsio_replace(path, data, n, err);
}

int fsio_remove(const char *path, struct err *err)
{
	if (unlink(path)) {
		if (errno == ENOENT)
			return 0;
		return fail(err, "remove", path);
	}
	return sync_dir_of(path) ? fail(err, "sync the directory of", path) : 0;
}

int fsio_lock(const char *path, int *ret_fd, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return fail(err, "open", path);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			(void)err_set(err, ERR_ABORTED,
				      "a child of an earlier call still works on it");
		else
			(void)fail(err, "lock", path);
		(void)close(fd);
		return -1;
	}
	*ret_fd = fd;
	return 0;
}
