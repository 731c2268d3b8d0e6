#include "sim/opts.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_hostport(const char *v, char *host, size_t size, uint16_t *port)
{
	const char *colon = strrchr(v, ':');
	uint64_t n;

	if (!colon || (size_t)(colon - v) >= size || parse_u64(colon + 1, &n) < 0 ||
	    n > 65535)
		return -1;
	snprintf(host, size, "%.*s", (int)(colon - v), v);
	*port = (uint16_t)n;
	return 0;
}

static int set_listen(struct opts *o, const char *v)
{
	return set_hostport(v, o->listen_host, sizeof o->listen_host, &o->listen_port);
}

static int set_control(struct opts *o, const char *v)
{
	return set_hostport(v, o->control_host, sizeof o->control_host, &o->control_port);
}

/* Exports are links to absolute paths, so the directory is made absolute at once. */
static int set_dir(struct opts *o, const char *v)
{
	char cwd[PATH_MAX];
	struct sb path = { 0 };
	int rc = -1;

	if (v[0] != '/' && getcwd(cwd, sizeof cwd))
		sb_printf(&path, "%s/", cwd);
	sb_adds(&path, v);
	while (path.len > 1 && path.p[path.len - 1] == '/')
		path.p[--path.len] = 0;
	if (path.len < sizeof o->box.dir) {
		memcpy(o->box.dir, path.p, path.len + 1);
		rc = 0;
	}
	sb_fini(&path);
	return rc;
}

static int set_uint(const char *v, unsigned *ret)
{
	uint64_t n;

	if (parse_u64(v, &n) < 0 || n > UINT_MAX)
		return -1;
	*ret = (unsigned)n;
	return 0;
}

static int set_op_ms(struct opts *o, const char *v)
{
	struct {
		const char *name;
		unsigned *to;
	} names[] = { { "add", &o->box.op_add_ms },
		      { "remove", &o->box.op_remove_ms },
		      { "set", &o->box.op_set_ms },
		      { "print", &o->box.op_print_ms },
		      { "per-gib", &o->box.op_per_gib_ms } };
	char buf[256], *save = NULL, *eq;
	size_t i;

	snprintf(buf, sizeof buf, "%s", v);
	for (char *s = strtok_r(buf, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		eq = strchr(s, '=');
		if (!eq)
			return -1;
		*eq = 0;
		for (i = 0; i < 5 && strcmp(names[i].name, s) != 0; i++)
			;
		if (i == 5 || set_uint(eq + 1, names[i].to) < 0)
			return -1;
	}
	return 0;
}

static int set_version(struct opts *o, const char *v)
{
	o->box.version = schema_version(v);
	snprintf(o->box.version_text, sizeof o->box.version_text, "%s", v);
	return o->box.version ? 0 : -1;
}

static int set_ns_uuid(struct opts *o, const char *v)
{
	o->box.ns_uuid_random = !strcmp(v, "random");
	o->ns_uuid_given = true;
	return o->box.ns_uuid_random || !strcmp(v, "stable") ? 0 : -1;
}

static int set_export(struct opts *o, const char *v)
{
	o->box.nvmet.is_on = !strcmp(v, "nvmet");
	return o->box.nvmet.is_on || !strcmp(v, "link") ? 0 : -1;
}

static int set_nvmet_root(struct opts *o, const char *v)
{
	snprintf(o->box.nvmet.root, sizeof o->box.nvmet.root, "%s", v);
	return *v == '/' ? 0 : -1;
}

static int set_nvmet_address(struct opts *o, const char *v)
{
	snprintf(o->box.nvmet.address, sizeof o->box.nvmet.address, "%s", v);
	return *v ? 0 : -1;
}

static int set_nvmet_port(struct opts *o, const char *v)
{
	return set_uint(v, &o->box.nvmet.port_id);
}

static int set_nvmet_off(struct opts *o, const char *v)
{
	static const char *const modes[] = { "full", "link-only", "keep-sessions" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(modes[i], v)) {
			o->box.nvmet.off = (enum nvmet_off)i;
			return 0;
		}
	return -1;
}

static int set_nvmet_linger(struct opts *o, const char *v)
{
	return set_uint(v, &o->box.nvmet.linger_ms);
}

static int set_nvmet_fixed(struct opts *o, const char *v)
{
	(void)v;
	o->box.nvmet.size_fixed = true;
	return 0;
}

static int set_nvmet_tells(struct opts *o, const char *v)
{
	(void)v;
	o->box.nvmet.tells_growth = true;
	return 0;
}

static int set_exit_status(struct opts *o, const char *v)
{
	if (!strcmp(v, "random"))
		o->exit_mode = EXIT_RANDOM;
	else if (!strcmp(v, "0") || !strcmp(v, "1"))
		o->exit_mode = v[0] == '1' ? EXIT_1_ON_ERROR : EXIT_ALWAYS_0;
	else
		return -1;
	return 0;
}

static int set_comment_max(struct opts *o, const char *v)
{
	return set_uint(v, &o->box.comment_max);
}

static int set_pool_bytes(struct opts *o, const char *v)
{
	return parse_u64(v, &o->box.pool_bytes);
}

static int set_pool_fs(struct opts *o, const char *v)
{
	snprintf(o->box.pool_fs, sizeof o->box.pool_fs, "%s", v);
	return !strcmp(v, "btrfs") || !strcmp(v, "ext4") || !strcmp(v, "xfs") ? 0 : -1;
}

static int set_pool_slot(struct opts *o, const char *v)
{
	snprintf(o->box.pool_slot, sizeof o->box.pool_slot, "%s", v);
	return *v ? 0 : -1;
}

static int set_pool_label(struct opts *o, const char *v)
{
	snprintf(o->box.pool_label, sizeof o->box.pool_label, "%s", v);
	return 0;
}

static int set_base(struct opts *o, const char *v)
{
	snprintf(o->box.base, sizeof o->box.base, "%s", v);
	return *v && !strstr(v, "..") ? 0 : -1;
}

static int set_max_sessions(struct opts *o, const char *v)
{
	return set_uint(v, &o->max_sessions);
}

static int set_package(struct opts *o, const char *v)
{
	snprintf(o->box.package, sizeof o->box.package, "%s", v);
	return !strcmp(v, "there") || !strcmp(v, "disabled") || !strcmp(v, "missing")
		       ? 0
		       : -1;
}

static int set_policy(struct opts *o, const char *v)
{
	snprintf(o->box.csi_policy, sizeof o->box.csi_policy, "%s", v);
	return strlen(v) < sizeof o->box.csi_policy ? 0 : -1;
}

static int set_dead_ms(struct opts *o, const char *v)
{
	return set_uint(v, &o->box.dead_ms);
}

static int set_seed(struct opts *o, const char *v)
{
	return parse_u64(v, &o->seed);
}

static int set_schema(struct opts *o, const char *v)
{
	o->schema = v;
	return 0;
}

static int set_log(struct opts *o, const char *v)
{
	o->log = v;
	return 0;
}

static int set_keys(struct opts *o, const char *v)
{
	o->authorized_keys = v;
	return 0;
}

static int start_fault(struct opts *o, const char *name, const char *v)
{
	char err[160];

	return fault_set(&o->fault, name, v, err, sizeof err);
}

static int set_latency(struct opts *o, const char *v)
{
	return start_fault(o, "latency-ms", v);
}

static int set_jitter(struct opts *o, const char *v)
{
	return start_fault(o, "jitter-ms", v);
}

static int set_interleave(struct opts *o, const char *v)
{
	return start_fault(o, "interleave", v);
}

static int set_run_on(struct opts *o, const char *v)
{
	return start_fault(o, "run-on", v);
}

static int set_nagle(struct opts *o, const char *v)
{
	(void)v;
	o->nagle = true;
	return 0;
}

static int set_refuse_rsa(struct opts *o, const char *v)
{
	(void)v;
	o->refuse_rsa_user = true;
	return 0;
}

static int set_reexports(struct opts *o, const char *v)
{
	(void)v;
	o->box.set_reexports = true;
	return 0;
}

static int set_nqn_needs(struct opts *o, const char *v)
{
	(void)v;
	o->box.nqn_needs_export = true;
	return 0;
}

static int set_grow_lazy(struct opts *o, const char *v)
{
	(void)v;
	o->box.grow_is_lazy = true;
	return 0;
}

static const struct {
	const char *name, *arg; /* arg NULL: a switch */
	int (*set)(struct opts *o, const char *v);
	const char *help;
} table[] = {
	{ "listen", "HOST:PORT", set_listen,
	  "SSH server; port 0 picks one (127.0.0.1:0)" },
	{ "control", "HOST:PORT", set_control, "HTTP control server (127.0.0.1:0)" },
	{ "dir", "DIR", set_dir, "state, keys, pool and exports; must be given" },
	{ "version", "7.X[.Y]", set_version, "RouterOS version to be (7.24)" },
	{ "schema", "FILE", set_schema, "another schema than the built-in one" },
	{ "authorized-keys", "FILE", set_keys,
	  "user keys accepted besides DIR/client_key" },
	{ "log", "FILE", set_log, "append every line that is run and its output" },
	{ "latency-ms", "N", set_latency, "delay before each command runs" },
	{ "jitter-ms", "N", set_jitter, "random addition to it, 0..N" },
	{ "op-ms", "add=N,remove=N,set=N,print=N,per-gib=N", set_op_ms,
	  "time an operation takes before its effect" },
	{ "nagle", NULL, set_nagle, "leave Nagle's algorithm on" },
	{ "refuse-rsa-user", NULL, set_refuse_rsa, "refuse RSA user keys" },
	{ "ns-uuid", "random|stable", set_ns_uuid,
	  "namespace uuid: a new one at each export (default with nvmet), or one per "
	  "disk (stable)" },
	{ "export", "link|nvmet", set_export,
	  "an export is a symlink in DIR/exports (link), and with nvmet also a "
	  "subsystem of this kernel's NVMe/TCP target" },
	{ "nvmet-root", "DIR", set_nvmet_root,
	  "its configfs (/sys/kernel/config/nvmet)" },
	{ "nvmet-address", "ADDR", set_nvmet_address,
	  "where it listens, IPv4 or IPv6 (127.0.0.1)" },
	{ "nvmet-port-id", "N", set_nvmet_port, "first number under ports/ to use (1)" },
	{ "nvmet-off", "full|link-only|keep-sessions", set_nvmet_off,
	  "export off removes all, waiting for writes in flight (full); cuts the "
	  "sessions but not those writes; or only refuses new sessions" },
	{ "nvmet-linger-ms", "N", set_nvmet_linger,
	  "sessions that export off keeps end after this time (never)" },
	{ "nvmet-size-fixed", NULL, set_nvmet_fixed,
	  "a namespace keeps its size until it is exported anew (loop device)" },
	{ "nvmet-tells-growth", NULL, set_nvmet_tells,
	  "hosts are told of growth, else they see it when they ask" },
	{ "exit-status", "0|1|random", set_exit_status,
	  "of a failed command: 0 (default), 1, or either" },
	{ "comment-max", "N", set_comment_max, "longer comments are refused (4096)" },
	{ "set-reexports", NULL, set_reexports,
	  "any set of an exported disk applies its export anew" },
	{ "nqn-needs-export", NULL, set_nqn_needs,
	  "an NQN given while the export is off is dropped" },
	{ "grow-lazy", NULL, set_grow_lazy,
	  "an exported disk's size follows file-size at its next export only" },
	{ "dead-ms", "N", set_dead_ms, "a removed subvolume is listed as dead for N ms" },
	{ "pool-bytes", "N", set_pool_bytes, "size of the pool (64 TiB)" },
	{ "pool-fs", "btrfs|ext4|xfs", set_pool_fs, "its file system (btrfs)" },
	{ "pool-slot", "NAME", set_pool_slot, "its slot (raid1)" },
	{ "pool-label", "NAME", set_pool_label, "label of its Btrfs (pool)" },
	{ "base", "PATH", set_base,
	  "directory made on it, below the mount point (metal-csi)" },
	{ "max-sessions", "N", set_max_sessions, "connections at a time (20)" },
	{ "package", "there|disabled|missing", set_package,
	  "rose-storage; without it there is no /disk/btrfs (there)" },
	{ "csi-policy", "LIST", set_policy,
	  "policies of the user csi (ssh,read,write,test,ftp); any name that is not "
	  "listed may all" },
	{ "interleave", "on|off", set_interleave,
	  "concurrent scripts take turns at statement boundaries (on)" },
	{ "run-on-after-cut", "SECONDS", set_run_on,
	  "a script whose client was cut lives on so long (0: dies at its next "
	  "statement)" },
	{ "seed", "N", set_seed, "of every random choice (the clock)" },
};

enum {
	N_OPTS = sizeof table / sizeof *table,
};

static const char about[] =
	"rds-sim: a simulated MikroTik ROSE Data Server: RouterOS scripts over SSH.\n"
	"\nPrints \"ready ssh=HOST:PORT control=HOST:PORT\" when it listens. SIGTERM "
	"prints\n"
	"the statistics as JSON and ends it.\n\nOptions (--name value or "
	"--name=value):\n";

static const char control_help[] =
	"\nControl server (HTTP/1.1):\n"
	"  GET  /stats         connections, channels, execs, their peaks, disks, files\n"
	"  POST /peaks         both peaks start anew\n"
	"  GET  /disks         every disk with all its properties\n"
	"  GET  /history       every effect, one JSON object a line; ?from=N from number "
	"N\n"
	"  GET  /fault         the faults as they are\n"
	"  POST /fault?a=b&…   set faults; POST /fault/clear: back to the start's\n"
	"  POST /fault?version=7.X, ?reboot=MS (drop every connection, exports come "
	"back\n"
	"       after MS)\n"
	"  POST /keys/cut      cut the connections whose user key is accepted no more\n"
	"  POST /nvmet?port=off|on        every link of the target's ports (ms=N: so "
	"long)\n"
	"  POST /nvmet?slot=S&do=VERB     to one export, the box's properties stay:\n"
	"       off on unlink link refuse admit disable enable grown (ms=N: undone "
	"after N),\n"
	"       recreate (off and on; ms=N between)\n"
	"       uuid=same|new|UUID, file=PATH (empty: the image) from the next on\n"
	"  POST /exec          run the body as a script, without SSH; answers its "
	"output\n"
	"\nFaults:\n";

static void print_help(void)
{
	struct sb out = { 0 };
	char left[80];

	sb_adds(&out, about);
	for (size_t i = 0; i < N_OPTS; i++) {
		snprintf(left, sizeof left, "--%s %s", table[i].name,
			 table[i].arg ? table[i].arg : "");
		sb_printf(&out, "  %-32s %s\n", left, table[i].help);
	}
	sb_adds(&out, control_help);
	fault_help(&out);
	fwrite(out.p, 1, out.len, stdout);
	sb_fini(&out);
}

void opts_init(struct opts *o)
{
	*o = (struct opts){ .max_sessions = 20 };
	fault_init(&o->fault);
	o->box.comment_max = 4096;
	o->box.pool_bytes = (uint64_t)64 << 40;
	snprintf(o->box.pool_fs, sizeof o->box.pool_fs, "btrfs");
	snprintf(o->box.pool_slot, sizeof o->box.pool_slot, "raid1");
	snprintf(o->box.pool_label, sizeof o->box.pool_label, "pool");
	snprintf(o->box.mount_point, sizeof o->box.mount_point, "storage-pool");
	snprintf(o->box.base, sizeof o->box.base, "metal-csi");
	set_nvmet_root(o, "/sys/kernel/config/nvmet");
	set_nvmet_address(o, "127.0.0.1");
	o->box.nvmet.port_id = 1;
	set_version(o, "7.24");
	set_package(o, "there");
	set_policy(o, "ssh,read,write,test,ftp");
	set_listen(o, "127.0.0.1:0");
	set_control(o, "127.0.0.1:0");
}

static int parse_one(struct opts *o, int argc, char **argv, int *i)
{
	const char *arg = argv[*i] + 2, *eq = strchr(arg, '=');
	size_t n = eq ? (size_t)(eq - arg) : strlen(arg), k;
	const char *value = eq ? eq + 1 : NULL;

	for (k = 0; k < N_OPTS; k++)
		if (strncmp(table[k].name, arg, n) == 0 && !table[k].name[n])
			break;
	if (k == N_OPTS) {
		fprintf(stderr, "rds-sim: unknown option --%.*s\n", (int)n, arg);
		return -1;
	}
	if (table[k].arg && !value)
		value = *i + 1 < argc ? argv[++*i] : NULL;
	if (!table[k].arg == (value != NULL) || table[k].set(o, value) < 0) {
		fprintf(stderr, "rds-sim: --%s needs %s\n", table[k].name,
			table[k].arg ? table[k].arg : "no value");
		return -1;
	}
	return 0;
}

int opts_parse(struct opts *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help();
			return 1;
		}
		if (strncmp(argv[i], "--", 2) != 0) {
			fprintf(stderr, "rds-sim: unexpected %s\n", argv[i]);
			return -1;
		}
		if (parse_one(o, argc, argv, &i) < 0)
			return -1;
	}
	if (o->box.nvmet.is_on && !o->ns_uuid_given)
		o->box.ns_uuid_random = true;
	if (!o->box.dir[0]) {
		fprintf(stderr, "rds-sim: --dir DIR must be given (see --help)\n");
		return -1;
	}
	return 0;
}
