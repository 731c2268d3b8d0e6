#include "csi/registration.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/log.h"
#include "registration.pb-c.h"

/*   start ─▶ binding ─┬─▶ serving ─(the socket is not ours any more)─┐
 *              ▲      └─▶ waiting ─(the directory came, or time)─────┤
 *              └───────────────────────────────────────── unbinding ◀┘
 *                                                             └─(stopped, refused)─▶ done
 *
 * Failure modes: the directory is missing; the socket cannot be made, or another process
 * serves it (both: tried again); the kubelet refuses the plugin (ends). */
enum { ST_START, ST_BINDING, ST_SERVING, ST_WAITING, ST_UNBINDING, ST_DONE, ST_N };

static const char *const names[ST_N] = {
	"start", "binding", "serving", "waiting", "unbinding", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_BINDING) | OP_BIT(ST_DONE),
	[ST_BINDING] = OP_BIT(ST_SERVING) | OP_BIT(ST_WAITING),
	[ST_SERVING] = OP_BIT(ST_UNBINDING),
	[ST_WAITING] = OP_BIT(ST_UNBINDING),
	[ST_UNBINDING] = OP_BIT(ST_BINDING) | OP_BIT(ST_DONE),
};

/* inotify tells at once; LOOK_MS bounds what it may miss, such as a mount that comes over
 * the directory. */
enum { RETRY_MS = 5000, LOOK_MS = 60 * 1000, WARN_MS = 10 * 60 * 1000, GRACE_MS = 1000 };

/* ---- what the kubelet asks ---- */

static struct registration *of_rpc(const struct rpc *rpc)
{
	return CONTAINER_OF(rpc->dispatch, struct registration, dispatch);
}

static int get_info(struct rpc *rpc, struct err *err)
{
	static char type[] = "CSIPlugin", version[] = "1.0.0";
	static char *versions[] = { version };
	Pluginregistration__PluginInfo *resp = rpc_new_response(rpc);

	if (!resp)
		return err_nomem(err);
	resp->type = type;
	resp->name = arena_strdup(&rpc->arena, rpc->csi->driver_name);
	resp->endpoint = arena_strdup(&rpc->arena, of_rpc(rpc)->conf.endpoint);
	resp->n_supported_versions = 1;
	resp->supported_versions = versions;
	if (!resp->name || !resp->endpoint)
		return err_nomem(err);
	rpc->resp = &resp->base;
	return 0;
}

static void on_look(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct registration, look)->op);
}

/* The server cannot be stopped from within one of its calls: the next turn does it. */
static void refuse(struct registration *r, const char *why)
{
	log_error("node", "the kubelet refused this plugin", KS("err", why));
	op_fail(&r->op, ERR_UNAVAILABLE, "the kubelet refused this plugin: %.150s", why);
	clock_timer_start(r->op.loop, &r->look, 0, on_look);
}

static int notify(struct rpc *rpc, struct err *err)
{
	const Pluginregistration__RegistrationStatus *req = (const void *)rpc->req;
	struct registration *r = of_rpc(rpc);
	Pluginregistration__RegistrationStatusResponse *resp = rpc_new_response(rpc);

	if (!resp)
		return err_nomem(err);
	rpc->resp = &resp->base;
	r->is_registered = req->plugin_registered;
	if (req->plugin_registered)
		log_info("node", "registered with the kubelet",
			 KS("driver", rpc->csi->driver_name),
			 KS("endpoint", r->conf.endpoint));
	else
		refuse(r, req->error);
	return 0;
}

static const struct rpc_method methods[] = {
	{ .path = "/pluginregistration.Registration/GetInfo",
	  .request = &pluginregistration__info_request__descriptor,
	  .response = &pluginregistration__plugin_info__descriptor,
	  .answer = get_info },
	{ .path = "/pluginregistration.Registration/NotifyRegistrationStatus",
	  .request = &pluginregistration__registration_status__descriptor,
	  .response = &pluginregistration__registration_status_response__descriptor,
	  .answer = notify },
	{ .path = NULL },
};

/* ---- the socket and its directory ---- */

static void on_change(uv_fs_event_t *h, const char *name, int events, int status)
{
	(void)name;
	(void)events;
	(void)status;
	op_wake(h->data);
}

/* The directory that is up steps above the socket. */
static void dir_of(const struct registration *r, unsigned up, char out[256])
{
	(void)snprintf(out, 256, "%s", r->conf.socket);
	while (up--)
		*strrchr(out, '/') = '\0';
}

/* A watch on what is not there does not start; it is closed all the same. */
static bool watch(struct registration *r, uv_fs_event_t *h, unsigned up)
{
	char path[256];

	dir_of(r, up, path);
	(void)uv_fs_event_init(r->op.loop, h);
	h->data = &r->op;
	op_ref(&r->op);
	return uv_fs_event_start(h, on_change, *path ? path : "/", 0) == 0;
}

static bool is_ours(const struct registration *r)
{
	struct stat st;

	return lstat(r->conf.socket, &st) == 0 && st.st_dev == r->dev &&
	       st.st_ino == r->ino;
}

static void on_server_done(struct op *op)
{
	struct registration *r = CONTAINER_OF(op, struct registration, server.op);

	if (op->err.code != ERR_CANCELLED) /* that is: ended as asked */
		op_fail_err(&r->op, &op->err);
	op_unref_wake(&r->op);
}

static int bind_socket(struct registration *r, struct err *err)
{
	const struct grpc_server_conf conf = { .address = r->conf.socket,
					       .on_call = dispatch_call,
					       .ctx = &r->dispatch,
					       .grace_ms = GRACE_MS };
	struct stat st;

	if (grpc_server_listen(&r->server, r->op.loop, &conf, err))
		return -1;
	if (lstat(r->conf.socket, &st) == 0) {
		r->dev = st.st_dev;
		r->ino = st.st_ino;
	}
	op_ref(&r->op);
	grpc_server_start(&r->server, on_server_done);
	return 0;
}

static void wait_for(struct registration *r, unsigned state, uint64_t ms)
{
	clock_timer_start(r->op.loop, &r->look, ms, on_look);
	op_move(&r->op, state);
}

/* The watches first, so that a change between them and the bind is seen. */
static void do_binding(struct registration *r)
{
	static struct log_rate rate;
	struct err err = { .code = ERR_OK };
	bool has_dir = watch(r, &r->dir_watch, 1);

	(void)watch(r, &r->parent_watch, 2);
	if (has_dir && bind_socket(r, &err) == 0) {
		log_info("node", "waiting for the kubelet to register this plugin",
			 KS("socket", r->conf.socket));
		wait_for(r, ST_SERVING, LOOK_MS);
		return;
	}
	if (!has_dir)
		(void)err_set(&err, ERR_NOT_FOUND, "its directory is not there");
	if (log_may(&rate, clock_now_ms(r->op.loop), WARN_MS))
		log_warn("node", "cannot register with the kubelet yet",
			 KS("socket", r->conf.socket), KS("err", err.msg),
			 KU("skipped", rate.skipped));
	wait_for(r, ST_WAITING, RETRY_MS);
}

/* While the directory is there and the bind failed, changes in it may be our own: then
 * time alone decides. */
static bool may_try_again(const struct registration *r)
{
	struct stat st;
	char dir[256];

	if (!clock_timer_is_running(&r->look))
		return true;
	dir_of(r, 1, dir);
	return !uv_is_active((const uv_handle_t *)&r->dir_watch) && stat(dir, &st) == 0;
}

static void do_unbinding(struct registration *r)
{
	bool has_server = r->op.state == ST_SERVING && !op_is_done(&r->server.op);

	r->is_registered = false;
	clock_timer_stop(&r->look);
	op_move(&r->op, ST_UNBINDING);
	op_close_handle(&r->op, (uv_handle_t *)&r->dir_watch);
	op_close_handle(&r->op, (uv_handle_t *)&r->parent_watch);
	if (has_server)
		grpc_server_stop(&r->server);
}

/* Both watches, the server and the time wake it in SERVING: whichever came, the facts are
 * read anew. False: nothing to do. */
static bool may_leave(struct registration *r)
{
	if (op_failed(&r->op))
		return true;
	if (r->op.state == ST_WAITING)
		return may_try_again(r);
	if (op_is_done(&r->server.op) || !is_ours(r))
		return true;
	if (!clock_timer_is_running(&r->look))
		clock_timer_start(r->op.loop, &r->look, LOOK_MS, on_look);
	return false;
}

static void step(struct op *op)
{
	struct registration *r = CONTAINER_OF(op, struct registration, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			op_move(op, op_failed(op) ? ST_DONE : ST_BINDING);
			break;
		case ST_BINDING:
			do_binding(r);
			return;
		case ST_SERVING:
		case ST_WAITING:
			if (!may_leave(r))
				return;
			do_unbinding(r);
			break;
		case ST_UNBINDING:
			if (op->refs)
				return;
			op_move(op, op_failed(op) ? ST_DONE : ST_BINDING);
			break;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	struct registration *r = CONTAINER_OF(op, struct registration, op);

	if (op->state != ST_UNBINDING)
		clock_timer_start(op->loop, &r->look, 0, on_look);
}

static const struct op_type registration_type = {
	.name = "registration",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void registration_start(struct registration *r, void (*done)(struct op *op))
{
	r->tables[0] = methods;
	dispatch_init(&r->dispatch, r->conf.csi, r->tables, 1);
	r->look = (struct clock_timer){ .fire = NULL };
	op_start(&r->op, &registration_type, r->conf.csi->loop, done);
}

void registration_stop(struct registration *r)
{
	op_cancel(&r->op, ERR_CANCELLED);
}
