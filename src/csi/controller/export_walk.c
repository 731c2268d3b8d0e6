#include "csi/controller/export_walk.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

/* start -> listing -> exporting -> done
 *                      ^     |
 *                      +-----+  the next one
 *
 * listing:   fails: nothing was changed.
 * exporting: one fails: it is told as not exported, and the next one comes; when the box
 *            has not answered for MAX_FAILED in a row, the op ends with the error.
 * Whether the last one happened may be unknown; the next run finds it. */
enum { ST_START = OP_START, ST_LISTING, ST_EXPORTING, ST_DONE, ST_N };

enum { MAX_ROWS = 20000, MAX_FAILED = 3 };

static const char *const names[ST_N] = { "start", "listing", "exporting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LISTING) | OP_BIT(ST_DONE),
	[ST_LISTING] = OP_BIT(ST_EXPORTING) | OP_BIT(ST_DONE),
	[ST_EXPORTING] = OP_BIT(ST_EXPORTING) | OP_BIT(ST_DONE),
};

static void on_row(struct rds_req *req, const struct rds_volume *row)
{
	struct export_walk *w = CONTAINER_OF(req, struct export_walk, req);
	size_t cap = w->cap ? 2 * w->cap : 64;
	struct rds_volume *rows;

	if (w->n == w->cap && !w->is_too_long) {
		rows = cap <= MAX_ROWS * 2 ? mem_realloc(w->rows, cap * sizeof(*rows))
					   : NULL;
		w->is_too_long = !rows;
		if (rows) {
			w->rows = rows;
			w->cap = cap;
		}
	}
	if (!w->is_too_long)
		w->rows[w->n++] = *row;
}

static void on_answer(struct op *op)
{
	struct rds_req *req = CONTAINER_OF(op, struct rds_req, op);

	op_unref_wake(&CONTAINER_OF(req, struct export_walk, req)->op);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct rds_volume *)a)->id,
		      ((const struct rds_volume *)b)->id);
}

static void ask(struct export_walk *w)
{
	op_ref(&w->op);
	rds_start(w->rds, &w->req, on_answer);
}

static void do_list(struct export_walk *w)
{
	w->req = (struct rds_req){
		.kind = RDS_LIST,
		.on_row = on_row,
		.wants_unreadable = true,
	};
	op_move(&w->op, ST_LISTING);
	ask(w);
}

bool export_is_named(const char *list, const char *id)
{
	size_t n = strlen(id);

	while (*list) {
		size_t m = strcspn(list, ",");

		if (m == n && strncmp(list, id, n) == 0)
			return true;
		list += m + (list[m] == ',');
	}
	return false;
}

static void tell(struct export_walk *w, enum export_outcome outcome, const char *why)
{
	w->count[outcome]++;
	w->tell(w, w->rows[w->at].id, outcome, why);
	w->at++;
}

static void start_one(struct export_walk *w, const struct rds_volume *v)
{
	memcpy(w->nonce, v->record.nonce, sizeof(w->nonce));
	w->req = (struct rds_req){
		.kind = RDS_EXPORT,
		.id = v->id,
		.nqn = w->plan.nqn,
		.expect_nonce = w->nonce,
		.record = &w->plan.record,
	};
	ask(w);
}

/* True when it waits for the box. A long list comes in several reads, between which a
 * disk may move, and so come twice. */
static bool do_next(struct export_walk *w)
{
	for (; w->at < w->n;) {
		const struct rds_volume *v = &w->rows[w->at];

		if (w->at && strcmp(v->id, v[-1].id) == 0) {
			w->at++;
			continue;
		}
		switch (export_decide(v, export_is_named(w->even, v->id), &w->plan)) {
		case EXPORT_WAS:
			tell(w, WAS_EXPORTED, NULL);
			break;
		case EXPORT_LEFT:
			tell(w, NOT_EXPORTED, w->plan.why.msg);
			break;
		case EXPORT_MAY:
			if (w->is_acting) {
				start_one(w, v);
				return true;
			}
			tell(w, WOULD_EXPORT, NULL);
			break;
		}
	}
	return false;
}

static bool is_away(const struct err *err)
{
	return err->code == ERR_UNAVAILABLE || err->code == ERR_DEADLINE;
}

static void do_answer(struct export_walk *w)
{
	struct err *err = &w->req.op.err;

	w->n_failed = is_away(err) ? w->n_failed + 1 : 0;
	if (err->code != ERR_OK && w->req.is_outcome_unknown)
		(void)err_wrap(err, "not known whether it happened, run this again");
	if (err->code != ERR_OK)
		tell(w, NOT_EXPORTED, err->msg);
	else if (w->req.outcome == RDS_OK)
		tell(w, EXPORTED, NULL);
	else
		tell(w, NOT_EXPORTED,
		     w->req.outcome == RDS_ABSENT ? "it has been deleted meanwhile"
						  : "it has been changed meanwhile");
	if (w->n_failed == MAX_FAILED)
		op_fail_err(&w->op, err);
}

static void do_listed(struct export_walk *w)
{
	op_fail_err(&w->op, &w->req.op.err);
	if (w->is_too_long)
		op_fail(&w->op, ERR_EXHAUSTED, "more volumes than fit the memory");
	if (!op_failed(&w->op) && w->n)
		qsort(w->rows, w->n, sizeof(*w->rows), by_id);
}

static void finish(struct export_walk *w)
{
	mem_free(w->rows);
	w->rows = NULL;
	op_move(&w->op, ST_DONE);
}

static void step(struct op *op)
{
	struct export_walk *w = CONTAINER_OF(op, struct export_walk, op);

	switch (op->state) {
	case ST_START:
		if (op_failed(op))
			finish(w);
		else
			do_list(w);
		return;
	case ST_LISTING:
		do_listed(w);
		break;
	case ST_EXPORTING:
		do_answer(w);
		break;
	default:
		return;
	}
	if (!op_failed(op) && do_next(w))
		op_move(op, ST_EXPORTING);
	else
		finish(w);
}

static void interrupt(struct op *op)
{
	op_cancel(&CONTAINER_OF(op, struct export_walk, op)->req.op, op->err.code);
}

static const struct op_type walk_type = {
	.name = "export-all",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void export_walk_start(struct export_walk *w, uv_loop_t *loop,
		       void (*done)(struct op *op))
{
	op_start(&w->op, &walk_type, loop, done);
}
