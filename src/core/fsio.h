#ifndef CORE_FSIO_H
#define CORE_FSIO_H
#include "core/buf.h"
#include "core/err.h"

/* Small files of the host's own disk: procfs, sysfs, our state directory. Synchronous, so
 * never for a path that lies on a volume. Every descriptor is O_CLOEXEC. */

/* Appends the whole file to b. NOT_FOUND when there is none, RESOURCE_EXHAUSTED when it
 * is larger than what b may still hold. */
int fsio_read(const char *path, struct buf *b, struct err *err);
/* Writes path.new, syncs it, renames it over path and syncs the directory: after a crash
 * either the old content or the new one is there, whole. Mode 0600. */
int fsio_write(const char *path, const void *data, size_t n, struct err *err);
/* The same without a sync: whole for whoever reads it while this system runs, whatever
 * becomes of this process; after a power cut there may be anything or nothing. */
int fsio_replace(const char *path, const void *data, size_t n, struct err *err);
/* The same, cheaper where what is there is not longer: then it is overwritten by a single
 * write, which a kill does not cut. For small files that no other process reads. */
int fsio_overwrite(const char *path, const void *data, size_t n, struct err *err);
/* Removes the file and syncs its directory; one that is not there is removed. */
int fsio_remove(const char *path, struct err *err);
/* Opens (makes, mode 0600) the file and takes its flock without waiting. ABORTED when
 * another process holds it. ret_fd is the caller's to close, which drops the lock once no
 * child holds the same open file any more. */
int fsio_lock(const char *path, int *ret_fd, struct err *err);
#endif
