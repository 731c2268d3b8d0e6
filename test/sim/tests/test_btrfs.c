/* On a real Btrfs the subvolumes and snapshots are real. Needs root, a loop device and
 * mkfs.btrfs; counted as skipped where it cannot run. */
#include "sim/tests/t_sim.h"

#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void skip(const char *reason)
{
	const char *path = getenv("T_RESULT");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (f) {
		fprintf(f, "skipped: %s\n", reason);
		fclose(f);
	}
	cr_skip_test("%s", reason);
}

static int run_program(const char *const *argv)
{
	pid_t pid;
	int st = -1;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char **)(uintptr_t)argv, environ))
		return -1;
	waitpid(pid, &st, 0);
	return st;
}

static ino_t inode(struct t_box *t, const char *rel)
{
	char path[512];
	struct stat st = { 0 };

	snprintf(path, sizeof path, "%s/%s", t->dir, rel);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void write_byte(struct t_box *t, const char *rel, int c)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", t->dir, rel);
	f = fopen(path, "r+");
	cr_expect_not_null(f);
	if (f) {
		fputc(c, f);
		fclose(f);
	}
}

static int read_byte(struct t_box *t, const char *rel)
{
	char path[512];
	FILE *f;
	int c = EOF;

	snprintf(path, sizeof path, "%s/%s", t->dir, rel);
	f = fopen(path, "r");
	if (f) {
		c = fgetc(f);
		fclose(f);
	}
	return c;
}

static void life_of_a_subvolume(struct t_box *t)
{
	t_is(t, "/disk/btrfs/subvolume/add fs=pool name=vol-a", "");
	cr_expect_eq(inode(t, "pool/vol-a"), 256u);
	t_is(t,
	     "/disk/add type=file slot=a file-path=/storage-pool/vol-a/volume.img "
	     "file-size=16T",
	     "");
	write_byte(t, "pool/vol-a/volume.img", '1');
	t_is(t,
	     "/disk/btrfs/subvolume/add fs=pool parent=vol-a name=snap-a read-only=yes",
	     "");
	write_byte(t, "pool/vol-a/volume.img", '2');
	cr_expect_eq(inode(t, "pool/snap-a"), 256u);
	cr_expect_eq(read_byte(t, "pool/snap-a/volume.img"), '1');
	t_is(t, "/disk/remove a", "");
	t_is(t, "/disk/btrfs/subvolume/remove [find where name=\"vol-a\"]", "");
	t_is(t, "/disk/btrfs/subvolume/remove [find where name=\"snap-a\"]", "");
	cr_expect_eq(inode(t, "pool/vol-a"), 0u);
	cr_expect_eq(inode(t, "pool/snap-a"), 0u);
}

Test(btrfs, subvolumes_are_real)
{
	char base[128], image[160], mnt[160];
	const char *const mkfs[] = { "mkfs.btrfs", "-q", image, NULL };
	const char *const mount_[] = { "mount", "-o", "loop", image, mnt, NULL };
	static struct t_box t;
	FILE *f;

	if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) != 0)
		skip("needs root and /dev/loop-control");
	t_tmpdir(base, sizeof base);
	snprintf(image, sizeof image, "%s/image", base);
	snprintf(mnt, sizeof mnt, "%s/mnt", base);
	f = fopen(image, "w");
	cr_assert(f && ftruncate(fileno(f), 256 << 20) == 0);
	fclose(f);
	mkdir(mnt, 0755);
	if (run_program(mkfs) != 0 || run_program(mount_) != 0) {
		t_rmtree(base);
		skip("needs mkfs.btrfs and a kernel with Btrfs");
	}
	opts_init(&t.o);
	snprintf(t.dir, sizeof t.dir, "%s", mnt);
	t_start(&t);
	cr_expect(t.box->real_btrfs);
	life_of_a_subvolume(&t);
	box_close(t.box);
	free(t.last);
	cr_expect_eq(umount(mnt), 0);
	t_rmtree(base);
}
