#include "vm/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/e2e.h"
#include "vm/kern.h"

enum { BLOCK = 4096 };

static int open_it(const char *path, int flags, long long *ret_size)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	struct stat st;

	*ret_size = fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : -1;
	return fd;
}

/* The next block at or after the offset that has data; the size when there is none. */
static long long next_data(int fd, long long at, long long size)
{
	long long data = at < size ? lseek(fd, at, SEEK_DATA) : -1;

	return data < 0 ? size : data & ~(long long)(BLOCK - 1);
}

static uint64_t hash_add(uint64_t h, const unsigned char *p, long n)
{
	for (long i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

static bool is_zero(const unsigned char *p, long n)
{
	for (long i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

uint64_t image_hash(const char *path)
{
	unsigned char block[BLOCK];
	long long size, at;
	int fd = open_it(path, O_RDONLY, &size);
	uint64_t h = UINT64_C(14695981039346656037) ^ (uint64_t)size;
	ssize_t n;

	kern_drop_caches();
	if (fd < 0)
		return 0;
	for (at = next_data(fd, 0, size); at < size;
	     at = next_data(fd, at + BLOCK, size)) {
		n = pread(fd, block, sizeof(block), at);
		if (n < 0)
			break;
		/* A block of zeroes is no other than a hole. */
		if (!is_zero(block, n))
			h = hash_add(h ^ (uint64_t)at, block, n);
	}
	close(fd);
	return at < size ? 0 : h;
}

static bool same_block(int a, int b, long long at)
{
	unsigned char x[BLOCK] = { 0 }, y[BLOCK] = { 0 };

	(void)!pread(a, x, sizeof(x), at);
	(void)!pread(b, y, sizeof(y), at);
	return memcmp(x, y, sizeof(x)) == 0;
}

long image_differs(const char *a, const char *b)
{
	long long size_a, size_b, at = 0, at_a, at_b;
	int fd_a = open_it(a, O_RDONLY, &size_a), fd_b = open_it(b, O_RDONLY, &size_b);
	long long size = size_a > size_b ? size_a : size_b;
	long n = fd_a < 0 || fd_b < 0 ? -1 : 0;

	kern_drop_caches();
	while (n >= 0) {
		at_a = next_data(fd_a, at, size_a);
		at_b = next_data(fd_b, at, size_b);
		at = at_a >= size_a ? at_b : at_b >= size_b || at_a < at_b ? at_a : at_b;
		if (at >= size)
			break;
		n += !same_block(fd_a, fd_b, at);
		at += BLOCK;
	}
	if (fd_a >= 0)
		close(fd_a);
	if (fd_b >= 0)
		close(fd_b);
	return n;
}

bool image_make(const char *path, long long size_bytes)
{
	long long size;
	int fd = open_it(path, O_RDWR | O_CREAT, &size);
	bool ok = fd >= 0 && ftruncate(fd, size_bytes) == 0;

	if (fd >= 0)
		close(fd);
	return CHECK(ok, "%s: %s", path, strerror(errno));
}

bool image_copy(const char *from, const char *to)
{
	unsigned char block[BLOCK];
	long long size, at, n_to;
	int in = open_it(from, O_RDONLY, &size);
	int out = open_it(to, O_RDWR | O_CREAT | O_TRUNC, &n_to);
	bool ok = in >= 0 && out >= 0 && ftruncate(out, size) == 0;

	for (at = next_data(in, 0, size); ok && at < size;
	     at = next_data(in, at + BLOCK, size)) {
		ssize_t n = pread(in, block, sizeof(block), at);

		ok = n > 0 && pwrite(out, block, (size_t)n, at) == n;
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return CHECK(ok, "%s to %s: %s", from, to, strerror(errno));
}

bool image_format(const char *path, const char *uuid)
{
	const char *const argv[] = { "/bin/real/mkfs.ext4",
				     "-q",
				     "-F",
				     "-U",
				     uuid,
				     "-E",
				     "lazy_itable_init=1,lazy_journal_init=1",
				     path,
				     NULL };

	return CHECK(child_run(argv, NULL, 0) == 0, "mkfs.ext4 of %s failed", path);
}

bool image_write(const char *path, long long at, const void *data, unsigned long n)
{
	long long size;
	int fd = open_it(path, O_RDWR, &size);
	bool ok = fd >= 0 && pwrite(fd, data, n, at) == (ssize_t)n && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return CHECK(ok, "%s: %s", path, strerror(errno));
}

bool image_read(const char *path, long long at, void *data, unsigned long n)
{
	long long size;
	int fd = open_it(path, O_RDONLY, &size);
	bool ok = fd >= 0 && pread(fd, data, n, at) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	return CHECK(ok, "%s: %s", path, strerror(errno));
}
