#ifndef RDS_RDS_H
#define RDS_RDS_H
#include <stdbool.h>
#include <stdint.h>

#include "core/op.h"

/* The port to the storage box, and the only header of this module that others include.
 * One kind of request serves all: the caller embeds a struct rds_req, fills in its
 * arguments and starts it; one RPC step is one request is (warm) one exec on the box.
 * Texts are borrowed until done(). Requests never hang: each kind has a deadline of its
 * own, and an earlier one of the caller (op_set_deadline after start) wins. */
enum {
	RDS_ID_MAX = 128,  /* volume id = disk slot */
	RDS_NQN_MAX = 223, /* NVMe base specification, 4.5 */
	RDS_PATH_MAX = 255,
	RDS_NODE_MAX = 63,   /* longer node names stand in the record as their uuidv5 */
	RDS_CLAIM_MAX = 128, /* <namespace>/<claim>, cut */
	RDS_CLUSTER_MAX = 36,
	RDS_NONCE = 8, /* hex digits */
	RDS_MAX_HOLDERS = 16,
};

enum rds_kind {
	RDS_GET,
	RDS_LIST, /* the volumes of our cluster id, by on_row */
	RDS_CAPACITY,
	RDS_CREATE,
	RDS_DELETE,
	RDS_GROW,
	RDS_NO_MOUNT,  /* mount-filesystem off, for the box itself must mount no volume */
	RDS_PUBLISH,   /* compare the record, write the new one, export on */
	RDS_UNPUBLISH, /* compare, export off when switch_off, write the new record */
	RDS_FENCE_BEGIN,  /* compare, write the record (state fencing), export off, read
			     back */
	RDS_FENCE_FINISH, /* compare, new NQN, read back, write the record (state ok) */
	RDS_EXPORT, /* compare, off as it must be, write the record, NQN, export on */
};

enum rds_layout { RDS_LAYOUT_AUTO, RDS_LAYOUT_SUBVOLUME, RDS_LAYOUT_FILE };

struct rds_holder {
	char node[RDS_NODE_MAX + 1];
	/* 'w' single writer, 'x' shared block, 'r' reader; 'u' was let go while others
	 * have the volume, and not cut off yet */
	char use;
};

/* The record in the disk's comment: who may write, and under which generation. */
enum rds_record_kind {
	RDS_RECORD_NONE,    /* empty comment */
	RDS_RECORD_OURS,    /* parsed, and of our cluster id */
	RDS_RECORD_FOREIGN, /* parsed, of another cluster id */
	RDS_RECORD_UNREADABLE,
};
struct rds_record {
	enum rds_record_kind kind;
	char nonce[RDS_NONCE + 1]; /* made anew by the port at every write */
	char cluster[RDS_CLUSTER_MAX + 1];
	uint32_t generation;
	bool is_fencing;
	bool is_bound;	      /* a PV was seen */
	bool is_deletable;    /* with the reclaim policy Delete, when it was seen last */
	bool is_released;     /* and it is gone. Only of a volume without holders */
	uint32_t released_at; /* since then, seconds since 1970; 0 = not told */
	unsigned n_holders;
	struct rds_holder holders[RDS_MAX_HOLDERS];
	char claim[RDS_CLAIM_MAX + 1]; /* "" or <namespace>/<claim>, for people */
};

/* A volume as the box shows it, read back by the same exec that changed it. */
struct rds_volume {
	char id[RDS_ID_MAX + 1];
	uint64_t size_bytes;
	char path[RDS_PATH_MAX + 1]; /* with leading slash */
	enum rds_layout layout;	     /* of the path; AUTO when it has neither shape */
	bool is_file_disk;	     /* type=file */
	bool is_exported;
	bool is_mounted;       /* RouterOS itself has it mounted */
	bool mount_filesystem; /* RouterOS may mount it */
	uint16_t port;
	char nqn[RDS_NQN_MAX + 1];
	struct rds_record record;
};

/* How a request that did not fail ended. RDS_STALE: the record was not the expected one;
 * nothing was changed and volume shows what is there. RDS_ABSENT: there is no such disk.
 */
enum rds_outcome { RDS_OK, RDS_STALE, RDS_ABSENT };

struct rds;

struct rds_req {
	struct op op; /* type and states are the implementation's */
	void *impl;   /* the implementation's, gone at done() */
	enum rds_kind kind;
	/* Arguments. */
	const char *id;	  /* all but LIST and CAPACITY; a valid volume id */
	const char *base; /* CREATE, CAPACITY: directory; NULL = the default. DELETE: the
			   * backing file's full path when known, else NULL */
	enum rds_layout layout; /* CREATE */
	uint64_t size_bytes;	/* CREATE, GROW: a multiple of 1 MiB */
	uint16_t nvme_port;	/* CREATE */
	/* CREATE, PUBLISH: expected; FENCE_FINISH, EXPORT: new. DELETE: what the disk
	 * bore when it was read, NULL = no disk was there. */
	const char *nqn;
	const char *expect_nonce; /* DELETE, PUBLISH … EXPORT; NULL = no record yet */
	const struct rds_record *record; /* CREATE, PUBLISH … EXPORT: what to write */
	bool switch_off;		 /* UNPUBLISH: nobody is left */
	bool may_unmount; /* NO_MOUNT: also where the box has it mounted, for nobody holds
			   * it; the record must say so too */
	void (*on_row)(struct rds_req *req, const struct rds_volume *row); /* LIST */
	bool wants_unreadable; /* LIST: rows too whose record cannot be read */
	/* Asked right before the command leaves; false: it is not sent, and the request
	 * ends with ABORTED. NULL = always. Joined creates are never asked. */
	bool (*may_send)(const struct rds_req *req);
	const void *sender; /* for may_send */
	/* Results, valid when op.err is ERR_OK. */
	enum rds_outcome outcome;
	/* All but LIST and CAPACITY, DELETE when RDS_STALE; not with RDS_ABSENT. */
	struct rds_volume volume;
	uint64_t free_bytes,
		total_bytes; /* CAPACITY, the pool reserve already subtracted */
	/* Valid when op.err is not ERR_OK: the mutation may have happened or may yet
	 * happen. */
	bool is_outcome_unknown;
};

struct rds_features {
	bool is_known; /* false until the first connection succeeded */
	char version[32];
	bool has_subvolumes;
};

struct rds_ops {
	void (*start)(struct rds *rds, struct rds_req *req, void (*done)(struct op *op));
	const struct rds_features *(*features)(struct rds *rds);
};

/* An implementation embeds this as its first member; main makes and ends it. */
struct rds {
	const struct rds_ops *ops;
};

static inline void rds_start(struct rds *rds, struct rds_req *req,
			     void (*done)(struct op *op))
{
	rds->ops->start(rds, req, done);
}
#endif
