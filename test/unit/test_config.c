#include "support/t.h"

#include <string.h>

#include "core/config.h"
#include "core/config_flags.h"

static const char *env_value;

static const char *get_env(const char *name)
{
	cr_assert_str_eq(name, "CSI_MANAGED_NQN_PREFIX");
	return env_value;
}

enum { MAX_ARGS = 64 };

/* Parses words parted by blanks, after a base that makes a complete command line. */
static int parse(struct config *c, const char *base, const char *words, struct err *err)
{
	static char text[4096], name[] = "rds-csi";
	char *argv[MAX_ARGS] = { name };
	int argc = 1;

	err->code = ERR_OK;
	snprintf(text, sizeof(text), "%s %s", base, words);
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	return config_parse(c, argc, argv, get_env, err);
}

#define CTL                                                                       \
	"--controller --rds-address=10.0.0.1 --rds-host-key=/k --kubernetes=off " \
	"--cluster-id=c1"
#define ON "--kubernetes=on "
#define NODE "-node -node-id n1 -node-backend loop -loop-exports /e"

static struct config c;
static struct err e;

Test(config, defaults_are_those_of_the_go_driver)
{
	cr_assert_eq(parse(&c, CTL, NODE, &e), 0, "%s", e.msg);
	cr_assert_str_eq(c.endpoint,
			 "unix:///var/lib/kubelet/plugins/rds.csi.srvlab.io/csi.sock");
	cr_assert_str_eq(c.driver_name, "rds.csi.srvlab.io");
	cr_assert_str_eq(c.rds_user, "admin");
	cr_assert_str_eq(c.rds_key_file, "/etc/rds-csi/ssh-key/id_rsa");
	cr_assert_str_eq(c.volume_base, "/storage-pool/metal-csi");
	cr_assert_str_eq(c.state_dir, "/var/lib/kubelet/plugins/rds.csi.srvlab.io/state");
	cr_assert_str_eq(c.nqn_prefix, "nqn.2000-02.com.mikrotik:");
	cr_assert_eq(c.rds_port, 22);
	cr_assert_eq(c.rds_sessions, 4);
	cr_assert_eq(c.pool_reserve_percent, 5);
	cr_assert_eq(c.fence_settle_ms, 2000);
	cr_assert_eq(c.max_volumes, 0);
	cr_assert(c.log_level == LOG_INFO && c.log_format == CONFIG_LOG_JSON);
	cr_assert(c.is_controller && c.is_node && !c.rds_insecure && !c.adopt_unmarked);
}

Test(config, the_driver_name_moves_the_default_socket)
{
	cr_assert_eq(parse(&c, CTL, "-driver-name=other.example", &e), 0);
	cr_assert_str_eq(c.endpoint,
			 "unix:///var/lib/kubelet/plugins/other.example/csi.sock");
}

Test(config, all_four_ways_to_write_a_flag)
{
	static const char *const ways[] = { "-rds-port=2222", "--rds-port=2222",
					    "-rds-port 2222", "--rds-port 2222" };
	static const char *const bools[] = { "-adopt-unmarked", "--adopt-unmarked=T",
					     "-adopt-unmarked=1",
					     "--adopt-unmarked=0 --adopt-unmarked=true" };

	for (unsigned i = 0; i < 4; i++) {
		cr_assert_eq(parse(&c, CTL, ways[i], &e), 0, "%s", e.msg);
		cr_assert_eq(c.rds_port, 2222);
		cr_assert_eq(parse(&c, CTL, bools[i], &e), 0, "%s", e.msg);
		cr_assert(c.adopt_unmarked);
	}
	cr_assert_eq(parse(&c, CTL, "--adopt-unmarked=False", &e), 0);
	cr_assert(!c.adopt_unmarked);
}

/* Each flag once with a value that is taken, and where in the struct it shows. */
struct taken {
	const char *words;
	size_t offset;
	enum { STR, U64, BOOL, UINT } type;
	const char *s;
	uint64_t n;
};
#define AT(field) offsetof(struct config, field)

Test(config, every_flag_does_what_it_says)
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

Test(config, no_flag_is_without_its_test)
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
		"leader-election-namespace",
		"attachment-grace-period",
		"attachment-reconcile-interval",
		"enable-orphan-reconciler",
		"orphan-check-interval",
		"orphan-grace-period",
		"orphan-dry-run",
		"enable-vmi-serialization",
		"vmi-cache-ttl",
		"cluster-id",
		"known-nodes",
		"fence-settle",
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

/* What is wrong, and what the one line must name. */
Test(config, a_bad_flag_is_named_in_one_line)
{
	static const char *const rows[][2] = {
		{ "--rds-port=0", "--rds-port=0: must be a number from 1 to 65535" },
		{ "--rds-port=65536", "--rds-port=65536: must be" },
		{ "--rds-port=-1", "--rds-port=-1: must be" },
		{ "--rds-port=22x", "--rds-port=22x: must be" },
		{ "--rds-port=", "--rds-port=: must be" },
		{ "--rds-port", "--rds-port: needs a value" },
		{ "--rds-sessions=5", "--rds-sessions=5: must be a number from 1 to 4" },
		{ "--pool-reserve=51", "--pool-reserve" },
		{ "--adopt-unmarked=maybe",
		  "--adopt-unmarked=maybe: must be true or false" },
		{ "--controller=2", "--controller=2" },
		{ "--fence-settle=2", "--fence-settle=2: must be a duration" },
		{ "--fence-settle=2h", "--fence-settle" },
		{ "--nope", "--nope: no such flag" },
		{ "---node", "---node: no such flag" },
		{ "-", "unexpected argument: -" },
		{ "--", "--: no such flag" },
		{ "--=x", "--: no such flag" },
		{ "stray", "unexpected argument: stray" },
		{ ON "--known-nodes=a", "--known-nodes: only with" },
		{ ON "--kubeconfig=k", "--kubeconfig: must be an absolute path" },
		{ ON "--leader-election-namespace=a/b",
		  "--leader-election-namespace=a/b: holds" },
		{ "--kubeconfig=/k", "--kubeconfig: only with --kubernetes=on" },
		{ "--enable-orphan-reconciler", "--enable-orphan-reconciler: only with" },
		{ "--enable-vmi-serialization", "--enable-vmi-serialization: only with" },
		{ "--attachment-grace-period=2h", "--attachment-grace-period=2h: must" },
		{ "--vmi-cache-ttl=soon", "--vmi-cache-ttl=soon: must be a duration" },
		{ "--kubernetes=maybe", "--kubernetes=maybe: must be one of off|on" },
		{ "--kubernetes=", "--kubernetes=: must be one of" },
		{ "--node-backend=nvme",
		  "--loop-exports: only with --node-backend=loop" },
		{ "--node-backend=iscsi",
		  "--node-backend=iscsi: must be one of nvme|loop" },
		{ "--max-connects=1025", "--max-connects=1025: must be a number" },
		{ "--host-nqn=iqn.x", "--host-nqn: must begin with" },
		{ "--host-nqn=nqn.", "--host-nqn: must begin with" },
		{ "--host-nqn=nqn.a,hostid=b", "--host-nqn=nqn.a,hostid=b: holds" },
		{ "--host-id=12", "--host-id: must be a UUID" },
		{ "--host-id=0123456g-0123-0123-0123-0123456789ab",
		  "--host-id: must be a UUID" },
		{ "--kubelet-dir=", "--kubelet-dir: must be an absolute" },
		{ "--kubelet-dir=/a/", "--kubelet-dir: must be an absolute" },
		{ "--kubelet-registration=yes",
		  "--kubelet-registration: must be an abs" },
		{ "--kubelet-registration=/a/../b", "--kubelet-registration: must be" },
		{ "--kubelet-registration=on --endpoint=tcp://127.0.0.1:1 --state-dir=/s",
		  "--kubelet-registration: the kubelet takes no tcp://" },
		{ "--kubelet-registration=on --endpoint=/s --kubelet-dir="
		  "/a23456789/a23456789/a23456789/a23456789/a23456789/a23456789",
		  "--kubelet-registration: /a23456789/" },
		{ "--metrics-address=localhost:1", "--metrics-address=localhost:1: h" },
		{ "--log-level=loud",
		  "--log-level=loud: must be one of debug|info|warn" },
		{ "--log-format=xml", "--log-format=xml" },
		{ "-v=much", "--v=much" },
		{ "--cluster-id=", "--cluster-id: must be given with --kubernetes=off" },
		{ "--cluster-id=a_b", "--cluster-id=a_b: holds a character" },
		{ "--cluster-id=0123456789012345678901234567890123456", "--cluster-id" },
		{ "--rds-address=", "--rds-address: must be given with --controller" },
		{ "--rds-address=a;b", "--rds-address=a;b: holds a character" },
		{ "--rds-user=", "--rds-user: must be given" },
		{ "--rds-user=a$b", "--rds-user" },
		{ "--rds-key-file=", "--rds-key-file: must be given" },
		{ "--rds-host-key=",
		  "--rds-host-key: must be given with --controller (or" },
		{ "--rds-volume-base-path=", "--rds-volume-base-path: must be given" },
		{ "--rds-volume-base-path=x",
		  "--rds-volume-base-path: must be an absolute" },
		{ "--rds-volume-base-path=/a/../b", "--rds-volume-base-path: must be" },
		{ "--rds-volume-base-path=/a,b", "--rds-volume-base-path: must be" },
		{ "--rds-volume-base-path=/a,,/b", "--rds-volume-base-path: must be" },
		{ "--rds-volume-base-path=/", "--rds-volume-base-path: must be" },
		{ "--rds-volume-base-path=/a\"b", "--rds-volume-base-path=/a\"b: holds" },
		{ "--known-nodes=a,,b", "--known-nodes: must be names" },
		{ "--known-nodes=,a", "--known-nodes: must be names" },
		{ "--known-nodes=a,", "--known-nodes: must be names" },
		{ "--known-nodes=a;b", "--known-nodes=a;b: holds" },
		{ "--driver-name=", "--driver-name: must begin" },
		{ "--driver-name=.a", "--driver-name: must begin" },
		{ "--driver-name=a..b", "--driver-name" },
		{ "--driver-name=a/b", "--driver-name=a/b: holds" },
		{ "--endpoint=unix://rel", "--endpoint: must be unix://" },
		{ "--endpoint=rel", "--endpoint: must be unix://" },
		{ "--endpoint=http://x", "--endpoint: must be unix://" },
		{ "--endpoint=/a/../b", "--endpoint: must be unix://" },
		{ "--endpoint=tcp://0.0.0.0:1", "--endpoint: tcp:// takes a loopback" },
		{ "--endpoint=tcp://10.0.0.1:1", "--endpoint: tcp:// takes a loopback" },
		{ "--endpoint=tcp://127.0.0.1", "--endpoint: tcp:// takes a loopback" },
		{ "--endpoint=tcp://127.evil.example:1", "--endpoint: tcp:// takes" },
		{ "--endpoint=tcp://127.0.0.1:70000", "--endpoint: tcp:// takes" },
		{ "--endpoint=tcp://127.0.0.1:1",
		  "--state-dir: must be given with --node" },
		{ "--node-id=", "--node-id: must be given with --node" },
		{ "--node-id=a/b", "--node-id=a/b: holds" },
		{ "--loop-exports=", "--loop-exports: must be given" },
		{ "--loop-exports=rel", "--loop-exports: must be an absolute" },
		{ "--state-dir=rel", "--state-dir: must be an absolute" },
		{ "--max-volumes-per-node=65536", "--max-volumes-per-node" },
		{ "--controller=false --node=false",
		  "--controller, --node: one must be" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(parse(&c, CTL " " NODE, rows[i][0], &e), -1, "%s",
			     rows[i][0]);
		cr_assert_eq(e.code, ERR_INVALID);
		cr_assert(strncmp(e.msg, rows[i][1], strlen(rows[i][1])) == 0,
			  "%s gave: %s", rows[i][0], e.msg);
		cr_assert_null(strchr(e.msg, '\n'));
	}
}

Test(config, a_newline_in_a_value_makes_no_second_line)
{
	char name[] = "rds-csi", arg[] = "--rds-address=a\nb\x1b[2J";
	char *argv[] = { name, arg };

	cr_assert_eq(config_parse(&c, 2, argv, get_env, &e), -1);
	cr_assert_str_eq(e.msg,
			 "--rds-address=a?b?[2J: holds a character that is not allowed");
}

Test(config, flags_of_later_versions_take_their_neutral_value_only)
{
	static const char *const good[] = {
		"-logtostderr",
		"-alsologtostderr=false",
		"-stderrthreshold=2",
		"-vmodule=",
		"-log_dir=",
		"-log_file=",
		"-log_file_max_size=1800",
		"-one_output=false",
		"-add_dir_header=false",
		"-skip_headers=false",
		"-skip_log_headers=f",
		"-log_backtrace_at=",
	};
	static const char *const bad[] = {
		"-logtostderr=false",	"-alsologtostderr",  "-stderrthreshold=0",
		"-vmodule=x=3",		"-log_dir=/l",	     "-log_file=/f",
		"-log_file_max_size=1", "-one_output",	     "-add_dir_header",
		"-skip_headers",	"-skip_log_headers", "-log_backtrace_at=a:1",
	};
	unsigned n_later = 0;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert_eq(parse(&c, CTL, good[i], &e), 0, "%s: %s", good[i], e.msg);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(parse(&c, CTL, bad[i], &e), -1, "%s", bad[i]);
		cr_assert_not_null(strstr(e.msg, "not in this version"), "%s", e.msg);
		cr_assert_eq(strncmp(e.msg + 1, bad[i], strcspn(bad[i], "= ")), 0);
	}
	for (const struct flag *f = config_flags; f->name || f->def; f++)
		n_later += f->name && f->kind >= FLAG_LATER_STR;
	cr_assert_eq(n_later, sizeof(bad) / sizeof(bad[0]));
}

Test(config, each_mode_asks_for_its_own_flags_only)
{
	cr_assert_eq(parse(&c, NODE, "", &e), 0, "%s", e.msg);
	cr_assert_eq(parse(&c, CTL, "", &e), 0, "%s", e.msg);
	cr_assert_eq(parse(&c, "--controller", "", &e), -1);
	cr_assert_eq(parse(&c, "--node", "", &e), -1);
	cr_assert_eq(parse(&c, "", "", &e), -1);
	cr_assert_eq(parse(&c, "--controller --rds-address=b --rds-host-key=/k", "", &e),
		     0, "%s", e.msg);
	cr_assert_eq(c.kubernetes, CONFIG_KUBERNETES_ON);
	cr_assert_eq(parse(&c, "--node --node-id=n", "", &e), 0, "%s", e.msg);
	cr_assert_eq(c.node_backend, CONFIG_BACKEND_NVME);
	cr_assert_eq(parse(&c, "--node --node-id=n --node-backend=loop", "", &e), -1);
	cr_assert_not_null(strstr(e.msg, "--loop-exports: must be given"));
}

/* A demonstration over loop devices and a test on a port leave the kubelet alone. */
Test(config, a_real_node_plugin_registers_itself)
{
	cr_assert_eq(parse(&c, "--node --node-id=n", "", &e), 0, "%s", e.msg);
	cr_assert_str_eq(c.registry,
			 "/var/lib/kubelet/plugins_registry/rds.csi.srvlab.io-reg.sock");
	cr_assert_str_eq(c.registered,
			 "/var/lib/kubelet/plugins/rds.csi.srvlab.io/csi.sock");
	cr_assert_eq(c.max_connects, 5);
	cr_assert_eq(c.refusal_settle_ms, 30000);
	cr_assert_str_eq(c.host_nqn, "");
	cr_assert_str_eq(c.host_id, "");
	cr_assert_eq(parse(&c, "--node --node-id=n --kubelet-registration=off", "", &e),
		     0);
	cr_assert_str_eq(c.registry, "");
	cr_assert_eq(parse(&c, NODE, "", &e), 0);
	cr_assert_str_eq(c.registry, "");
	cr_assert_eq(parse(&c, NODE, "--kubelet-registration=on --endpoint=/x", &e), 0);
	cr_assert_str_eq(c.registered, "/x");
	cr_assert_eq(parse(&c, "--node --node-id=n",
			   "--endpoint=tcp://127.0.0.1:0 --state-dir=/s", &e),
		     0);
	cr_assert_str_eq(c.registry, "");
}

Test(config, insecure_stands_in_for_the_host_key)
{
	cr_assert_eq(parse(&c, CTL, "--rds-host-key= --rds-insecure-skip-verify", &e), 0);
	cr_assert(c.rds_insecure);
}

Test(config, the_nqn_prefix_comes_from_the_environment)
{
	env_value = "nqn.2000-02.com.mikrotik:pvc-";
	cr_assert_eq(parse(&c, NODE, "", &e), 0);
	cr_assert_str_eq(c.nqn_prefix, env_value);
	env_value = "iqn.2000-02.com.mikrotik:";
	cr_assert_eq(parse(&c, NODE, "", &e), -1);
	cr_assert_eq(strncmp(e.msg, "CSI_MANAGED_NQN_PREFIX: ", 24), 0);
	env_value = "nqn.no-colon";
	cr_assert_eq(parse(&c, NODE, "", &e), -1);
	env_value = "";
	cr_assert_eq(parse(&c, NODE, "", &e), -1);
}

Test(config, help_and_version_need_nothing_else_and_help_lists_every_flag)
{
	struct buf help;

	cr_assert_eq(parse(&c, "", "--version --nonsense", &e), 0);
	cr_assert_eq(c.action, CONFIG_VERSION);
	cr_assert(parse(&c, "", "-h", &e) == 0 && c.action == CONFIG_HELP);
	buf_init(&help, 65536);
	cr_assert_eq(config_help(&help), 0);
	for (const struct flag *f = config_flags; f->name || f->def; f++) {
		char name[64];

		snprintf(name, sizeof(name), f->name ? "  --%s" : "\n%s:\n",
			 f->name ? f->name : f->def);
		cr_assert_not_null(strstr(help.data, name), "%s", name);
	}
	buf_fini(&help);
	cr_assert_eq(mem_live(), 0);
}
