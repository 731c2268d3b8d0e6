#include "nvme/sysfs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "support/t.h"

static char root[128];

static void put(const char *file, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, file);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

Test(sysfs, a_loop_device_is_found_by_its_image)
{
	struct nvme_device d;
	struct err err;
	char image[64];

	t_mkdir(root);
	put("block/vda/dev", "254:0\n");
	put("block/loop0/dev", "7:0\n");
	put("block/loop1/dev", "7:1\n");
	put("block/loop1/size", "2048\n");
	put("block/loop1/loop/backing_file", "/pool/a b.img\n");
	put("block/loop2/dev", "nonsense\n");
	put("block/loop2/size", "1\n");
	put("block/loop2/loop/backing_file", "/pool/c.img\n");
	put("dev/block/7:1/loop/backing_file", "/pool/a b.img\n");
	cr_assert_eq(sysfs_find_loop(root, "/pool/a b.img", &d, &err), 0);
	cr_assert_str_eq(d.path, "/dev/loop1");
	cr_assert(d.major == 7 && d.minor == 1 && d.size_bytes == 1024 * 1024);
	cr_assert(!d.is_readonly);
	put("block/loop1/ro", "1\n");
	cr_assert_eq(sysfs_find_loop(root, "/pool/a b.img", &d, &err), 0);
	cr_assert(d.is_readonly);
	cr_assert_eq(sysfs_find_loop(root, "/pool/a", &d, &err), 0);
	cr_assert_str_eq(d.path, "", "a prefix is no match");
	cr_assert_eq(sysfs_find_loop(root, "/pool/c.img", &d, &err), 0);
	cr_assert_str_eq(d.path, "", "half a device is none");
	cr_assert_eq(sysfs_find_loop(root, "/lab/pool/a b.img", &d, &err), 0);
	cr_assert_str_eq(d.path, "/dev/loop1", "made in a container that has ended");
	cr_assert_eq(sysfs_find_loop(root, "/lab/spool/a b.img", &d, &err), 0);
	cr_assert_str_eq(d.path, "", "another directory's");
	put("block/loop1/loop/backing_file", "/volume.img\n");
	cr_assert_eq(sysfs_find_loop(root, "/pool/vol-b/volume.img", &d, &err), 0);
	cr_assert_str_eq(d.path, "", "which volume's?");
	put("block/loop1/loop/backing_file", "/vol-b/volume.img\n");
	cr_assert_eq(sysfs_find_loop(root, "/pool/vol-b/volume.img", &d, &err), 0);
	cr_assert_str_eq(d.path, "/dev/loop1");
	put("block/loop1/loop/backing_file", "/\n");
	cr_assert_eq(sysfs_find_loop(root, "/pool/", &d, &err), 0);
	cr_assert_str_eq(d.path, "");
	put("block/loop1/loop/backing_file", "/pool/a b.img\n");
	cr_assert_eq(sysfs_loop_image(root, 7, 1, image, sizeof(image)), 0);
	cr_assert_str_eq(image, "/pool/a b.img");
	cr_assert_eq(sysfs_loop_image(root, 7, 9, image, sizeof(image)), -1);
	cr_assert_eq(sysfs_find_loop("/nonexistent", "/x", &d, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	t_rmdir(root);
}

Test(sysfs, an_image_bears_its_volumes_name)
{
	cr_assert(sysfs_is_image_of("/p/vol-a/volume.img", "a"));
	cr_assert(sysfs_is_image_of("/p/metal/a.img", "a"));
	cr_assert(!sysfs_is_image_of("/p/metal/ba.img", "a"));
	cr_assert(!sysfs_is_image_of("/p/vol-ab/volume.img", "a"));
	cr_assert(!sysfs_is_image_of("a.img", "a"));
	cr_assert(!sysfs_is_image_of("/p/a.img (deleted)", "a"));
}
