/* Composition root of `rds-csi export-all`.
 *
 *   START ─► NAMING ─► LOOKING ─► WALKING ─► BOX ─► KUBE ─► DONE
 *            the       whether a  the        SSH    API
 *            cluster   controller volumes    gone   client gone
 *                      runs
 *
 * NAMING and LOOKING only with Kubernetes, LOOKING only when it acts. SIGTERM and SIGINT
 * cancel what is under way. */
#include "export_all.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/loop.h"
#include "core/mem.h"
#include "csi/controller/cluster.h"
#include "csi/controller/export_walk.h"
#include "csi/controller/leader_look.h"
#include "k8s/api.h"
#include "k8s/lease_rules.h"
#include "rds/ros.h"

enum { NAMING_MS = 30 * 1000, MAX_ARGS = 128, EVEN_MAX = 64 * 1024 };

enum { ST_START, ST_NAMING, ST_LOOKING, ST_WALKING, ST_BOX, ST_KUBE, ST_DONE, ST_N };

static const char *const states[ST_N] = {
	"start", "naming", "looking", "walking", "stopping-box", "stopping-kubernetes",
	"done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_NAMING) | OP_BIT(ST_WALKING) | OP_BIT(ST_BOX),
	[ST_NAMING] = OP_BIT(ST_LOOKING) | OP_BIT(ST_WALKING) | OP_BIT(ST_BOX),
	[ST_LOOKING] = OP_BIT(ST_WALKING) | OP_BIT(ST_BOX),
	[ST_WALKING] = OP_BIT(ST_BOX),
	[ST_BOX] = OP_BIT(ST_KUBE) | OP_BIT(ST_DONE),
	[ST_KUBE] = OP_BIT(ST_DONE),
};

static const char usage[] =
	"rds-csi export-all [--yes] [--even=ID,…] FLAGS OF THE CONTROLLER\n"
	"\n"
	"Puts the export of each volume of this cluster on, under the plain NQN\n"
	"(nqn.2000-02.com.mikrotik: and the id), for the way back to a driver that\n"
	"knows no other. A volume is left as it is where a host may still ask for that\n"
	"NQN and must not be let in, or while a node holds it under another. Nothing is\n"
	"ever switched off. May be repeated at any time.\n"
	"\n"
	"  --yes       act; without it only what would be done is told\n"
	"  --even=ID   also the volume ID, which was fenced or whose name may have been\n"
	"              another's before: you vouch that no host asks for its plain NQN\n"
	"              any more. Several: parted by commas, or the flag again\n"
	"  --help      this text\n"
	"\n"
	"The other flags are the controller's (rds-csi --help), and may be all of them:\n"
	"those of the box, --cluster-id, --kubernetes, --kubeconfig,\n"
	"--leader-election-namespace, --driver-name, --export-policy count. With\n"
	"--kubernetes=on the cluster id comes from the API server, and nothing is\n"
	"changed while a controller runs, unless --export-policy=always is given here\n"
	"as there: it would switch the exports off again.\n"
	"\n"
	"One line for each volume: ID: exported, would be exported, was exported, or\n"
	"left: and the reason. Exit status: 0 all are on (or would be), 1 some were\n"
	"left, 2 bad flag, 3 the box or the API server did not answer, or a controller\n"
	"runs.\n";

struct all {
	struct op op;
	struct loop loop;
	struct config config;
	char *even; /* of EVEN_MAX bytes; ids, each followed by a comma */
	bool is_acting;
	char cluster_id[RDS_CLUSTER_MAX + 1];
	struct rds *rds;
	struct k8s_api *api; /* NULL without Kubernetes */
	struct cluster cluster;
	struct leader_look look;
	char lease_name[LEASE_NAME_MAX + 1];
	struct export_walk walk;
	unsigned n_unknown; /* named by --even and not there */
};

/* ---- the command line ---- */

static int add_even(struct all *a, const char *value, struct err *err)
{
	size_t n = strlen(a->even), m = strlen(value);

	if (!m || n + m + 2 > EVEN_MAX)
		return err_set(err, ERR_INVALID, "--even: needs ids of volumes");
	memcpy(a->even + n, value, m);
	memcpy(a->even + n + m, ",", 2);
	return 0;
}

/* One argument: 1 = it was ours, 0 = the controller's, -1 = it is wrong. */
static int take_one(struct all *a, int argc, char **argv, int *at, struct err *err)
{
	const char *name = argv[*at];

	if (name[0] != '-')
		return 0;
	name += name[1] == '-' ? 2 : 1;
	if (strcmp(name, "yes") == 0) {
		a->is_acting = true;
		return 1;
	}
	if (strncmp(name, "even=", 5) == 0)
		return add_even(a, name + 5, err) ? -1 : 1;
	if (strcmp(name, "even") != 0)
		return 0;
	if (*at + 1 >= argc)
		return err_set(err, ERR_INVALID, "--even: needs a value");
	return add_even(a, argv[++*at], err) ? -1 : 1;
}

static int parse(struct all *a, int argc, char **argv, struct err *err)
{
	static char controller[] = "--controller";
	char *args[MAX_ARGS] = { argv[0], controller };
	int n = 2;

	for (int i = 1; i < argc; i++) {
		int took = take_one(a, argc, argv, &i, err);

		if (took < 0)
			return -1;
		if (took)
			continue;
		if (n == MAX_ARGS)
			return err_set(err, ERR_INVALID, "too many arguments");
		args[n++] = argv[i];
	}
	return config_parse(&a->config, n, args, getenv, err);
}

/* ---- what is told ---- */

/* The volume has been met: what stays in the list is a typing error, as a rule. */
static void drop_even(char *even, const char *id)
{
	size_t n = strlen(id), m;

	while ((m = strcspn(even, ",")) || *even) {
		char *rest = even + m + (even[m] == ',');

		if (m == n && strncmp(even, id, n) == 0)
			memmove(even, rest, strlen(rest) + 1);
		else
			even = rest;
	}
}

static void tell(struct export_walk *w, const char *id, enum export_outcome outcome,
		 const char *why)
{
	static const char *const words[EXPORT_N] = {
		[EXPORTED] = "exported",
		[WOULD_EXPORT] = "would be exported",
		[WAS_EXPORTED] = "was exported",
		[NOT_EXPORTED] = "left: ",
	};

	(void)printf("%s: %s%s\n", id, words[outcome], why ? why : "");
	drop_even(CONTAINER_OF(w, struct all, walk)->even, id);
}

static void tell_unknown(struct all *a)
{
	char *save = NULL;

	for (char *id = strtok_r(a->even, ",", &save); id;
	     id = strtok_r(NULL, ",", &save)) {
		(void)printf("%s: left: no volume of this cluster on the box\n", id);
		a->n_unknown++;
	}
}

static void sum_up(const struct all *a)
{
	const unsigned *n = a->walk.count;

	(void)fflush(stdout);
	(void)fprintf(stderr, "rds-csi export-all: %u %s, %u %s on before, %u left%s\n",
		      n[EXPORTED] + n[WOULD_EXPORT],
		      a->is_acting ? "put on" : "would be put on", n[WAS_EXPORTED],
		      n[WAS_EXPORTED] == 1 ? "was" : "were",
		      n[NOT_EXPORTED] + a->n_unknown,
		      a->is_acting ? "" : "; nothing was changed: --yes acts");
}

/* ---- the op ---- */

static void on_cluster(struct op *op)
{
	struct all *a = CONTAINER_OF(op, struct all, cluster.op);

	if (op_failed(op))
		op_fail(&a->op, ERR_UNAVAILABLE,
			"the API server has not told the cluster's id; --cluster-id with "
			"--kubernetes=off does without it");
	op_unref_wake(&a->op);
}

static void on_looked(struct op *op)
{
	struct leader_look *l = CONTAINER_OF(op, struct leader_look, op);
	struct all *a = CONTAINER_OF(l, struct all, look);

	if (op_failed(op))
		op_fail(&a->op, ERR_UNAVAILABLE,
			"the API server has not told whether a controller runs: %.150s",
			op->err.msg);
	else if (l->is_led)
		op_fail(&a->op, ERR_PRECONDITION,
			"a controller runs (%.80s) and would switch the exports off "
			"again: scale it to 0 first, or run both with "
			"--export-policy=always",
			l->holder);
	op_unref_wake(&a->op);
}

static void on_walked(struct op *op)
{
	struct export_walk *w = CONTAINER_OF(op, struct export_walk, op);
	struct all *a = CONTAINER_OF(w, struct all, walk);

	op_fail_err(&a->op, &op->err);
	op_unref_wake(&a->op);
}

static void on_stopped(void *arg)
{
	op_unref_wake(&((struct all *)arg)->op);
}

static void on_stop(struct loop *l)
{
	op_cancel(&CONTAINER_OF(l, struct all, loop)->op, ERR_CANCELLED);
}

static void do_end(struct all *a)
{
	op_move(&a->op, ST_BOX);
	op_ref(&a->op);
	ros_stop(a->rds, on_stopped, a);
}

static void do_walk(struct all *a)
{
	if (op_failed(&a->op)) {
		do_end(a);
		return;
	}
	a->walk = (struct export_walk){
		.rds = a->rds,
		.is_acting = a->is_acting,
		.even = a->even,
		.tell = tell,
	};
	op_move(&a->op, ST_WALKING);
	op_ref(&a->op);
	export_walk_start(&a->walk, &a->loop.uv, on_walked);
}

static void do_look(struct all *a)
{
	const char *ns = a->config.lease_namespace;

	a->look = (struct leader_look){
		.k8s = k8s_api_port(a->api),
		.ns = *ns ? ns : k8s_api_namespace(a->api),
		.name = a->lease_name,
	};
	op_move(&a->op, ST_LOOKING);
	op_ref(&a->op);
	leader_look_start(&a->look, on_looked);
}

static void do_start(struct all *a)
{
	if (!a->api) {
		do_walk(a);
		return;
	}
	op_ref(&a->op);
	k8s_api_start(a->api, on_stopped, a);
	op_move(&a->op, ST_NAMING);
	if (*a->cluster_id || op_failed(&a->op))
		return;
	op_ref(&a->op);
	cluster_start(&a->cluster, k8s_api_port(a->api), a->cluster_id, on_cluster);
	op_set_deadline(&a->cluster.op, clock_now_ms(&a->loop.uv) + NAMING_MS);
}

static void do_named(struct all *a)
{
	if (!op_failed(&a->op) && a->is_acting &&
	    a->config.export_policy == CONFIG_EXPORT_ATTACHED)
		do_look(a);
	else
		do_walk(a);
}

static void do_kube(struct all *a)
{
	if (a->api) {
		op_move(&a->op, ST_KUBE);
		k8s_api_stop(a->api);
	} else {
		op_move(&a->op, ST_DONE);
	}
}

/* The API client holds one reference all the time. */
static void step(struct op *op)
{
	struct all *a = CONTAINER_OF(op, struct all, op);
	unsigned of_api = a->api && op->state != ST_KUBE;

	while (op->state != ST_DONE && (op->state == ST_START || op->refs == of_api)) {
		switch (op->state) {
		case ST_START:
			do_start(a);
			of_api = a->api != NULL;
			break;
		case ST_NAMING:
			do_named(a);
			break;
		case ST_LOOKING:
			do_walk(a);
			break;
		case ST_WALKING:
			do_end(a);
			break;
		case ST_BOX:
			do_kube(a);
			of_api = 0;
			break;
		default:
			op_move(op, ST_DONE);
			break;
		}
	}
}

static void interrupt(struct op *op)
{
	struct all *a = CONTAINER_OF(op, struct all, op);

	switch (op->state) {
	case ST_NAMING:
		if (a->cluster.op.type && !op_is_done(&a->cluster.op))
			op_cancel(&a->cluster.op, ERR_CANCELLED);
		return;
	case ST_LOOKING:
		op_cancel(&a->look.op, ERR_CANCELLED);
		return;
	case ST_WALKING:
		op_cancel(&a->walk.op, ERR_CANCELLED);
		return;
	default:
		return;
	}
}

static const struct op_type all_type = {
	.name = "rds-csi export-all",
	.states = states,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_done(struct op *op)
{
	loop_stop(&CONTAINER_OF(op, struct all, op)->loop);
}

/* ---- the modules ---- */

static int build(struct all *a, struct err *err)
{
	const struct config *c = &a->config;
	bool has_kube = c->kubernetes == CONFIG_KUBERNETES_ON;
	const struct k8s_client_conf client = {
		.kubeconfig = *c->kubeconfig ? c->kubeconfig : NULL,
		.user_agent = "rds-csi",
	};
	struct ros_conf conf = ros_conf_of(c);

	(void)snprintf(a->cluster_id, sizeof(a->cluster_id), "%s", c->cluster_id);
	conf.cluster_id = a->cluster_id;
	conf.is_cluster_awaited = has_kube;
	conf.max_sessions = 1;
	if (ros_new(&a->rds, &a->loop.uv, &conf, err))
		return -1;
	lease_name(c->driver_name, a->lease_name);
	if (!has_kube)
		return 0;
	a->api = k8s_api_new(&a->loop.uv, &client, c->driver_name, err);
	return a->api ? 0 : -1;
}

static int run(struct all *a, struct err *err)
{
	/* Lines of the log are for trouble: what is done is told on standard output. */
	log_open(a->config.log_level == LOG_INFO ? LOG_WARN : a->config.log_level,
		 a->config.log_format == CONFIG_LOG_JSON);
	json_set_alloc_funcs(mem_alloc, mem_free);
	if (loop_open(&a->loop, on_stop, err) || build(a, err))
		return err->code == ERR_INVALID ? EXPORT_ALL_FLAG : EXPORT_ALL_UNDONE;
	op_start(&a->op, &all_type, &a->loop.uv, on_done);
	loop_run(&a->loop);
	bug_on(!op_is_done(&a->op));
	*err = a->op.err;
	if (a->api)
		k8s_api_free(a->api);
	(void)loop_close(&a->loop);
	if (err->code == ERR_OK)
		tell_unknown(a);
	if (a->walk.n || err->code == ERR_OK)
		sum_up(a);
	if (err->code != ERR_OK)
		return EXPORT_ALL_UNDONE;
	return a->walk.count[NOT_EXPORTED] + a->n_unknown ? EXPORT_ALL_LEFT
							  : EXPORT_ALL_ON;
}

int export_all_main(int argc, char **argv)
{
	static struct all a;
	static char even[EVEN_MAX];
	struct err err = { .code = ERR_OK };
	int status;

	a.even = even;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			(void)fputs(usage, stdout);
			return EXPORT_ALL_ON;
		}
	if (parse(&a, argc, argv, &err))
		status = EXPORT_ALL_FLAG;
	else
		status = run(&a, &err);
	if (err.code != ERR_OK)
		(void)fprintf(stderr, "rds-csi export-all: %s\n", err.msg);
	return status;
}
