#include "rds/batch.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/rand.h"

void batch_end_item(struct pool_item *it, const struct err *err, bool is_sent)
{
	it->batch = NULL;
	it->ops->ended(it, err, is_sent);
}

static void answered(struct batch *b)
{
	struct pool_item *it = b->items[b->at];
	const struct err none = { .code = ERR_OK };

	b->items[b->at++] = NULL;
	if (it)
		batch_end_item(it, &none, true);
}

/* The first line that looks like an error of RouterOS's own is worth telling; the rest
 * is a banner or worse. */
static void note_refusal(struct batch *b, const struct ros_event *ev)
{
	enum ros_fault fault = ev->word == ROS_SAID_NONSENSE
				       ? ROS_FAULT_OTHER
				       : ros_console_fault(ev->text);

	if (fault == ROS_FAULT_NONE || b->refusal.code != ERR_OK)
		return;
	(void)err_set(&b->refusal,
		      fault == ROS_FAULT_SCRIPT || fault == ROS_FAULT_PERMISSION
			      ? ERR_PRECONDITION
			      : ERR_UNAVAILABLE,
		      "the box said: %.150s", ev->text);
}

static void on_event(void *arg, const struct ros_event *ev)
{
	struct batch *b = arg;

	if (b->at == b->n)
		return;
	switch (ev->word) {
	case ROS_SAID_OK:
		if (strcmp(ev->text, b->sentinel) == 0 && b->at == b->n - 1 && b->n == 1)
			answered(b);
		return;
	case ROS_SAID_ITEM:
		/* The name is compared only while its owner still wants the answer. */
		if (b->n > 1 &&
		    (!b->items[b->at] || strcmp(b->items[b->at]->args.id, ev->text) == 0))
			answered(b);
		return;
	case ROS_SAID_OTHER:
		note_refusal(b, ev);
		return;
	case ROS_SAID_NONSENSE:
		note_refusal(b, ev);
		__attribute__((fallthrough));
	default:
		if (b->items[b->at])
			b->items[b->at]->ops->event(b->items[b->at], ev);
	}
}

static void on_data(struct ssh_exec *e, const char *p, size_t n, bool is_err)
{
	struct batch *b = CONTAINER_OF(e, struct batch, exec);

	ros_reply_feed(is_err ? &b->errors : &b->out, p, n);
}

static int make_script(struct batch *b, const struct ros_site *site, struct err *err)
{
	const struct ros_args *rows[LANE_JOIN_MAX];
	struct ros_order order = {
		.step = b->items[0]->step,
		.site = site,
		.rows = rows,
		.n = b->n,
		.sentinel = b->sentinel,
	};

	for (unsigned i = 0; i < b->n; i++)
		rows[i] = &b->items[i]->args;
	rand_hex(b->sentinel, sizeof(b->sentinel) - 1);
	return ros_script(&b->script, &order, err);
}

struct batch *batch_new(struct pool_item *const *items, unsigned n,
			const struct ros_site *site)
{
	struct batch *b = mem_calloc(1, sizeof(*b));
	struct err err;

	(void)err_nomem(&err);
	if (b) {
		memcpy(b->items, items, n * sizeof(items[0]));
		b->n = n;
		b->lane = items[0]->lane.lane;
		buf_init(&b->script, ROS_SCRIPT_MAX);
		ros_reply_init(&b->out, on_event, b);
		ros_reply_init(&b->errors, on_event, b);
		if (make_script(b, site, &err) == 0)
			return b;
		batch_free(b);
	}
	for (unsigned i = 0; i < n; i++)
		batch_end_item(items[i], &err, false);
	return NULL;
}

void batch_free(struct batch *b)
{
	buf_fini(&b->script);
	ros_reply_fini(&b->out);
	ros_reply_fini(&b->errors);
	mem_free(b);
}

static bool may_send(struct ssh_exec *e)
{
	const struct batch *b = CONTAINER_OF(e, struct batch, exec);

	for (unsigned i = 0; b->is_guarded && i < b->n; i++) {
		struct pool_item *it = b->items[i];

		if (!it || (it->is_guarded && !it->ops->may_send(it)))
			return false;
	}
	return true;
}

void batch_start(struct batch *b, struct ssh *s, void (*done)(struct op *op))
{
	uint64_t last_ms = 0;

	for (unsigned i = 0; i < b->n; i++) {
		struct pool_item *it = b->items[i];

		it->batch = b;
		b->is_guarded |= it->is_guarded;
		if (it->deadline_ms > last_ms)
			last_ms = it->deadline_ms;
	}
	b->started_us = uv_hrtime() / 1000;
	b->exec.command = b->script.data;
	b->exec.len = b->script.len;
	b->exec.on_data = on_data;
	b->exec.may_send = may_send;
	ssh_exec_start(&b->exec, s, done);
	/* A request's own deadline comes first and leaves the exec to the others. */
	op_set_deadline(&b->exec.op, last_ms + 100);
	for (unsigned i = 0; i < b->n; i++)
		b->items[i]->ops->sent(b->items[i]);
}

void batch_finish(struct batch *b)
{
	struct err err = b->exec.op.err;

	ros_reply_end(&b->out);
	ros_reply_end(&b->errors);
	if (err.code == ERR_OK && b->refusal.code != ERR_OK)
		err = b->refusal;
	else if (err.code == ERR_OK)
		(void)err_set(&err, ERR_UNAVAILABLE, "the box's answer was cut short");
	for (; b->at < b->n; b->at++) {
		struct pool_item *it = b->items[b->at];

		b->items[b->at] = NULL;
		if (it)
			batch_end_item(it, &err, b->exec.is_sent);
	}
}

void batch_forget(struct pool_item *it)
{
	struct batch *b = it->batch;

	for (unsigned i = 0; i < b->n; i++)
		if (b->items[i] == it)
			b->items[i] = NULL;
	it->batch = NULL;
}
