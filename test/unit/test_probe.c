#include "nvme/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvme/fs.h"
#include "support/t.h"

static struct nvme_content judge(struct probe_facts f)
{
	struct nvme_content c;

	probe_classify(&f, &c);
	return c;
}

#define BLANK .size_bytes = 1 << 20, .blkid = PROBE_BLKID_NOTHING

Test(probe, blank_only_when_everything_says_so)
{
	cr_assert_eq(judge((struct probe_facts){ BLANK }).kind, NVME_BLANK);
	cr_assert_eq(judge((struct probe_facts){ .blkid = PROBE_BLKID_NOTHING }).kind,
		     NVME_OTHER, "size 0");
	struct nvme_content c = judge((struct probe_facts){ BLANK, .has_read_error = true,
							    .read_error_at = 4096 });

	cr_assert_eq(c.kind, NVME_OTHER);
	cr_assert_str_eq(c.found, "a read error at byte 4096");
	c = judge((struct probe_facts){ BLANK, .has_set_byte = true, .set_byte_at = 7 });
	cr_assert_eq(c.kind, NVME_OTHER);
	cr_assert_not_null(strstr(c.found, "byte 7"));
	cr_assert_eq(
		judge((struct probe_facts){ .size_bytes = 1, .blkid = PROBE_BLKID_ERROR })
			.kind,
		NVME_OTHER);
	cr_assert_eq(judge((struct probe_facts){ .size_bytes = 1,
						 .blkid = PROBE_BLKID_AMBIVALENT })
			     .kind,
		     NVME_OTHER);
}

/* Of a mkfs: bytes without a name, or a superblock that says so itself. */
Test(probe, what_cannot_be_read_or_has_a_name_is_no_remains)
{
	struct probe_facts f = { BLANK, .has_set_byte = true };

	cr_assert(judge(f).is_remains);
	f.has_read_error = true;
	cr_assert_not(judge(f).is_remains);
	f.has_read_error = false;
	f.blkid = PROBE_BLKID_ERROR;
	cr_assert_not(judge(f).is_remains);
	f.blkid = PROBE_BLKID_AMBIVALENT;
	cr_assert_not(judge(f).is_remains);
	f = (struct probe_facts){ .size_bytes = 1 << 20,
				  .blkid = PROBE_BLKID_FOUND,
				  .type = "xfs",
				  .usage = "filesystem",
				  .is_unfinished = true };
	cr_assert(judge(f).is_remains);
	f.is_unfinished = false;
	cr_assert_not(judge(f).is_remains);
	strcpy(f.type, "crypto_LUKS");
	strcpy(f.usage, "crypto");
	cr_assert_not(judge(f).is_remains);
	f.type[0] = '\0';
	strcpy(f.table, "gpt");
	cr_assert_not(judge(f).is_remains);
}

Test(probe, only_our_file_systems_are_file_systems)
{
	struct probe_facts f = { .size_bytes = 1 << 20,
				 .blkid = PROBE_BLKID_FOUND,
				 .type = "ext4",
				 .usage = "filesystem",
				 .uuid = "u" };

	cr_assert_eq(judge(f).kind, NVME_FS);
	cr_assert_str_eq(judge(f).fs_type, "ext4");
	f.is_unfinished = true;
	cr_assert_eq(judge(f).kind, NVME_OTHER);
	f.is_unfinished = false;
	f.has_read_error = true;
	cr_assert_eq(judge(f).kind, NVME_OTHER);
	f.has_read_error = false;
	strcpy(f.type, "ntfs");
	cr_assert_eq(judge(f).kind, NVME_OTHER);
	strcpy(f.type, "LVM2_member");
	strcpy(f.usage, "raid");
	cr_assert_str_eq(judge(f).found, "a signature: LVM2_member");
	f.type[0] = '\0';
	strcpy(f.table, "gpt");
	cr_assert_str_eq(judge(f).found, "a partition table: gpt");
}

Test(probe, stretches_cover_the_edges_and_stay_inside)
{
	static const uint64_t sizes[] = { 1,
					  512,
					  PROBE_EDGE - 1,
					  PROBE_EDGE,
					  PROBE_EDGE + 1,
					  UINT64_C(1) << 30,
					  UINT64_C(1) << 44 };

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint64_t at, size = sizes[k], first = size, last = 0;
		unsigned n = 0;
		size_t len;

		while (probe_stretch(size, n++, &at, &len)) {
			cr_assert(len > 0 && len <= PROBE_EDGE && at + len <= size);
			first = at < first ? at : first;
			last = at + len > last ? at + len : last;
		}
		cr_assert_eq(n, PROBE_N_SAMPLES + 3);
		cr_assert(first == 0 && last == size);
	}
}

Test(probe, finds_the_first_set_byte)
{
	static unsigned char p[5000];

	cr_assert_eq(probe_first_set(p, sizeof(p)), sizeof(p));
	cr_assert_eq(probe_first_set(p, 0), 0);
	for (size_t i = 0; i < sizeof(p); i += 7) {
		p[i] = 0x80;
		cr_assert_eq(probe_first_set(p, sizeof(p)), i);
		p[i] = 0;
	}
	memset(p, 0xff, sizeof(p));
	cr_assert_eq(probe_first_set(p, sizeof(p)), 0, "all equal, but not zero");
}

Test(probe, superblocks_tell_size_and_dirtiness)
{
	static uint8_t head[FS_HEAD];
	struct nvme_content c = { .fs_type = "ext4" };
	bool is_unfinished;

	head[1024 + 4] = 16; /* blocks of 4096 */
	head[1024 + 24] = 2;
	head[1024 + 58] = 1;
	fs_read_super(head, sizeof(head), &c, &is_unfinished);
	cr_assert(c.fs_size_bytes == 65536 && !c.is_dirty && !is_unfinished);
	head[1024 + 96] = 4; /* needs recovery */
	fs_read_super(head, sizeof(head), &c, &is_unfinished);
	cr_assert(c.is_dirty);
	head[1024 + 96] = 0;
	head[1024 + 58] = 3; /* clean, but with errors */
	fs_read_super(head, sizeof(head), &c, &is_unfinished);
	cr_assert(c.is_dirty);
	strcpy(c.fs_type, "xfs");
	memset(head, 0, sizeof(head));
	head[6] = 0x10; /* 4096 */
	head[15] = 3;
	head[126] = 1;
	fs_read_super(head, sizeof(head), &c, &is_unfinished);
	cr_assert(c.fs_size_bytes == 3 * 4096 && is_unfinished);
	fs_read_super(head, 100, &c, &is_unfinished);
	cr_assert(c.fs_size_bytes == 0 && !is_unfinished);
	strcpy(c.fs_type, "btrfs");
	memset(head, 0, sizeof(head));
	head[65536 + 0x72] = 1;
	head[65536 + 0x88] = 1;
	fs_read_super(head, sizeof(head), &c, &is_unfinished);
	cr_assert(c.fs_size_bytes == 65536 && !c.is_dirty && !is_unfinished);
	head[65536 + 0x61] = 1; /* has a log */
	fs_read_super(head, sizeof(head), &c, &is_unfinished);
	cr_assert(c.is_dirty);
}

Test(probe, a_file_system_is_told_by_its_own_magic_and_uuid)
{
	static const struct {
		const char *fs_type;
		uint64_t block_at;
		unsigned magic_at, uuid_at;
		const char *magic;
	} all[] = { { "ext4", 0, 1080, 1128, "\x53\xef" },
		    { "ext3", 0, 1080, 1128, "\x53\xef" },
		    { "xfs", 0, 0, 32, "XFSB" },
		    { "btrfs", 65536, 64, 32, "_BHRfS_M" } };
	char uuid[NVME_UUID_MAX + 1];

	for (size_t i = 0; i < 4; i++) {
		uint8_t block[FS_BLOCK] = { 0 };

		cr_assert_eq(fs_uuid_at(all[i].fs_type), all[i].block_at);
		fs_read_uuid(all[i].fs_type, block, uuid);
		cr_assert_str_eq(uuid, "", "zeroes are none");
		memcpy(block + all[i].magic_at, all[i].magic, strlen(all[i].magic));
		for (uint8_t k = 0; k < 16; k++)
			block[all[i].uuid_at + k] = (uint8_t)(0xa0 + k);
		fs_read_uuid(all[i].fs_type, block, uuid);
		cr_assert_str_eq(uuid, "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf");
		fs_read_uuid(all[i == 2 ? 0 : 2].fs_type, block, uuid);
		cr_assert_str_eq(uuid, "", "another kind");
		fs_read_uuid("ntfs", block, uuid);
		cr_assert_str_eq(uuid, "");
	}
}

Test(probe, mkfs_never_forces)
{
	static const char *const types[] = { "ext4", "ext3", "xfs", "btrfs" };
	struct fs_command c;

	for (int i = 0; i < 4; i++) {
		cr_assert_eq(fs_mkfs(&c, types[i], "u-u-i-d", "/dev/x"), 0);
		bool has_uuid = false;

		for (int k = 0; c.argv[k]; k++) {
			cr_assert_str_neq(c.argv[k], "-F");
			cr_assert_str_neq(c.argv[k], "-f");
			has_uuid |= strstr(c.argv[k], "u-u-i-d") != NULL;
		}
		cr_assert(has_uuid, "%s", types[i]);
	}
	cr_assert_eq(fs_mkfs(&c, "ntfs", "u", "/dev/x"), -1);
	cr_assert_eq(fs_check(&c, "xfs", "/dev/x", false), -1);
	cr_assert_eq(fs_grow(&c, "", "/dev/x", "/m"), -1);
}
