#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "fakes/fake_k8s.h"
#include "support/t.h"

enum { TIMEOUT_MS = 30 * 1000 };

/* What the op of a request needs beside it. */
struct fake_impl {
	uv_idle_t tick;
	struct clock_timer timer;
	struct fake_k8s *f;
	struct k8s_request *r;
	struct fake_k8s_request *kept;
	struct fake_k8s_fault fault;
};

/* start -> sent (-> waiting) -> ran -> closing -> done; the effect is between sent and
 * ran, a cancel before it leaves the cluster as it was. */
enum { ST_START = OP_START, ST_SENT, ST_WAITING, ST_RAN, ST_CLOSING, ST_DONE, ST_N };
static const char *const names[ST_N] = { "start", "sent",    "waiting",
					 "ran",	  "closing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_SENT),
	[ST_SENT] = OP_BIT(ST_WAITING) | OP_BIT(ST_RAN) | OP_BIT(ST_CLOSING),
	[ST_WAITING] = OP_BIT(ST_RAN) | OP_BIT(ST_CLOSING),
	[ST_RAN] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static void on_tick(uv_idle_t *tick)
{
	(void)uv_idle_stop(tick);
	op_wake(tick->data);
}

static void on_timer(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct fake_impl, timer)->r->op);
}

static const char *text(const char *s)
{
	return s ? s : "";
}

static const char *get(const json_t *v, const char *a, const char *b)
{
	return text(json_get_str(json_object_get(v, a), b));
}

/* The body's uid and resourceVersion, where they stand, must be those of the object. */
static bool is_fitting(const json_t *pre, const struct k8s_object *o)
{
	const char *uid = json_get_str(pre, "uid");
	const char *version = json_get_str(pre, "resourceVersion");

	return (!uid || strcmp(uid, o->uid) == 0) &&
	       (!version || strcmp(version, o->version) == 0);
}

/* "fieldSelector=spec.nodeName%3Dx" and "…metadata.name%3Dx"; other queries than these
 * are not understood, and fail the test. */
static bool is_selected(const struct k8s_request *r, const struct k8s_object *o)
{
	static const char by_node[] = "fieldSelector=spec.nodeName%3D";
	static const char by_name[] = "fieldSelector=metadata.name%3D";

	if (r->ns && strcmp(r->ns, o->ns) != 0)
		return false;
	if (!r->query || !*r->query)
		return true;
	if (strncmp(r->query, by_name, sizeof(by_name) - 1) == 0)
		return strcmp(r->query + sizeof(by_name) - 1, o->name) == 0;
	cr_assert(r->kind == K8S_POD &&
			  strncmp(r->query, by_node, sizeof(by_node) - 1) == 0,
		  "fake_k8s does not know the query %s", r->query);
	return strcmp(r->query + sizeof(by_node) - 1, K8S_POD_OF(o)->node) == 0;
}

static struct k8s_object *answer(const struct k8s_object *o)
{
	struct k8s_object *c = k8s_object_copy(o);

	return c ? c : k8s_object_copy(o);
}

static void run_list(struct fake_k8s *f, struct k8s_request *r)
{
	struct map_node *n = NULL;
	size_t pos = 0;

	while ((n = map_next(&f->server[r->kind], &pos, n))) {
		const struct k8s_object *o =
			CONTAINER_OF(n, struct fake_k8s_item, node)->o;

		if (is_selected(r, o))
			r->each(r, o);
	}
}

static void run_delete(struct fake_k8s *f, struct k8s_request *r, const json_t *body)
{
	const struct k8s_object *o = fake_k8s_find(f, r->kind, r->ns, r->name);

	if (!o)
		op_fail(&r->op, ERR_NOT_FOUND, "%s not found", r->name);
	else if (!is_fitting(json_object_get(body, "preconditions"), o))
		op_fail(&r->op, ERR_ABORTED, "%s is another object now", r->name);
	else if (f->has_finalizers) {
		struct k8s_object *c = answer(o);

		c->is_deleting = true;
		fake_k8s_put(f, c);
		k8s_object_free(c);
	} else
		fake_k8s_remove(f, r->kind, r->ns, r->name);
}

/* What a body changes in an object that this fake understands: PV and Lease. Texts are
 * borrowed from the body. */
static void apply(struct fake_k8s *f, struct k8s_object *o, const json_t *body)
{
	const json_t *notes =
		json_object_get(json_object_get(body, "metadata"), "annotations");
	const json_t *spec = json_object_get(body, "spec");
	char key[300];
	json_t *v;

	if (o->kind == K8S_PV) {
		snprintf(key, sizeof(key), "%s/attached-node", f->driver_name);
		v = json_object_get(notes, key);
		if (v)
			((struct k8s_pv *)o)->attached_node = text(json_string_value(v));
	} else if (o->kind == K8S_LEASE) {
		struct k8s_lease *l = (struct k8s_lease *)o;

		if ((v = json_object_get(spec, "holderIdentity")))
			l->holder = text(json_string_value(v));
		if ((v = json_object_get(spec, "renewTime")))
			l->renew_time = text(json_string_value(v));
		if ((v = json_object_get(spec, "leaseDurationSeconds")))
			l->duration_s = (uint32_t)json_integer_value(v);
		if ((v = json_object_get(spec, "leaseTransitions")))
			l->transitions = (uint32_t)json_integer_value(v);
	}
}

static void run_create(struct fake_k8s *f, struct k8s_request *r, const json_t *body)
{
	union {
		struct k8s_object o;
		struct k8s_pv pv;
		struct k8s_pod pod;
		struct k8s_lease lease;
	} u = { .pv = { .o = { .kind = r->kind } } };
	char name[254], ns[64];

	snprintf(ns, sizeof(ns), "%s", text(r->ns));
	snprintf(name, sizeof(name), "%s", get(body, "metadata", "name"));
	if (!*name)
		snprintf(name, sizeof(name), "%s%llu",
			 get(body, "metadata", "generateName"),
			 (unsigned long long)f->last_version);
	if (fake_k8s_find(f, r->kind, ns, name)) {
		op_fail(&r->op, ERR_EXISTS, "%s exists", name);
		return;
	}
	u.o.name = name;
	u.o.ns = ns;
	apply(f, &u.o, body);
	fake_k8s_put(f, &u.o);
	r->object = answer(fake_k8s_find(f, r->kind, ns, name));
}

static void run_change(struct fake_k8s *f, struct k8s_request *r, const json_t *body)
{
	const struct k8s_object *o = fake_k8s_find(f, r->kind, r->ns, r->name);
	struct k8s_object *c;

	if (!o) {
		op_fail(&r->op, ERR_NOT_FOUND, "%s not found", r->name);
		return;
	}
	if (!is_fitting(json_object_get(body, "metadata"), o)) {
		op_fail(&r->op, ERR_ABORTED, "%s has changed", r->name);
		return;
	}
	c = answer(o);
	apply(f, c, body);
	fake_k8s_put(f, c);
	k8s_object_free(c);
	r->object = answer(fake_k8s_find(f, r->kind, r->ns, r->name));
}

static void run(struct fake_impl *im)
{
	struct k8s_request *r = im->r;
	struct fake_k8s *f = im->f;
	const struct k8s_object *o;
	struct err err = { .code = ERR_OK };
	json_t *body = NULL;

	if (r->body) {
		body = json_parse(r->body, strlen(r->body), &err);
		if (!body) /* an allocation that the test makes fail, once */
			body = json_parse(r->body, strlen(r->body), &err);
		cr_assert_not_null(body, "a body that is no JSON: %s", r->body);
	}
	switch (r->verb) {
	case K8S_GET:
		o = fake_k8s_find(f, r->kind, r->ns, r->name);
		if (o)
			r->object = answer(o);
		else
			op_fail(&r->op, ERR_NOT_FOUND, "%s not found", r->name);
		r->is_foreign = !o && r->kind == K8S_PV && f->foreign_pv &&
				strcmp(f->foreign_pv, r->name) == 0;
		break;
	case K8S_LIST:
		run_list(f, r);
		break;
	case K8S_CREATE:
		run_create(f, r, body);
		break;
	case K8S_PATCH:
	case K8S_UPDATE:
		run_change(f, r, body);
		break;
	case K8S_DELETE:
		run_delete(f, r, body);
		break;
	}
	json_decref(body);
}

static void fail(struct fake_impl *im)
{
	enum err_code code = im->fault.code ? im->fault.code : ERR_UNAVAILABLE;

	k8s_object_free(im->r->object);
	im->r->object = NULL;
	op_fail(&im->r->op, code, "fake API server: %s", err_name(code));
}

static void step_sent(struct fake_impl *im, struct op *op)
{
	if (op_failed(op)) {
		op_move(op, ST_CLOSING);
		op_close_handle(op, (uv_handle_t *)&im->tick);
	} else if (op->state == ST_SENT &&
		   (im->f->delay_ms || im->fault.what == FAKE_K8S_HANG)) {
		op_move(op, ST_WAITING);
		clock_timer_start(op->loop, &im->timer,
				  im->fault.what == FAKE_K8S_HANG ? 10 * TIMEOUT_MS
								  : im->f->delay_ms,
				  on_timer);
	} else {
		if (im->fault.what != FAKE_K8S_REFUSE)
			run(im);
		if (im->fault.what != FAKE_K8S_FINE)
			fail(im);
		op_move(op, ST_RAN);
		(void)uv_idle_start(&im->tick, on_tick);
	}
}

static void step(struct op *op)
{
	struct k8s_request *r = CONTAINER_OF(op, struct k8s_request, op);
	struct fake_impl *im = r->impl;

	switch (op->state) {
	case ST_START:
		op_set_deadline(op, clock_now_ms(op->loop) + TIMEOUT_MS);
		(void)uv_idle_init(op->loop, &im->tick);
		im->tick.data = op;
		op_ref(op);
		(void)uv_idle_start(&im->tick, on_tick);
		op_move(op, ST_SENT);
		break;
	case ST_SENT:
	case ST_WAITING:
		(void)uv_idle_stop(&im->tick);
		clock_timer_stop(&im->timer);
		step_sent(im, op);
		break;
	case ST_RAN:
		if (op_failed(op)) {
			k8s_object_free(r->object);
			r->object = NULL;
		}
		op_move(op, ST_CLOSING);
		op_close_handle(op, (uv_handle_t *)&im->tick);
		break;
	case ST_CLOSING:
		im->kept->is_over = true;
		im->kept->code = op->err.code;
		free(im);
		r->impl = NULL;
		op_move(op, ST_DONE);
		break;
	default:
		break;
	}
}

static void interrupt(struct op *op)
{
	struct k8s_request *r = CONTAINER_OF(op, struct k8s_request, op);
	struct fake_impl *im = r->impl;

	if (op->state == ST_WAITING)
		(void)uv_idle_start(&im->tick, on_tick);
}

static const struct op_type type = {
	.name = "fake-k8s",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static struct fake_k8s_fault choose(struct fake_k8s *f, const struct k8s_request *r)
{
	struct fake_k8s_fault fault = f->fault;

	if (f->choose)
		return f->choose(f, r);
	if (fault.what == FAKE_K8S_FINE || f->skip) {
		f->skip -= f->skip ? 1 : 0;
		return (struct fake_k8s_fault){ .what = FAKE_K8S_FINE };
	}
	f->fault = (struct fake_k8s_fault){ .what = FAKE_K8S_FINE };
	return fault;
}

void fake_k8s_request(struct k8s *k, struct k8s_request *r, void (*done)(struct op *op))
{
	struct fake_k8s *f = (struct fake_k8s *)(void *)k;
	struct fake_k8s_request *kept = &f->requests[f->n_requests++];
	struct fake_impl *im = calloc(1, sizeof(*im));

	cr_assert_lt(f->n_requests, FAKE_K8S_KEPT);
	*kept = (struct fake_k8s_request){ .verb = r->verb, .kind = r->kind };
	snprintf(kept->ns, sizeof(kept->ns), "%s", text(r->ns));
	snprintf(kept->name, sizeof(kept->name), "%s", text(r->name));
	snprintf(kept->subresource, sizeof(kept->subresource), "%s",
		 text(r->subresource));
	snprintf(kept->query, sizeof(kept->query), "%s", text(r->query));
	kept->body = strdup(text(r->body));
	im->f = f;
	im->r = r;
	im->kept = kept;
	im->fault = choose(f, r);
	r->impl = im;
	r->object = NULL;
	op_start(&r->op, &type, k->loop, done);
}
