#include "support/config_line.h"

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
	cr_assert(c.log_level == LOG_INFO && c.log_format == CONFIG_LOG_AUTO);
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
