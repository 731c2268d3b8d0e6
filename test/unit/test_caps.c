#include "support/t.h"

#include <string.h>

#include "csi/caps.h"

static Csi__V1__VolumeCapability__AccessMode mode;
static Csi__V1__VolumeCapability__MountVolume mount;
static Csi__V1__VolumeCapability__BlockVolume block;
static Csi__V1__VolumeCapability cap;
static char fs[16];
static struct err e;

static const Csi__V1__VolumeCapability *make(bool is_block, int access)
{
	csi__v1__volume_capability__access_mode__init(&mode);
	csi__v1__volume_capability__mount_volume__init(&mount);
	csi__v1__volume_capability__block_volume__init(&block);
	csi__v1__volume_capability__init(&cap);
	mode.mode = (Csi__V1__VolumeCapability__AccessMode__Mode)access;
	cap.access_mode = &mode;
	mount.fs_type = fs;
	if (is_block) {
		cap.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
		cap.block = &block;
	} else {
		cap.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
		cap.mount = &mount;
	}
	return &cap;
}

Test(caps, each_mode_and_type)
{
	/* by mode: mount allowed, block allowed, use rw, use readonly */
	static const struct {
		bool mount, block;
		char rw, ro;
	} rows[] = {
		{ false, false, 0, 0 },	   /* UNKNOWN */
		{ true, true, 'w', 'r' },  /* SINGLE_NODE_WRITER */
		{ true, true, 'r', 'r' },  /* SINGLE_NODE_READER_ONLY */
		{ true, true, 'r', 'r' },  /* MULTI_NODE_READER_ONLY */
		{ false, false, 0, 0 },	   /* MULTI_NODE_SINGLE_WRITER */
		{ false, true, 'x', 'r' }, /* MULTI_NODE_MULTI_WRITER */
		{ true, true, 'w', 'r' },  /* SINGLE_NODE_SINGLE_WRITER */
		{ true, true, 'w', 'r' },  /* SINGLE_NODE_MULTI_WRITER */
		{ false, false, 0, 0 },	   /* of a later version */
	};

	for (int m = 0; m < (int)(sizeof(rows) / sizeof(rows[0])); m++)
		for (int is_block = 0; is_block < 2; is_block++) {
			const Csi__V1__VolumeCapability *c = make(is_block, m);
			bool is_ok = is_block ? rows[m].block : rows[m].mount;

			cr_assert_eq(caps_check(c, &e), is_ok ? 0 : -1, "%d %d", m,
				     is_block);
			if (!is_ok) {
				cr_assert_eq(e.code, ERR_INVALID);
				continue;
			}
			cr_assert_eq(caps_is_block(c), is_block);
			cr_assert_eq(caps_use(c, false), rows[m].rw);
			cr_assert_eq(caps_use(c, true), rows[m].ro);
			cr_assert_eq(caps_is_single_writer(c), m == 6);
		}
}

Test(caps, file_systems)
{
	static const char *const good[] = { "ext4", "ext3", "xfs", "btrfs" };
	static const char *const bad[] = { "ntfs", "EXT4", "ext4 ", "vfat" };

	fs[0] = '\0';
	cr_assert_eq(caps_check(make(false, 1), &e), 0);
	cr_assert_str_eq(caps_fs_type(&cap), "ext4");
	cr_assert_str_eq(caps_fs_type(make(true, 1)), "");
	for (unsigned i = 0; i < 4; i++) {
		strcpy(fs, good[i]);
		cr_assert_eq(caps_check(make(false, 1), &e), 0);
		cr_assert_str_eq(caps_fs_type(&cap), good[i]);
		strcpy(fs, bad[i]);
		cr_assert_eq(caps_check(make(false, 1), &e), -1);
	}
}

Test(caps, what_is_missing_is_named)
{
	cr_assert_eq(caps_check(NULL, &e), -1);
	cr_assert_str_eq(e.msg, "volume_capability is missing");
	make(false, 1);
	cap.access_mode = NULL;
	cr_assert_eq(caps_check(&cap, &e), -1);
	cr_assert_str_eq(e.msg, "access_mode is missing");
	make(false, 1);
	cap.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE__NOT_SET;
	cr_assert_eq(caps_check(&cap, &e), -1);
	cr_assert_str_eq(e.msg, "access type is neither block nor mount");
}

Test(caps, all_of_a_list_and_of_one_type)
{
	Csi__V1__VolumeCapability a, b, *list[] = { &a, &b };

	a = *make(false, 1);
	b = *make(false, 3);
	b.access_mode = &mode;
	cr_assert_eq(caps_check_all(list, 0, &e), -1);
	cr_assert_eq(caps_check_all(list, 2, &e), 0);
	b = *make(true, 1);
	cr_assert_eq(caps_check_all(list, 2, &e), -1);
	cr_assert_str_eq(e.msg, "one volume cannot be both block and mount");
}
