/* What the pool has free: images are charged whole, snapshots not. */
#include "sim/tests/t_sim.h"

static uint64_t file_size(struct t_box *t, const char *rel)
{
	char path[512];
	struct stat st = { 0 };

	snprintf(path, sizeof path, "%s/%s", t->dir, rel);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

Test(space, space_is_charged_whole)
{
	struct t_box t;

	t_prepare(&t);
	t.o.box.pool_bytes = (uint64_t)3 << 30;
	t_start(&t);
	t_is(&t, ":put [/disk get raid1 free]", "3204448256\n");
	add_disk(&t, "v1");
	t_is(&t, ":put [/disk get raid1 free]", "2130706432\n");
	t_is(&t,
	     "/disk add type=file slot=v2 file-path=/storage-pool/v2.img file-size=2G",
	     "failure: not enough space (/disk/add; line 1)\n");
	t_is(&t, "/disk remove v1", "");
	t_is(&t, ":put [/disk get raid1 free]", "2130706432\n");
	t_is(&t, "/file remove [find where name=\"storage-pool/metal-csi/v1.img\"]", "");
	t_is(&t, ":put [/disk get raid1 free]", "3204448256\n");
	t_close(&t);
}

Test(space, grow)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	t_is(&t, "/disk set v1 file-size=\"2147483648\"", "");
	t_is(&t, ":put [/disk get v1 size]", "2147483648\n");
	cr_expect_eq(file_size(&t, "pool/metal-csi/v1.img"), 2147483648u);
	t_is(&t, "/disk set v1 file-size=1G",
	     "failure: can not shrink file (/disk/set; line 1)\n");
	t.box->no_space = true;
	t_is(&t, "/disk set v1 file-size=3G",
	     "failure: not enough space (/disk/set; line 1)\n");
	t_close(&t);
}

/* Space after a restart: disks and lone files are charged, snapshots are not. */
Test(space, space_after_a_restart)
{
	struct t_box t;
	uint64_t charged;

	t_open(&t);
	add_disk(&t, "v1");
	add_disk(&t, "snap-flat");
	t_is(&t, "/disk remove snap-flat; /disk/btrfs/subvolume/add fs=pool name=vol-a",
	     "");
	t_is(&t,
	     "/disk add type=file slot=a file-path=/storage-pool/vol-a/volume.img "
	     "file-size=1M",
	     "");
	t_is(&t, "/disk/btrfs/subvolume/add fs=pool parent=vol-a name=s1", "");
	t_is(&t, "/disk/btrfs/subvolume/add fs=pool parent=vol-a name=s2", "");
	t_is(&t, "/disk add type=file slot=s2 file-path=/storage-pool/s2/volume.img", "");
	charged = t.box->charged;
	cr_expect_eq(charged, 2 * 1073741824u + 2 * 1048576u);
	box_close(t.box);
	t_start(&t);
	cr_expect_eq(t.box->charged, charged);
	t_close(&t);
}
