#include "support/box.h"

static struct t_box b;

static enum err_code run(struct t_req *q, enum rds_kind kind, const char *id)
{
	t_req_init(q, kind, id);
	t_req_run(&b, q);
	return q->err.code;
}

static void open_box(const char *opts)
{
	t_box_open(&b, opts);
	t_box_connect(&b);
}

Test(rds_faults, a_box_that_is_away_is_unavailable_at_once_and_found_again)
{
	struct t_req q;

	t_box_open(&b, NULL);
	t_box_kill_sim(&b);
	t_box_connect(&b);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(run(&q, RDS_GET, "pvc-1"), ERR_UNAVAILABLE, "%s", q.err.msg);
		cr_assert_eq(run(&q, RDS_LIST, NULL), ERR_UNAVAILABLE);
		cr_assert_eq(run(&q, RDS_CREATE, "pvc-1"), ERR_UNAVAILABLE);
		cr_assert(!q.req.is_outcome_unknown);
	}
	cr_assert(!b.rds->ops->features(b.rds)->is_known);
	t_box_start_sim(&b, NULL);
	t_run_until(&b.l, run(&q, RDS_CREATE, "pvc-1") == ERR_OK);
	cr_assert(b.rds->ops->features(b.rds)->is_known);
	cr_assert_str_eq(b.rds->ops->features(b.rds)->version, "7.24");
	t_box_close(&b);
}

Test(rds_faults, a_box_that_restarts_is_found_again)
{
	struct t_req q;

	open_box(NULL);
	t_box_create(&b, "pvc-1");
	t_box_fault(&b, "reboot=50");
	t_run_until(&b.l, run(&q, RDS_GET, "pvc-1") == ERR_OK);
	cr_assert_eq(q.req.outcome, RDS_OK);
	cr_assert_str_eq(q.req.volume.id, "pvc-1");
	t_box_close(&b);
}

/* What the box has must be what the answer said, whatever was cut. */
static void check_converged(struct t_req *q, const char *id)
{
	struct t_req again;

	if (q->err.code != ERR_OK) {
		cr_assert(q->err.code == ERR_UNAVAILABLE || q->err.code == ERR_DEADLINE,
			  "%d %s", q->err.code, q->err.msg);
		t_run_until(&b.l, run(&again, RDS_CREATE, id) == ERR_OK);
		*q = again;
	}
	cr_assert_eq(q->req.volume.size_bytes, UINT64_C(1) << 30);
	cr_assert_str_eq(q->req.volume.id, id);
}

static void cut_creates(const char *direction, unsigned step, unsigned max,
			const char *opts)
{
	unsigned n = 0;

	open_box(opts);
	t_box_create(&b, "warm");
	for (unsigned at = 1; at < max; at += step) {
		char id[32], fault[64];
		struct t_req q;

		snprintf(id, sizeof(id), "pvc-%u", n++);
		snprintf(fault, sizeof(fault), "cut-after-%s=%u", direction, at);
		t_box_fault(&b, fault);
		t_req_init(&q, RDS_CREATE, id);
		t_req_run(&b, &q);
		t_box_fault(&b, "clear");
		check_converged(&q, id);
	}
	cr_assert_eq(t_box_stat(&b, "disks"), n + 1);
	cr_assert_eq(t_box_stat(&b, "files"), n + 1);
	t_box_close(&b);
}

Test(rds_faults, a_create_cut_off_while_it_is_sent_converges)
{
	cut_creates("in", 97, 1900, NULL);
}

Test(rds_faults, a_create_cut_off_while_it_answers_converges)
{
	cut_creates("out", 41, 900, NULL);
}

Test(rds_faults, a_create_that_runs_on_after_the_cut_is_made_once)
{
	cut_creates("out", 101, 900, "--run-on-after-cut 2 --op-ms add=5");
}

static unsigned n_checks;

static void count_checks(const struct op *op, unsigned from, unsigned to)
{
	n_checks += from != to && strcmp(op->type->name, "box") == 0 &&
		    strcmp(op->type->states[to], "checking") == 0;
}

Test(rds_faults, a_publish_whose_answer_is_lost_is_looked_for_and_found_done)
{
	struct t_req c, q;
	long execs;

	open_box("--run-on-after-cut 5");
	cr_assert_eq(run(&c, RDS_CREATE, "pvc-1"), ERR_OK);
	t_box_fault(&b, "cut-after-out=40");
	t_req_change(&q, RDS_PUBLISH, &c.req.volume);
	execs = t_box_stat(&b, "execs");
	op_trace = count_checks;
	t_req_run(&b, &q);
	op_trace = NULL;
	cr_assert_eq(n_checks, 1, "it was sent again unseen");
	cr_assert_eq(t_box_stat(&b, "execs"), execs + 2);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.req.outcome, RDS_OK);
	cr_assert(q.req.volume.is_exported);
	cr_assert_eq(q.req.volume.record.n_holders, 1);
	t_box_close(&b);
}

Test(rds_faults, every_change_survives_a_script_that_dies_between_statements)
{
	static const enum rds_kind kinds[] = { RDS_PUBLISH, RDS_UNPUBLISH,
					       RDS_FENCE_BEGIN, RDS_FENCE_FINISH,
					       RDS_EXPORT };
	char fault[64];
	struct t_req c, q;
	struct rds_volume v;

	open_box(NULL);
	cr_assert_eq(run(&c, RDS_CREATE, "pvc-1"), ERR_OK);
	v = c.req.volume;
	for (unsigned at = 1; at < 18; at++)
		for (unsigned k = 0; k < 5; k++) {
			snprintf(fault, sizeof(fault), "script-error-at-statement=%u",
				 at);
			t_box_fault(&b, fault);
			t_req_change(&q, kinds[k], &v);
			t_req_run(&b, &q);
			t_box_fault(&b, "clear");
			if (q.err.code != ERR_OK) {
				cr_assert_eq(q.err.code, ERR_UNAVAILABLE, "%s",
					     q.err.msg);
				cr_assert(q.req.is_outcome_unknown);
				cr_assert_eq(run(&c, RDS_GET, "pvc-1"), ERR_OK);
				v = c.req.volume;
				t_req_change(&q, kinds[k], &v);
				t_req_run(&b, &q);
			}
			cr_assert_eq(q.err.code, ERR_OK, "%u %u %s", at, k, q.err.msg);
			cr_assert_eq(q.req.outcome, RDS_OK);
			v = q.req.volume;
			cr_assert_eq(v.is_exported, k == 0 || k == 4);
			cr_assert_eq(v.record.is_fencing, k == 2);
		}
	t_box_close(&b);
}

Test(rds_faults, a_box_that_hangs_costs_one_deadline_and_one_session)
{
	struct t_req c, q, r;

	open_box(NULL);
	cr_assert_eq(run(&c, RDS_CREATE, "pvc-1"), ERR_OK);
	t_box_fault(&b, "hang=1");
	t_req_change(&q, RDS_PUBLISH, &c.req.volume);
	t_req_start(&b, &q);
	t_run_until(&b.l, t_box_stat(&b, "execs_now") == 1);
	op_set_deadline(&q.req.op, clock_now_ms(&b.l.uv) + 300);
	cr_assert_eq(run(&r, RDS_GET, "pvc-1"), ERR_OK, "%s", r.err.msg);
	t_req_wait(&b, &q);
	cr_assert_eq(q.err.code, ERR_DEADLINE, "%s", q.err.msg);
	cr_assert(q.req.is_outcome_unknown);
	cr_assert_eq(run(&r, RDS_GET, "pvc-1"), ERR_OK);
	cr_assert_eq(r.req.volume.record.n_holders, 0);
	t_box_close(&b);
}

Test(rds_faults, garbage_is_never_an_answer)
{
	struct t_req c, q;

	open_box(NULL);
	cr_assert_eq(run(&c, RDS_CREATE, "pvc-1"), ERR_OK);
	t_box_fault(&b, "garbage=1");
	cr_assert_eq(run(&q, RDS_GET, "pvc-1"), ERR_UNAVAILABLE, "%s", q.err.msg);
	t_box_fault(&b, "garbage=1");
	cr_assert_eq(run(&q, RDS_LIST, NULL), ERR_UNAVAILABLE);
	t_box_fault(&b, "garbage=1");
	t_req_change(&q, RDS_PUBLISH, &c.req.volume);
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert(q.req.volume.is_exported);
	t_box_close(&b);
}

Test(rds_faults, another_host_key_is_refused)
{
	struct t_req q;

	t_box_open(&b, NULL);
	t_box_fault(&b, "host-key=1");
	t_box_connect(&b);
	cr_assert_eq(run(&q, RDS_GET, "pvc-1"), ERR_UNAVAILABLE);
	cr_assert(strstr(q.err.msg, "host key"), "%s", q.err.msg);
	cr_assert_eq(t_box_stat(&b, "execs"), 0);
	t_box_fault(&b, "clear");
	t_run_until(&b.l, run(&q, RDS_GET, "pvc-1") == ERR_OK);
	cr_assert_eq(q.req.outcome, RDS_ABSENT);
	t_box_close(&b);
}

Test(rds_faults, a_full_pool_is_exhausted_and_nothing_is_left_half_made)
{
	struct t_req q;

	open_box("--pool-bytes 10737418240");
	t_req_init(&q, RDS_CREATE, "pvc-1");
	q.req.size_bytes = UINT64_C(9) << 30;
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(run(&q, RDS_CREATE, "pvc-2"), ERR_EXHAUSTED, "above the reserve");
	cr_assert_eq(t_box_stat(&b, "disks"), 1);
	t_req_init(&q, RDS_GROW, "pvc-1");
	q.req.size_bytes = UINT64_C(10) << 30;
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_EXHAUSTED, "%s", q.err.msg);
	cr_assert_eq(run(&q, RDS_CAPACITY, NULL), ERR_OK);
	cr_assert_lt(q.req.free_bytes, UINT64_C(1) << 30);
	cr_assert_eq(q.req.total_bytes,
		     UINT64_C(10737418240) - UINT64_C(10737418240) / 100 * 5);
	t_box_close(&b);
}

Test(rds_faults, an_old_box_or_one_without_the_package_says_so)
{
	struct t_req q;

	open_box("--version 7.20");
	cr_assert_eq(run(&q, RDS_CREATE, "pvc-1"), ERR_PRECONDITION);
	cr_assert(strstr(q.err.msg, "7.21"), "%s", q.err.msg);
	t_box_close(&b);
}

Test(rds_faults, another_pool_says_so)
{
	struct t_req q;

	t_box_open(&b, NULL);
	b.conf.base = "/other-pool/x";
	t_box_connect(&b);
	cr_assert_eq(run(&q, RDS_CREATE, "pvc-1"), ERR_PRECONDITION);
	cr_assert(strstr(q.err.msg, "other-pool"), "%s", q.err.msg);
	t_box_close(&b);
}
