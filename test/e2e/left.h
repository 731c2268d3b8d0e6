#ifndef E2E_LEFT_H
#define E2E_LEFT_H
#include <stdbool.h>
#include <stddef.h>

/* What a test could leave behind in the kernel, and what lies in an image file. */
bool left_can_mount(void); /* root, and loop devices */
/* ext4 that can be grown while it is mounted; without the capability for it, xfs. */
const char *left_growing_fs(void);
/* Mount points at or under the directory, and loop devices over files under it. */
unsigned left_mounts(const char *dir);
unsigned left_loops(const char *dir);
void left_clean(const char *dir); /* unmounts and detaches all of them */
/* Ends a "mount -o loop" of the test's own, and awaits the end of its loop device: udev
 * may have it open for a moment longer. False when either did not come. */
bool left_unmount(const char *at, const char *file);

/* The content of a file of the ext4 file system in the image, read without mounting it;
 * its length, or -1. A journal left by a kill is not replayed. */
long left_read_ext4(const char *image, const char *path, char *out, size_t cap);
/* The same by mounting the image read-only on a directory of the test. */
long left_read_mounted(const char *image, const char *fs, const char *path, char *out,
		       size_t cap);
/* Writes and fsyncs a file or a device at the offset; false when that failed. */
bool left_write(const char *path, long offset, const char *text);
/* Reads n bytes at the offset; false when it cannot. */
bool left_read(const char *path, long offset, char *out, size_t n);
/* A hash of the file's size, data and name; 0 when it cannot be read. */
unsigned long long left_hash(const char *path);
/* Of every file and directory under dir, with their names. */
unsigned long long left_hash_tree(const char *dir);
#endif
