/* Composition root: flags -> config -> the modules of this mode -> run -> an ordered end.
 *
 *   START ─► PREPARING ─► SERVING ─► DRAINING ─► FINISHING ─► BOX ─► NODE ─► DONE
 *              what is        a signal   server      works of     SSH    node's
 *              on the node    comes      is gone     calls ended  gone   back end gone
 *
 * PREPARING: the socket is bound, so that no second instance starts, and nobody is
 * answered yet. SERVING: the kubelet registers the node plugin meanwhile; its refusal is
 * an end as a signal is one. DRAINING: no new call is taken, those in flight may finish.
 * FINISHING: works whose client has gone run on; what has not ended PATIENCE_MS after the
 * signal is cancelled, and a retry after the next start finds what they left. What hangs
 * all the same meets the guard of core/loop. */
#include <jansson.h>
#include <nghttp2/nghttp2.h>
#include <libssh2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/pages.h"
#include "csi/call.h"
#include "csi/controller/attachments.h"
#include "csi/dispatch.h"
#include "csi/grpc/server.h"
#include "csi/ids.h"
#include "csi/node/start.h"
#include "csi/registration.h"
#include "nvme/helper.h"
#include "nvme/loop.h"
#include "nvme/tcp.h"
#include "nvme/tools.h"
#include "rds/ros.h"

enum { GRACE_MS = 5000, PATIENCE_MS = 7000, NVME_PORT = 4420 };
enum { EXIT_START = 1, EXIT_FLAG = 2 };

struct app {
	struct op op;
	struct loop loop;
	struct config config;
	struct csi csi;
	struct dispatch dispatch;
	const struct rpc_method *tables[3];
	struct grpc_server server;
	struct node_start start;
	struct registration registration;
	char host_nqn[ID_NQN], host_id[UUID_TEXT];
	struct clock_timer patience;
};

enum {
	ST_START,
	ST_PREPARING,
	ST_SERVING,
	ST_DRAINING,
	ST_FINISHING,
	ST_BOX,
	ST_NODE,
	ST_DONE,
	ST_N
};

static const char *const states[ST_N] = {
	"start",     "preparing",    "serving",	      "draining",
	"finishing", "stopping-box", "stopping-node", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_PREPARING),  [ST_PREPARING] = OP_BIT(ST_SERVING),
	[ST_SERVING] = OP_BIT(ST_DRAINING), [ST_DRAINING] = OP_BIT(ST_FINISHING),
	[ST_FINISHING] = OP_BIT(ST_BOX),    [ST_BOX] = OP_BIT(ST_NODE),
	[ST_NODE] = OP_BIT(ST_DONE),
};

/* ---- the life of the process
 * ------------------------------------------------------------ */

static void on_server_done(struct op *op)
{
	struct app *a = CONTAINER_OF(op, struct app, server.op);

	if (op->err.code != ERR_CANCELLED) /* that is: ended as asked */
		op_fail_err(&a->op, &op->err);
	op_unref_wake(&a->op);
}

static void on_registration_done(struct op *op)
{
	struct app *a = CONTAINER_OF(op, struct app, registration.op);

	if (op->err.code != ERR_CANCELLED)
		op_fail_err(&a->op, &op->err);
	op_unref_wake(&a->op);
}

static void on_stop(struct loop *l)
{
	op_wake(&CONTAINER_OF(l, struct app, loop)->op);
}

static void on_idle(struct dispatch *d)
{
	op_wake(&CONTAINER_OF(d, struct app, dispatch)->op);
}

static void on_patience(struct clock_timer *t)
{
	dispatch_cancel(&CONTAINER_OF(t, struct app, patience)->dispatch);
}

static void on_port_stopped(void *arg)
{
	struct app *a = arg;

	op_unref_wake(&a->op);
}

static void on_prepared(struct op *op)
{
	struct app *a = CONTAINER_OF(op, struct app, start.op);

	if (op->err.code != ERR_CANCELLED)
		op_fail_err(&a->op, &op->err);
	op_unref_wake(&a->op);
}

static void do_start(struct app *a)
{
	op_move(&a->op, ST_PREPARING);
	if (!a->csi.is_node)
		return;
	op_ref(&a->op);
	node_start_start(&a->start, on_prepared);
}

static void do_serve(struct app *a)
{
	op_ref(&a->op);
	grpc_server_start(&a->server, on_server_done);
	op_move(&a->op, ST_SERVING);
	pages_drop_loaders();
	if (op_failed(&a->op))
		return;
	log_info("main", "serving", KS("version", RDS_CSI_VERSION),
		 KS("driver", a->csi.driver_name),
		 KS("endpoint", grpc_server_address(&a->server)),
		 KB("controller", a->csi.is_controller), KB("node", a->csi.is_node));
	if (!a->csi.is_node || !*a->config.registry)
		return;
	op_ref(&a->op);
	registration_start(&a->registration, on_registration_done);
}

/* True when it must wait. What serves is started in any case, for it is bound already;
 * SERVING then ends at once. */
static bool do_preparing(struct app *a)
{
	if (!a->op.refs) {
		do_serve(a);
		return false;
	}
	if (a->loop.stop_signal)
		op_cancel(&a->start.op, ERR_CANCELLED);
	return true;
}

static bool is_running(const struct op *op)
{
	return op->type && !op_is_done(op);
}

static void do_stop(struct app *a)
{
	log_info("main", "stopping", KI("signal", a->loop.stop_signal));
	clock_timer_start(&a->loop.uv, &a->patience, PATIENCE_MS, on_patience);
	if (is_running(&a->server.op))
		grpc_server_stop(&a->server);
	if (is_running(&a->registration.op))
		registration_stop(&a->registration);
	op_move(&a->op, ST_DRAINING);
}

static void do_box(struct app *a)
{
	clock_timer_stop(&a->patience);
	op_move(&a->op, ST_BOX);
	if (!a->csi.rds)
		return;
	op_ref(&a->op);
	ros_stop(a->csi.rds, on_port_stopped, a);
}

static void do_node(struct app *a)
{
	op_move(&a->op, ST_NODE);
	if (!a->csi.nvme)
		return;
	op_ref(&a->op);
	if (a->config.node_backend == CONFIG_BACKEND_LOOP)
		nvme_loop_stop(a->csi.nvme, on_port_stopped, a);
	else
		nvme_tcp_stop(a->csi.nvme, on_port_stopped, a);
}

/* Works that end wake it in any state, so each looks whether its own thing has come; a
 * reference is held for what is being stopped. */
static void step(struct op *op)
{
	struct app *a = CONTAINER_OF(op, struct app, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			do_start(a);
			break;
		case ST_PREPARING:
			if (do_preparing(a))
				return;
			break;
		case ST_SERVING:
			if (!a->loop.stop_signal && !op_failed(op))
				return;
			do_stop(a);
			break;
		case ST_DRAINING:
			if (op->refs)
				return;
			op_move(op, ST_FINISHING);
			break;
		case ST_FINISHING:
			if (!dispatch_is_idle(&a->dispatch))
				return;
			do_box(a);
			break;
		case ST_BOX:
			if (op->refs)
				return;
			do_node(a);
			break;
		case ST_NODE:
			if (op->refs)
				return;
			op_move(op, ST_DONE);
			return;
		default:
			return;
		}
	}
}

static const struct op_type app_type = {
	.name = "rds-csi",
	.states = states,
	.next = next,
	.n_states = ST_N,
	.step = step,
};

static void on_done(struct op *op)
{
	loop_stop(&CONTAINER_OF(op, struct app, op)->loop);
}

/* ---- building the modules of this mode
 * -------------------------------------------------- */

static int build_controller(struct app *a, struct err *err)
{
	const struct config *c = &a->config;
	const struct ros_conf conf = {
		.address = c->rds_address,
		.port = (uint16_t)c->rds_port,
		.user = c->rds_user,
		.key_file = c->rds_key_file,
		.host_key_file = *c->rds_host_key ? c->rds_host_key : NULL,
		.is_insecure = c->rds_insecure,
		.base = c->volume_base,
		.cluster_id = c->cluster_id,
		.max_sessions = (unsigned)c->rds_sessions,
		.pool_reserve_percent = (unsigned)c->pool_reserve_percent,
		.adopt_unmarked = c->adopt_unmarked,
	};

	if (ros_new(&a->csi.rds, &a->loop.uv, &conf, err))
		return -1;
	a->csi.attachments = attachments_new(&a->csi, c->known_nodes);
	if (!a->csi.attachments)
		return err_nomem(err);
	if (c->rds_insecure) {
		log_warn("main",
			 "the box's host key is not verified: whoever answers at "
			 "its address gets every command",
			 KS("flag", "--rds-insecure-skip-verify"));
		log_warn("main", "host key verification is off", KB("audit", true),
			 KS("category", "config_change"), KS("severity", "warning"),
			 KS("address", c->rds_address));
	}
	return 0;
}

static int build_loop(struct app *a, struct err *err)
{
	const struct nvme_loop_conf conf = {
		.exports_dir = a->config.loop_exports,
		.state_dir = a->config.state_dir,
	};

	a->csi.nvme = nvme_loop_new(&a->loop.uv, &conf, err);
	return a->csi.nvme ? 0 : -1;
}

/* The host's identity comes from the node's name, so that a target knows the node again
 * after everything on it was lost. */
static int build_tcp(struct app *a, struct err *err)
{
	const struct config *c = &a->config;
	const struct nvme_tcp_conf conf = {
		.state_dir = c->state_dir,
		.host_nqn = a->host_nqn,
		.host_id = a->host_id,
		.max_connects = (unsigned)c->max_connects,
		.refusal_settle_ms = (unsigned)c->refusal_settle_ms,
	};

	id_host_uuid(c->node_id, a->host_id);
	(void)snprintf(a->host_nqn, sizeof(a->host_nqn),
		       "nqn.2014-08.org.nvmexpress:uuid:%s", a->host_id);
	if (*c->host_id)
		(void)snprintf(a->host_id, sizeof(a->host_id), "%s", c->host_id);
	if (*c->host_nqn)
		(void)snprintf(a->host_nqn, sizeof(a->host_nqn), "%s", c->host_nqn);
	if (nvme_tcp_check_network(err) || nvme_tcp_check_kernel(err))
		return -1;
	a->csi.nvme = nvme_tcp_new(&a->loop.uv, &conf, err);
	return a->csi.nvme ? 0 : -1;
}

static int build_node(struct app *a, struct err *err)
{
	a->start = (struct node_start){
		.csi = &a->csi,
		.kubelet_dir = a->config.kubelet_dir,
		.state_dir = a->config.state_dir,
		.lock_fd = -1,
	};
	a->registration.conf = (struct registration_conf){
		.csi = &a->csi,
		.socket = a->config.registry,
		.endpoint = a->config.registered,
	};
	if (tools_check(NULL, err))
		return -1;
	if (a->config.node_backend == CONFIG_BACKEND_LOOP)
		return build_loop(a, err);
	return build_tcp(a, err);
}

static void fill_csi(struct app *a)
{
	const struct config *c = &a->config;

	a->csi = (struct csi){
		.loop = &a->loop.uv,
		.driver_name = c->driver_name,
		.vendor_version = RDS_CSI_VERSION,
		.is_controller = c->is_controller,
		.is_node = c->is_node,
		.node_id = c->node_id,
		.cluster_id = c->cluster_id,
		.volume_base = c->first_base,
		.rds_address = c->rds_address,
		.nvme_port = NVME_PORT,
		.fence_settle_ms = c->fence_settle_ms,
		.may_adopt_unmarked = c->adopt_unmarked,
		.nqn_prefix = c->nqn_prefix,
		.max_volumes = (int64_t)c->max_volumes,
	};
	map_init(&a->csi.inflight);
}

static int build(struct app *a, struct err *err)
{
	const struct grpc_server_conf conf = {
		.address = a->config.endpoint,
		.on_call = dispatch_call,
		.ctx = &a->dispatch,
		.grace_ms = GRACE_MS,
	};
	unsigned n = 0;

	fill_csi(a);
	a->tables[n++] = identity_methods;
	if (a->csi.is_controller)
		a->tables[n++] = controller_methods;
	if (a->csi.is_node)
		a->tables[n++] = node_methods;
	dispatch_init(&a->dispatch, &a->csi, a->tables, n);
	a->dispatch.on_idle = on_idle;
	if (a->csi.is_controller && build_controller(a, err))
		return -1;
	if (a->csi.is_node && build_node(a, err))
		return -1;
	return grpc_server_listen(&a->server, &a->loop.uv, &conf, err);
}

static int serve(struct app *a)
{
	struct err err = { .code = ERR_OK };
	unsigned n;

	pages_small();
	log_open(a->config.log_level, a->config.log_format == CONFIG_LOG_JSON);
	json_set_alloc_funcs(mem_alloc, mem_free);
	if (loop_open(&a->loop, on_stop, &err) == 0) {
		loop_set_log_level(a->config.log_level);
		if (build(a, &err) == 0) {
			op_start(&a->op, &app_type, &a->loop.uv, on_done);
			loop_run(&a->loop);
			bug_on(!op_is_done(&a->op));
			err = a->op.err;
			attachments_free(a->csi.attachments);
			node_start_fini(&a->start);
			map_fini(&a->csi.inflight);
			n = loop_close(&a->loop);
			log_info("main", "stopped", KU("handles_left", n),
				 KU("allocations_left", mem_live()));
			if (err.code == ERR_OK)
				return n == 0 ? 0 : EXIT_START;
		}
	}
	(void)fprintf(stderr, "rds-csi: %s\n", err.msg);
	return err.code == ERR_INVALID ? EXIT_FLAG : EXIT_START;
}

/* ---- the command line
 * ------------------------------------------------------------------- */

static int print_version(void)
{
	(void)printf("rds-csi %s (commit %s)\n", RDS_CSI_VERSION, RDS_CSI_COMMIT);
	(void)printf("libuv %s, nghttp2 %s, libssh2 %s, protobuf-c %s, jansson %s\n",
		     uv_version_string(), nghttp2_version(0)->version_str,
		     libssh2_version(0), protobuf_c_version(), jansson_version_str());
	return 0;
}

static int print_help(void)
{
	struct buf text;

	buf_init(&text, 64 * 1024);
	if (config_help(&text))
		return EXIT_START;
	(void)fputs(text.data, stdout);
	buf_fini(&text);
	return 0;
}

static const char *get_env(const char *name)
{
	return getenv(name);
}

int main(int argc, char **argv)
{
	static struct app app;
	struct err err;

	if (argc > 1 && strcmp(argv[1], "helper") == 0)
		helper_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "call") == 0)
		loop_leave(call_main(argc - 1, argv + 1));
	if (config_parse(&app.config, argc, argv, get_env, &err)) {
		(void)fprintf(stderr, "rds-csi: %s\n", err.msg);
		loop_leave(EXIT_FLAG);
	}
	switch (app.config.action) {
	case CONFIG_HELP:
		loop_leave(print_help());
	case CONFIG_VERSION:
		loop_leave(print_version());
	case CONFIG_RUN:
		break;
	}
	loop_leave(serve(&app));
}
