#ifndef E2E_VOL_H
#define E2E_VOL_H
#include "e2e/rpc.h"

/* One volume as a container orchestrator sees it, and the RPCs of its life as steps that
 * can be repeated until they succeed. */
enum vol_step {
	VOL_CREATE,
	VOL_PUBLISH,
	VOL_STAGE,
	VOL_NODE_PUBLISH,
	VOL_EXPAND,
	VOL_NODE_EXPAND,
	VOL_NODE_UNPUBLISH,
	VOL_UNSTAGE,
	VOL_UNPUBLISH,
	VOL_DELETE,
	VOL_N_STEPS
};

enum { VOL_PAIRS = 24 };

struct vol_context { /* pairs of a volume_context or publish_context */
	char text[2 * VOL_PAIRS][300];
	const char *pairs[2 * VOL_PAIRS];
	size_t n;
};

struct vol {
	char id[160];
	long long want_bytes, limit_bytes; /* of create and expand */
	bool is_block, is_readonly;
	const char *fs;		   /* NULL: ext4 */
	int mode;		   /* access mode; 0: SINGLE_NODE_WRITER */
	const char *node;	   /* NULL: node-a */
	const char *parameters[8]; /* StorageClass: key, value, …, NULL */
	char staging[E2E_PATH], target[E2E_PATH];
	/* What the driver answered. */
	long long size_bytes;
	bool must_grow_node;
	struct vol_context context, publish;
};

/* The id, paths under e2e_dir(), 1 GiB, ext4. The directories are made. */
void vol_init(struct vol *v, const char *id);
const char *vol_step_name(enum vol_step step); /* "CreateVolume" */
bool vol_is_node_step(enum vol_step step);
Csi__V1__VolumeCapability *vol_capability(const struct vol *v); /* of rpc_alloc */
Csi__V1__CapacityRange *vol_range(long long required, long long limit);

void vol_start(struct driver *d, struct vol *v, enum vol_step step, struct rpc_call *c);
/* Waits and takes over what the answer says. */
enum err_code vol_end(struct driver *d, struct vol *v, enum vol_step step,
		      struct rpc_call *c);
enum err_code vol_do(struct driver *d, struct vol *v, enum vol_step step);
/* Repeats the step until it succeeds, as a sidecar would, restarting neither side; false,
 * a failed check, when it has not within the time. */
bool vol_must(struct driver *d, struct vol *v, enum vol_step step);
/* Which codes say "try again": UNAVAILABLE, ABORTED, DEADLINE_EXCEEDED … */
bool vol_may_retry(enum err_code code);
/* ListVolumes counts the entries with that id. -1 when it failed. */
int vol_listed(struct driver *d, const char *id);
#endif
