/* Exports through the kernel's own NVMe target. What is to be done is queued; children
 * do it, because a configfs write can sleep for as long as the backing store is slow.
 * Work on one NQN is done in the order it was asked for, other NQNs are not held up.
 *
 * Every subsystem made has a marker DIR/nvmet/NQN from before its making until after its
 * removal: what a killed simulator left is known by that and removed at the next start,
 * and nothing else is ever touched. */
#ifndef SIM_NVMET_H
#define SIM_NVMET_H

#include <poll.h>
#include <stdint.h>

#include "sim/configfs.h"

enum {
	NVMET_MAX_CHILDREN = 16,
};

/* What nvme-tcp-export=no does. */
enum nvmet_off {
	NVMET_OFF_FULL,
	NVMET_OFF_LINK_ONLY,
	NVMET_OFF_KEEP_SESSIONS,
};

struct nvmet_opt {
	bool is_on;
	char root[256], address[64];
	unsigned port_id;
	enum nvmet_off off;
	unsigned linger_ms; /* KEEP_SESSIONS: until they end after all; 0: never */
	bool size_fixed, tells_growth;
	const struct nvmet_fs *fs; /* NULL: the real one */
};

/* Somebody who waits for what he asked for. It must stay until pending is 0 or
 * nvmet_forget was called. */
struct nvmet_wait {
	unsigned pending;
	char err[256]; /* first error, "" none */
};

struct nvmet;

/* After each item; err NULL: done. */
typedef void nvmet_done_fn(void *data, const struct nvmet_item *item, const char *err);

/* Removes what an earlier run in dir left. NULL with a line on stderr. */
struct nvmet *nvmet_open(const struct nvmet_opt *opt, const char *dir,
			 nvmet_done_fn *done, void *data);
/* Ends every export of ours, waits for that (30 s at most). */
void nvmet_close(struct nvmet *n);

/* Number of the port that has this service; made at need. -1 with *ret_err set. */
int nvmet_port(struct nvmet *n, unsigned svcid, const char **ret_err);
/* One after the other in one child. wait may be NULL. */
void nvmet_submit(struct nvmet *n, const struct nvmet_item *items, unsigned count,
		  struct nvmet_wait *wait);
/* Off for every subsystem that this disk has, also under names it had before. */
void nvmet_drop_disk(struct nvmet *n, unsigned disk_id, struct nvmet_wait *wait);
/* Made and not on its way out. */
bool nvmet_has(struct nvmet *n, const char *name);
void nvmet_forget(struct nvmet *n, const struct nvmet_wait *wait);
/* Blocks. */
void nvmet_finish(struct nvmet *n, const struct nvmet_wait *wait);
void nvmet_finish_all(struct nvmet *n);

/* At most NVMET_MAX_CHILDREN entries; returns how many. */
unsigned nvmet_poll(const struct nvmet *n, struct pollfd *fds);
void nvmet_step(struct nvmet *n);

#endif
