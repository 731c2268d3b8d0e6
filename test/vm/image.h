#ifndef VM_IMAGE_H
#define VM_IMAGE_H
#include <stdbool.h>
#include <stdint.h>

/* Files that the target serves: sparse, so only their data is looked at. Caches are
 * dropped before each look. */

/* A hash of length and data, 0 when it cannot be read. */
uint64_t image_hash(const char *path);
/* 4 KiB blocks in which two files differ, a hole being zeroes; -1: unreadable. */
long image_differs(const char *a, const char *b);

/* Makes a sparse file of that many bytes; it may be there, and longer or shorter. */
bool image_make(const char *path, long long size_bytes);
bool image_copy(const char *from, const char *to);
/* mkfs.ext4 on the file with that UUID; not counted with the driver's. */
bool image_format(const char *path, const char *uuid);
bool image_read(const char *path, long long at, void *data, unsigned long n);
bool image_write(const char *path, long long at, const void *data, unsigned long n);
#endif
