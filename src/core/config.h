#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/log.h"

/* Flags and environment -> one struct, validated once, before anything is started. Texts
 * point into argv, the environment or the struct itself; nothing to free, not to be
 * copied. The names and defaults of the Go driver's flags are kept; one whose function
 * this version lacks is accepted at its neutral value and refused at any other. */
enum config_action { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION, CONFIG_METRICS };
enum config_kubernetes { CONFIG_KUBERNETES_OFF, CONFIG_KUBERNETES_ON };
enum config_backend { CONFIG_BACKEND_NVME, CONFIG_BACKEND_LOOP };
enum config_unseen { CONFIG_UNSEEN_KEEP, CONFIG_UNSEEN_REMOVE };
enum config_export { CONFIG_EXPORT_ATTACHED, CONFIG_EXPORT_ALWAYS };
/* AUTO: text on a terminal, else JSON. */
enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_JSON, CONFIG_LOG_TEXT };

struct config {
	enum config_action action;
	bool is_controller, is_node;
	const char *endpoint, *driver_name, *node_id; /* node_id "" = none */
	unsigned kubernetes;			      /* enum config_kubernetes */
	const char *cluster_id, *known_nodes;	      /* "" = none */
	/* The box. */
	const char *rds_address, *rds_user, *rds_key_file;
	const char *rds_host_key; /* file; "" only with rds_insecure */
	bool rds_insecure;
	uint64_t rds_port, rds_sessions, pool_reserve_percent;
	uint64_t figures_interval_ms; /* 0 = the box's figures are not read */
	const char *volume_base; /* absolute, parted by commas, no slash at their ends */
	const char *first_base;	 /* the first of them: where new volumes go */
	bool adopt_unmarked;
	uint64_t fence_settle_ms;
	unsigned export_policy; /* enum config_export */
	/* Kubernetes. */
	const char *kubeconfig, *lease_namespace; /* "" = of the pod */
	uint64_t attachment_grace_ms, attachment_interval_ms;
	bool attachment_dry_run, export_dry_run, mount_dry_run;
	bool orphans, orphan_dry_run, vmi_serialization;
	unsigned orphan_unseen; /* enum config_unseen */
	uint64_t orphan_interval_ms, orphan_grace_ms, vmi_cache_ttl_ms;
	/* The node. */
	unsigned node_backend; /* enum config_backend */
	const char *loop_exports, *state_dir;
	uint64_t max_volumes; /* 0 = no limit told to Kubernetes */
	const char *nqn_prefix;
	uint64_t max_connects; /* 0 = no limit */
	uint64_t refusal_settle_ms;
	const char *host_nqn, *host_id; /* "" = from node_id */
	const char *kubelet_dir;
	const char *registry;	     /* the socket for the kubelet's watcher; "" = none */
	const char *registered;	     /* our own socket as the kubelet sees it */
	const char *metrics_address; /* "" = none */
	/* Logs. */
	enum log_level log_level;
	unsigned log_format; /* enum config_log_format */
	char endpoint_text[192], base_text[512], first_text[192], state_text[192];
	char registry_text[192];
};

/* 0, or -1 with one line that names the flag or variable at fault. get_env is getenv(3)
 * outside tests. Pure otherwise. A --help or --version ends the parsing: only action is
 * valid then. */
int config_parse(struct config *c, int argc, char *const *argv,
		 char *(*get_env)(const char *name), struct err *err);
/* The text of --help. 0, or -1 for lack of memory. */
int config_help(struct buf *out);
#endif
