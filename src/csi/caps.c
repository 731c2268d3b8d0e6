#include "csi/caps.h"

#include <string.h>

typedef Csi__V1__VolumeCapability capability;

#define MODE(x) CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__##x

bool caps_is_block(const capability *cap)
{
	return cap->access_type_case == CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
}

static int check_mode(const capability *cap, struct err *err)
{
	switch (cap->access_mode->mode) {
	case MODE(SINGLE_NODE_WRITER):
	case MODE(SINGLE_NODE_READER_ONLY):
	case MODE(SINGLE_NODE_SINGLE_WRITER):
	case MODE(SINGLE_NODE_MULTI_WRITER):
	case MODE(MULTI_NODE_READER_ONLY):
		return 0;
	case MODE(MULTI_NODE_MULTI_WRITER):
		if (caps_is_block(cap))
			return 0;
		return err_set(
			err, ERR_INVALID,
			"ReadWriteMany needs volumeMode Block: two nodes that mount "
			"one file system destroy it");
	default:
		return err_set(err, ERR_INVALID, "access mode %d is not supported",
			       (int)cap->access_mode->mode);
	}
}

static int check_fs(const char *fs, struct err *err)
{
	static const char *const known[] = { "", "ext4", "ext3", "xfs", "btrfs" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(fs, known[i]) == 0)
			return 0;
	return err_set(err, ERR_INVALID, "fs_type is none of ext4, ext3, xfs, btrfs");
}

int caps_check(const capability *cap, struct err *err)
{
	if (!cap)
		return err_set(err, ERR_INVALID, "volume_capability is missing");
	if (!cap->access_mode)
		return err_set(err, ERR_INVALID, "access_mode is missing");
	if (!caps_is_block(cap) &&
	    cap->access_type_case != CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT)
		return err_set(err, ERR_INVALID,
			       "access type is neither block nor mount");
	if (check_mode(cap, err))
		return -1;
	return caps_is_block(cap) ? 0 : check_fs(cap->mount->fs_type, err);
}

int caps_check_all(capability *const *caps, size_t n, struct err *err)
{
	if (n == 0)
		return err_set(err, ERR_INVALID, "volume_capabilities is missing");
	for (size_t i = 0; i < n; i++) {
		if (caps_check(caps[i], err))
			return -1;
		if (caps_is_block(caps[i]) != caps_is_block(caps[0]))
			return err_set(err, ERR_INVALID,
				       "one volume cannot be both block and mount");
	}
	return 0;
}

enum caps_use caps_use(const capability *cap, bool readonly)
{
	switch (cap->access_mode->mode) {
	case MODE(SINGLE_NODE_READER_ONLY):
	case MODE(MULTI_NODE_READER_ONLY):
		return CAPS_READER;
	case MODE(MULTI_NODE_MULTI_WRITER):
		return readonly ? CAPS_READER : CAPS_SHARED;
	default:
		return readonly ? CAPS_READER : CAPS_WRITER;
	}
}

bool caps_is_single_writer(const capability *cap)
{
	return cap->access_mode->mode == MODE(SINGLE_NODE_SINGLE_WRITER);
}

const char *caps_fs_type(const capability *cap)
{
	if (caps_is_block(cap))
		return "";
	return cap->mount->fs_type[0] ? cap->mount->fs_type : "ext4";
}
