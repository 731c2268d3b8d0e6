#ifndef NVME_RECORD_H
#define NVME_RECORD_H
#include "core/buf.h"
#include "nvme/nvme.h"

/* The stage record as text, pure, and as a file in the state directory. Lines of
 * key=value, the version first and "end" last; no value holds a control character. */
enum { RECORD_MAX = 16 * 1024, RECORD_VERSION = 1 };

/* 0, or -1 when a value holds a control character (INVALID_ARGUMENT) or memory is short.
 */
int record_format(const struct nvme_record *rec, const char *id, const char *boot_id,
		  struct buf *out, struct err *err);
/* text is changed. DATA_LOSS when it is not such a record, or another volume's;
 * FAILED_PRECONDITION when it is a newer driver's. */
int record_parse(char *text, const char *id, const char *boot_id, struct nvme_record *ret,
		 struct err *err);

struct record_dir {
	const char *path; /* borrowed */
	char boot_id[40]; /* /proc/sys/kernel/random/boot_id */
};

/* Makes the directory when missing, and the one it lies in, and reads the boot id. */
int record_open(struct record_dir *d, const char *path, struct err *err);
/* NOT_FOUND also when it is damaged and of an earlier boot. */
int record_read(const struct record_dir *d, const char *id, struct nvme_record *ret,
		struct err *err);
int record_write(const struct record_dir *d, const char *id,
		 const struct nvme_record *rec, struct err *err);
/* The ids that have a record, in no order, until each says false. */
int record_each(const struct record_dir *d, bool (*each)(void *arg, const char *id),
		void *arg, struct err *err);
int record_forget(const struct record_dir *d, const char *id, struct err *err);
/* The volume's lock, held by each child that changes anything, so that it outlives us. */
int record_lock(const struct record_dir *d, const char *id, int *ret_fd, struct err *err);
#endif
