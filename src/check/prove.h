#ifndef CHECK_PROVE_H
#define CHECK_PROVE_H
#include "check/args.h"
#include "check/prove_report.h"
#include "core/loop.h"
#include "core/proc.h"
#include "csi/controller/fence.h"
#include "csi/ids.h"
#include "nvme/nvme.h"

/* The op of `rds-csi check --prove-fence`. prove_main makes it and all that it uses. */
#define PROVE_NODE "prove-fence"
enum { PROVE_WATCH_MS = 12000 };

struct child { /* one that writes or reads the track */
	struct proc proc;
	const char *argv[8];
	char writer[4];
	struct prove *prove;
};

struct prove {
	struct op op;
	struct loop loop;
	const struct check_args *args;
	struct csi csi;
	struct nvme *nvme;
	char dir[64], host_id[UUID_TEXT], host_nqn[ID_NQN];
	struct box box;
	struct fence fence;
	struct nvme_req req;
	struct nvme_target target;
	struct proc_registry children;
	struct child writers[TRACK_WRITERS], reader;
	struct clock_timer timer;
	struct op *awaited; /* what a signal cancels; NULL: the timer, or nothing */
	uint64_t until_ms;
	unsigned n_writing;		   /* writers that run; each has a reference */
	char cluster[RDS_CLUSTER_MAX + 1]; /* of this run alone, and no controller's */
	char id[ID_VOLUME], old_nqn[ID_NQN], new_nqn[ID_NQN], nonce[RDS_NONCE + 1];
	char *version; /* 32 bytes, for the facts */
	char seed[24], old_device[NVME_DEV_MAX + 1], new_device[NVME_DEV_MAX + 1];
	struct rds_record record; /* to be written */
	struct rds_volume volume; /* as the box showed it last; zeroed = not there */
	bool is_there;		  /* it may be on the box */
	bool is_late;		  /* the answer to its making was lost: it may come yet */
	bool is_seen;		  /* volume is what a look has just shown */
	unsigned n_looks;	  /* while it is cleared away */
	unsigned n_waits;	  /* for writers to begin */
	uint64_t begun[TRACK_WRITERS]; /* blocks of each before the fence began */
	int shared_fd;
	struct track_shared *shared;
	struct prove_facts facts;
	struct err left_box, left_node; /* what could not be undone */
	/* ros_stop and nvme_tcp_stop. */
	void (*stop_box)(struct rds *r, void (*stopped)(void *arg), void *arg);
	void (*stop_node)(struct nvme *n, void (*stopped)(void *arg), void *arg);
};

/* All that is made beforehand is set, and ended by the op. */
void prove_start(struct prove *p, void (*done)(struct op *op));
/* From the on_stop of its loop. */
void prove_stop(struct prove *p);
/* What is left on the box or on this host, and the commands that remove it; nothing is
 * appended when all was cleared away. */
void prove_say_left(const struct prove *p, struct buf *out);

/* Of prove_undo.c, for prove.c: how everything is cleared away. */
bool prove_is_own(const struct prove *p, const struct rds_volume *v);
void prove_keep_stuck(struct prove *p);
void prove_begin_cut(struct prove *p);
void prove_begin_leave(struct prove *p);
void prove_end_undo_node(struct prove *p);
void prove_begin_look(struct prove *p);
void prove_end_look(struct prove *p);
void prove_begin_take(struct prove *p);
void prove_end_take(struct prove *p);
void prove_begin_delete(struct prove *p);
void prove_end_delete(struct prove *p);
void prove_begin_pause(struct prove *p);
bool prove_looks_again(const struct prove *p);
/* Of prove.c. */
void prove_ask_box(struct prove *p, enum rds_kind kind);
void prove_ask_node(struct prove *p, enum nvme_kind kind, const char *key,
		    const char *nqn);
void prove_wait_ms(struct prove *p, uint64_t ms);
#endif
