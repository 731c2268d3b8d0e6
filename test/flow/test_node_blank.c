#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csi/ids.h"
#include "nvme/probe.h"
#include "support/node_lab.h"

/* What may hold data is never formatted: a byte anywhere that the blank proof looks. */

#define MIB (INT64_C(1024) * 1024)
enum { N_SEEDED = 12 };

static void put(struct node_lab *lab, const char *id, uint64_t at, const char *bytes)
{
	char image[256];
	int fd;

	lab_image_path(lab, id, image);
	fd = open(image, O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, bytes, strlen(bytes), (off_t)at), (ssize_t)strlen(bytes));
	close(fd);
}

static void refuse_at(struct node_lab *lab, const struct lab_args *a, uint64_t at)
{
	char text[32];
	struct err e;

	put(lab, a->id, at, "\1");
	e = lab_stage(lab, a);
	snprintf(text, sizeof(text), "byte %llu", (unsigned long long)at);
	lab_check(lab, e.code == ERR_PRECONDITION, "%s: %s", text, e.msg);
	lab_check(lab, strstr(e.msg, text) != NULL, "%s: %s", text, e.msg);
	lab_check(lab, lab_loops(lab) == 0, "the attach must be undone");
	char image[256];
	int fd;

	lab_image_path(lab, a->id, image);
	fd = open(image, O_RDWR | O_CLOEXEC);
	char c = 0;
	cr_assert_eq(pread(fd, &c, 1, (off_t)at), 1);
	lab_check(lab, c == 1, "the byte must be as it was");
	c = 0;
	cr_assert_eq(pwrite(fd, &c, 1, (off_t)at), 1);
	close(fd);
}

Test(node_blank, any_byte_set_is_refused_and_named)
{
	struct node_lab lab;
	struct lab_args a = { .id = "blank-1", .fs_type = "ext4" };
	const uint64_t size = 64 * MIB;

	srand(20261121);
	lab_open_real(&lab);
	lab_image(&lab, a.id, size);
	refuse_at(&lab, &a, 0);
	refuse_at(&lab, &a, MIB - 1);
	refuse_at(&lab, &a, size - MIB);
	refuse_at(&lab, &a, size - 1);
	for (int i = 0; i < N_SEEDED; i++) {
		refuse_at(&lab, &a, (uint64_t)rand() % MIB);
		refuse_at(&lab, &a, size - 1 - (uint64_t)rand() % MIB);
		refuse_at(&lab, &a,
			  size / PROBE_N_SAMPLES *
				  (128 + (uint64_t)rand() % (PROBE_N_SAMPLES - 256)));
	}
	OK(&lab, lab_stage(&lab, &a)); /* blank again: it was only the byte */
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

static void refuse_signature(const char *id, const char *make, const char *found)
{
	struct node_lab lab;
	struct lab_args a = { .id = id, .fs_type = "ext4" };
	char image[256];
	struct err e;

	lab_open_real(&lab);
	lab_image(&lab, a.id, 64 * MIB);
	lab_image_path(&lab, a.id, image);
	lab_check(&lab, lab_run("i=%s; %s", image, make) == 0);
	lab_check(&lab, lab_run("sha256sum < %s > %s/before", image, lab.dir) == 0);
	e = lab_stage(&lab, &a);
	lab_check(&lab, e.code == ERR_PRECONDITION, "%s", e.msg);
	lab_check(&lab, strstr(e.msg, found) != NULL, "%s", e.msg);
	lab_check(&lab,
		  lab_run("sha256sum < %s | cmp -s - %s/before", image, lab.dir) == 0);
	lab_close(&lab);
}

Test(node_blank, signatures_are_named)
{
	refuse_signature("sig-swap", "mkswap -q $i", "swap");
	refuse_signature("sig-ext2", "mkfs.ext2 -q $i", "ext2");
	refuse_signature("sig-dos",
			 "{ head -c 450 /dev/zero; printf '\\203'; head -c 3 /dev/zero; "
			 "printf '\\000\\010\\000\\000\\000\\010\\000\\000'; "
			 "head -c 48 /dev/zero; printf '\\125\\252'; } | "
			 "dd of=$i conv=notrunc 2>/dev/null",
			 "partition table: dos");
	refuse_signature("sig-luks",
			 "printf 'LUKS\\272\\276\\000\\001' | dd of=$i "
			 "conv=notrunc 2>/dev/null",
			 "crypto_LUKS");
}

Test(node_blank, another_file_system_is_refused)
{
	struct node_lab lab;
	struct lab_args a = { .id = "other-fs", .fs_type = "ext4" };
	struct lab_args xfs = { .id = "other-fs", .fs_type = "xfs" };

	lab_open_real(&lab);
	lab_image(&lab, a.id, 320 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	FAILS(&lab, ERR_EXISTS, lab_stage(&lab, &xfs));
	OK(&lab, lab_unstage(&lab, &a));
	FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, &xfs));
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

#define DOS_TABLE                                                                  \
	"printf '\\203\\000\\000\\000\\000\\010\\000\\000\\000\\010\\000\\000' | " \
	"dd of=%s bs=1 seek=450 conv=notrunc 2>/dev/null; "                        \
	"printf '\\125\\252' | dd of=%s bs=1 seek=510 conv=notrunc 2>/dev/null"

/* Its own file system is the volume's, whatever is beside it; no other is. */
Test(node_blank, the_volume_has_its_own_file_system)
{
	struct node_lab lab;
	struct lab_args a = { .id = "own-1", .fs_type = "ext4", .has_identity = true };
	struct err e;
	char image[256];

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	lab_image_path(&lab, a.id, image);
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, lab_run("echo kept > %s/file", lab.staging) == 0);
	OK(&lab, lab_unstage(&lab, &a));
	lab_check(&lab, lab_run(DOS_TABLE, image, image) == 0);
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, lab_run("grep -q kept %s/file", lab.staging) == 0);
	OK(&lab, lab_unstage(&lab, &a));
	lab_check(&lab, lab_run("e2fsck -fy %s >/dev/null 2>&1; tune2fs -U "
				"5c7f9d2e-8a1b-4c3d-9e4f-0a1b2c3d4e5f %s "
				">/dev/null 2>&1",
				image, image) == 0);
	e = lab_stage(&lab, &a);
	lab_check(&lab, e.code == ERR_PRECONDITION && strstr(e.msg, "5c7f9d2e") != NULL,
		  "%s", e.msg);
	lab_close(&lab);
}

static void never_formats_for(const struct lab_args *a)
{
	struct node_lab lab;
	struct lab_args rw = { .id = a->id, .fs_type = a->fs_type };

	lab_open_real(&lab);
	lab_image(&lab, a->id, 16 * MIB);
	FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, a));
	OK(&lab, lab_stage(&lab, &rw));
	lab_check(&lab, lab_run("echo x > %s/file", lab.staging) == 0);
	FAILS(&lab, ERR_EXISTS, lab_stage(&lab, a));
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, a));
	OK(&lab, lab_unstage(&lab, &rw));
	OK(&lab, lab_stage(&lab, a));
	FAILS(&lab, ERR_PRECONDITION, lab_publish(&lab, &rw));
	OK(&lab, lab_publish(&lab, a));
	lab_check(&lab, lab_run("touch %s/no 2>/dev/null", lab.target) != 0);
	lab_check(&lab, lab_run("grep -q x %s/file", lab.target) == 0);
	OK(&lab, lab_unpublish(&lab, a));
	OK(&lab, lab_unstage(&lab, a));
	lab_close(&lab);
}

Test(node_blank, a_read_only_stage_never_formats)
{
	never_formats_for(&(struct lab_args){
		.id = "ro-1",
		.fs_type = "ext4",
		.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY,
	});
}

/* A PV that is read-only whatever its access mode: to the controller a reader, whom it
 * lets in beside those of other nodes. */
Test(node_blank, nor_does_one_that_the_controller_granted_to_a_reader)
{
	never_formats_for(
		&(struct lab_args){ .id = "ro-2", .fs_type = "ext4", .is_reader = true });
}

Test(node_blank, what_is_not_exported_or_too_small_is_refused)
{
	struct node_lab lab;
	struct lab_args a = { .id = "gone-1", .fs_type = "ext4" };
	char nqn[ID_NQN];

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	id_base_nqn(a.id, nqn);
	lab_unexport(&lab, nqn);
	FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, &a));
	lab_export(&lab, a.id, nqn);
	a.bytes = 17 * MIB;
	FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, &a));
	lab_check(&lab, lab_loops(&lab) == 0);
	a.is_old_context = true; /* size_bytes counts only beside rds_csi_ctx=2 */
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

/* ---- cut short in the middle ---- */

/* What a kill after the record and in the middle of mkfs leaves. */
static void leave_cut_mkfs(struct node_lab *lab, const char *id, uint64_t bytes)
{
	struct nvme_record rec = { .stage = NVME_FORMATTING, .size_bytes = bytes };
	struct err err;

	id_base_nqn(id, rec.nqn);
	lab_image_path(lab, id, rec.source);
	strcpy(rec.fs_type, "ext4");
	cr_assert_eq(lab->csi.nvme->ops->record_write(lab->csi.nvme, id, &rec, &err), 0);
}

Test(node_blank, our_own_mkfs_cut_short_is_done_again)
{
	struct node_lab lab;
	struct lab_args a = { .id = "cut-1", .fs_type = "ext4" };
	struct nvme_record rec;
	struct err err;

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	put(&lab, a.id, 5000, "half a superblock");
	FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, &a));
	leave_cut_mkfs(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab,
		  lab.csi.nvme->ops->record_read(lab.csi.nvme, a.id, &rec, &err) == 0);
	lab_check(&lab, rec.stage == NVME_STAGED && rec.was_mounted);
	OK(&lab, lab_unstage(&lab, &a));
	lab_check(&lab,
		  lab.csi.nvme->ops->record_read(lab.csi.nvme, a.id, &rec, &err) != 0);
	lab_close(&lab);
}

/* The record stayed here, the volume went elsewhere and came back as what no mkfs of ours
 * leaves. */
Test(node_blank, what_no_mkfs_leaves_is_not_wiped)
{
	static const char *const makes[] = {
		"mkswap -q $i",
		"printf 'LUKS\\272\\276\\000\\001' | dd of=$i conv=notrunc 2>/dev/null",
	};
	struct node_lab lab;
	struct lab_args a = { .id = "cut-3", .fs_type = "ext4" };
	char image[256];

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	lab_image_path(&lab, a.id, image);
	for (unsigned i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		lab_check(&lab, truncate(image, 0) == 0 &&
					truncate(image, 16 * MIB) == 0 &&
					lab_run("i=%s; %s", image, makes[i]) == 0);
		leave_cut_mkfs(&lab, a.id, 16 * MIB);
		FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, &a));
	}
	lab_close(&lab);
}

Test(node_blank, a_completed_mkfs_is_not_done_again)
{
	struct node_lab lab;
	struct lab_args a = { .id = "cut-2", .fs_type = "ext4" };

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, lab_run("echo kept > %s/file", lab.staging) == 0);
	OK(&lab, lab_unstage(&lab, &a));
	leave_cut_mkfs(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, lab_run("grep -q kept %s/file", lab.staging) == 0);
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

/* A record that was mounted once, and a device that is blank now: something is wrong. */
Test(node_blank, a_volume_that_lost_its_file_system_is_not_formatted)
{
	struct node_lab lab;
	struct lab_args a = { .id = "lost-1", .fs_type = "ext4" };
	struct nvme_record rec = { .stage = NVME_READY, .was_mounted = true };
	struct err err;

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	id_base_nqn(a.id, rec.nqn);
	cr_assert_eq(lab.csi.nvme->ops->record_write(lab.csi.nvme, a.id, &rec, &err), 0);
	FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, &a));
	lab_close(&lab);
}
