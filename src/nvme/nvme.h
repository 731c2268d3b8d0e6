#ifndef NVME_NVME_H
#define NVME_NVME_H
#include <stdbool.h>
#include <stdint.h>

#include "core/op.h"

/* The port to everything on the node that can block in the kernel, and the only header of
 * this module that others include. Two faces: requests, each one child process as an op,
 * and synchronous reading of what is true (sysfs, mountinfo, the stage record), which
 * never touches a volume. Texts in requests are borrowed until done(). */
enum {
	NVME_ID_MAX = 128,
	NVME_NQN_MAX = 223, /* NVMe base specification, 4.5 */
	NVME_PATH_MAX = 4095,
	NVME_SOURCE_MAX = 1023,
	NVME_DEV_MAX = 63,
	NVME_FS_MAX = 15,
	NVME_UUID_MAX = 36,
};

enum nvme_kind {
	NVME_ATTACH,  /* nqn, readonly → device. Attached already is success */
	NVME_RESCAN,  /* device → device.size_bytes as the target has it now */
	NVME_PROVE,   /* device: nobody holds it (O_EXCL); ABORTED when busy */
	NVME_DETACH,  /* device, nqn; proven: it is gone at done() */
	NVME_PROBE,   /* device → content */
	NVME_WIPE,    /* device: zeroes where a cut-short mkfs may have written */
	NVME_FORMAT,  /* device, fs_type, fs_uuid; never by force */
	NVME_CHECK,   /* device, fs_type: repairs what is safe, unmounted only */
	NVME_MOUNT,   /* device, path, fs_type, options, readonly */
	NVME_BIND,    /* from (a directory), or the device's node when from is NULL; onto
			 path; readonly. The same thing there already is success */
	NVME_UNMOUNT, /* path: every layer; is_target: also the empty directory, empty
			 file or device node left there, never recursively */
	NVME_SYNC,    /* path: syncfs */
	NVME_STATS,   /* path → stats */
	NVME_GROW,    /* device, path, fs_type: the file system fills the device */
	NVME_N_KINDS
};

struct nvme_device {
	char path[NVME_DEV_MAX + 1]; /* "" = none. Valid now, never remembered */
	uint32_t major, minor;
	uint64_t size_bytes;
};

/* What a device holds, by the blank proof. Everything that is not proven is OTHER. */
enum nvme_content_kind { NVME_BLANK, NVME_FS, NVME_OTHER };
struct nvme_content {
	enum nvme_content_kind kind;
	char fs_type[NVME_FS_MAX + 1], fs_uuid[NVME_UUID_MAX + 1];
	uint64_t fs_size_bytes; /* 0 = not known */
	bool is_dirty;		/* not cleanly unmounted, or marked with errors */
	char found[160];	/* OTHER: what was found, for people */
};

struct nvme_stats {
	uint64_t total_bytes, used_bytes, available_bytes;
	uint64_t total_inodes, used_inodes, free_inodes; /* 0 total: not counted */
};

/* The fsync'd record of one volume on this node: what was begun. Facts only grow until
 * the record is forgotten at a proven detach. */
enum nvme_stage { NVME_ATTACHING, NVME_FORMATTING, NVME_READY, NVME_STAGED };
struct nvme_record {
	enum nvme_stage stage;
	bool is_this_boot; /* read only; another boot's record is a hint */
	bool is_block, is_readonly;
	bool was_mounted; /* ever, under this record */
	uint64_t size_bytes;
	char nqn[NVME_NQN_MAX + 1];
	char source[NVME_SOURCE_MAX + 1]; /* the back end's own, from nvme_view */
	char fs_type[NVME_FS_MAX + 1], fs_uuid[NVME_UUID_MAX + 1];
	char staging[NVME_PATH_MAX + 1];
};

/* What is true of one volume and one path, now. */
enum nvme_top { NVME_TOP_NONE, NVME_TOP_OURS, NVME_TOP_FOREIGN };
struct nvme_query {
	const char *id;
	const char *nqn;     /* "" = not known */
	const char *source;  /* of the record; "" = not known */
	const char *path;    /* as mountinfo has it: no symbolic link in it */
	const char *besides; /* not counted as elsewhere; NULL = none */
	bool is_staging; /* with neither nqn nor source, the device under path decides */
};
struct nvme_view {
	bool is_exported; /* what a connect would find, where the back end can tell */
	char source[NVME_SOURCE_MAX + 1];
	struct nvme_device device;
	enum nvme_top top; /* of the mounts stacked at path */
	unsigned n_layers, n_foreign_layers;
	bool is_readonly; /* the top one */
	bool is_node;	  /* the top one is the device's node, not its file system */
	char fs_type[NVME_FS_MAX + 1]; /* of the top one */
	unsigned n_elsewhere, n_elsewhere_writable;
};

struct nvme;

struct nvme_req {
	struct op op; /* type and states are the implementation's */
	void *impl;   /* the implementation's, gone at done() */
	enum nvme_kind kind;
	const char *id; /* the volume's; a valid volume id */
	/* Arguments, by kind. */
	const char *nqn, *source, *path, *from, *fs_type, *fs_uuid;
	const char *const *options; /* MOUNT: user's flags, ended by NULL; NULL = none */
	bool readonly, is_target;
	bool is_thorough; /* CHECK: also where the superblock says clean */
	bool is_fenced;	  /* UNMOUNT: the target has refused the NQN for good, so what is
			     unwritten is lost, and the session may be cut first */
	struct nvme_device device; /* argument; result of ATTACH and RESCAN */
	/* Results, valid when op.err is ERR_OK. */
	struct nvme_content content;
	struct nvme_stats stats;
	/* Valid when op.err is not ERR_OK: a child is still in the kernel. */
	bool is_stuck;
};

struct nvme_ops {
	void (*start)(struct nvme *nvme, struct nvme_req *req,
		      void (*done)(struct op *op));
	int (*look)(struct nvme *nvme, const struct nvme_query *q, struct nvme_view *ret,
		    struct err *err);
	/* NOT_FOUND when there is none; DATA_LOSS when it cannot be understood. */
	int (*record_read)(struct nvme *nvme, const char *id, struct nvme_record *ret,
			   struct err *err);
	int (*record_write)(struct nvme *nvme, const char *id,
			    const struct nvme_record *rec, struct err *err);
	int (*record_forget)(struct nvme *nvme, const char *id, struct err *err);
	/* Pure. 0, or INVALID_ARGUMENT naming the option. */
	int (*check_options)(const char *const *options, struct err *err);
	/* Whether this process may grow such a file system while it is mounted. */
	bool (*may_grow_online)(const char *fs_type);
	unsigned (*n_stuck)(struct nvme *nvme);
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
