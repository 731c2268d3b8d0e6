#include "metrics/table.h"

#include <stddef.h>

#include "core/err.h"

#define LABEL(name, list)                                    \
	{                                                    \
		name, list, sizeof(list) / sizeof((list)[0]) \
	}
#define BUCKETS(list) .buckets_ms = (list), .n_buckets = sizeof(list) / sizeof((list)[0])

static const char *const statuses[] = { "success", "failure" };
static const char *const operations[] = {
	"create", "delete",  "publish",	     "unpublish",      "expand",
	"stage",  "unstage", "node_publish", "node_unpublish", "node_expand",
};
static const char *const reconciles[] = { "clear_stale", "node_watcher_trigger" };
static const char *const attaches[] = { "attach", "detach", "reconcile",
					"attach_secondary", "detach_partial" };
static const char *const migrations[] = { "success", "timeout", "failed" };
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
