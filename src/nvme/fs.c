#include "nvme/fs.h"

#include <stdio.h>
#include <string.h>

enum fs_kind { FS_NONE, FS_EXT, FS_XFS, FS_BTRFS };

static enum fs_kind kind_of(const char *fs_type)
{
	if (strcmp(fs_type, "ext4") == 0 || strcmp(fs_type, "ext3") == 0)
		return FS_EXT;
	if (strcmp(fs_type, "xfs") == 0)
		return FS_XFS;
	return strcmp(fs_type, "btrfs") == 0 ? FS_BTRFS : FS_NONE;
}

bool fs_is_known(const char *fs_type)
{
	return kind_of(fs_type) != FS_NONE;
}

static int set(struct fs_command *c, const char *const *argv)
{
	size_t i;

	for (i = 0; argv[i]; i++)
		c->argv[i] = argv[i];
	c->argv[i] = NULL;
	return 0;
}

/* No blocks are reserved for root on a volume that pods fill. No -F or -f: what
 * mkfs.xfs or mkfs.btrfs recognises stops it. mkfs.ext asks only at a terminal. */
int fs_mkfs(struct fs_command *c, const char *fs_type, const char *uuid, const char *dev)
{
	const char *ext = strcmp(fs_type, "ext3") == 0 ? "mkfs.ext3" : "mkfs.ext4";

	switch (kind_of(fs_type)) {
	case FS_EXT:
		return set(c, (const char *const[]){ ext, "-q", "-m", "0", "-U", uuid,
						     dev, NULL });
	case FS_XFS:
		(void)snprintf(c->text, sizeof(c->text), "uuid=%s", uuid);
		return set(c, (const char *const[]){ "mkfs.xfs", "-q", "-m", c->text, dev,
						     NULL });
	case FS_BTRFS:
		return set(c, (const char *const[]){ "mkfs.btrfs", "-q", "-U", uuid, dev,
						     NULL });
	default:
		return -1;
	}
}

/* xfs and btrfs replay their logs at mount, and their checkers are no preen. */
int fs_check(struct fs_command *c, const char *fs_type, const char *dev, bool is_thorough)
{
	if (kind_of(fs_type) != FS_EXT)
		return -1;
	return set(c, (const char *const[]){ "e2fsck", is_thorough ? "-fp" : "-p", dev,
					     NULL });
}

bool fs_needs_resource_cap(const char *fs_type)
{
	return kind_of(fs_type) == FS_EXT;
}

int fs_grow(struct fs_command *c, const char *fs_type, const char *dev, const char *path)
{
	switch (kind_of(fs_type)) {
	case FS_EXT:
		return set(c, (const char *const[]){ "resize2fs", dev, NULL });
	case FS_XFS:
		return set(c, (const char *const[]){ "xfs_growfs", "-d", path, NULL });
	case FS_BTRFS:
		return set(c, (const char *const[]){ "btrfs", "filesystem", "resize",
						     "max", path, NULL });
	default:
		return -1;
	}
}

static uint64_t le(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static uint64_t be(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* struct ext2_super_block at 1024: s_blocks_count 4, s_log_block_size 24, s_state 58 (1 =
 * clean, 2 = errors), s_feature_incompat 96 (4 = needs recovery, 0x80 = 64 bit),
 * s_blocks_count_hi 0x150. */
static void read_ext(const uint8_t *sb, struct nvme_content *c)
{
	uint64_t blocks = le(sb + 4, 4), incompat = le(sb + 96, 4);
	unsigned shift = 10 + (unsigned)(le(sb + 24, 4) & 15);

	if (incompat & 0x80)
		blocks |= le(sb + 0x150, 4) << 32;
	c->fs_size_bytes = blocks << shift;
	c->is_dirty = le(sb + 58, 2) != 1 || (incompat & 4);
}

/* struct xfs_dsb at 0, big endian: sb_blocksize 4, sb_dblocks 8, sb_inprogress 126. That
 * its log is dirty cannot be told from here. */
static void read_xfs(const uint8_t *sb, struct nvme_content *c, bool *ret_is_unfinished)
{
	c->fs_size_bytes = be(sb + 8, 8) * be(sb + 4, 4);
	*ret_is_unfinished = sb[126] != 0;
}

/* struct btrfs_super_block at 64 KiB: log_root 0x60 (fsync'd and not committed yet: what
 * the next mount replays), total_bytes 0x70, num_devices 0x88. */
static void read_btrfs(const uint8_t *sb, struct nvme_content *c)
{
	c->is_dirty = le(sb + 0x60, 8) != 0;
	c->fs_size_bytes = le(sb + 0x88, 8) == 1 ? le(sb + 0x70, 8) : 0;
}

void fs_read_super(const uint8_t *head, size_t n, struct nvme_content *content,
		   bool *ret_is_unfinished)
{
	*ret_is_unfinished = false;
	content->fs_size_bytes = 0;
	content->is_dirty = false;
	if (n < FS_HEAD)
		return;
	switch (kind_of(content->fs_type)) {
	case FS_EXT:
		read_ext(head + 1024, content);
		return;
	case FS_XFS:
		read_xfs(head, content, ret_is_unfinished);
		return;
	case FS_BTRFS:
		read_btrfs(head + 65536, content);
		return;
	default:
		return;
	}
}

/* Magic and UUID within the block. ext: struct ext2_super_block at 1024, s_magic 0x38,
 * s_uuid 0x68. xfs: sb_magicnum 0, sb_uuid 32. btrfs, its superblock at 64 KiB: fsid
 * 0x20, magic 0x40. */
static const struct {
	uint64_t block_at;
	unsigned magic_at, uuid_at;
	const char *magic;
} names[] = {
	[FS_EXT] = { 0, 1024 + 0x38, 1024 + 0x68, "\x53\xef" },
	[FS_XFS] = { 0, 0, 32, "XFSB" },
	[FS_BTRFS] = { 65536, 0x40, 0x20, "_BHRfS_M" },
};

uint64_t fs_uuid_at(const char *fs_type)
{
	return names[kind_of(fs_type)].block_at;
}

void fs_read_uuid(const char *fs_type, const uint8_t block[FS_BLOCK],
		  char out[NVME_UUID_MAX + 1])
{
	enum fs_kind kind = kind_of(fs_type);
	const char *magic = names[kind].magic;
	const uint8_t *uuid = block + names[kind].uuid_at;
	size_t n = 0;

	out[0] = '\0';
	if (kind == FS_NONE || memcmp(block + names[kind].magic_at, magic, strlen(magic)))
		return;
	for (unsigned i = 0; i < 16; i++)
		n += (size_t)snprintf(out + n, NVME_UUID_MAX + 1 - n, "%s%02x",
				      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
				      uuid[i]);
}
