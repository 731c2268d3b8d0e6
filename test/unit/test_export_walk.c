#include "csi/controller/export_walk.h"

#include <string.h>

#include "core/log.h"
#include "csi/ids.h"
#include "fakes/fake_rds.h"
#include "support/t.h"

/* Names in their order: three to be put on, one that is, one fenced, one held. */
#define UID(n) "pvc-0d3b51a4-6c1e-4b7e-9f0a-00000000000" n
enum { N = 6, N_MAY = 3 };

static struct t_loop l;
static struct fake_rds box;
static struct export_walk w;
static unsigned n_done;
static char told[2048];

static void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static void tell(struct export_walk *walk, const char *id, enum export_outcome o,
		 const char *why)
{
	size_t n = strlen(told);

	cr_assert_eq(walk, &w);
	cr_assert_eq(why != NULL, o == NOT_EXPORTED);
	snprintf(told + n, sizeof(told) - n, "%.1s%d ", id + strlen(id) - 1, o);
}

static struct rds_volume *add(const char *id)
{
	struct rds_volume *v = fake_rds_add(&box, id, 1 << 30);

	id_new_nqn(id, 0, v->nqn);
	v->record.kind = RDS_RECORD_OURS;
	snprintf(v->record.nonce, sizeof(v->record.nonce), "%.8s", "abcdef01");
	return v;
}

static void open_box(void)
{
	struct rds_volume *v;

	log_open(LOG_ERROR, false);
	n_done = 0;
	told[0] = '\0';
	t_loop_open(&l);
	fake_rds_open(&box, &l.uv, "prod-1");
	add(UID("e"));
	add(UID("c"));
	add(UID("a"));
	v = add(UID("b"));
	id_base_nqn(UID("b"), v->nqn);
	v->is_exported = true;
	v = add(UID("d"));
	v->record.generation = 1;
	v = add(UID("f"));
	v->record.n_holders = 1;
	v->record.holders[0] = (struct rds_holder){ "node-a", 'w' };
}

static void start(bool is_acting, const char *even)
{
	w = (struct export_walk){
		.rds = &box.rds, .is_acting = is_acting, .even = even, .tell = tell
	};
	export_walk_start(&w, &l.uv, on_done);
}

static void run(bool is_acting, const char *even)
{
	start(is_acting, even);
	t_run_until(&l, n_done == 1);
}

static void close_box(void)
{
	cr_assert_eq(n_done, 1);
	fake_rds_close(&box);
	t_loop_close(&l);
	cr_assert_eq(mem_live(), 0);
}

static bool is_on(const char *id)
{
	const struct rds_volume *v = fake_rds_find(&box, id);

	return v->is_exported;
}

Test(export_walk, puts_on_what_may_be_and_tells_of_each_once)
{
	open_box();
	run(true, "");
	cr_assert_eq(w.op.err.code, ERR_OK, "%s", w.op.err.msg);
	cr_assert_str_eq(told, "a0 b2 c0 d3 e0 f3 ");
	cr_assert_eq(box.n_kind[RDS_EXPORT], N_MAY);
	cr_assert_eq(box.n_execs, 1 + N_MAY);
	cr_assert(is_on(UID("a")) && is_on(UID("c")) && is_on(UID("e")));
	cr_assert(!is_on(UID("d")) && !is_on(UID("f")));
	cr_assert_str_eq(fake_rds_find(&box, UID("a"))->nqn, ID_NQN_PREFIX UID("a"));
	n_done = 0;
	told[0] = '\0';
	run(true, "");
	cr_assert_str_eq(told, "a2 b2 c2 d3 e2 f3 ", "again: %s", told);
	close_box();
}

Test(export_walk, only_tells_unless_it_is_to_act)
{
	open_box();
	run(false, "");
	cr_assert_str_eq(told, "a1 b2 c1 d3 e1 f3 ");
	cr_assert_eq(box.n_execs, 1);
	cr_assert_eq(w.count[WOULD_EXPORT], N_MAY);
	close_box();
}

Test(export_walk, a_word_counts_for_the_one_volume_alone)
{
	open_box();
	add(UID("0"))->record.generation = 1;
	run(true, "x," UID("d") "," UID("f"));
	cr_assert_str_eq(told, "03 a0 b2 c0 d0 e0 f3 ");
	cr_assert_eq(fake_rds_find(&box, UID("d"))->record.generation, 0);
	cr_assert(export_is_named("a,b", "b") && !export_is_named("ab,", "b") &&
		  !export_is_named("", "b"));
	close_box();
}

static enum fake_fault change_first(struct fake_rds *f, const struct rds_req *req)
{
	if (req->kind == RDS_EXPORT && strcmp(req->id, UID("a")) == 0)
		strcpy(fake_rds_find(f, UID("a"))->record.nonce, "99999999");
	return FAKE_FINE;
}

Test(export_walk, one_that_was_changed_meanwhile_is_left)
{
	open_box();
	box.choose = change_first;
	run(true, "");
	cr_assert_str_eq(told, "a3 b2 c0 d3 e0 f3 ");
	cr_assert(!is_on(UID("a")));
	close_box();
}

static unsigned n_failing;

static enum fake_fault lose(struct fake_rds *f, const struct rds_req *req)
{
	(void)f;
	if (req->kind != RDS_EXPORT || !n_failing)
		return FAKE_FINE;
	n_failing--;
	return FAKE_LOSE;
}

Test(export_walk, goes_on_past_one_and_ends_when_the_box_is_away)
{
	open_box();
	box.choose = lose;
	n_failing = 2;
	run(true, "");
	cr_assert_eq(w.op.err.code, ERR_OK, "%s", w.op.err.msg);
	cr_assert_str_eq(told, "a3 b2 c3 d3 e0 f3 ");
	close_box();
	open_box();
	box.choose = lose;
	n_failing = 3;
	run(true, "");
	cr_assert_eq(w.op.err.code, ERR_UNAVAILABLE, "%s", w.op.err.msg);
	cr_assert_str_eq(told, "a3 b2 c3 d3 e3 ", "%s", told);
	close_box();
}

Test(export_walk, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 24; turns++) {
		open_box();
		start(true, "");
		for (int i = 0; i < turns && !n_done; i++)
			uv_run(&l.uv, UV_RUN_NOWAIT);
		op_cancel(&w.op, ERR_CANCELLED);
		t_run_until(&l, n_done == 1);
		cr_assert(n_done == 1 && w.rows == NULL);
		close_box();
	}
}

Test(export_walk, every_allocation_fails)
{
	for (long nth = 0; nth < 12; nth++) {
		open_box();
		mem_fail_at(nth);
		run(true, "");
		mem_fail_at(-1);
		if (w.op.err.code != ERR_OK)
			cr_assert_eq(w.op.err.code, ERR_EXHAUSTED, "%s", w.op.err.msg);
		close_box();
	}
	T_LSAN();
}
