#include "metrics/table.h"

#include <stddef.h>

#include "core/err.h"

#define LABEL(name, list)                                    \
	{                                                    \
		name, list, sizeof(list) / sizeof((list)[0]) \
	}
#define BUCKETS(list) .buckets_ms = (list), .n_buckets = sizeof(list) / sizeof((list)[0])

/* Counted where it happens, or looked up when somebody asks. */
#define COUNTED(kind, where, name_, help_)                       \
	.name = (name_), .help = (help_), .type = METRIC_##kind, \
	.roles = METRIC_ON_##where
#define ASKED(kind, where, name_, help_) \
	COUNTED(kind, where, name_, help_), .has_collector = true
#define OPEN(name)            \
	{                     \
		name, NULL, 0 \
	}

static const char *const statuses[] = { "success", "failure" };
static const char *const operations[] = {
	"create", "delete",  "publish",	     "unpublish",      "expand",
	"stage",  "unstage", "node_publish", "node_unpublish", "node_expand",
};
static const char *const reconciles[] = { "clear_stale", "node_watcher_trigger" };
static const char *const attaches[] = { "attach", "detach", "reconcile",
					"attach_secondary", "detach_partial" };
static const char *const migrations[] = { "success", "timeout", "failed" };
static const char *const reasons[] = {
	"VolumeAttached",     "VolumeDetached",	    "AttachmentConflict",
	"MigrationStarted",   "MigrationCompleted", "MigrationFailed",
	"NodeFenced",	      "NodeFencePending",   "StaleAttachmentCleared",
	"ProvisioningFailed", "VolumeMountedOnBox", "other",
};
static const char *const lanes[] = { "fast", "read", "bulk" };
static const char *const methods[] = {
	"GetPluginInfo",
	"GetPluginCapabilities",
	"Probe",
	"CreateVolume",
	"DeleteVolume",
	"ControllerPublishVolume",
	"ControllerUnpublishVolume",
	"ControllerExpandVolume",
	"ControllerGetVolume",
	"ValidateVolumeCapabilities",
	"ListVolumes",
	"GetCapacity",
	"ControllerGetCapabilities",
	"NodeStageVolume",
	"NodeUnstageVolume",
	"NodePublishVolume",
	"NodeUnpublishVolume",
	"NodeGetVolumeStats",
	"NodeExpandVolume",
	"NodeGetCapabilities",
	"NodeGetInfo",
	"other",
};

static const uint32_t operation_ms[] = { 100,  250,   500,   1000, 2500,
					 5000, 10000, 30000, 60000 };
static const uint32_t attach_ms[] = { 10, 25, 50, 100, 250, 500, 1000, 2500, 5000 };
static const uint32_t migration_ms[] = { 15000,	 30000,	 60000,	 90000,
					 120000, 180000, 300000, 600000 };
static const uint32_t reconnect_ms[] = {
	100, 500, 1000, 2000, 5000, 10000, 30000, 60000
};
static const uint32_t exec_ms[] = { 10, 25, 50, 100, 250, 500, 1000, 5000, 10000, 60000 };
static const uint32_t lag_ms[] = { 1, 2, 5, 10, 25, 50, 100, 250, 1000, 5000 };
static const uint32_t rpc_ms[] = { 1, 5, 10, 50, 100, 500, 1000, 5000, 10000, 60000 };

const struct metric metrics_table[METRIC_N] = {
	[METRIC_VOLUME_OPERATIONS] = { .name = "rds_csi_volume_operations_total",
				       .help = "Volume operations that ended.",
				       .type = METRIC_COUNTER,
				       .roles = METRIC_ON_BOTH,
				       .labels = { LABEL("operation", operations),
						   LABEL("status", statuses) } },
	[METRIC_VOLUME_SECONDS] = { .name = "rds_csi_volume_operation_duration_seconds",
				    .help = "Duration of volume operations.",
				    .type = METRIC_HISTOGRAM,
				    .roles = METRIC_ON_BOTH,
				    .labels = { LABEL("operation", operations) },
				    BUCKETS(operation_ms) },
	[METRIC_CONNECTIONS_ACTIVE] = { .name = "rds_csi_nvme_connections_active",
					.help = "Volumes that a node holds, counted when "
						"asked. "
						"Absent until the first whole list was "
						"seen.",
					.type = METRIC_GAUGE,
					.roles = METRIC_ON_CONTROLLER,
					.has_collector = true },
	[METRIC_ATTACHES] = { .name = "rds_csi_attachment_attach_total",
			      .help = "ControllerPublishVolume calls that changed "
				      "something.",
			      .type = METRIC_COUNTER,
			      .roles = METRIC_ON_CONTROLLER,
			      .labels = { LABEL("status", statuses) } },
	[METRIC_DETACHES] = { .name = "rds_csi_attachment_detach_total",
			      .help = "ControllerUnpublishVolume calls that changed "
				      "something.",
			      .type = METRIC_COUNTER,
			      .roles = METRIC_ON_CONTROLLER,
			      .labels = { LABEL("status", statuses) } },
	[METRIC_CONFLICTS] = { .name = "rds_csi_attachment_conflicts_total",
			       .help = "Publishes refused because another node holds the "
				       "volume.",
			       .type = METRIC_COUNTER,
			       .roles = METRIC_ON_CONTROLLER },
	[METRIC_RECONCILES] = { .name = "rds_csi_attachment_reconcile_total",
				.help = "What the attachment reconciler did.",
				.type = METRIC_COUNTER,
				.roles = METRIC_ON_CONTROLLER,
				.labels = { LABEL("action", reconciles) } },
	[METRIC_ATTACH_SECONDS] = { .name = "rds_csi_attachment_operation_duration_"
					    "seconds",
				    .help = "Duration of attachment operations.",
				    .type = METRIC_HISTOGRAM,
				    .roles = METRIC_ON_CONTROLLER,
				    .labels = { LABEL("operation", attaches) },
				    BUCKETS(attach_ms) },
	[METRIC_GRACE_USED] = { .name = "rds_csi_attachment_grace_period_used_total",
				.help = "Volumes that went to another node within "
					"--attachment-grace-period of their detach.",
				.type = METRIC_COUNTER,
				.roles = METRIC_ON_CONTROLLER },
	[METRIC_STALE_CLEARED] = { .name = "rds_csi_attachment_stale_cleared_total",
				   .help = "Stale attachments that were removed.",
				   .type = METRIC_COUNTER,
				   .roles = METRIC_ON_CONTROLLER },
	[METRIC_MIGRATIONS] = { .name = "rds_csi_migration_migrations_total",
				.help = "Live migrations that ended.",
				.type = METRIC_COUNTER,
				.roles = METRIC_ON_CONTROLLER,
				.labels = { LABEL("result", migrations) } },
	[METRIC_MIGRATION_SECONDS] = { .name = "rds_csi_migration_duration_seconds",
				       .help = "Time that two nodes held one volume.",
				       .type = METRIC_HISTOGRAM,
				       .roles = METRIC_ON_CONTROLLER,
				       BUCKETS(migration_ms) },
	[METRIC_MIGRATIONS_ACTIVE] = { .name = "rds_csi_migration_active_migrations",
				       .help = "Volumes that two nodes hold now.",
				       .type = METRIC_GAUGE,
				       .roles = METRIC_ON_CONTROLLER,
				       .has_collector = true },
	[METRIC_FENCES] = { .name = "rds_csi_fences_total",
			    .help = "Nodes cut off from a volume, by whether it was "
				    "proven.",
			    .type = METRIC_COUNTER,
			    .roles = METRIC_ON_CONTROLLER,
			    .labels = { LABEL("status", statuses) } },
	[METRIC_FENCES_PENDING] = { .name = "rds_csi_fences_pending_total",
				    .help = "Nodes let go that are cut off only once "
					    "nobody else "
					    "has the volume.",
				    .type = METRIC_COUNTER,
				    .roles = METRIC_ON_CONTROLLER },
	[METRIC_DISAGREEMENTS] = { .name = "rds_csi_attachment_disagreements_total",
				   .help = "Publishes refused because the box and the "
					   "cluster's "
					   "objects name different holders.",
				   .type = METRIC_COUNTER,
				   .roles = METRIC_ON_CONTROLLER },
	[METRIC_LEADER] = { .name = "rds_csi_leader",
			    .help = "1 while this controller holds the driver's Lease, "
				    "else 0.",
			    .type = METRIC_GAUGE,
			    .roles = METRIC_ON_CONTROLLER,
			    .has_collector = true },
	[METRIC_RECONCILE_ROUNDS] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_reconcile_rounds_total",
		"Rounds of the background reconcilers that began.") },
	[METRIC_RECONCILE_ERRORS] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_reconcile_errors_total",
		"Rounds that broke off, and changes of theirs that failed.") },
	[METRIC_EVENTS_POSTED] = { COUNTED(COUNTER, CONTROLLER,
					   "rds_csi_events_posted_total",
					   "Kubernetes Events that the API server took, "
					   "repetitions too."),
				   .labels = { LABEL("reason", reasons) } },
	[METRIC_EVENTS_FAILED] = { ASKED(COUNTER, CONTROLLER,
					 "rds_csi_events_failed_total",
					 "Kubernetes Events that could not be posted.") },
	[METRIC_EVENTS_DROPPED] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_events_dropped_total",
		"Kubernetes Events not even tried: too many waited.") },
	[METRIC_LEASE_GAINED] = { ASKED(COUNTER, CONTROLLER, "rds_csi_lease_gained_total",
					"How often this controller became the leader.") },
	[METRIC_LEASE_LOST] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_lease_lost_total",
		"How often it was the leader no more without having given that up.") },
	[METRIC_LEASE_FAILURES] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_lease_failures_total",
		"Tries for the Lease that the API server refused or did not answer.") },
	[METRIC_VMI_MACHINES] = { ASKED(
		GAUGE, CONTROLLER, "rds_csi_vmi_machines",
		"Virtual machines with a publish or unpublish at work.") },
	[METRIC_VMI_WAITING] = { ASKED(
		GAUGE, CONTROLLER, "rds_csi_vmi_waiting",
		"Calls that wait for their turn in the queues of virtual machines.") },
	[METRIC_VMI_TURNS] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_vmi_turns_total",
		"Calls that took their turn in the queue of a virtual machine.") },
	[METRIC_VMI_WITHOUT] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_vmi_without_turn_total",
		"Calls that went on without a turn: too many waited, or it could not be "
		"found out whose the volume is.") },
	[METRIC_WATCH_AGE] = { ASKED(GAUGE, CONTROLLER, "rds_csi_watch_age_seconds",
				     "Time since the API server was heard of last, by "
				     "the kind of the objects. "
				     "Absent until the first whole list."),
			       .labels = { OPEN("kind") } },
	[METRIC_WATCH_OBJECTS] = { ASKED(GAUGE, CONTROLLER, "rds_csi_watch_objects",
					 "Objects known. Absent until the first whole "
					 "list."),
				   .labels = { OPEN("kind") } },
	[METRIC_WATCH_UNREADABLE] = { ASKED(GAUGE, CONTROLLER,
					    "rds_csi_watch_unreadable_objects",
					    "Objects that the API server has and that "
					    "could not be read."),
				      .labels = { OPEN("kind") } },
	[METRIC_WATCH_LISTS] = { ASKED(COUNTER, CONTROLLER, "rds_csi_watch_lists_total",
				       "Whole lists that were begun."),
				 .labels = { OPEN("kind") } },
	[METRIC_WATCH_STREAMS] = { ASKED(COUNTER, CONTROLLER,
					 "rds_csi_watch_streams_total",
					 "Watch streams that were begun: a rate above "
					 "one in five minutes is a "
					 "watch that does not hold."),
				   .labels = { OPEN("kind") } },
	[METRIC_WATCH_EVENTS] = { ASKED(COUNTER, CONTROLLER, "rds_csi_watch_events_total",
					"Changes told by watches."),
				  .labels = { OPEN("kind") } },
	[METRIC_WATCH_FAILURES] = { ASKED(COUNTER, CONTROLLER,
					  "rds_csi_watch_failures_total",
					  "Lists and watches that failed."),
				    .labels = { OPEN("kind") } },
	[METRIC_API_REQUESTS] = { ASKED(COUNTER, CONTROLLER, "rds_csi_api_requests_total",
					"Requests to the API server, watches aside.") },
	[METRIC_API_FAILURES] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_api_request_failures_total",
		"Requests to the API server that failed in the end.") },
	[METRIC_RDS_STATE] = { ASKED(GAUGE, CONTROLLER, "rds_csi_rds_connection_state",
				     "1 while an SSH session with the box is up, else 0. "
				     "Absent until the "
				     "first was tried."),
			       .labels = { OPEN("address") } },
	[METRIC_RDS_RECONNECTS] = { COUNTED(COUNTER, CONTROLLER,
					    "rds_csi_rds_reconnect_total",
					    "Attempts to reach the box again after it "
					    "was lost or not reached."),
				    .labels = { LABEL("status", statuses) } },
	[METRIC_RDS_RECONNECT_SECONDS] = { COUNTED(HISTOGRAM, CONTROLLER,
						   "rds_csi_rds_reconnect_duration_"
						   "seconds",
						   "Time from the loss of the box to the "
						   "next session with it."),
					   BUCKETS(reconnect_ms) },
	[METRIC_RDS_INFO] = { ASKED(GAUGE, CONTROLLER, "rds_csi_rds_info",
				    "Always 1: what the box said at the last connection. "
				    "Absent before it."),
			      .labels = { OPEN("address"), OPEN("version"),
					  OPEN("subvolumes") } },
	[METRIC_RDS_INSECURE] = { ASKED(
		GAUGE, CONTROLLER, "rds_csi_rds_insecure_skip_verify",
		"1 when the box's host key is not verified, else 0.") },
	[METRIC_SSH_SESSIONS] = { ASKED(GAUGE, CONTROLLER, "rds_csi_ssh_sessions",
					"SSH sessions with the box: free, or with a "
					"script under way."),
				  .labels = { OPEN("state") } },
	[METRIC_SSH_QUEUED] = { ASKED(GAUGE, CONTROLLER, "rds_csi_ssh_queued_requests",
				      "Requests that wait for a session, by lane."),
				.labels = { OPEN("lane") } },
	[METRIC_SSH_CONNECTS] = { ASKED(COUNTER, CONTROLLER, "rds_csi_ssh_connects_total",
					"SSH sessions that came up.") },
	[METRIC_SSH_JOINED] = { ASKED(COUNTER, CONTROLLER,
				      "rds_csi_ssh_joined_requests_total",
				      "Requests that shared their script with others.") },
	[METRIC_SSH_EXEC_SECONDS] = { COUNTED(HISTOGRAM, CONTROLLER,
					      "rds_csi_ssh_exec_duration_seconds",
					      "Time that a script took on the box, by "
					      "lane."),
				      .labels = { LABEL("lane", lanes) },
				      BUCKETS(exec_ms) },
	[METRIC_RPCS] = { .name = "rds_csi_rpcs_total",
			  .help = "CSI calls answered.",
			  .type = METRIC_COUNTER,
			  .roles = METRIC_ON_BOTH,
			  .is_sparse = true,
			  .labels = { LABEL("method", methods),
				      LABEL("code", err_names) } },
	[METRIC_RPC_SECONDS] = { .name = "rds_csi_rpc_duration_seconds",
				 .help = "Time from a CSI call to its answer.",
				 .type = METRIC_HISTOGRAM,
				 .roles = METRIC_ON_BOTH,
				 .is_sparse = true,
				 .labels = { LABEL("method", methods) },
				 BUCKETS(rpc_ms) },
	[METRIC_RPCS_IN_FLIGHT] = { .name = "rds_csi_rpcs_in_flight",
				    .help = "CSI calls whose work has not ended.",
				    .type = METRIC_GAUGE,
				    .roles = METRIC_ON_BOTH,
				    .has_collector = true },
	[METRIC_LOOP_LAG] = { COUNTED(HISTOGRAM, BOTH, "rds_csi_loop_lag_seconds",
				      "How long each turn of the event loop was at work: "
				      "so long everything "
				      "else had to wait."),
			      BUCKETS(lag_ms) },
	[METRIC_BUILD_INFO] = { .name = "rds_csi_build_info",
				.help = "Always 1.",
				.type = METRIC_GAUGE,
				.roles = METRIC_ON_BOTH,
				.has_collector = true,
				.labels = { { "version", NULL, 0 },
					    { "commit", NULL, 0 } } },
	[METRIC_PROCESS_CPU] = { .name = "process_cpu_seconds_total",
				 .help = "CPU time, in seconds.",
				 .type = METRIC_COUNTER,
				 .roles = METRIC_ON_BOTH,
				 .has_collector = true },
	[METRIC_PROCESS_RSS] = { .name = "process_resident_memory_bytes",
				 .help = "Resident memory.",
				 .type = METRIC_GAUGE,
				 .roles = METRIC_ON_BOTH,
				 .has_collector = true },
	[METRIC_PROCESS_FDS] = { .name = "process_open_fds",
				 .help = "Open file descriptors.",
				 .type = METRIC_GAUGE,
				 .roles = METRIC_ON_BOTH,
				 .has_collector = true },
	[METRIC_PROCESS_START] = { .name = "process_start_time_seconds",
				   .help = "Start of the process, seconds since 1970.",
				   .type = METRIC_GAUGE,
				   .roles = METRIC_ON_BOTH,
				   .has_collector = true },
};

unsigned metric_series(const struct metric *m)
{
	unsigned n = 1;

	for (unsigned i = 0; i < METRIC_LABELS && m->labels[i].name; i++)
		n *= m->labels[i].n;
	return n;
}
