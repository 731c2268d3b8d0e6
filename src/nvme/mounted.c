#include "nvme/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum mounted mounted_at(const char *path, uint32_t *ret_major, uint32_t *ret_minor)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
	struct statx st;

	if (statx(AT_FDCWD, path, flags, 0, &st))
		return errno == ENOENT ? MOUNTED_NOTHING : MOUNTED_UNKNOWN;
	if (!(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return MOUNTED_UNKNOWN;
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return MOUNTED_NOTHING;
	*ret_major = st.stx_dev_major;
	*ret_minor = st.stx_dev_minor;
	return MOUNTED_SOMETHING;
}
