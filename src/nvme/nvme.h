#ifndef NVME_NVME_H
#define NVME_NVME_H
#include "core/op.h"
#include "nvme/facts.h"

/* The port to everything on the node that can block in the kernel, and the only header of
 * this module that others include. Two faces: requests, each one child process as an op,
 * and synchronous reading of what is true (sysfs, mountinfo, the stage record), which
 * never touches a volume. Texts in requests are borrowed until done(). While a child is
 * stuck on a volume only ASK and CUT run there: a cut is what frees it. */
enum nvme_kind {
	NVME_ATTACH, /* nqn, target, readonly → device, ns_id. Attached already is
			success. Few at a time, first come first served */
	NVME_RESCAN, /* device, fs_type, fs_uuid → device.size_bytes as the target has it
			now. FAILED_PRECONDITION when fs_uuid is given and the target has
			another file system there */
	NVME_PROVE,  /* device: nobody holds it (O_EXCL); ABORTED when busy */
	NVME_CUT,    /* nqn, source: the sessions of a volume that the target refuses for
			good, or whose device is gone, end although it is mounted: what is
			unwritten is lost, and no unmount hangs. Proven as DETACH */
	NVME_DETACH,	 /* device, nqn, source; what raw writes left is written first;
			    proven: it is gone at done() */
	NVME_CUT_OTHERS, /* nqn, base_nqn: as CUT, the sessions of this host under the
			    volume's other names. ABORTED when a device of theirs is
			    still mounted or open */
	NVME_ASK, /* nqn, source → is_refused: whether the target of that session knows
		     no such NQN for this host, so that the session never comes back.
		     UNAVAILABLE when it does not answer */
	/* device → content. fs_uuid (NULL = none): once the file system of that UUID is
	 * found, nothing else is looked for */
	NVME_PROBE,
	NVME_WIPE,    /* device: zeroes where a cut-short mkfs may have written */
	NVME_FORMAT,  /* device, fs_type, fs_uuid; never by force */
	NVME_CHECK,   /* device, fs_type: repairs what is safe, unmounted only */
	NVME_MOUNT,   /* device, path, fs_type, options, readonly */
	NVME_BIND,    /* from (a directory), or the device's node when from is NULL; onto
			 path; readonly. The same thing there already is success */
	NVME_UNMOUNT, /* path: every layer, also of a device that is gone; is_target: also
			 the empty directory, empty file or device node left there, never
			 recursively */
	NVME_SYNC,  /* path, device, fs_type, fs_uuid → other: syncfs, unless fs_uuid is
		       given and the target has another file system there */
	NVME_STATS, /* path → stats */
	NVME_GROW,  /* device, path, fs_type: the file system fills the device */
	NVME_N_KINDS
};

struct nvme;

struct nvme_req {
	struct op op; /* type and states are the implementation's */
	void *impl;   /* the implementation's, gone at done() */
	enum nvme_kind kind;
	const char *id; /* the volume's; a valid volume id */
	/* Arguments, by kind. */
	const char *nqn, *base_nqn, *source, *path, *from, *fs_type, *fs_uuid;
	const struct nvme_target *target;
	const char *const *options; /* MOUNT: user's flags, ended by NULL; NULL = none */
	bool readonly, is_target;
	bool is_thorough;	   /* CHECK: also where the superblock says clean */
	struct nvme_device device; /* argument; result of ATTACH and RESCAN */
	/* Results, valid when op.err is ERR_OK. */
	struct nvme_content content;
	struct nvme_stats stats;
	char ns_id[NVME_UUID_MAX + 1]; /* ATTACH */
	/* ATTACH: the source of the session that was made or joined, "" = a look tells */
	char source_now[NVME_NQN_MAX + 1];
	bool is_refused;	       /* ASK */
	char other[NVME_UUID_MAX + 1]; /* SYNC: that file system, "" = none: synced */
	/* Valid when op.err is not ERR_OK: a child is still in the kernel. */
	bool is_stuck;
};

struct nvme_ops {
	void (*start)(struct nvme *nvme, struct nvme_req *req,
		      void (*done)(struct op *op));
	int (*look)(struct nvme *nvme, const struct nvme_query *q, struct nvme_view *ret,
		    struct err *err);
	/* Quicker than a look, and says less: the topmost mount at path is of that
	 * device, and that has this NQN. false also when it cannot be told so: then a
	 * look tells. NULL = this back end has looks alone. */
	bool (*is_mounted)(struct nvme *nvme, const char *path,
			   const struct nvme_device *dev, const char *nqn);
	/* NOT_FOUND when there is none; DATA_LOSS when it is damaged,
	 * FAILED_PRECONDITION when a newer driver wrote it. */
	int (*record_read)(struct nvme *nvme, const char *id, struct nvme_record *ret,
			   struct err *err);
	int (*record_write)(struct nvme *nvme, const char *id,
			    const struct nvme_record *rec, struct err *err);
	/* ABORTED while a child, of this process or a killed one, works on the volume. */
	int (*record_forget)(struct nvme *nvme, const char *id, struct err *err);
	/* Pure. 0, or INVALID_ARGUMENT naming the option. */
	int (*check_options)(const char *const *options, struct err *err);
	/* Whether this process may grow such a file system while it is mounted. */
	bool (*may_grow_online)(const char *fs_type);
	unsigned (*n_stuck)(struct nvme *nvme);
	/* What a child that is stuck in the kernel on this volume was to do, "" = none.
	 */
	const char *(*stuck)(struct nvme *nvme, const char *id);
	/* The next id that has a record, in no order: calls each until it says false. */
	int (*records)(struct nvme *nvme, bool (*each)(void *arg, const char *id),
		       void *arg, struct err *err);
	/* The same of the NQN of each NVMe/TCP session of this machine, whoever made it.
	 * NULL = this back end has none. */
	int (*sessions)(struct nvme *nvme, bool (*each)(void *arg, const char *nqn),
			void *arg, struct err *err);
	/* What each session has carried, whoever made it. NULL = not known here. */
	int (*traffic)(struct nvme *nvme,
		       bool (*each)(void *arg, const struct nvme_traffic *t), void *arg,
		       struct err *err);
};

/* An implementation embeds this as its first member; main makes and ends it. */
struct nvme {
	const struct nvme_ops *ops;
};

static inline void nvme_start(struct nvme *nvme, struct nvme_req *req,
			      void (*done)(struct op *op))
{
	nvme->ops->start(nvme, req, done);
}
#endif
