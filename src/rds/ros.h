#ifndef RDS_ROS_H
#define RDS_ROS_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/err.h"

/* The implementation of the port (rds.h) for RouterOS over SSH. Only the roots
 * of commands make, end and include it. */
struct ros_conf {	     /* texts are borrowed for the life of the implementation */
	const char *address; /* IP address or host name */
	uint16_t port;	     /* 0 = 22 */
	const char *user;
	/* Private key and pinned host keys (rds/keyring.h): they may be exchanged. */
	const char *key_file, *host_key_file;
	bool is_insecure; /* accept any host key; host_key_file may be NULL */
	const char *base; /* allowed directories, comma-separated, all on one pool; the
			   * first is the default */
	const char *cluster_id;
	/* cluster_id is "" until its owner has learned it; requests are UNAVAILABLE. */
	bool is_cluster_awaited;
	unsigned max_sessions;	       /* 1-4; 0 = 4 */
	unsigned pool_reserve_percent; /* never to be filled; 0-50 */
	bool adopt_unmarked; /* a disk of the exact shape without a record is ours */
	uint64_t figures_interval_ms; /* between two looks at them; 0 = never */
};

struct ros_stats {
	unsigned sessions, busy, queued;
	unsigned queued_in[4]; /* by lane: fast, read, bulk, idle */
	/* A key file was exchanged, and not every session uses it, or none can. */
	bool is_key_pending;
	bool is_known; /* a connect was tried: sessions tells of the box */
	uint64_t connects, execs;
	uint64_t joined; /* requests that shared an exec with others */
};

struct rds;
struct figures;
struct config;

/* Where the box is, how to get in and where the volumes lie, as the flags say; nothing of
 * the cluster. Borrows the texts of c. */
struct ros_conf ros_conf_of(const struct config *c);

/* Checks all that needs no network: both key files readable and usable by the libssh2 at
 * hand, addresses, directories, ids. Connects at the first request. ERR_INVALID with one
 * clear line. *ret is untouched on failure. */
int ros_new(struct rds **ret, uv_loop_t *loop, const struct ros_conf *conf,
	    struct err *err);
/* Ends every request with ERR_CANCELLED, closes the sessions, frees r, then calls
 * stopped(), which may be NULL. No request may be started any more. */
void ros_stop(struct rds *r, void (*stopped)(void *arg), void *arg);
void ros_stats(struct rds *r, struct ros_stats *ret);
/* What the box measures (rds/figures.h); NULL while it is not known or was read more than
 * three intervals ago. Valid until the loop turns. */
const struct figures *ros_figures(struct rds *r);
/* When they were last read, microseconds since 1970; 0 = never. */
uint64_t ros_figures_time(struct rds *r);
#endif
