#ifndef METRICS_REGISTRY_H
#define METRICS_REGISTRY_H
#include <stdint.h>

#include "metrics/measured.h"

/* Every metric of the process, in one static table (table.c): no heap and no text on the
 * way of an RPC. The labels of what is counted take their values from fixed lists, so a
 * series is an index. What is only looked at when somebody asks (a gauge, or labels that
 * come from outside) has a collector instead. Names, labels and buckets of the Go
 * driver's metrics are kept. One loop, no locks; the state is the process's. */
enum metric_id {
	METRIC_VOLUME_OPERATIONS, /* enum metric_operation, enum metric_status */
	METRIC_VOLUME_SECONDS,	  /* enum metric_operation */
	METRIC_CONNECTIONS_ACTIVE,
	METRIC_ATTACHES, /* enum metric_status */
	METRIC_DETACHES, /* enum metric_status */
	METRIC_CONFLICTS,
	METRIC_RECONCILES,     /* enum metric_reconcile */
	METRIC_ATTACH_SECONDS, /* enum metric_attach */
	METRIC_GRACE_USED,
	METRIC_STALE_CLEARED,
	METRIC_MIGRATIONS, /* enum metric_migration */
	METRIC_MIGRATION_SECONDS,
	METRIC_MIGRATIONS_ACTIVE,
	METRIC_FENCES, /* enum metric_status */
	METRIC_FENCES_PENDING,
	METRIC_DISAGREEMENTS,
	METRIC_LEADER,
	METRIC_RECONCILE_ROUNDS,
	METRIC_RECONCILE_ERRORS,
	METRIC_RECONCILE_PASSED,
	METRIC_RECONCILE_ACTIONS, /* the action, enum metric_outcome */
	METRIC_RECONCILE_FOUND,
	METRIC_EVENTS_POSTED, /* the reason */
	METRIC_EVENTS_FAILED,
	METRIC_EVENTS_DROPPED,
	METRIC_LEASE_GAINED,
	METRIC_LEASE_LOST,
	METRIC_LEASE_FAILURES,
	METRIC_VMI_MACHINES,
	METRIC_VMI_WAITING,
	METRIC_VMI_TURNS,
	METRIC_VMI_WITHOUT,
	METRIC_WATCH_AGE, /* these by the kind of the objects */
	METRIC_WATCH_OBJECTS,
	METRIC_WATCH_UNREADABLE,
	METRIC_WATCH_LISTS,
	METRIC_WATCH_STREAMS,
	METRIC_WATCH_EVENTS,
	METRIC_WATCH_FAILURES,
	METRIC_API_REQUESTS,
	METRIC_API_FAILURES,
	METRIC_RDS_STATE,      /* the box's address */
	METRIC_RDS_RECONNECTS, /* enum metric_status */
	METRIC_RDS_RECONNECT_SECONDS,
	METRIC_RDS_INFO,
	METRIC_RDS_INSECURE,
	METRIC_SSH_SESSIONS,
	METRIC_SSH_QUEUED,
	METRIC_SSH_CONNECTS,
	METRIC_SSH_KEY_PENDING,
	METRIC_SSH_JOINED,
	METRIC_SSH_EXEC_SECONDS, /* the lane: enum lane */
	METRIC_RPCS,		 /* a method of CSI, a code of gRPC */
	METRIC_RPC_SECONDS,	 /* a method of CSI */
	METRIC_RPCS_IN_FLIGHT,
	METRIC_CONNECTS, /* enum metric_status */
	METRIC_CONNECT_SECONDS,
	METRIC_MOUNTS, /* enum metric_mount, enum metric_status */
	METRIC_STALE_MOUNTS,
	METRIC_STALE_RECOVERIES, /* enum metric_status */
	METRIC_ORPHANS_CLEANED,
	METRIC_NODE_EVENTS, /* the reason */
	METRIC_STUCK,
	METRIC_CONTROLLERS,
	METRIC_VOLUME_READS, /* these by volume */
	METRIC_VOLUME_WRITES,
	METRIC_VOLUME_READ_BYTES,
	METRIC_VOLUME_WRITTEN_BYTES,
	METRIC_VOLUME_BUSY,
	METRIC_VOLUME_IN_FLIGHT,
	METRIC_LOOP_LAG,
	METRIC_BUILD_INFO,
	METRIC_PROCESS_CPU,
	METRIC_PROCESS_RSS,
	METRIC_PROCESS_FDS,
	METRIC_PROCESS_START,
	METRIC_POLLS, /* enum metric_status */
		      /* clang-format off */
#define METRIC_ID(id, ...) METRIC_##id,
	METRICS_MEASURED(METRIC_ID)
#undef METRIC_ID
	/* clang-format on */
	METRIC_N
};

enum metric_status { METRIC_SUCCESS, METRIC_FAILURE };
enum metric_operation {
	METRIC_CREATE,
	METRIC_DELETE,
	METRIC_PUBLISH,
	METRIC_UNPUBLISH,
	METRIC_EXPAND,
	METRIC_STAGE,
	METRIC_UNSTAGE,
	METRIC_NODE_PUBLISH,
	METRIC_NODE_UNPUBLISH,
	METRIC_NODE_EXPAND
};
enum metric_mount { METRIC_MOUNT, METRIC_UNMOUNT };
enum metric_reconcile { METRIC_CLEAR_STALE, METRIC_NODE_TRIGGER };
/* TOLD: a dry run, or something that is only reported. SKIPPED: busy, changed meanwhile,
 * or not allowed any more. */
enum metric_outcome { METRIC_DONE, METRIC_TOLD, METRIC_SKIPPED, METRIC_FAILED };
enum metric_attach {
	METRIC_ATTACH,
	METRIC_DETACH,
	METRIC_RECONCILE,
	METRIC_ATTACH_SECONDARY,
	METRIC_DETACH_PARTIAL
};
enum metric_migration {
	METRIC_MIGRATED,
	METRIC_MIGRATION_TIMEOUT,
	METRIC_MIGRATION_FAILED
};

/* One more of a counter; the values of its labels in their order, 0 where it has none. */
void metric_count(enum metric_id id, unsigned label1, unsigned label2);
/* One observation of a histogram of seconds. */
void metric_observe(enum metric_id id, unsigned label1, uint64_t microseconds);
/* The index of a label's value (label 0 or 1), for lists that are known by name; the last
 * of the list, "other", for what is not in it. */
unsigned metric_label_value(enum metric_id id, unsigned label, const char *value);
/* What was counted, for tests. */
uint64_t metric_counted(enum metric_id id, unsigned label1, unsigned label2);
void metric_reset(void); /* for tests: as after the start */
#endif
