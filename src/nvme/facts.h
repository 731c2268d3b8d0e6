#ifndef NVME_FACTS_H
#define NVME_FACTS_H
#include <stdbool.h>
#include <stdint.h>

/* What the port tells of the node: plain values, passed by copy. */
enum {
	NVME_ID_MAX = 128,
	NVME_NQN_MAX = 223, /* NVMe base specification, 4.5 */
	NVME_PATH_MAX = 4095,
	NVME_SOURCE_MAX = 1023,
	NVME_DEV_MAX = 63,
	NVME_FS_MAX = 15,
	NVME_UUID_MAX = 36,
	NVME_UNSET = INT32_MIN, /* of a setting: the kernel's own default */
};

/* Where a volume is reached: all from the StorageClass by way of the contexts. The loop
 * back end needs none of it. */
struct nvme_target {
	const char *address; /* IPv4 or IPv6 literal */
	uint16_t port;
	int32_t n_io_queues, queue_size;
	int32_t ctrl_loss_tmo_s; /* -1 = reconnect for ever */
	int32_t reconnect_delay_s, keep_alive_tmo_s, fast_io_fail_tmo_s;
};

struct nvme_device {
	char path[NVME_DEV_MAX + 1]; /* "" = none. Valid now, never remembered */
	uint32_t major, minor;
	uint64_t size_bytes;
	bool is_readonly; /* of a look: the kernel lets nobody write to it */
};

/* What a device holds, by the blank proof. Everything that is not proven is OTHER. */
enum nvme_content_kind { NVME_BLANK, NVME_FS, NVME_OTHER };
struct nvme_content {
	enum nvme_content_kind kind;
	char fs_type[NVME_FS_MAX + 1], fs_uuid[NVME_UUID_MAX + 1];
	uint64_t fs_size_bytes; /* 0 = not known */
	bool is_dirty;		/* not cleanly unmounted, or marked with errors */
	bool is_remains;	/* OTHER: as a mkfs that was cut short leaves it */
	char found[160];	/* OTHER: what was found, for people */
};

struct nvme_stats {
	uint64_t total_bytes, used_bytes, available_bytes;
	uint64_t total_inodes, used_inodes, free_inodes; /* 0 total: not counted */
};

/* The record of one volume on this node: what was begun. Facts only grow until the record
 * is forgotten at a proven detach. */
enum nvme_stage { NVME_ATTACHING, NVME_FORMATTING, NVME_READY, NVME_STAGED };
struct nvme_record {
	enum nvme_stage stage;
	bool is_this_boot; /* read only; another boot's record is a hint */
	/* Write only: what is written need not outlive a power cut, for with this boot
	 * all that it tells of goes. Never of FORMATTING, nor of what comes right after
	 * it: the one is read after a reboot, and must not come back by then. */
	bool may_be_lost;
	bool is_block, is_readonly;
	bool was_mounted; /* ever, under this record */
	bool is_adopted;  /* found staged, by another driver or before a lost disk */
	uint64_t size_bytes;
	char nqn[NVME_NQN_MAX + 1];	  /* "" = adopted, and its device was gone */
	char source[NVME_SOURCE_MAX + 1]; /* the back end's own, from nvme_view */
	char ns_id[NVME_UUID_MAX + 1]; /* UUID of the namespace by Identify; "" = none */
	char fs_type[NVME_FS_MAX + 1], fs_uuid[NVME_UUID_MAX + 1];
	char staging[NVME_PATH_MAX + 1];
};

/* What is true of one volume and one path, now. */
enum nvme_top { NVME_TOP_NONE, NVME_TOP_OURS, NVME_TOP_FOREIGN };
struct nvme_query {
	const char *id;
	const char *nqn; /* "" = not known: the device under path decides when is_staging,
			    else the one session whose NQN is base_nqn or base_nqn.g*;
			    several are FAILED_PRECONDITION */
	const char *base_nqn;
	const char *source;  /* of the record; "" = not known */
	const char *path;    /* as mountinfo has it: no symbolic link in it */
	const char *besides; /* not counted as elsewhere; NULL = none */
	/* Staging path of this boot's record, NULL = none: what is mounted there from a
	 * device that exists no more is this volume's, and so are all its mounts. */
	const char *recorded;
	bool is_staging;
};

/* Of a session with the target, as sysfs tells it. The loss of a target makes no event
 * (kernel 6.1): this is what it was when looked at. */
enum nvme_state {
	NVME_ABSENT, /* no session */
	NVME_LIVE,
	NVME_RECOVERING, /* connecting or resetting: I/O waits */
	NVME_EMPTY,	 /* live, but without the namespace */
	NVME_GOING,	 /* being deleted */
};
/* What a session has carried since its device came. */
struct nvme_traffic {
	const char *nqn; /* borrowed during the call */
	enum nvme_state state;
	bool has_device; /* else the rest is not known */
	uint64_t reads, writes, read_bytes, written_bytes;
	uint64_t busy_ms; /* with at least one request under way */
	uint64_t in_flight;
};
struct nvme_view {
	bool is_exported; /* what a connect would find, where the back end can tell */
	enum nvme_state state;
	char nqn[NVME_NQN_MAX + 1]; /* of the session found, "" = none */
	char source[NVME_SOURCE_MAX + 1];
	struct nvme_device device;
	enum nvme_top top; /* of the mounts stacked at path */
	unsigned n_layers, n_foreign_layers;
	/* Of our layers and those elsewhere: their device is gone. A layer at path itself
	 * is ours then, for there is nothing left in it to mistake. */
	unsigned n_dead;
	bool is_dead; /* the top one */
	/* Where one of those elsewhere is whose device is gone, "" = none. */
	char dead_path[NVME_PATH_MAX + 1];
	bool is_readonly; /* the top one */
	bool is_node;	  /* the top one is the device's node, not its file system */
	char fs_type[NVME_FS_MAX + 1]; /* of the top one */
	unsigned n_elsewhere, n_elsewhere_writable;
	unsigned n_fs_elsewhere;    /* file systems, alive; not the device's node */
	unsigned n_parts_elsewhere; /* of those, what shows but a directory of one */
	/* Sessions under the volume's other names (base_nqn, base_nqn.g*): left by a
	 * fence. */
	unsigned n_other_sessions;
};
#endif
