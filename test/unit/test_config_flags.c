#include "support/config_line.h"

static struct config c;
static struct err e;

/* Each flag once with a value that is taken, and where in the struct it shows. */
struct taken {
	const char *words;
	size_t offset;
	enum { STR, U64, BOOL, UINT } type;
	const char *s;
	uint64_t n;
};
#define AT(field) offsetof(struct config, field)

Test(config_flags, every_flag_does_what_it_says)
{
	static const struct taken rows[] = {
		{ "--controller=true", AT(is_controller), BOOL, NULL, 1 },
		{ "--node=true", AT(is_node), BOOL, NULL, 1 },
		{ "--endpoint=unix:///a/b.sock", AT(endpoint), STR, "unix:///a/b.sock",
		  0 },
		{ "--endpoint=/a/b.sock", AT(endpoint), STR, "/a/b.sock", 0 },
		{ "--endpoint=tcp://127.0.0.1:0 --state-dir=/s", AT(endpoint), STR,
		  "tcp://127.0.0.1:0", 0 },
		{ "--endpoint=tcp://[::1]:9 --state-dir=/s", AT(endpoint), STR,
		  "tcp://[::1]:9", 0 },
		{ "--driver-name=a.b", AT(driver_name), STR, "a.b", 0 },
		{ "--node-id=worker-7.lan", AT(node_id), STR, "worker-7.lan", 0 },
		{ "--rds-address=fe80::1", AT(rds_address), STR, "fe80::1", 0 },
		{ "--rds-port=65535", AT(rds_port), U64, NULL, 65535 },
		{ "--rds-user=metal-csi", AT(rds_user), STR, "metal-csi", 0 },
		{ "--rds-key-file=/x/y", AT(rds_key_file), STR, "/x/y", 0 },
		{ "--rds-host-key=/x/z", AT(rds_host_key), STR, "/x/z", 0 },
		{ "--rds-insecure-skip-verify", AT(rds_insecure), BOOL, NULL, 1 },
		{ "--rds-volume-base-path=/p/q", AT(volume_base), STR, "/p/q", 0 },
		{ "--rds-volume-base-path=/p/q/,/r/", AT(volume_base), STR, "/p/q,/r",
		  0 },
		{ "--rds-volume-base-path=/p/q/,/r/", AT(first_base), STR, "/p/q", 0 },
		{ "--rds-sessions=1", AT(rds_sessions), U64, NULL, 1 },
		{ "--pool-reserve=0", AT(pool_reserve_percent), U64, NULL, 0 },
		{ "--adopt-unmarked", AT(adopt_unmarked), BOOL, NULL, 1 },
		{ "--kubernetes=off", AT(kubernetes), UINT, NULL, CONFIG_KUBERNETES_OFF },
		{ "--kubernetes=on --cluster-id=", AT(kubernetes), UINT, NULL,
		  CONFIG_KUBERNETES_ON },
		{ ON "--kubeconfig=/k/c", AT(kubeconfig), STR, "/k/c", 0 },
		{ ON "--leader-election-namespace=kube-a", AT(lease_namespace), STR,
		  "kube-a", 0 },
		{ ON "--attachment-grace-period=0", AT(attachment_grace_ms), U64, NULL,
		  0 },
		{ ON "--attachment-reconcile-interval=30s", AT(attachment_interval_ms),
		  U64, NULL, 30000 },
		{ ON "--attachment-reconcile-interval=0", AT(attachment_interval_ms), U64,
		  NULL, 300000 },
		{ ON "--attachment-reconcile-dry-run", AT(attachment_dry_run), BOOL, NULL,
		  1 },
		{ ON "--export-reconcile-dry-run", AT(export_dry_run), BOOL, NULL, 1 },
		{ ON "--mount-reconcile-dry-run", AT(mount_dry_run), BOOL, NULL, 1 },
		{ ON "--enable-orphan-reconciler", AT(orphans), BOOL, NULL, 1 },
		{ ON "--orphan-check-interval=2h", AT(orphan_interval_ms), U64, NULL,
		  7200000 },
		{ ON "--orphan-check-interval=0", AT(orphan_interval_ms), U64, NULL,
		  3600000 },
		{ ON "--orphan-grace-period=5m", AT(orphan_grace_ms), U64, NULL,
		  86400000 },
		{ ON "--orphan-grace-period=48h", AT(orphan_grace_ms), U64, NULL,
		  172800000 },
		{ ON "--orphan-dry-run=false", AT(orphan_dry_run), BOOL, NULL, 0 },
		{ ON "--enable-vmi-serialization", AT(vmi_serialization), BOOL, NULL, 1 },
		{ ON "--vmi-cache-ttl=5s", AT(vmi_cache_ttl_ms), U64, NULL, 5000 },
		{ "--cluster-id=aA-0", AT(cluster_id), STR, "aA-0", 0 },
		{ "--known-nodes=a,b.c,d-1", AT(known_nodes), STR, "a,b.c,d-1", 0 },
		{ "--fence-settle=1500ms", AT(fence_settle_ms), U64, NULL, 1500 },
		{ "--orphan-unseen=remove", AT(orphan_unseen), UINT, NULL,
		  CONFIG_UNSEEN_REMOVE },
		{ "--orphan-unseen=keep", AT(orphan_unseen), UINT, NULL,
		  CONFIG_UNSEEN_KEEP },
		{ "--fence-settle=2s", AT(orphan_unseen), UINT, NULL,
		  CONFIG_UNSEEN_KEEP },
		{ "--export-policy=always", AT(export_policy), UINT, NULL,
		  CONFIG_EXPORT_ALWAYS },
		{ "--export-policy=attached", AT(export_policy), UINT, NULL,
		  CONFIG_EXPORT_ATTACHED },
		{ "--fence-settle=2s", AT(export_policy), UINT, NULL,
		  CONFIG_EXPORT_ATTACHED },
		{ "--node-backend=loop", AT(node_backend), UINT, NULL,
		  CONFIG_BACKEND_LOOP },
		{ "--loop-exports=/d/exports", AT(loop_exports), STR, "/d/exports", 0 },
		{ "--state-dir=/var/s", AT(state_dir), STR, "/var/s", 0 },
		{ "--max-volumes-per-node=32", AT(max_volumes), U64, NULL, 32 },
		{ "--node-backend=nvme --loop-exports=", AT(node_backend), UINT, NULL,
		  CONFIG_BACKEND_NVME },
		{ "--max-connects=0", AT(max_connects), U64, NULL, 0 },
		{ "--refusal-settle=60s", AT(refusal_settle_ms), U64, NULL, 60000 },
		{ "--host-nqn=nqn.2014-08.org.nvmexpress:uuid:x_1", AT(host_nqn), STR,
		  "nqn.2014-08.org.nvmexpress:uuid:x_1", 0 },
		{ "--host-id=01234567-89ab-cdef-0123-456789ABCDEF", AT(host_id), STR,
		  "01234567-89ab-cdef-0123-456789ABCDEF", 0 },
		{ "--kubelet-dir=/k", AT(kubelet_dir), STR, "/k", 0 },
		{ "--kubelet-dir=/k", AT(endpoint), STR,
		  "unix:///k/plugins/rds.csi.srvlab.io/csi.sock", 0 },
		{ "--kubelet-registration=on", AT(registry), STR,
		  "/var/lib/kubelet/plugins_registry/rds.csi.srvlab.io-reg.sock", 0 },
		{ "--kubelet-registration=/h/csi.sock", AT(registered), STR,
		  "/h/csi.sock", 0 },
		{ "--metrics-address=", AT(metrics_address), STR, "", 0 },
		{ "--rds-metrics-interval=0", AT(figures_interval_ms), U64, NULL, 0 },
		{ "--log-format=json", AT(log_format), UINT, NULL, CONFIG_LOG_JSON },
		{ "--log-level=debug", AT(log_level), UINT, NULL, LOG_DEBUG },
		{ "--log-level=error", AT(log_level), UINT, NULL, LOG_ERROR },
		{ "--log-format=text", AT(log_format), UINT, NULL, CONFIG_LOG_TEXT },
		{ "-v=5", AT(log_level), UINT, NULL, LOG_DEBUG },
		{ "-v=4", AT(log_level), UINT, NULL, LOG_DEBUG },
		{ "-v 3", AT(log_level), UINT, NULL, LOG_INFO },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const void *at;

		cr_assert_eq(parse(&c, CTL " " NODE, rows[i].words, &e), 0, "%s: %s",
			     rows[i].words, e.msg);
		at = (const char *)&c + rows[i].offset;
		if (rows[i].type == STR)
			cr_assert_str_eq(*(const char *const *)at, rows[i].s);
		else if (rows[i].type == U64)
			cr_assert_eq(*(const uint64_t *)at, rows[i].n, "%s",
				     rows[i].words);
		else if (rows[i].type == UINT)
			cr_assert_eq(*(const unsigned *)at, rows[i].n, "%s",
				     rows[i].words);
		else
			cr_assert_eq(*(const bool *)at, rows[i].n, "%s", rows[i].words);
	}
}

Test(config_flags, no_flag_is_without_its_test)
{
	static const char *const tested[] = {
		"controller",
		"node",
		"endpoint",
		"driver-name",
		"node-id",
		"version",
		"help",
		"print-metrics-reference",
		"rds-address",
		"rds-port",
		"rds-user",
		"rds-key-file",
		"rds-host-key",
		"rds-insecure-skip-verify",
		"rds-volume-base-path",
		"rds-sessions",
		"pool-reserve",
		"adopt-unmarked",
		"kubernetes",
		"kubeconfig",
		"metrics-address",
		"rds-metrics-interval",
		"leader-election-namespace",
		"attachment-grace-period",
		"attachment-reconcile-interval",
		"attachment-reconcile-dry-run",
		"export-reconcile-dry-run",
		"mount-reconcile-dry-run",
		"enable-orphan-reconciler",
		"orphan-check-interval",
		"orphan-grace-period",
		"orphan-dry-run",
		"orphan-unseen",
		"enable-vmi-serialization",
		"vmi-cache-ttl",
		"cluster-id",
		"known-nodes",
		"fence-settle",
		"export-policy",
		"node-backend",
		"loop-exports",
		"state-dir",
		"max-volumes-per-node",
		"max-connects",
		"refusal-settle",
		"host-nqn",
		"host-id",
		"kubelet-dir",
		"kubelet-registration",
		"log-level",
		"log-format",
		"v",
	};

	for (const struct flag *f = config_flags; f->name || f->def; f++) {
		bool is_found = !f->name || f->kind >= FLAG_LATER_STR;

		for (unsigned i = 0; i < sizeof(tested) / sizeof(tested[0]); i++)
			is_found |= f->name && strcmp(f->name, tested[i]) == 0;
		cr_assert(is_found, "--%s", f->name);
	}
}
