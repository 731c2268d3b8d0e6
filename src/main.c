/* Composition root: flags -> config -> the modules of this mode -> run -> an ordered end.
 *
 *   START ─► PREPARING ─► SERVING ─► DRAINING ─► FINISHING ─► KUBE ─► BOX ─► NODE ─► DONE
 *              what is        a signal   server      works of     Lease   SSH    node's
 *              on the node    comes      is gone     calls ended  given   gone   back end
 *                                                                 back           gone
 *
 * PREPARING: the socket is bound, so that no second instance starts, and nobody is
 * answered yet. SERVING: the kubelet registers the node plugin meanwhile; its refusal is
 * an end as a signal is one. DRAINING: no new call is taken, those in flight may finish.
 * FINISHING: works whose client has gone run on; what has not ended PATIENCE_MS after the
 * signal is cancelled, and a retry after the next start finds what they left. What hangs
 * all the same meets the guard of core/loop. */
#include "app.h"

#include <jansson.h>
#include <nghttp2/nghttp2.h>
#include <libssh2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/check.h"
#include "core/mem.h"
#include "core/pages.h"
#include "csi/call.h"
#include "csi/controller/attachments.h"
#include "export_all.h"
#include "nvme/helper.h"
#include "nvme/loop.h"
#include "nvme/tcp.h"
#include "rds/ros.h"

enum { PATIENCE_MS = 7000 };
enum { EXIT_START = 1, EXIT_FLAG = 2 };

enum {
	ST_START,
	ST_PREPARING,
	ST_SERVING,
	ST_DRAINING,
	ST_FINISHING,
	ST_KUBE,
	ST_BOX,
	ST_NODE,
	ST_DONE,
	ST_N
};

static const char *const states[ST_N] = {
	"start",	"preparing",	 "serving",
	"draining",	"finishing",	 "stopping-kubernetes",
	"stopping-box", "stopping-node", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_PREPARING),  [ST_PREPARING] = OP_BIT(ST_SERVING),
	[ST_SERVING] = OP_BIT(ST_DRAINING), [ST_DRAINING] = OP_BIT(ST_FINISHING),
	[ST_FINISHING] = OP_BIT(ST_KUBE),   [ST_KUBE] = OP_BIT(ST_BOX),
	[ST_BOX] = OP_BIT(ST_NODE),	    [ST_NODE] = OP_BIT(ST_DONE),
};

/* ---- the life of the process ---- */

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

static void on_metrics_done(struct op *op)
{
	struct app *a = CONTAINER_OF(op, struct app, metrics.op);

	if (op->err.code != ERR_CANCELLED)
		op_fail_err(&a->op, &op->err);
	op_unref_wake(&a->op);
}

static void on_kube_done(struct op *op)
{
	op_unref_wake(&CONTAINER_OF(op, struct app, kube.op)->op);
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
	if (*a->config.metrics_address) {
		op_ref(&a->op);
		metrics_server_start(&a->metrics, &a->loop.uv, on_metrics_done);
	}
	if (a->csi.k8s) {
		op_ref(&a->op);
		kube_start(&a->kube, on_kube_done);
	}
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
	if (is_running(&a->metrics.op))
		op_cancel(&a->metrics.op, ERR_CANCELLED);
	op_move(&a->op, ST_DRAINING);
}

static void do_kube(struct app *a)
{
	clock_timer_stop(&a->patience);
	op_move(&a->op, ST_KUBE);
	if (a->csi.k8s)
		kube_stop(&a->kube);
}

static void do_box(struct app *a)
{
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
			if (is_running(&a->server.op) || is_running(&a->metrics.op) ||
			    is_running(&a->registration.op))
				return;
			op_move(op, ST_FINISHING);
			break;
		case ST_FINISHING:
			if (!dispatch_is_idle(&a->dispatch))
				return;
			do_kube(a);
			break;
		case ST_KUBE:
			if (is_running(&a->kube.op))
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

static int serve(struct app *a)
{
	struct err err = { .code = ERR_OK };
	unsigned n;

	bool is_json = a->config.log_format == CONFIG_LOG_JSON;

	if (a->config.log_format == CONFIG_LOG_AUTO)
		is_json = !isatty(STDERR_FILENO);
	pages_small();
	log_open(a->config.log_level, is_json);
	json_set_alloc_funcs(mem_alloc, mem_free);
	if (loop_open(&a->loop, on_stop, &err) == 0) {
		loop_set_log_level(a->config.log_level);
		if (app_build(a, &err) == 0) {
			a->dispatch.on_idle = on_idle;
			op_start(&a->op, &app_type, &a->loop.uv, on_done);
			loop_run(&a->loop);
			bug_on(!op_is_done(&a->op));
			err = a->op.err;
			vmi_fini(&a->vmi);
			attachments_free(a->csi.attachments);
			if (a->csi.k8s)
				kube_close(&a->kube);
			node_start_fini(&a->start);
			node_traffic_fini(&a->traffic);
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

/* ---- the command line ---- */

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

static int print_metrics(void)
{
	struct buf text;

	buf_init(&text, 64 * 1024);
	if (expo_reference(&text))
		return EXIT_START;
	(void)fputs(text.data, stdout);
	buf_fini(&text);
	return 0;
}

int main(int argc, char **argv)
{
	static struct app app;
	struct err err;

	if (argc > 1 && strcmp(argv[1], "helper") == 0)
		helper_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "call") == 0)
		loop_leave(call_main(argc - 1, argv + 1));
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		loop_leave(check_main(argc - 1, argv + 1));
	if (argc > 1 && strcmp(argv[1], "export-all") == 0)
		loop_leave(export_all_main(argc - 1, argv + 1));
	if (config_parse(&app.config, argc, argv, getenv, &err)) {
		(void)fprintf(stderr, "rds-csi: %s\n", err.msg);
		loop_leave(EXIT_FLAG);
	}
	switch (app.config.action) {
	case CONFIG_HELP:
		loop_leave(print_help());
	case CONFIG_VERSION:
		loop_leave(print_version());
	case CONFIG_METRICS:
		loop_leave(print_metrics());
	case CONFIG_RUN:
		break;
	}
	loop_leave(serve(&app));
}
