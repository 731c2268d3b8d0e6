#ifndef CSI_CAPS_H
#define CSI_CAPS_H
#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "csi.pb-c.h"

/* What a VolumeCapability means for us. Pure. */
enum caps_use {
	CAPS_WRITER = 'w', /* one node writes */
	CAPS_SHARED = 'x', /* raw block on two nodes (KubeVirt live migration) */
	CAPS_READER = 'r', /* read-only, on many nodes */
};

/* INVALID_ARGUMENT unless the access type is block or mount, the access mode a supported
 * one, the file system one of ext4 (default), ext3, xfs, btrfs, and shared writing is raw
 * block. */
int caps_check(const Csi__V1__VolumeCapability *cap, struct err *err);
/* Each of the list, which must not be empty, and all of one access type. */
int caps_check_all(Csi__V1__VolumeCapability *const *caps, size_t n, struct err *err);

/* The rest needs a capability that passed caps_check. */
bool caps_is_block(const Csi__V1__VolumeCapability *cap);
/* A reader when the mode or the request's readonly says so. */
enum caps_use caps_use(const Csi__V1__VolumeCapability *cap, bool readonly);
bool caps_is_single_writer(
	const Csi__V1__VolumeCapability *cap); /* one pod, not one node */
const char *caps_fs_type(const Csi__V1__VolumeCapability *cap); /* "" for block */
#endif
