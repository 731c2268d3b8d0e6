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
static const char *const reconcile_actions[] = {
	"clear_stale", "no_mount",   "unmount", "give_way", "keep",
	"unrelease",   "switch_off", "release", "remove",   "report",
};
static const char *const outcomes[] = { "done", "told", "skipped", "failed" };
static const char *const attaches[] = { "attach", "detach", "reconcile",
					"attach_secondary", "detach_partial" };
static const char *const migrations[] = { "success", "timeout", "failed" };
static const char *const reasons[] = {
	"VolumeAttached",
	"VolumeDetached",
	"AttachmentConflict",
	"MigrationStarted",
	"MigrationCompleted",
	"MigrationFailed",
	"NodeFenced",
	"NodeFencePending",
	"StaleAttachmentCleared",
	"ProvisioningFailed",
	"VolumeMountedOnBox",
	"NodeFenceFailed",
	"ConnectionFailure",
	"ConnectionRecovery",
	"NodePluginTooOld",
	"other",
};
static const char *const node_events[] = {
	"SyncFailed",
	"DeviceGone",
	"FencedLeftover",
	"Stuck",
	"NamespaceIdentityChanged",
	"ContentReplaced",
	"NotGrown",
	"other",
};
static const char *const mounts[] = { "mount", "unmount" };
static const char *const lanes[] = { "fast", "read", "bulk", "idle" };
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
	[METRIC_VOLUME_OPERATIONS] = { COUNTED(COUNTER, BOTH,
					       "rds_csi_volume_operations_total",
					       "Volume operations that ended."),
				       .labels = { LABEL("operation", operations),
						   LABEL("status", statuses) } },
	[METRIC_VOLUME_SECONDS] = { COUNTED(HISTOGRAM, BOTH,
					    "rds_csi_volume_operation_duration_seconds",
					    "Duration of volume operations."),
				    .labels = { LABEL("operation", operations) },
				    BUCKETS(operation_ms) },
	[METRIC_CONNECTIONS_ACTIVE] = { ASKED(
		GAUGE, CONTROLLER, "rds_csi_nvme_connections_active",
		"Volumes that a node holds, counted when asked. Absent until the first "
		"whole list was seen.") },
	[METRIC_ATTACHES] = { COUNTED(COUNTER, CONTROLLER,
				      "rds_csi_attachment_attach_total",
				      "ControllerPublishVolume calls that changed "
				      "something."),
			      .labels = { LABEL("status", statuses) } },
	[METRIC_DETACHES] = { COUNTED(COUNTER, CONTROLLER,
				      "rds_csi_attachment_detach_total",
				      "ControllerUnpublishVolume calls that changed "
				      "something."),
			      .labels = { LABEL("status", statuses) } },
	[METRIC_CONFLICTS] = { COUNTED(
		COUNTER, CONTROLLER, "rds_csi_attachment_conflicts_total",
		"Publishes refused because another node holds the volume.") },
	[METRIC_RECONCILES] = { COUNTED(COUNTER, CONTROLLER,
					"rds_csi_attachment_reconcile_total",
					"What the attachment reconciler did."),
				.labels = { LABEL("action", reconciles) } },
	[METRIC_ATTACH_SECONDS] = { COUNTED(HISTOGRAM, CONTROLLER,
					    "rds_csi_attachment_operation_duration_"
					    "seconds",
					    "Duration of attachment operations."),
				    .labels = { LABEL("operation", attaches) },
				    BUCKETS(attach_ms) },
	[METRIC_GRACE_USED] = { COUNTED(COUNTER, CONTROLLER,
					"rds_csi_attachment_grace_period_used_total",
					"Volumes that went to another node within "
					"--attachment-grace-period of their detach.") },
	[METRIC_STALE_CLEARED] = { COUNTED(COUNTER, CONTROLLER,
					   "rds_csi_attachment_stale_cleared_total",
					   "Stale attachments that were removed.") },
	[METRIC_MIGRATIONS] = { COUNTED(COUNTER, CONTROLLER,
					"rds_csi_migration_migrations_total",
					"Live migrations that ended."),
				.labels = { LABEL("result", migrations) } },
	[METRIC_MIGRATION_SECONDS] = { COUNTED(HISTOGRAM, CONTROLLER,
					       "rds_csi_migration_duration_seconds",
					       "Time that two nodes held one volume."),
				       BUCKETS(migration_ms) },
	[METRIC_MIGRATIONS_ACTIVE] = { ASKED(GAUGE, CONTROLLER,
					     "rds_csi_migration_active_migrations",
					     "Volumes that two nodes hold now.") },
	[METRIC_FENCES] = { COUNTED(COUNTER, CONTROLLER, "rds_csi_fences_total",
				    "Nodes cut off from a volume, by whether it was "
				    "proven."),
			    .labels = { LABEL("status", statuses) } },
	[METRIC_FENCES_PENDING] = { COUNTED(
		COUNTER, CONTROLLER, "rds_csi_fences_pending_total",
		"Nodes let go that are cut off only once nobody else has the volume.") },
	[METRIC_DISAGREEMENTS] = { COUNTED(COUNTER, CONTROLLER,
					   "rds_csi_attachment_disagreements_total",
					   "Publishes refused because the box and the "
					   "cluster's objects name different holders.") },
	[METRIC_LEADER] = { ASKED(
		GAUGE, CONTROLLER, "rds_csi_leader",
		"1 while this controller holds the driver's Lease, else 0.") },
	[METRIC_RECONCILE_ROUNDS] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_reconcile_rounds_total",
		"Rounds of the background reconcilers that began.") },
	[METRIC_RECONCILE_ERRORS] = { ASKED(
		COUNTER, CONTROLLER, "rds_csi_reconcile_errors_total",
		"Rounds that broke off, and changes of theirs that failed.") },
	[METRIC_RECONCILE_PASSED] = { COUNTED(
		COUNTER, CONTROLLER, "rds_csi_reconcile_passed_total",
		"Looks of the reconcilers that did not take place: another controller "
		"leads, or a list of Kubernetes was not current.") },
	[METRIC_RECONCILE_ACTIONS] = { COUNTED(COUNTER, CONTROLLER,
					       "rds_csi_reconcile_actions_total",
					       "What the reconcilers had to do: done, "
					       "only told (a dry run, an orphan that is "
					       "kept), skipped, failed."),
				       .is_sparse = true,
				       .labels = { LABEL("action", reconcile_actions),
						   LABEL("outcome", outcomes) } },
	[METRIC_RECONCILE_FOUND] = { ASKED(GAUGE, CONTROLLER, "rds_csi_reconcile_volumes",
					   "Volumes at which the last whole look at the "
					   "box found something: orphan (longer than "
					   "the grace period), mounted (by the box, "
					   "while a node may use it), stale_holder, "
					   "idle_export. Absent before the first, and "
					   "where another controller leads."),
				     .labels = { { .name = "finding" } } },
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
	[METRIC_LEASE_LOST] = { ASKED(COUNTER, CONTROLLER, "rds_csi_lease_lost_total",
				      "How often it ceased to be the leader.") },
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
	[METRIC_SSH_KEY_PENDING] = { ASKED(
		GAUGE, CONTROLLER, "rds_csi_ssh_key_pending",
		"1 while a key file holds what not every SSH session uses: a change "
		"under "
		"way, a file that cannot be used, a key that the box refuses; else 0.") },
	[METRIC_SSH_JOINED] = { ASKED(COUNTER, CONTROLLER,
				      "rds_csi_ssh_joined_requests_total",
				      "Requests that shared their script with others.") },
	[METRIC_SSH_EXEC_SECONDS] = { COUNTED(HISTOGRAM, CONTROLLER,
					      "rds_csi_ssh_exec_duration_seconds",
					      "Time that a script took on the box, by "
					      "lane."),
				      .labels = { LABEL("lane", lanes) },
				      BUCKETS(exec_ms) },
	[METRIC_RPCS] = { COUNTED(COUNTER, BOTH, "rds_csi_rpcs_total",
				  "CSI calls answered."),
			  .is_sparse = true,
			  .labels = { LABEL("method", methods),
				      LABEL("code", err_names) } },
	[METRIC_RPC_SECONDS] = { COUNTED(HISTOGRAM, BOTH, "rds_csi_rpc_duration_seconds",
					 "Time from a CSI call to its answer."),
				 .is_sparse = true,
				 .labels = { LABEL("method", methods) },
				 BUCKETS(rpc_ms) },
	[METRIC_RPCS_IN_FLIGHT] = { ASKED(GAUGE, BOTH, "rds_csi_rpcs_in_flight",
					  "CSI calls whose work has not ended.") },
	[METRIC_CONNECTS] = { COUNTED(COUNTER, NODE, "rds_csi_nvme_connects_total",
				      "Attempts to connect a volume; one that is "
				      "connected already counts as a success."),
			      .labels = { LABEL("status", statuses) } },
	[METRIC_CONNECT_SECONDS] = { COUNTED(HISTOGRAM, NODE,
					     "rds_csi_nvme_connect_duration_seconds",
					     "Duration of the connects that succeeded, "
					     "until the device was there."),
				     BUCKETS(operation_ms) },
	[METRIC_MOUNTS] = { COUNTED(COUNTER, NODE, "rds_csi_mount_operations_total",
				    "Mounts and unmounts, of file systems and of what "
				    "pods see."),
			    .labels = { LABEL("operation", mounts),
					LABEL("status", statuses) } },
	[METRIC_STALE_MOUNTS] = { COUNTED(COUNTER, NODE,
					  "rds_csi_stale_mounts_detected_total",
					  "How often a call met a mount whose device is "
					  "gone, was fenced or holds something else.") },
	[METRIC_STALE_RECOVERIES] = { COUNTED(COUNTER, NODE,
					      "rds_csi_stale_recoveries_total",
					      "Attempts to clear away what such a mount "
					      "left, before the volume is staged anew."),
				      .labels = { LABEL("status", statuses) } },
	[METRIC_ORPHANS_CLEANED] = { COUNTED(
		COUNTER, NODE, "rds_csi_orphans_cleaned_total",
		"Sessions disconnected at the start: this driver had connected and never "
		"staged them.") },
	[METRIC_NODE_EVENTS] = { COUNTED(COUNTER, NODE, "rds_csi_node_events_total",
					 "What the user of a volume must know: a line of "
					 "the log with volume= and this event=."),
				 .labels = { LABEL("event", node_events) } },
	[METRIC_STUCK] = { ASKED(GAUGE, NODE, "rds_csi_stuck_helpers",
				 "Children that do not come back from the kernel.") },
	[METRIC_CONTROLLERS] = { ASKED(GAUGE, NODE, "rds_csi_nvme_controllers",
				       "NVMe/TCP sessions of volumes (see "
				       "CSI_MANAGED_NQN_PREFIX), by state."),
				 .labels = { OPEN("state") } },
	[METRIC_VOLUME_READS] = { ASKED(COUNTER, NODE, "rds_csi_volume_reads_total",
					"Reads of a connected volume that ended, since "
					"its device came."),
				  .labels = { OPEN("volume") } },
	[METRIC_VOLUME_WRITES] = { ASKED(COUNTER, NODE, "rds_csi_volume_writes_total",
					 "Writes of a connected volume that ended, since "
					 "its device came."),
				   .labels = { OPEN("volume") } },
	[METRIC_VOLUME_READ_BYTES] = { ASKED(COUNTER, NODE,
					     "rds_csi_volume_read_bytes_total",
					     "Bytes read from a connected volume."),
				       .labels = { OPEN("volume") } },
	[METRIC_VOLUME_WRITTEN_BYTES] = { ASKED(COUNTER, NODE,
						"rds_csi_volume_written_bytes_total",
						"Bytes written to a connected volume."),
					  .labels = { OPEN("volume") } },
	[METRIC_VOLUME_BUSY] = { ASKED(COUNTER, NODE, "rds_csi_volume_io_seconds_total",
				       "Time in which a connected volume had at least "
				       "one request under way."),
				 .labels = { OPEN("volume") } },
	[METRIC_VOLUME_IN_FLIGHT] = { ASKED(GAUGE, NODE, "rds_csi_volume_io_in_flight",
					    "Requests of a connected volume under way: "
					    "those that a silent target holds stay "
					    "here."),
				      .labels = { OPEN("volume") } },
	[METRIC_LOOP_LAG] = { COUNTED(HISTOGRAM, BOTH, "rds_csi_loop_lag_seconds",
				      "How long each turn of the event loop was at work: "
				      "so long everything "
				      "else had to wait."),
			      BUCKETS(lag_ms) },
	[METRIC_BUILD_INFO] = { ASKED(GAUGE, BOTH, "rds_csi_build_info", "Always 1."),
				.labels = { OPEN("version"), OPEN("commit") } },
	[METRIC_PROCESS_CPU] = { ASKED(COUNTER, BOTH, "process_cpu_seconds_total",
				       "CPU time, in seconds.") },
	[METRIC_PROCESS_RSS] = { ASKED(GAUGE, BOTH, "process_resident_memory_bytes",
				       "Resident memory.") },
	[METRIC_PROCESS_FDS] = { ASKED(GAUGE, BOTH, "process_open_fds",
				       "Open file descriptors.") },
	[METRIC_PROCESS_START] = { ASKED(GAUGE, BOTH, "process_start_time_seconds",
					 "Start of the process, seconds since 1970.") },
	[METRIC_POLLS] = { COUNTED(COUNTER, CONTROLLER, "rds_csi_rds_polls_total",
				   "Rounds of reading what the box measures."),
			   .labels = { LABEL("status", statuses) } },
/* clang-format off */
#define ROW(id, title, names, text) \
	[METRIC_##id] = { ASKED(GAUGE, CONTROLLER, title, text), .labels = { names } },
	METRICS_MEASURED(ROW)
#undef ROW
	/* clang-format on */
};

unsigned metric_series(const struct metric *m)
{
	unsigned n = 1;

	for (unsigned i = 0; i < METRIC_LABELS && m->labels[i].name; i++)
		n *= m->labels[i].n;
	return n;
}
