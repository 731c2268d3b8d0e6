#include "k8s/api.h"

#include "core/mem.h"
#include "k8s/call.h"
#include "k8s/watch.h"

/* start -> running -> closing -> done
 * running: until the last watch has ended, by k8s_api_stop.
 * closing: until the client has closed its connections. */
enum { ST_START, ST_RUNNING, ST_CLOSING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "running", "closing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RUNNING) | OP_BIT(ST_CLOSING),
	[ST_RUNNING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

/* Owned by main from k8s_api_new to k8s_api_free. */
struct k8s_api {
	struct k8s k8s; /* first */
	struct op op;
	struct k8s_client *client; /* ends in closing */
	struct k8s_calls calls;
	struct k8s_watch watches[K8S_WATCHED];
	struct k8s_api_hooks hooks;
	char *driver;
	void (*done)(void *arg);
	void *arg;
};

static struct k8s_api *api_of(const struct k8s *k)
{
	return (struct k8s_api *)(uintptr_t)k;
}

static void request(struct k8s *k, struct k8s_request *r, void (*done)(struct op *op))
{
	k8s_call_start(&api_of(k)->calls, r, done);
}

static bool is_leader(const struct k8s *k)
{
	const struct k8s_api_hooks *h = &api_of(k)->hooks;

	return h->is_leader && h->is_leader(h->ctx);
}

static void emit(struct k8s *k, const struct k8s_event *e)
{
	const struct k8s_api_hooks *h = &api_of(k)->hooks;

	if (h->emit)
		h->emit(h->ctx, e);
}

static const struct k8s_ops ops = {
	.request = request,
	.is_leader = is_leader,
	.emit = emit,
};

struct k8s_api *k8s_api_new(uv_loop_t *loop, const struct k8s_client_conf *conf,
			    const char *driver_name, struct err *err)
{
	struct k8s_api *a = mem_calloc(1, sizeof(*a));

	if (!a) {
		(void)err_nomem(err);
		return NULL;
	}
	a->k8s.ops = &ops;
	a->k8s.loop = loop;
	for (unsigned i = 0; i < K8S_WATCHED; i++)
		k8s_store_init(&a->k8s.stores[i], (enum k8s_kind)i);
	a->driver = mem_strdup(driver_name);
	if (!a->driver)
		(void)err_nomem(err);
	else
		a->client = k8s_client_new(loop, conf, err);
	if (!a->client) {
		k8s_api_free(a);
		return NULL;
	}
	k8s_calls_init(&a->calls, loop, a->client, a->driver);
	return a;
}

struct k8s *k8s_api_port(struct k8s_api *a)
{
	return &a->k8s;
}

void k8s_api_set(struct k8s_api *a, const struct k8s_api_hooks *hooks)
{
	a->hooks = *hooks;
}

static void on_watch_end(struct op *op)
{
	struct k8s_calls *calls = CONTAINER_OF(op, struct k8s_watch, op)->calls;

	op_unref_wake(&CONTAINER_OF(calls, struct k8s_api, calls)->op);
}

static void on_client_end(void *arg)
{
	op_unref_wake(&((struct k8s_api *)arg)->op);
}

static void close_client(struct k8s_api *a)
{
	op_move(&a->op, ST_CLOSING);
	k8s_calls_fini(&a->calls);
	op_ref(&a->op);
	k8s_client_stop(a->client, on_client_end, a);
	a->client = NULL;
}

static void run(struct k8s_api *a)
{
	op_move(&a->op, ST_RUNNING);
	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		a->watches[i].calls = &a->calls;
		a->watches[i].store = &a->k8s.stores[i];
		op_ref(&a->op);
		k8s_watch_start(&a->watches[i], on_watch_end);
	}
}

static void step(struct op *op)
{
	struct k8s_api *a = CONTAINER_OF(op, struct k8s_api, op);

	switch (op->state) {
	case ST_START:
		if (op_failed(op))
			close_client(a);
		else
			run(a);
		return;
	case ST_RUNNING:
		if (op_failed(op) && !op->refs)
			close_client(a);
		return;
	case ST_CLOSING:
		if (!op->refs)
			op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct k8s_api *a = CONTAINER_OF(op, struct k8s_api, op);

	for (unsigned i = 0; op->state == ST_RUNNING && i < K8S_WATCHED; i++)
		k8s_watch_stop(&a->watches[i]);
}

static const struct op_type type = {
	.name = "k8s-api",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_end(struct op *op)
{
	struct k8s_api *a = CONTAINER_OF(op, struct k8s_api, op);

	a->done(a->arg);
}

void k8s_api_start(struct k8s_api *a, void (*done)(void *arg), void *arg)
{
	a->done = done;
	a->arg = arg;
	op_start(&a->op, &type, a->k8s.loop, on_end);
}

void k8s_api_stop(struct k8s_api *a)
{
	op_cancel(&a->op, ERR_CANCELLED);
}

void k8s_api_free(struct k8s_api *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < K8S_WATCHED; i++)
		k8s_store_fini(&a->k8s.stores[i]);
	mem_free(a->driver);
	mem_free(a);
}

const char *k8s_api_namespace(const struct k8s_api *a)
{
	return k8s_client_namespace(a->client);
}

void k8s_api_stats(const struct k8s_api *a, struct k8s_api_stats *ret)
{
	uint64_t now = clock_boot_ms(a->k8s.loop);

	*ret = (struct k8s_api_stats){ .n_requests = a->calls.n_asked,
				       .n_failed = a->calls.n_failed };
	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		const struct k8s_watch *w = &a->watches[i];
		const struct k8s_store *s = &a->k8s.stores[i];

		ret->kinds[i].lists = w->n_lists;
		ret->kinds[i].streams = w->n_streams;
		ret->kinds[i].events = w->n_events;
		ret->kinds[i].failures = w->n_failures;
		ret->kinds[i].unreadable = s->unreadable.count;
		ret->kinds[i].objects = s->objects.count;
		ret->kinds[i].age_ms = s->is_complete ? now - s->heard_ms : UINT64_MAX;
	}
}
