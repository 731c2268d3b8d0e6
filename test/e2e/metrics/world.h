#ifndef E2E_METRICS_WORLD_H
#define E2E_METRICS_WORLD_H
#include <stdio.h>

#include "e2e/child.h"
#include "e2e/metric_rows.h"
#include "e2e/scrape.h"
#include "e2e/vol.h"
#include "support/api_sim.h"

/* What prog/metrics.c has before it: a controller over rds-sim and a simulated API server
 * that lives on the controller's loop, a node plugin over loop devices, some volumes. */
enum { N_CALLS = 24, N_CROWD = 300, RWX = 5 };

struct world {
	struct sim sim;
	struct api_sim api;
	struct driver ctl, node;
	unsigned ctl_port, node_port; /* of their metrics */
	char flags[2][300];
	const char *ctl_args[10], *node_args[3];
	struct vol one, two, shared, gone, torn, held, many[N_CALLS];
	struct rpc_call calls[N_CALLS]; /* under way */
	unsigned n_calls;
	pid_t writer;
	FILE *frozen; /* the shell that thaws the file system when this is closed */
	int fds[3];
};
extern struct world w;

void world_open(void);
void world_close(void);
/* So long that a watch has told what changed before the next call comes. */
void world_settle(void);
/* A volume and its PV; what the attacher and its objects do. False: a check failed. */
bool world_create(struct vol *v, const char *id, bool is_shared);
bool world_attach(struct vol *v, const char *node);
bool world_detach(struct vol *v, const char *node);
void world_put_va(const struct vol *v, const char *node, bool is_attached);
void world_drop_va(const struct vol *v, const char *node);
/* A call whose end world_end_calls awaits, whatever it is. */
void world_begin(struct driver *d, struct vol *v, enum vol_step step);
void world_end_calls(struct driver *d);

/* Brought about by begin; end undoes what must not stay (NULL: nothing). By enum
 * metric_cause. */
struct world_cause {
	const char *name;
	bool (*begin)(void);
	void (*end)(void);
};
extern const struct world_cause world_causes[CAUSE_N];
#endif
