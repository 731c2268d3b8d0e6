#include "nvme/helper_verbs.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nvme/fs.h"
#include "nvme/probe.h"

/* mountinfo empties while an umount still hangs; the kernel's exclusive claim does not
 * (kernel 6.1, Debian 12). It does not see plain opens. */
static int open_alone(const char *path, int flags, struct err *err)
{
	int fd = open(path, flags | O_EXCL | O_CLOEXEC);

	return fd < 0 ? helper_fail(err, "open alone", path) : fd;
}

int helper_prove(char *const *argv, struct reply *r, struct err *err)
{
	(void)r;
	return open_alone(argv[0], O_RDONLY, err) < 0 ? -1 : 0;
}

static unsigned char block[PROBE_EDGE + 1];

int helper_wipe(char *const *argv, struct reply *r, struct err *err)
{
	int fd = open_alone(argv[0], O_WRONLY, err);
	uint64_t size, offset;
	size_t n;

	(void)r;
	if (fd < 0)
		return -1;
	if (ioctl(fd, BLKGETSIZE64, &size))
		return helper_fail(err, "size of", argv[0]);
	memset(block, 0, sizeof(block)); /* an earlier verb may have read into it */
	for (unsigned i = 0; i < 2 && probe_stretch(size, i, &offset, &n); i++)
		if (pwrite(fd, block, n, (off_t)offset) != (ssize_t)n)
			return helper_fail(err, "wipe", argv[0]);
	return fsync(fd) ? helper_fail(err, "wipe", argv[0]) : 0;
}

static bool read_to(unsigned char *to, int fd, size_t n, uint64_t offset)
{
	size_t got = 0;

	while (got < n) {
		ssize_t k = pread(fd, to + got, n - got, (off_t)(offset + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		got += (size_t)k;
	}
	return true;
}

static bool read_all(int fd, size_t n, uint64_t offset)
{
	return read_to(block, fd, n, offset);
}

/* Random: the kernel would read 128 KiB around each sample. */
static void scan(int fd, struct probe_facts *f)
{
	uint64_t offset;
	size_t n, at;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (unsigned i = 0; probe_stretch(f->size_bytes, i, &offset, &n); i++) {
		if (!read_all(fd, n, offset)) {
			f->has_read_error = true;
			f->read_error_at = offset;
			return;
		}
		at = probe_first_set(block, n);
		if (at < n && !f->has_set_byte) {
			f->has_set_byte = true;
			f->set_byte_at = offset + at;
		}
	}
}

static void lookup(blkid_probe pr, const char *name, char *out, size_t size)
{
	const char *v = NULL;

	out[0] = '\0';
	if (blkid_probe_lookup_value(pr, name, &v, NULL) == 0 && v)
		(void)snprintf(out, size, "%s", v);
}

static blkid_probe new_probe(int fd)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr || blkid_probe_set_device(pr, fd, 0, 0)) {
		blkid_free_probe(pr);
		return NULL;
	}
	(void)blkid_probe_enable_superblocks(pr, 1);
	(void)blkid_probe_set_superblocks_flags(
		pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_USAGE);
	return pr;
}

/* The volume's own file system, by its UUID. The search for all that libblkid knows reads
 * a MiB for ZFS alone (util-linux 2.38), several times what else a stage reads. */
static bool has_own(int fd, const char *uuid, struct probe_facts *f)
{
	static char ext4[] = "ext4", ext3[] = "ext3", xfs[] = "xfs", btrfs[] = "btrfs";
	static char *served[] = { ext4, ext3, xfs, btrfs, NULL };
	blkid_probe pr = *uuid ? new_probe(fd) : NULL;
	bool is_own;

	if (pr &&
	    blkid_probe_filter_superblocks_type(pr, BLKID_FLTR_ONLYIN, served) == 0 &&
	    blkid_do_safeprobe(pr) == 0)
		lookup(pr, "UUID", f->uuid, sizeof(f->uuid));
	is_own = f->uuid[0] && strcmp(f->uuid, uuid) == 0;
	if (is_own) {
		lookup(pr, "TYPE", f->type, sizeof(f->type));
		lookup(pr, "USAGE", f->usage, sizeof(f->usage));
	}
	blkid_free_probe(pr);
	return is_own;
}

static enum probe_blkid ask_for_all(blkid_probe pr, struct probe_facts *f)
{
	int rc;

	(void)blkid_probe_enable_partitions(pr, 1);
	errno = 0;
	rc = blkid_do_safeprobe(pr);
	if (rc == 0) {
		lookup(pr, "TYPE", f->type, sizeof(f->type));
		lookup(pr, "USAGE", f->usage, sizeof(f->usage));
		lookup(pr, "UUID", f->uuid, sizeof(f->uuid));
		lookup(pr, "PTTYPE", f->table, sizeof(f->table));
		return PROBE_BLKID_FOUND;
	}
	if (rc == -2)
		return PROBE_BLKID_AMBIVALENT;
	return rc == 1 ? PROBE_BLKID_NOTHING : PROBE_BLKID_ERROR;
}

static enum probe_blkid ask_blkid(int fd, const char *uuid, struct probe_facts *f)
{
	enum probe_blkid found;
	blkid_probe pr;

	if (has_own(fd, uuid, f))
		return PROBE_BLKID_FOUND;
	f->uuid[0] = '\0';
	pr = new_probe(fd);
	if (!pr)
		return PROBE_BLKID_ERROR;
	found = ask_for_all(pr, f);
	blkid_free_probe(pr);
	return found;
}

/* Only its own block, which libblkid has just read. */
static void read_super(int fd, struct probe_facts *f)
{
	struct nvme_content c = { .fs_type = "" };
	uint64_t at;

	(void)snprintf(c.fs_type, sizeof(c.fs_type), "%.15s", f->type);
	at = fs_uuid_at(c.fs_type);
	if (f->size_bytes < FS_HEAD || !read_to(block + at, fd, FS_BLOCK, at)) {
		f->has_read_error = true;
		return;
	}
	fs_read_super(block, FS_HEAD, &c, &f->is_unfinished);
	f->fs_size_bytes = c.fs_size_bytes;
	f->is_dirty = c.is_dirty;
}

static void add_facts(const struct probe_facts *f, struct reply *r)
{
	reply_add_u64(r, "size", f->size_bytes);
	reply_add_u64(r, "blkid", (uint64_t)f->blkid);
	reply_add_str(r, "type", f->type);
	reply_add_str(r, "usage", f->usage);
	reply_add_str(r, "uuid", f->uuid);
	reply_add_str(r, "table", f->table);
	reply_add_u64(r, "unfinished", f->is_unfinished);
	reply_add_u64(r, "fs_size", f->fs_size_bytes);
	reply_add_u64(r, "dirty", f->is_dirty);
	reply_add_u64(r, "has_error", f->has_read_error);
	reply_add_u64(r, "error_at", f->read_error_at);
	reply_add_u64(r, "has_set", f->has_set_byte);
	reply_add_u64(r, "set_at", f->set_byte_at);
}

int helper_probe(char *const *argv, struct reply *r, struct err *err)
{
	struct probe_facts f = { .size_bytes = 0 };
	int fd = open_alone(argv[0], O_RDONLY, err);

	if (fd < 0)
		return -1;
	if (ioctl(fd, BLKGETSIZE64, &f.size_bytes))
		return helper_fail(err, "size of", argv[0]);
	/* The device is what counts: whoever has had it open for longer has kept in the
	 * cache what it once held. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	f.blkid = f.size_bytes ? ask_blkid(fd, argv[1], &f) : PROBE_BLKID_ERROR;
	if (f.blkid == PROBE_BLKID_FOUND && f.type[0])
		read_super(fd, &f);
	else if (f.blkid == PROBE_BLKID_NOTHING || f.blkid == PROBE_BLKID_ERROR)
		scan(fd, &f); /* an error too: then it is known where nothing is read */
	add_facts(&f, r);
	return 0;
}
