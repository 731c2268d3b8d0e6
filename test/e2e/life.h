#ifndef E2E_LIFE_H
#define E2E_LIFE_H
#include "crash/crash.h"
#include "e2e/vol.h"

/* A volume's whole life, written and read on the way, with a way to cut into each RPC.
 * The simulator, the driver and the program are one environment, which lasts for many
 * lives. */
struct life;

/* How one RPC of the life is brought to success: the tests put their kills in here. */
typedef bool life_rpc_fn(struct life *l, unsigned index, enum vol_step step);

/* One of the things that make up a life: an RPC and the code with which it must end, or
 * something else that must succeed. */
struct life_item {
	enum vol_step step;
	enum err_code want;
	bool (*check)(struct life *l); /* instead of an RPC */
};
#define LIFE_DO(s)          \
	{                   \
		.step = (s) \
	}
#define LIFE_REFUSED(s)                                \
	{                                              \
		.step = (s), .want = ERR_PRECONDITION, \
	}
#define LIFE_SEE(f)          \
	{                    \
		.check = (f) \
	}

struct life {
	struct sim sim;
	struct driver driver;
	struct driver *controller; /* of its own, opened and closed by the test; or NULL
				    */
	struct vol vol;
	const struct life_item *items; /* ended by a zeroed one; NULL: a whole life */
	const char *const *parameters; /* StorageClass: key, value, …, NULL; or NULL */
	life_rpc_fn *rpc;	       /* NULL: life_rpc */
	enum err_code want;	       /* of the RPC under way */
	bool (*nothing_left)(struct life *l); /* after each unstage of a whole life */
	void *arg;
	struct crash_file *crash; /* NULL: the plain driver */
	int crash_fd;
	bool is_block;
	const char *fs; /* of left_growing_fs */
	unsigned n;	/* lives begun; part of the volume's name */
	char marker[64];
	char image[300], nqn[300]; /* as the box had them when last looked at */
	char env[2][E2E_PATH + 40];
	const char *env_list[3];
};

enum { LIFE_MAX = 40 }; /* items of a life, RPCs and checks */

/* Starts the simulator and the driver; with_hook takes rds-csi-crash. What is set in
 * l->sim.args, l->driver and l->controller stays. */
bool life_open(struct life *l, bool with_hook);
void life_close(struct life *l);
/* One life from create to delete; false when a check failed on the way. */
bool life_run(struct life *l);
/* The RPC by the driver that serves it, again until it ends as it must. */
life_rpc_fn life_rpc;
struct driver *life_driver(struct life *l, enum vol_step step);

/* Checks that other lives share: the marker is written through the target, is read there,
 * is in the box's own file, which nobody uses; the volume is gone from the box. */
bool life_one_volume(struct life *l); /* on the box; its file is then l->image */
/* Where the disk is on the box: it bears the NQN that it had from the first, which is not
 * the base of its id, and no other was told. */
bool life_same_name(struct life *l);
bool life_write(struct life *l);
bool life_read(struct life *l);
bool life_on_box(struct life *l);
bool life_is_deleted(struct life *l);
/* Nothing is there of the volume, whose one successful mkfs was the only one. */
bool life_is_gone(struct life *l);
#endif
