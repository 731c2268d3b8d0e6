#ifndef E2E_DRIVER_H
#define E2E_DRIVER_H
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "core/clock.h"
#include "e2e/e2e.h"
#include "e2e/simctl.h"

/* One rds-csi as a child, and the loop on which this program talks to it. The flags stay
 * the same over restarts. */
struct driver {
	pid_t pid;
	const char *bin;  /* NULL: $RDS_CSI */
	const char *name; /* of its socket and log: two drivers can be side by side */
	const struct sim *sim;
	bool is_controller, is_node;
	const char *node_id, *known_nodes; /* NULL: "node-a" for a node; none */
	const char *box_name;		   /* NULL: the address 127.0.0.1 */
	bool is_nvme;			   /* the nvme back end instead of loop */
	const char *const *args;	   /* further flags, ended by NULL; may be NULL */
	const char *const *env;		   /* as in child_conf */
	unsigned call_ms;		   /* limit of a call to it; 0: a minute */
	uv_loop_t loop;
	struct clock clock;
	char address[300];
};

void driver_open(struct driver *d); /* once, before the first start */
void driver_close(struct driver *d);
/* Starts it and waits until Probe says ready. False when it ended or never got ready;
 * driver_start counts that as a failed check. */
bool driver_start(struct driver *d);
bool driver_try_start(struct driver *d);
/* SIGTERM; a check fails unless it ends with 0. */
void driver_stop(struct driver *d);
void driver_kill(struct driver *d); /* SIGKILL, awaited */
/* Whether it has ended by itself within the time; then it is awaited. */
bool driver_is_gone(struct driver *d, unsigned timeout_ms);
/* From /proc; -1 when it cannot be read. Descriptors: e2e/fds.h. */
long driver_rss_kib(const struct driver *d);
/* Whether the driver's log contains the text. */
bool driver_said(const struct driver *d, const char *text);
#endif
