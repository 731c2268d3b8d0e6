#ifndef NVME_FS_H
#define NVME_FS_H
#include <stddef.h>
#include <stdint.h>

#include "nvme/nvme.h"

/* What we know of ext4, ext3, xfs and btrfs. Pure: argument lists, and the few fields of
 * a superblock that decide anything. Sources: e2fsprogs ext2_fs.h, xfsprogs xfs_format.h,
 * the btrfs on-disk format page. */
enum { FS_MAX_ARGS = 10, FS_HEAD = 128 * 1024 };

struct fs_command {
	const char *argv[FS_MAX_ARGS]; /* ended by NULL; borrows the arguments and text */
	char text[64];
};

/* All return 0, or -1 when the type is not one of ours (or needs no such command). */
int fs_mkfs(struct fs_command *c, const char *fs_type, const char *uuid, const char *dev);
/* Thorough: also where the superblock says clean, as an offline growth demands. */
int fs_check(struct fs_command *c, const char *fs_type, const char *dev,
	     bool is_thorough);
/* Online by the place where it is mounted; ext also offline. */
int fs_grow(struct fs_command *c, const char *fs_type, const char *dev, const char *path);
/* The kernel lets nobody without CAP_SYS_RESOURCE grow a mounted ext (fs/ext4/resize.c,
 * ext4_resize_begin), and not every container has it. */
bool fs_needs_resource_cap(const char *fs_type);
bool fs_is_known(const char *fs_type);

/* Where the block of FS_BLOCK bytes lies that has the superblock's name in it, and from
 * it the UUID: "" when it is no such file system. */
enum { FS_BLOCK = 4096 };
uint64_t fs_uuid_at(const char *fs_type);
void fs_read_uuid(const char *fs_type, const uint8_t block[FS_BLOCK],
		  char out[NVME_UUID_MAX + 1]);

/* From the first n bytes of the device: size and dirtiness into *content.
 * *ret_is_unfinished: the superblock itself says that its mkfs has not ended. */
void fs_read_super(const uint8_t *head, size_t n, struct nvme_content *content,
		   bool *ret_is_unfinished);
#endif
