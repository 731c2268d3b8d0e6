#ifndef EXCHANGE_SEAM_H
#define EXCHANGE_SEAM_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "k8s/client.h"
#include "k8s/exchange.h"
#include "support/t.h"

/* Exchanges without a connection. Included by one file of a test binary, which then has
 * these definitions instead of those of k8s/exchange.c and k8s/client.c. Each exchange is
 * a real op: the answer comes in pieces, one a turn. */
struct seam_answer {
	unsigned status; /* 0: no answer at all */
	const char *body;
	uint32_t retry_after_ms;
	bool is_cut;	/* fails behind the body (or at once) */
	bool is_unsent; /* fails before a byte of the request left */
	bool hangs;	/* stays open behind the body until it is cancelled */
};

enum { SEAM_KEPT = 512 };

static struct seam {
	struct seam_answer (*answer)(unsigned nth, const struct k8s_exchange *x);
	size_t piece; /* bytes a turn; 0 = all */
	unsigned n_asked, n_open, n_distrusted;
	char *targets[SEAM_KEPT], *methods[SEAM_KEPT];
	uint64_t at_ms[SEAM_KEPT];
} seam;

struct seam_impl {
	uv_idle_t tick;
	struct seam_answer answer;
	size_t at;
};

enum { SEAM_START = OP_START, SEAM_SENT, SEAM_BODY, SEAM_CLOSING, SEAM_DONE, SEAM_N };
static const char *const seam_names[SEAM_N] = { "start", "sent", "body", "closing",
						"done" };
static const uint32_t seam_next[SEAM_N] = {
	[SEAM_START] = OP_BIT(SEAM_SENT) | OP_BIT(SEAM_DONE),
	[SEAM_SENT] = OP_BIT(SEAM_BODY) | OP_BIT(SEAM_CLOSING),
	[SEAM_BODY] = OP_BIT(SEAM_CLOSING),
	[SEAM_CLOSING] = OP_BIT(SEAM_DONE),
};

static void seam_on_tick(uv_idle_t *tick)
{
	(void)uv_idle_stop(tick);
	op_wake(tick->data);
}

static void seam_close(struct op *op, struct seam_impl *im)
{
	op_move(op, SEAM_CLOSING);
	op_close_handle(op, (uv_handle_t *)&im->tick);
}

static void seam_body(struct k8s_exchange *x, struct seam_impl *im)
{
	size_t left = im->answer.body ? strlen(im->answer.body) - im->at : 0;
	size_t n = seam.piece && seam.piece < left ? seam.piece : left;
	struct op *op = &x->op;

	/* A copy of its own: a read behind the piece is seen. */
	if (n && !op_failed(op)) {
		char *copy = malloc(n);

		memcpy(copy, im->answer.body + im->at, n);
		im->at += n;
		if (x->on_body && x->on_body(x, copy, n))
			cr_assert(op_failed(op));
		free(copy);
		if (!op_failed(op))
			(void)uv_idle_start(&im->tick, seam_on_tick);
		else
			seam_close(op, im);
		return;
	}
	if (!op_failed(op) && im->answer.hangs)
		return;
	if (im->answer.is_cut)
		op_fail(op, ERR_UNAVAILABLE, "seam: cut");
	seam_close(op, im);
}

static void seam_step(struct op *op)
{
	struct k8s_exchange *x = CONTAINER_OF(op, struct k8s_exchange, op);
	struct seam_impl *im = x->impl;

	switch (op->state) {
	case SEAM_START:
		if (op_failed(op)) {
			free(im);
			x->impl = NULL;
			seam.n_open--;
			op_move(op, SEAM_DONE);
			return;
		}
		(void)uv_idle_init(op->loop, &im->tick);
		im->tick.data = op;
		op_ref(op);
		(void)uv_idle_start(&im->tick, seam_on_tick);
		op_move(op, SEAM_SENT);
		return;
	case SEAM_SENT:
		(void)uv_idle_stop(&im->tick);
		x->is_sent = !im->answer.is_unsent;
		if (!op_failed(op) && !im->answer.status && !im->answer.hangs)
			op_fail(op, ERR_UNAVAILABLE, "seam: refused");
		if (op_failed(op)) {
			seam_close(op, im);
			return;
		}
		x->status = im->answer.status;
		x->retry_after_ms = im->answer.retry_after_ms;
		op_move(op, SEAM_BODY);
		seam_body(x, im);
		return;
	case SEAM_BODY:
		(void)uv_idle_stop(&im->tick);
		seam_body(x, im);
		return;
	case SEAM_CLOSING:
		free(im);
		x->impl = NULL;
		seam.n_open--;
		op_move(op, SEAM_DONE);
		return;
	default:
		return;
	}
}

static void seam_interrupt(struct op *op)
{
	struct seam_impl *im = CONTAINER_OF(op, struct k8s_exchange, op)->impl;

	if (op->state == SEAM_SENT || op->state == SEAM_BODY)
		(void)uv_idle_start(&im->tick, seam_on_tick);
}

static const struct op_type seam_type = {
	.name = "seam-exchange",
	.states = seam_names,
	.next = seam_next,
	.n_states = SEAM_N,
	.step = seam_step,
	.interrupt = seam_interrupt,
};

static uv_loop_t *seam_loop;

void k8s_exchange_start(struct k8s_exchange *x, struct k8s_client *c,
			void (*done)(struct op *op))
{
	struct seam_impl *im = calloc(1, sizeof(*im));
	unsigned nth = seam.n_asked++;

	(void)c;
	cr_assert_lt(nth, SEAM_KEPT, "too many exchanges");
	seam.targets[nth] = strdup(x->target);
	seam.methods[nth] = strdup(x->method);
	seam.at_ms[nth] = clock_now_ms(seam_loop);
	seam.n_open++;
	im->answer = seam.answer(nth, x);
	x->impl = im;
	op_start(&x->op, &seam_type, seam_loop, done);
}

void k8s_client_distrust_token(struct k8s_client *c)
{
	(void)c;
	seam.n_distrusted++;
}

/* The rest of client.h, so that client.c is not linked beside this. */
struct k8s_client *k8s_client_new(uv_loop_t *loop, const struct k8s_client_conf *conf,
				  struct err *err)
{
	(void)loop, (void)conf;
	(void)err_set(err, ERR_UNIMPLEMENTED, "no client behind the seam");
	return NULL;
}

const char *k8s_client_namespace(const struct k8s_client *c)
{
	(void)c;
	return "default";
}

void k8s_client_stop(struct k8s_client *c, void (*stopped)(void *arg), void *arg)
{
	(void)c;
	stopped(arg);
}

static inline void seam_open(uv_loop_t *loop,
			     struct seam_answer (*answer)(unsigned nth,
							  const struct k8s_exchange *x))
{
	seam = (struct seam){ .answer = answer };
	seam_loop = loop;
}

static inline void seam_close_all(void)
{
	for (unsigned i = 0; i < seam.n_asked; i++) {
		free(seam.targets[i]);
		free(seam.methods[i]);
	}
	seam.n_asked = 0;
}
#endif
