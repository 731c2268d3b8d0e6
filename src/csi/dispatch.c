#include "csi/dispatch.h"

#include <string.h>

#include "core/audit.h"
#include "core/mem.h"
#include "csi/validate.h"
#include "metrics/registry.h"

enum {
	DEFAULT_WORK_MS = 10 * 60 * 1000,
	LOG_LINE_GOAL = 400, /* and 125 of the security record */
	LOG_LINE_FIXED = 190,
	/* A work that is over leaves some 50 KiB to the heap, a node's stage the most. */
	TRIM_WORKS = 64,
	TRIM_AT_ONCE = 8
};

void dispatch_init(struct dispatch *d, struct csi *csi,
		   const struct rpc_method *const *tables, unsigned n_tables)
{
	*d = (struct dispatch){ .csi = csi, .tables = tables, .n_tables = n_tables };
	list_init(&d->running);
}

void *rpc_new_response(struct rpc *rpc)
{
	const ProtobufCMessageDescriptor *desc = rpc->method->response;
	ProtobufCMessage *m = arena_alloc(&rpc->arena, desc->sizeof_message);

	if (m)
		protobuf_c_message_init(desc, m);
	return m;
}

/* ---- finding the method ---------------------------------------------------------------
 */

/* The texts of grpc-go's server (handleStream), which people search for. */
static int no_such(const struct dispatch *d, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	if (path[0] != '/' || !slash || slash == path)
		return err_set(err, ERR_UNIMPLEMENTED,
			       "malformed method name: \"%.100s\"", path);
	n = (size_t)(slash - path) + 1;
	for (unsigned t = 0; t < d->n_tables; t++)
		for (const struct rpc_method *m = d->tables[t]; m->path; m++)
			if (strncmp(m->path, path, n) == 0)
				return err_set(err, ERR_UNIMPLEMENTED,
					       "unknown method %.64s for service %.*s",
					       slash + 1, (int)n - 2, path + 1);
	return err_set(err, ERR_UNIMPLEMENTED, "unknown service %.*s",
		       n < 100 ? (int)n - 2 : 100, path + 1);
}

static const struct rpc_method *find(const struct dispatch *d, const char *path)
{
	for (unsigned t = 0; t < d->n_tables; t++)
		for (const struct rpc_method *m = d->tables[t]; m->path; m++)
			if (strcmp(m->path, path) == 0)
				return m;
	return NULL;
}

/* ---- the request ---- */

struct arena_source {
	struct arena *arena;
	bool is_short;
};

static void *on_alloc(void *data, size_t size)
{
	struct arena_source *src = data;
	void *p = arena_alloc(src->arena, size);

	src->is_short |= !p;
	return p;
}

static void on_free(void *data, void *p)
{
	(void)data;
	(void)p; /* the arena goes whole */
}

static int decode(struct rpc *rpc, struct err *err)
{
	const ProtobufCMessageDescriptor *desc = rpc->method->request;
	struct arena_source src = { .arena = &rpc->arena };
	ProtobufCAllocator from = { .alloc = on_alloc,
				    .free = on_free,
				    .allocator_data = &src };
	const uint8_t *p;
	size_t n;

	p = grpc_call_message(rpc->call, &n);
	if (validate_request(desc, p, n, err))
		return -1;
	rpc->req = protobuf_c_message_unpack(desc, &from, n, n ? p : (const uint8_t *)"");
	if (rpc->req)
		return 0;
	if (src.is_short)
		return err_set(err, ERR_EXHAUSTED, "no memory to decode the request");
	return err_set(err, ERR_INVALID, "malformed %s", desc->short_name);
}

/* ---- the end of a call ---- */

static int reply(struct rpc *rpc, struct err *err)
{
	uint8_t small[512], *big = NULL;
	size_t n;

	if (!rpc->resp)
		return err_set(err, ERR_INTERNAL, "the method gave no answer");
	n = protobuf_c_message_get_packed_size(rpc->resp);
	if (n > GRPC_MAX_MESSAGE)
		return err_set(err, ERR_EXHAUSTED, "the answer is larger than 4 MiB");
	if (n > sizeof(small)) {
		big = mem_alloc(n);
		if (!big)
			return err_nomem(err);
	}
	(void)protobuf_c_message_pack(rpc->resp, big ? big : small);
	grpc_call_reply(rpc->call, big ? big : small, n);
	mem_free(big);
	return 0;
}

/* What is answered from memory is asked every few seconds and tells nothing when it went
 * well. */
static enum log_level level_of(const struct rpc *rpc, enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return rpc->method->answer ? LOG_DEBUG : LOG_INFO;
	case ERR_INTERNAL:
	case ERR_DATA_LOSS:
		return LOG_ERROR;
	case ERR_UNKNOWN:
	case ERR_DEADLINE:
	case ERR_EXHAUSTED:
	case ERR_UNAVAILABLE:
		return LOG_WARN;
	default:
		return LOG_INFO;
	}
}

static const char *node_of(const struct rpc *rpc)
{
	const ProtobufCFieldDescriptor *f;

	if (!rpc->req)
		return "";
	f = protobuf_c_message_descriptor_get_field_by_name(rpc->method->request,
							    "node_id");
	if (!f || f->type != PROTOBUF_C_TYPE_STRING)
		return "";
	return *(char *const *)(const void *)((const char *)rpc->req + f->offset);
}

/* NULL: a call that changes nothing leaves no trace in the security record. The Go
 * driver's publish is that of the node. */
static const struct log_audit *audit_of(const struct rpc *rpc, enum err_code code,
					struct log_audit *audit, char name[AUDIT_NAME])
{
	static const char *const verbs[] = {
		[METRIC_CREATE] = "create",
		[METRIC_DELETE] = "delete",
		[METRIC_PUBLISH] = "attach",
		[METRIC_UNPUBLISH] = "detach",
		[METRIC_EXPAND] = "expand",
		[METRIC_STAGE] = "stage",
		[METRIC_UNSTAGE] = "unstage",
		[METRIC_NODE_PUBLISH] = "publish",
		[METRIC_NODE_UNPUBLISH] = "unpublish",
		[METRIC_NODE_EXPAND] = "node_expand",
	};

	if (!rpc->method->operation)
		return NULL;
	audit_volume(audit, name, verbs[rpc->method->operation - 1], code);
	return audit;
}

static void log_rpc(const struct rpc *rpc, const struct err *err)
{
	enum log_level level = level_of(rpc, err->code);
	char name[AUDIT_NAME];
	struct log_audit space;
	const struct log_audit *audit = audit_of(rpc, err->code, &space, name);
	const char *volume = "", *node = node_of(rpc);
	char why[sizeof(err->msg)] = "";
	size_t used;

	if (!audit && !log_is_on(level))
		return;
	if (rpc->req && rpc->method->volume_id)
		volume = rpc->method->volume_id(rpc);
	volume = volume ? volume : "";
	/* The client gets the whole message; the line keeps to its size. */
	used = LOG_LINE_FIXED + strlen(volume) + strlen(node);
	if (err->code != ERR_OK && used < LOG_LINE_GOAL)
		(void)strncat(why, err->msg, LOG_LINE_GOAL - used);
	log_write_audit(level, audit, "csi", "rpc", KU("call", rpc->number),
			KS("method", strrchr(rpc->method->path, '/') + 1),
			KS("volume", volume), KS("node", node),
			KS("code", err_name(err->code)),
			KU("took_us", uv_hrtime() / 1000 - rpc->started_us),
			err->code == ERR_OK ? LOG_END : KS("err", why), LOG_END);
}

static void count_rpc(const struct rpc *rpc, enum err_code code)
{
	const struct rpc_method *m = rpc->method;
	unsigned method = metric_label_value(METRIC_RPCS, 0, strrchr(m->path, '/') + 1);
	uint64_t took_us = uv_hrtime() / 1000 - rpc->started_us;
	enum metric_status status = code == ERR_OK ? METRIC_SUCCESS : METRIC_FAILURE;

	metric_count(METRIC_RPCS, method, code);
	metric_observe(METRIC_RPC_SECONDS, method, took_us);
	if (!m->operation)
		return;
	metric_count(METRIC_VOLUME_OPERATIONS, m->operation - 1, status);
	metric_observe(METRIC_VOLUME_SECONDS, m->operation - 1, took_us);
}

static void finish(struct rpc *rpc, struct err *err)
{
	if (err->code == ERR_OK)
		(void)reply(rpc, err);
	if (err->code != ERR_OK)
		grpc_call_fail(rpc->call, err);
	log_rpc(rpc, err);
	count_rpc(rpc, err->code);
	if (rpc->method->fini)
		rpc->method->fini(rpc);
	inflight_leave(&rpc->inflight);
	arena_fini(&rpc->arena);
	mem_free(rpc);
}

/* ---- the work ---- */

static void on_work_done(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct dispatch *d = rpc->dispatch;
	struct err err = op->err;

	list_remove(&rpc->node);
	d->n_running--;
	finish(rpc, &err);
	if (!dispatch_is_idle(d))
		return;
	if (d->n_works >= TRIM_WORKS || d->n_at_once >= TRIM_AT_ONCE) {
		mem_trim();
		d->n_works = d->n_at_once = 0;
	}
	if (d->on_idle)
		d->on_idle(d);
}

static void start_work(struct rpc *rpc)
{
	const struct rpc_method *m = rpc->method;
	uint64_t timeout_ms = m->work_timeout_ms ? m->work_timeout_ms : DEFAULT_WORK_MS;
	uv_loop_t *loop = rpc->csi->loop;
	struct dispatch *d = rpc->dispatch;

	list_append(&d->running, &rpc->node);
	d->n_works++;
	if (++d->n_running > d->n_at_once)
		d->n_at_once = d->n_running;
	op_start(&rpc->op, m->work, loop, on_work_done);
	op_set_deadline(&rpc->op, clock_now_ms(loop) + timeout_ms);
}

static int enter(struct rpc *rpc, struct err *err)
{
	const struct rpc_method *m = rpc->method;
	const char *id = m->is_exclusive ? m->volume_id(rpc) : NULL;

	if (!id || !*id)
		return 0;
	return inflight_enter(&rpc->csi->inflight, &rpc->inflight, id,
			      strrchr(m->path, '/') + 1, err);
}

static int accept_rpc(struct rpc *rpc, struct err *err)
{
	const struct rpc_method *m = rpc->method;

	if (decode(rpc, err) || (m->check && m->check(rpc, err)) || enter(rpc, err))
		return -1;
	return m->answer ? m->answer(rpc, err) : 0;
}

void dispatch_call(void *ctx, struct grpc_call *call)
{
	struct dispatch *d = ctx;
	const char *path = grpc_call_path(call);
	const struct rpc_method *m = find(d, path);
	struct err err = { .code = ERR_OK };
	struct rpc *rpc;

	if (!m) {
		(void)no_such(d, path, &err);
		metric_count(METRIC_RPCS, metric_label_value(METRIC_RPCS, 0, ""),
			     err.code);
		log_info("csi", "rpc", KS("path", path), KS("code", err_name(err.code)));
		grpc_call_fail(call, &err);
		return;
	}
	rpc = mem_calloc(1, m->size ? m->size : sizeof(*rpc));
	if (!rpc) {
		(void)err_nomem(&err);
		grpc_call_fail(call, &err);
		return;
	}
	rpc->method = m;
	rpc->csi = d->csi;
	rpc->call = call;
	rpc->dispatch = d;
	rpc->number = ++d->n_calls;
	rpc->started_us = uv_hrtime() / 1000;
	arena_init(&rpc->arena, RPC_ARENA_MAX);
	if (accept_rpc(rpc, &err) || m->answer)
		finish(rpc, &err);
	else
		start_work(rpc);
}

void dispatch_cancel(struct dispatch *d)
{
	LIST_FOREACH (it, &d->running)
		op_cancel(&CONTAINER_OF(it, struct rpc, node)->op, ERR_CANCELLED);
}
