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
	unsigned n_writing; /* writers that run; each has a reference */
	char id[ID_VOLUME], old_nqn[ID_NQN], new_nqn[ID_NQN], nonce[RDS_NONCE + 1];
	char *version; /* 32 bytes, for the facts */
	char seed[24], old_device[NVME_DEV_MAX + 1], new_device[NVME_DEV_MAX + 1];
	struct rds_record record; /* to be written */
	struct rds_volume volume; /* as the box showed it last */
	bool is_there;		  /* it may be on the box */
	unsigned n_looks;	  /* again, while it is cleared away */
	int shared_fd;
	struct track_shared *shared;
	struct prove_facts facts;
	struct err left; /* what could not be undone */
};

/* All that is made beforehand is set, and ended by the op. */
void prove_start(struct prove *p, void (*done)(struct op *op));
/* From the on_stop of its loop. */
void prove_stop(struct prove *p);
#endif
