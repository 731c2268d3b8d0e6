#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "support/node_lab.h"

/* A volume's life on the node, over real loop devices, file systems and mounts. */

static unsigned n_done;

#define MIB (INT64_C(1024) * 1024)

static void life(const char *fs, int64_t bytes)
{
	struct node_lab lab;
	/* Ids of their own, for tests run beside each other and mkfs.btrfs refuses a UUID
	 * that another device bears. */
	char id[32];
	struct lab_args a = { .id = id, .fs_type = fs, .bytes = bytes };
	Csi__V1__VolumeUsage usage[2];
	struct statvfs before, after;
	char path[256];
	int64_t grown = 0;

	snprintf(id, sizeof(id), "life-%s-%d", fs, (int)getpid());
	lab_open_real(&lab);
	lab_image(&lab, a.id, (uint64_t)bytes);
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, lab_mounts(lab.staging) == 1);
	OK(&lab, lab_publish(&lab, &a));
	snprintf(path, sizeof(path), "%s/data", lab.target);
	lab_check(&lab, lab_run("echo kept > %s", path) == 0);

	OK(&lab, lab_stats(&lab, &a, usage));
	lab_check(&lab, usage[0].unit == CSI__V1__VOLUME_USAGE__UNIT__BYTES);
	lab_check(&lab, usage[0].total > bytes / 2 && usage[0].available > 0);
	lab_check(&lab, usage[1].unit == CSI__V1__VOLUME_USAGE__UNIT__INODES);
	lab_check(&lab, statvfs(lab.target, &before) == 0);

	/* Grown at the box, then here: late, twice, and for nothing. */
	FAILS(&lab, ERR_PRECONDITION,
	      lab_expand(&lab, &(struct lab_args){ .id = a.id, .bytes = 2 * bytes },
			 &grown));
	lab_image_path(&lab, a.id, path);
	lab_check(&lab, truncate(path, 2 * bytes) == 0);
	a.bytes = 2 * bytes;
	if (lab.csi.nvme->ops->may_grow_online(fs)) {
		OK(&lab, lab_expand(&lab, &a, &grown));
		lab_check(&lab, grown == 2 * bytes);
		OK(&lab, lab_expand(&lab, &a, &grown));
		lab_check(&lab, statvfs(lab.target, &after) == 0);
		lab_check(&lab, after.f_blocks > before.f_blocks * 3 / 2);
	} else {
		FAILS(&lab, ERR_PRECONDITION, lab_expand(&lab, &a, &grown));
	}

	FAILS(&lab, ERR_PRECONDITION, lab_unstage(&lab, &a));
	OK(&lab, lab_unpublish(&lab, &a));
	lab_check(&lab, access(lab.target, F_OK) != 0, "the target must be gone");
	OK(&lab, lab_unpublish(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_check(&lab, lab_loops(&lab) == 0);
	OK(&lab, lab_unstage(&lab, &a));

	/* Again: nothing is formatted, the data is there. */
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_publish(&lab, &a));
	snprintf(path, sizeof(path), "%s/data", lab.target);
	lab_check(&lab, lab_run("grep -q kept %s", path) == 0);
	lab_check(&lab, statvfs(lab.target, &after) == 0);
	lab_check(&lab, after.f_blocks > before.f_blocks * 3 / 2);
	OK(&lab, lab_unpublish(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

Test(node_life, ext4)
{
	life("ext4", 64 * MIB);
}

Test(node_life, ext3)
{
	life("ext3", 64 * MIB);
}

Test(node_life, xfs)
{
	life("xfs", 320 * MIB);
}

Test(node_life, btrfs)
{
	life("btrfs", 128 * MIB);
}

Test(node_life, block)
{
	struct node_lab lab;
	struct lab_args a = { .id = "pvc-b", .bytes = 8 * MIB };
	Csi__V1__VolumeUsage usage[2];
	char image[256];
	int64_t grown = 0;

	lab_open_real(&lab);
	lab_image(&lab, a.id, 8 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, lab_loops(&lab) == 1);
	for (int i = 0; i < 10; i++)
		OK(&lab, lab_publish(&lab, &a));
	lab_check(&lab, lab_mounts(lab.target) == 1);
	lab_check(&lab, lab_run("echo raw | dd of=%s conv=notrunc,fsync 2>/dev/null",
				lab.target) == 0);
	OK(&lab, lab_stats(&lab, &a, usage));
	lab_check(&lab, usage[0].total == 8 * MIB);
	lab_image_path(&lab, a.id, image);
	lab_check(&lab, truncate(image, 16 * MIB) == 0);
	a.bytes = 16 * MIB;
	OK(&lab, lab_expand(&lab, &a, &grown));
	lab_check(&lab, grown == 16 * MIB);
	FAILS(&lab, ERR_PRECONDITION, lab_unstage(&lab, &a));
	OK(&lab, lab_unpublish(&lab, &a));
	lab_check(&lab, access(lab.target, F_OK) != 0);
	OK(&lab, lab_unpublish(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_check(&lab, lab_run("head -c3 %s | grep -q raw", image) == 0);
	lab_close(&lab);
}

/* As many as were once found on a node, stacked by a driver's retries. */
enum { N_STORM = 2048 };

static void stack(struct node_lab *lab, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		lab_check(lab,
			  mount(lab->staging, lab->target, NULL, MS_BIND, NULL) == 0);
}

Test(node_life, a_storm_of_publishes_leaves_one_mount)
{
	struct node_lab lab;
	struct lab_args a = { .id = "pvc-storm", .fs_type = "ext4" };

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, &a));
	OK(&lab, lab_stage(&lab, &a));
	for (int i = 0; i < N_STORM; i++)
		OK(&lab, lab_publish(&lab, &a));
	lab_check(&lab, lab_mounts(lab.target) == 1);
	/* Layers that another driver stacked all go. */
	stack(&lab, N_STORM - 1);
	lab_check(&lab, lab_mounts(lab.target) == N_STORM);
	OK(&lab, lab_unpublish(&lab, &a));
	lab_check(&lab, lab_mounts(lab.target) == 0);
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

Test(node_life, what_is_not_ours_stays)
{
	struct node_lab lab;
	struct lab_args a = { .id = "pvc-f", .fs_type = "ext4" };
	char path[512];

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	/* A directory with content, at publish and at unpublish. */
	lab_check(&lab, lab_run("mkdir %s && echo mine > %s/file", lab.target,
				lab.target) == 0);
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, &a));
	FAILS(&lab, ERR_PRECONDITION, lab_unpublish(&lab, &a));
	snprintf(path, sizeof(path), "%s/file", lab.target);
	lab_check(&lab, access(path, F_OK) == 0);
	lab_check(&lab, lab_run("rm -r %s", lab.target) == 0);
	/* A file with content, and a symbolic link. */
	lab_check(&lab, lab_run("echo mine > %s", lab.target) == 0);
	FAILS(&lab, ERR_PRECONDITION, lab_unpublish(&lab, &a));
	lab_check(&lab, access(lab.target, F_OK) == 0 && unlink(lab.target) == 0);
	lab_check(&lab, symlink("/etc/passwd", lab.target) == 0);
	FAILS(&lab, ERR_PRECONDITION, lab_unpublish(&lab, &a));
	lab_check(&lab, unlink(lab.target) == 0);
	/* A foreign mount at the target. */
	lab_check(&lab, mkdir(lab.target, 0700) == 0);
	lab_check(&lab, lab_run("mount -t tmpfs none %s", lab.target) == 0);
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, &a));
	FAILS(&lab, ERR_PRECONDITION, lab_unpublish(&lab, &a));
	lab_check(&lab, lab_mounts(lab.target) == 1);
	lab_check(&lab, lab_run("umount %s", lab.target) == 0);
	OK(&lab, lab_unpublish(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

static void count_done(struct op *op)
{
	(void)op;
	n_done++;
}

/* Statistics run beside anything, an unpublish too: what is under the mount is the
 * node's own disk. */
Test(node_life, the_figures_of_what_is_under_the_mount_are_not_told)
{
	struct node_lab lab;
	struct lab_args a = { .id = "pvc-s", .fs_type = "ext4" };
	struct nvme_req req = { .kind = NVME_STATS, .id = a.id, .path = lab.staging };

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	nvme_start(lab.csi.nvme, &req, count_done);
	t_run_until(&lab.loop, n_done == 1);
	lab_check(&lab, req.op.err.code == ERR_OK && req.stats.total_bytes < 16 * MIB);
	OK(&lab, lab_unstage(&lab, &a));
	nvme_start(lab.csi.nvme, &req, count_done);
	t_run_until(&lab.loop, n_done == 2);
	lab_check(&lab, req.op.err.code == ERR_ABORTED, "%s: %llu bytes", req.op.err.msg,
		  (unsigned long long)req.stats.total_bytes);
	lab_close(&lab);
}

/* The kubelet binds the directories that a pod names by subPath, and publishes again when
 * it has started anew. */
Test(node_life, one_writer_s_target_is_published_again_beside_its_sub_paths)
{
	struct node_lab lab;
	struct lab_args a = {
		.id = "pvc-sub",
		.fs_type = "ext4",
		.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_SINGLE_WRITER
	};
	struct lab_args other = a;
	char part[200], sub[200];

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_publish(&lab, &a));
	snprintf(part, sizeof(part), "%s/part", lab.target);
	snprintf(sub, sizeof(sub), "%s/sub", lab.dir);
	lab_check(&lab, mkdir(part, 0700) == 0 && mkdir(sub, 0700) == 0 &&
				mount(part, sub, NULL, MS_BIND, NULL) == 0);
	OK(&lab, lab_publish(&lab, &a));
	other.target = lab.exports;
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, &other));
	OK(&lab, lab_unpublish(&lab, &a));
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, &a));
	lab_check(&lab, umount(sub) == 0);
	OK(&lab, lab_publish(&lab, &a));
	lab_check(&lab, mount(lab.target, sub, NULL, MS_BIND, NULL) == 0);
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, &a));
	lab_check(&lab, umount(sub) == 0);
	OK(&lab, lab_unpublish(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

/* Two claims with one handle, one for the file system and one for the raw disk: the
 * kubelet stages them at two paths. */
Test(node_life, a_mounted_file_system_is_nobody_s_raw_disk)
{
	struct node_lab lab;
	struct lab_args fs = { .id = "pvc-two", .fs_type = "ext4" };
	struct lab_args raw = { .id = "pvc-two" };
	char staging[sizeof(lab.staging)];

	lab_open_real(&lab);
	lab_image(&lab, fs.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &fs));
	memcpy(staging, lab.staging, sizeof(staging));
	snprintf(lab.staging, sizeof(lab.staging), "%s/raw", lab.dir);
	FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, &raw));
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, &raw));
	FAILS(&lab, ERR_PRECONDITION, lab_unstage(&lab, &raw));
	memcpy(lab.staging, staging, sizeof(staging));
	lab_check(&lab, lab_mounts(lab.target) == 0 && lab_mounts(staging) == 1);
	OK(&lab, lab_publish(&lab, &fs));
	OK(&lab, lab_unpublish(&lab, &fs));
	OK(&lab, lab_unstage(&lab, &fs));
	lab_close(&lab);
}
