#include "e2e/left.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/e2e.h"

bool left_can_mount(void)
{
	return geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0 &&
	       access("/proc/self/mountinfo", R_OK) == 0;
}

static bool is_under(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* The last mount point under dir (mountinfo lists the newest last); how many there are.
 */
static unsigned mounts(const char *dir, char last[E2E_PATH])
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], point[E2E_PATH];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %*s %*s %255s", point) != 1)
			continue;
		if (!is_under(point, dir))
			continue;
		n++;
		memcpy(last, point, sizeof(point));
	}
	if (f)
		fclose(f);
	return n;
}

unsigned left_mounts(const char *dir)
{
	char last[E2E_PATH];

	return mounts(dir, last);
}

static unsigned loops(const char *dir, bool detach)
{
	DIR *d = opendir("/sys/block");
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d))) {
		char path[300], file[300] = "";
		FILE *f;
		int fd;

		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/sys/block/%.200s/loop/backing_file",
			       e->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (!fgets(file, sizeof(file), f))
			file[0] = '\0';
		fclose(f);
		file[strcspn(file, "\n")] = '\0';
		if (!is_under(file, dir))
			continue;
		n++;
		(void)snprintf(path, sizeof(path), "/dev/%.200s", e->d_name);
		fd = detach ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd >= 0) {
			(void)ioctl(fd, LOOP_CLR_FD);
			close(fd);
		}
	}
	if (d)
		closedir(d);
	return n;
}

unsigned left_loops(const char *dir)
{
	return loops(dir, false);
}

void left_clean(const char *dir)
{
	char last[E2E_PATH];

	for (unsigned i = 0; i < 1000 && mounts(dir, last); i++)
		if (umount2(last, MNT_DETACH | UMOUNT_NOFOLLOW))
			break;
	(void)loops(dir, true);
}

bool left_unmount(const char *at, const char *file)
{
	const char *const argv[] = { "/bin/umount", at, NULL };
	uint64_t end = e2e_now_ms() + 60000;

	if (child_run(argv, NULL, 0) != 0)
		return false;
	while (loops(file, false) && e2e_now_ms() < end)
		e2e_sleep_ms(5);
	return loops(file, false) == 0;
}

long left_read_ext4(const char *image, const char *path, char *out, size_t cap)
{
	char cmd[E2E_PATH];
	const char *const argv[] = { "/sbin/debugfs", "-R", cmd, image, NULL };

	(void)snprintf(cmd, sizeof(cmd), "cat %s", path);
	if (child_run(argv, out, cap) != 0)
		return -1;
	return (long)strlen(out);
}

bool left_read(const char *path, long offset, char *out, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && pread(fd, out, n, offset) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	return ok;
}

long left_read_mounted(const char *image, const char *fs, const char *path, char *out,
		       size_t cap)
{
	char at[E2E_PATH], file[E2E_PATH + 64];
	const char *const mnt[] = { "/bin/mount", "-t",	 fs, "-o",
				    "loop,ro",	  image, at, NULL };
	long n = -1;
	int fd;

	e2e_path(at, "box-mount");
	(void)mkdir(at, 0700);
	if (child_run(mnt, NULL, 0) != 0)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/%s", at, path);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, out, cap - 1);
		close(fd);
	}
	out[n > 0 ? n : 0] = '\0';
	if (!left_unmount(at, image))
		return -1;
	(void)rmdir(at);
	return n;
}

bool left_write(const char *path, long offset, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | (offset < 0 ? O_CREAT | O_TRUNC : 0),
		      0600);
	size_t n = strlen(text);
	bool ok;

	if (fd < 0)
		return false;
	ok = pwrite(fd, text, n, offset < 0 ? 0 : offset) == (ssize_t)n && fsync(fd) == 0;
	close(fd);
	return ok;
}

/* FNV-1a over the allocated parts only: a sparse 16 TiB image is quick. */
unsigned long long left_hash(const char *path)
{
	unsigned long long h = 14695981039346656037ULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char buf[65536];
	off_t at = 0, hole;
	ssize_t n;

	if (fd < 0)
		return 0;
	for (; (at = lseek(fd, at, SEEK_DATA)) >= 0; at = hole) {
		hole = lseek(fd, at, SEEK_HOLE);
		for (off_t p = at; p < hole; p += n) {
			size_t want = sizeof(buf);

			if (hole - p < (off_t)want)
				want = (size_t)(hole - p);
			n = pread(fd, buf, want, p);
			if (n <= 0)
				break;
			h ^= (unsigned long long)p;
			for (ssize_t i = 0; i < n; i++)
				h = (h ^ buf[i]) * 1099511628211ULL;
		}
	}
	h = (h ^ (unsigned long long)lseek(fd, 0, SEEK_END)) * 1099511628211ULL;
	close(fd);
	return h ? h : 1;
}

static unsigned long long tree;

static int on_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	unsigned long long h = 14695981039346656037ULL;

	(void)ftw;
	for (const char *p = path; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ULL;
	h ^= (unsigned long long)st->st_mode << 40;
	tree += flag == FTW_F ? h ^ left_hash(path) : h; /* in any order */
	return 0;
}

unsigned long long left_hash_tree(const char *dir)
{
	tree = 0;
	(void)nftw(dir, on_entry, 32, FTW_PHYS);
	return tree;
}

enum {
	CAP_SYS_RESOURCE_BIT = 24
}; /* linux/capability.h; resize of a mounted ext4 asks it */

const char *left_growing_fs(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[200];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (f)
		fclose(f);
	return caps >> CAP_SYS_RESOURCE_BIT & 1 ? "ext4" : "xfs";
}
