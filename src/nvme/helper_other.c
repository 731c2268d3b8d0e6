#include <fcntl.h>
#include <linux/fs.h>
#include <libnvme.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nvme/fs.h"
#include "nvme/helper_verbs.h"

/* A target that puts another file under an NQN while the host reconnects is not noticed
 * by the kernel when size and namespace UUID agree (kernels 6.1 and 6.12): everything
 * that the mounted file system still writes goes into that file, its unmount writes the
 * whole superblock. So before that its name is read from the target: by a command of our
 * own, because the page cache has what was there, and even a direct read would first
 * write what the cache has of that place. */
static uint8_t block[FS_BLOCK] __attribute__((aligned(FS_BLOCK)));

static bool read_from_target(int fd, uint64_t at)
{
	struct nvme_io_args args = {
		.args_size = sizeof(args), .fd = fd, .data = block, .data_len = FS_BLOCK
	};
	int size = 0;

	if (nvme_get_nsid(fd, &args.nsid) || ioctl(fd, BLKSSZGET, &size) || size < 512 ||
	    size > FS_BLOCK)
		return false;
	args.slba = at / (uint64_t)size;
	args.nlb = (uint16_t)(FS_BLOCK / size - 1);
	return nvme_read(&args) == 0;
}

/* A mounted ext has its superblock in the device's page cache, where tune2fs changes its
 * UUID: what differs from the record and not from there is no other file system. */
static bool is_renamed(int fd, const char *fs_type, const char *now)
{
	char cached[NVME_UUID_MAX + 1];

	if (strncmp(fs_type, "ext", 3) != 0 ||
	    pread(fd, block, FS_BLOCK, (off_t)fs_uuid_at(fs_type)) != FS_BLOCK)
		return false;
	fs_read_uuid(fs_type, block, cached);
	return strcmp(cached, now) == 0;
}

bool helper_is_other_fs(const char *device, const char *fs_type, const char *uuid,
			char out[NVME_UUID_MAX + 1])
{
	int fd =
		uuid[0] && fs_is_known(fs_type) ? open(device, O_RDONLY | O_CLOEXEC) : -1;
	bool is_other;

	out[0] = '\0';
	if (fd < 0)
		return false;
	is_other = read_from_target(fd, fs_uuid_at(fs_type));
	if (is_other) {
		fs_read_uuid(fs_type, block, out);
		is_other = strcasecmp(out, uuid) != 0 && !is_renamed(fd, fs_type, out);
	}
	(void)close(fd);
	if (!is_other)
		out[0] = '\0';
	else if (!out[0])
		(void)snprintf(out, NVME_UUID_MAX + 1, "none of that kind");
	return is_other;
}
