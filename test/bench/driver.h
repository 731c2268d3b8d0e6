#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H
#include <stdbool.h>
#include <stddef.h>

#include "bench/box.h"
#include "bench/child.h"
#include "bench/h2.h"

/* The driver under measurement: started as an operator starts it, called by h2. */
enum driver_role { DRIVER_CONTROLLER, DRIVER_NODE };

struct driver {
	struct child child;
	struct h2 *h2;		    /* owned; connected by driver_start */
	double ready_ms;	    /* from exec to the first Probe that said ready */
	char socket[300], log[300]; /* paths */
};

/* box may be one that never started: its port is then simply dead. 0, or -1 with a line
 * on stderr. */
int driver_start(struct driver *d, const char *csi, enum driver_role role,
		 const struct box *box, const char *dir);
/* A controller with Kubernetes, whose /metrics and /readyz are at metrics_port (0: it has
 * neither). The lists may not be whole yet: Probe does not wait for them. */
struct driver_kube {
	char kubeconfig[300];
	unsigned metrics_port;
};
int driver_start_kube(struct driver *d, const char *csi, const struct box *box,
		      const struct driver_kube *kube, const char *dir);
void driver_stop(struct driver *d);

enum driver_rpc {
	RPC_PROBE,
	RPC_CREATE,
	RPC_DELETE,
	RPC_PUBLISH,
	RPC_UNPUBLISH,
	RPC_CAPACITY,
	RPC_GET,
	RPC_LIST,
};

/* Runs n calls of one kind for the volumes pvc-…<first>, <first + 1>, …; took_ms gets
 * each one's time when not NULL. Returns the wall time of all in ms; < 0: one failed, a
 * line on stderr says what. */
double driver_run(struct driver *d, enum driver_rpc rpc, size_t first, size_t n,
		  unsigned in_flight, double *took_ms);
/* All pages of ListVolumes; the number of entries, -1 on failure. */
long driver_list(struct driver *d);
long driver_log_bytes(const struct driver *d);
#endif
