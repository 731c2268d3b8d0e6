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

struct life {
	struct sim sim;
	struct driver driver;
	struct vol vol;
	life_rpc_fn *rpc; /* NULL: life_rpc */
	void *arg;
	struct crash_file *crash; /* NULL: the plain driver */
	int crash_fd;
	bool is_block;
	const char *fs; /* of left_growing_fs */
	unsigned n;	/* lives begun; part of the volume's name */
	char marker[64];
	char image[300];
	char env[2][E2E_PATH + 40];
	const char *env_list[3];
};

enum { LIFE_MAX = 40 }; /* items of a life, RPCs and checks */

/* Starts the simulator and the driver; with_hook takes rds-csi-crash. */
bool life_open(struct life *l, bool with_hook);
void life_close(struct life *l);
/* One life from create to delete; false when a check failed on the way. */
bool life_run(struct life *l);
life_rpc_fn life_rpc; /* vol_must */
/* The RPC at that place of the life; false beyond the last one or where a check stands.
 */
bool life_step_at(unsigned index, enum vol_step *ret_step);
#endif
