/* A device that might hold data is never formatted: any byte, any signature, any read
 * error is FAILED_PRECONDITION, names what was found, and leaves every byte as it was. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/e2e.h"
#include "e2e/left.h"
#include "e2e/vol.h"

#define GIB (1LL << 30)

static struct sim sim;
static struct driver driver;
static struct vol vol;
static char image[300];

/* A published volume, blank, not staged. */
static bool open_blank(void)
{
	memset(&sim, 0, sizeof(sim));
	memset(&driver, 0, sizeof(driver));
	e2e_path(sim.dir, "box");
	driver.sim = &sim;
	driver.is_controller = driver.is_node = true;
	if (!sim_start(&sim))
		return false;
	driver_open(&driver);
	if (!driver_start(&driver))
		return false;
	vol_init(&vol, "pvc-blank");
	return vol_must(&driver, &vol, VOL_CREATE) &&
	       vol_must(&driver, &vol, VOL_PUBLISH) &&
	       CHECK(sim_image(&sim, vol.id, image, sizeof(image)), "no image");
}

static void close_blank(void)
{
	vol_must(&driver, &vol, VOL_UNSTAGE);
	vol_must(&driver, &vol, VOL_UNPUBLISH);
	vol_must(&driver, &vol, VOL_DELETE);
	CHECK(left_mounts(e2e_dir()) == 0, "a mount is left");
	CHECK(left_loops(e2e_dir()) == 0, "a loop device is left");
	driver_close(&driver);
	sim_stop(&sim);
}

static bool put(long long at, const void *bytes, size_t n)
{
	int fd = open(image, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	return CHECK(ok, "cannot write the image at %lld", at);
}

/* Stage must refuse, keep every byte, and leave neither mount nor device. */
static bool refuses(const char *what, long long at)
{
	unsigned long long hash = left_hash(image);
	enum err_code code = vol_do(&driver, &vol, VOL_STAGE);

	return CHECK(code == ERR_PRECONDITION, "%s at %lld: %s", what, at,
		     rpc_message()) &&
	       CHECK(left_hash(image) == hash, "%s at %lld: the image was written", what,
		     at) &&
	       CHECK(left_mounts(e2e_dir()) == 0 && left_loops(e2e_dir()) == 0,
		     "%s at %lld: a mount or a device is left", what, at);
}

static bool byte_refused(long long at)
{
	static const unsigned char zero;
	unsigned char byte = (unsigned char)(1 + e2e_below(255));

	return put(at, &byte, 1) && refuses("a byte", at) && put(at, &zero, 1);
}

static void any_byte(void)
{
	static const long long edges[] = {
		0,	    1,	    511,  512,	 1023,		1024,
		1080,	    4095,   4096, 65536, (1 << 20) - 1, GIB - (1 << 20),
		GIB - 4096, GIB - 1
	};
	unsigned n = e2e_is_full() ? 1000 : 40;

	if (!open_blank())
		return;
	for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]) && !e2e_failed(); i++)
		byte_refused(edges[i]);
	for (unsigned i = 0; i < n && !e2e_failed(); i++)
		byte_refused(e2e_below(1 << 20));
	for (unsigned i = 0; i < n / 4 && !e2e_failed(); i++) {
		byte_refused(GIB - 1 - e2e_below(1 << 20));
		byte_refused(GIB / 4096 * e2e_below(4096) + e2e_below(4096));
	}
	/* With the bytes gone it is blank again, and one mkfs makes a file system. After
	 * a failure the byte is still there: what follows would tell of that alone. */
	if (!e2e_failed() && vol_must(&driver, &vol, VOL_STAGE))
		CHECK(left_mounts(vol.staging) == 1, "not mounted");
	close_blank();
}

static const struct {
	const char *name; /* part of the message */
	long long at;
	const char *bytes;
	size_t n;
} signatures[] = {
	{ "", 512, "LABELONE\1\0\0\0\0\0\0\0", 16 },
	{ "crypto_LUKS", 0, "LUKS\xba\xbe\0\1", 8 },
	{ "", 4086, "SWAPSPACE2", 10 },
	{ "", 32769, "CD001", 5 },
	{ "", 0, "no known thing", 14 },
	{ "xfs", 0, "XFSB\0\0\20\0\0\0\0\0\0\4\0\0", 16 },
	{ "", 65600, "_BHRfS_M", 8 },
};

static void any_signature(void)
{
	if (!open_blank())
		return;
	for (unsigned i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		static const char zero[32];

		if (!put(signatures[i].at, signatures[i].bytes, signatures[i].n))
			break;
		refuses(signatures[i].bytes, signatures[i].at);
		put(signatures[i].at, zero, signatures[i].n);
	}
	close_blank();
}

/* File systems that another made: named in the message, and not mounted in their place.
 */
static void another_file_system(void)
{
	static const char *const makers[][4] = {
		{ "/sbin/mkfs.xfs", "-q", "-f", "xfs" },
		{ "/sbin/mkfs.btrfs", "-q", "-f", "btrfs" },
	};

	if (!open_blank())
		return;
	for (unsigned i = 0; i < 2; i++) {
		const char *argv[] = { makers[i][0], makers[i][1], makers[i][2], image,
				       NULL };

		CHECK(child_run(argv, NULL, 0) == 0, "%s", makers[i][0]);
		refuses(makers[i][3], 0);
		CHECK(strstr(rpc_message(), makers[i][3]) != NULL, "does not name %s: %s",
		      makers[i][3], rpc_message());
		CHECK(truncate(image, 0) == 0 && truncate(image, GIB) == 0, "truncate");
	}
	close_blank();
}

/* The export leads to a file on a Btrfs of which one block's data no longer fits its
 * checksum: reading it is EIO, and everything that can be read is zero. */
enum { BAD_AT = 256 << 20, BAD_BYTES = 65536 };

static bool spoil(const char *file_system)
{
	static unsigned char buf[1 << 20];
	int fd = open(file_system, O_RDWR | O_CLOEXEC);
	unsigned found = 0;
	ssize_t n;

	for (off_t at = 0; fd >= 0 && (n = pread(fd, buf, sizeof(buf), at)) > 0; at += n)
		for (ssize_t i = 0; i + 16 <= n; i += 4096)
			if (memcmp(buf + i, "spoil this block", 16) == 0) {
				found++;
				CHECK(pwrite(fd, "spoilt", 6, at + i) == 6, "no write");
			}
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	return CHECK(found == BAD_BYTES / 4096, "%u blocks found", found);
}

static bool write_block(const char *path)
{
	static char block[BAD_BYTES];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool ok;

	for (unsigned i = 0; i < BAD_BYTES; i += 4096)
		memcpy(block + i, "spoil this block", 16);
	ok = fd >= 0 && ftruncate(fd, GIB) == 0 &&
	     pwrite(fd, block, sizeof(block), BAD_AT) == BAD_BYTES && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return CHECK(ok, "cannot write %s: %s", path, strerror(errno));
}

static bool make_unreadable(char at[E2E_PATH], char file[E2E_PATH])
{
	char fs[E2E_PATH];
	const char *const mkfs[] = { "/sbin/mkfs.btrfs", "-q", fs, NULL };
	const char *const mnt[] = { "/bin/mount", "-o", "loop", fs, at, NULL };

	e2e_path(fs, "spoilt.fs");
	e2e_path(at, "spoilt");
	e2e_path(file, "spoilt/image");
	(void)mkdir(at, 0700);
	return left_write(fs, -1, "") && truncate(fs, 512 << 20) == 0 &&
	       CHECK(child_run(mkfs, NULL, 0) == 0, "mkfs.btrfs") &&
	       CHECK(child_run(mnt, NULL, 0) == 0, "mount") && write_block(file) &&
	       CHECK(left_unmount(at, fs), "umount") && spoil(fs) &&
	       CHECK(child_run(mnt, NULL, 0) == 0, "mount");
}

static bool lead_export_to(const char *file)
{
	char link[700];
	const char *nqn = NULL;

	for (size_t i = 0; i < vol.publish.n; i++)
		if (strcmp(vol.publish.pairs[2 * i], "nvme_nqn") == 0)
			nqn = vol.publish.pairs[2 * i + 1];
	if (!CHECK(nqn != NULL, "no nvme_nqn in the publish context"))
		return false;
	(void)snprintf(link, sizeof(link), "%s/exports/%s", sim.dir, nqn);
	return CHECK(unlink(link) == 0 && symlink(file, link) == 0, "%s", link);
}

static void read_error(void)
{
	char at[E2E_PATH], file[E2E_PATH], fs[E2E_PATH], before[300], byte[16];

	if (!open_blank() || !make_unreadable(at, file))
		return;
	CHECK(!left_read(file, BAD_AT, byte, sizeof(byte)), "the block can be read");
	memcpy(before, image, sizeof(before));
	if (lead_export_to(file)) {
		enum err_code code = vol_do(&driver, &vol, VOL_STAGE);

		CHECK(code == ERR_PRECONDITION, "%s", rpc_message());
		e2e_note("a read error: %s", rpc_message());
		CHECK(left_read(file, 0, byte, sizeof(byte)) && !byte[0], "written");
		CHECK(left_read(file, 1080, byte, 2) && !byte[0] && !byte[1],
		      "formatted");
		lead_export_to(before);
	}
	CHECK(left_unmount(at, e2e_path(fs, "spoilt.fs")), "still busy");
	close_blank();
}

/* A device smaller or of another size than the publish context says is not ours to
 * format. */
static void wrong_size(void)
{
	if (!open_blank())
		return;
	CHECK(truncate(image, GIB / 2) == 0, "truncate");
	CHECK(vol_do(&driver, &vol, VOL_STAGE) == ERR_PRECONDITION, "%s", rpc_message());
	CHECK(truncate(image, 0) == 0, "truncate");
	CHECK(vol_do(&driver, &vol, VOL_STAGE) == ERR_PRECONDITION, "%s", rpc_message());
	CHECK(truncate(image, GIB) == 0, "truncate");
	vol_must(&driver, &vol, VOL_STAGE);
	close_blank();
}

/* A Publish that lied, or none: no export, no device. */
static void not_exported(void)
{
	if (!open_blank())
		return;
	vol_must(&driver, &vol, VOL_UNPUBLISH);
	CHECK(vol_do(&driver, &vol, VOL_STAGE) == ERR_PRECONDITION, "%s", rpc_message());
	vol_must(&driver, &vol, VOL_PUBLISH);
	vol_must(&driver, &vol, VOL_STAGE);
	close_blank();
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "any_byte", any_byte, true },
		{ "any_signature", any_signature, true },
		{ "another_file_system", another_file_system, true },
		{ "read_error", read_error, true },
		{ "wrong_size", wrong_size, true },
		{ "not_exported", not_exported, true },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
