#ifndef NVME_REQUEST_H
#define NVME_REQUEST_H
#include "core/proc.h"
#include "nvme/command.h"
#include "nvme/record.h"

/* A request of the port as an op: one child, under the volume's lock where it changes
 * anything. Shared by the back ends, which embed a struct request_host. */
struct request_host {
	struct proc_registry children;
	struct record_dir records;
	const char *helper; /* the program that has helper_main */
	bool is_self;	    /* it is this one: a fork will do */
	/* The back end's own kinds (ATTACH, RESCAN, CUT, …): as command_make. */
	int (*command)(struct request_host *host, struct nvme_req *req, struct command *c,
		       struct err *err);
	/* Before a child touches req->device: whether that is req->nqn's still. 0, or -1
	 * with ABORTED. NULL: this back end's devices are not given away. */
	int (*check_device)(struct request_host *host, const struct nvme_req *req,
			    struct err *err);
	/* Attaches at a time, the others wait their turn; 0 = no limit. */
	unsigned max_attaches, n_attaches;
	struct list queue; /* of requests that wait */
};

/* Opens the state directory. */
int request_host_init(struct request_host *host, uv_loop_t *loop, const char *state_dir,
		      struct err *err);
bool request_may_grow_online(const char *fs_type);
void request_start(struct request_host *host, struct nvme_req *req,
		   void (*done)(struct op *op));
/* What a child that is stuck on this volume was to do, "" = none is. */
const char *request_stuck(struct request_host *host, const char *id);
#endif
