#include "support/box.h"

#include <string.h>

/* Many requests at once: joined, spread over few sessions, kept in their lanes. */
enum { MANY = 100 };

static struct t_box b;
static struct t_req reqs[MANY];

static unsigned count_done(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MANY; i++)
		n += (unsigned)reqs[i].dones;
	return n;
}

static void delete_many(void)
{
	static struct rds_volume seen[MANY];

	for (unsigned i = 0; i < MANY; i++)
		seen[i] = reqs[i].req.volume;
	for (unsigned i = 0; i < MANY; i++) {
		t_req_change(&reqs[i], RDS_DELETE, &seen[i]);
		t_req_start(&b, &reqs[i]);
	}
}

static void start_many(enum rds_kind kind, unsigned from)
{
	char id[32];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "pvc-%04x", i + from);
		t_req_init(&reqs[i], kind, id);
		t_req_start(&b, &reqs[i]);
	}
}

static void wait_many(void)
{
	t_run_until(&b.l, count_done() == MANY);
	for (unsigned i = 0; i < MANY; i++) {
		cr_assert_eq(reqs[i].dones, 1);
		cr_assert_eq(reqs[i].err.code, ERR_OK, "%u: %s", i, reqs[i].err.msg);
	}
}

Test(rds_crowd, creates_are_joined_and_every_one_gets_its_own_answer)
{
	struct ros_stats stats;

	t_box_open(&b, "--latency-ms 20");
	t_box_connect(&b);
	start_many(RDS_CREATE, 0);
	wait_many();
	for (unsigned i = 0; i < MANY; i++) {
		cr_assert_str_eq(reqs[i].req.volume.id, reqs[i].id);
		cr_assert_str_eq(reqs[i].req.volume.nqn, reqs[i].nqn);
		cr_assert_str_eq(reqs[i].req.volume.record.claim, reqs[i].record.claim);
	}
	cr_assert_eq(t_box_stat(&b, "files"), MANY);
	cr_assert_leq(t_box_stat(&b, "execs"), 1 + 10);
	cr_assert_leq(t_box_stat(&b, "connections"), 4);
	cr_assert_leq(t_box_stat(&b, "execs_peak"), 4);
	ros_stats(b.rds, &stats);
	cr_assert_geq(stats.joined, 90);
	delete_many();
	wait_many();
	cr_assert_eq(t_box_stat(&b, "files"), 0);
	t_box_close(&b);
}

Test(rds_crowd, one_bad_create_spoils_no_other_of_its_script)
{
	t_box_open(&b, "--latency-ms 20");
	t_box_connect(&b);
	/* Its NQN is taken by a disk of somebody else. */
	t_box_script(
		&b,
		"/disk/add type=file slot=foreign file-path=\"/storage-pool/f.img\" "
		"file-size=1M nvme-tcp-server-nqn=\"nqn.2000-02.com.mikrotik:pvc-0032\"");
	start_many(RDS_CREATE, 0);
	t_run_until(&b.l, count_done() == MANY);
	for (unsigned i = 0; i < MANY; i++)
		cr_assert_eq(reqs[i].err.code, i == 0x32 ? ERR_EXISTS : ERR_OK, "%u %s",
			     i, reqs[i].err.msg);
	t_box_close(&b);
}

static struct rds_volume made[MANY];

static void start_publishes(void)
{
	for (unsigned i = 0; i < MANY; i++) {
		t_req_change(&reqs[i], RDS_PUBLISH, &made[i]);
		t_req_start(&b, &reqs[i]);
	}
}

static void make_many(const char *opts)
{
	t_box_open(&b, opts);
	t_box_connect(&b);
	start_many(RDS_CREATE, 0);
	wait_many();
	for (unsigned i = 0; i < MANY; i++)
		made[i] = reqs[i].req.volume;
}

Test(rds_crowd, publishes_are_joined_and_every_one_gets_its_own_answer)
{
	struct ros_stats stats;
	long before;

	make_many("--latency-ms 20");
	before = t_box_stat(&b, "execs");
	start_publishes();
	wait_many();
	for (unsigned i = 0; i < MANY; i++) {
		const struct rds_volume *v = &reqs[i].req.volume;

		cr_assert_str_eq(v->id, reqs[i].id);
		cr_assert_str_eq(v->nqn, made[i].nqn);
		cr_assert(v->is_exported);
		cr_assert_eq(v->record.n_holders, 1);
		cr_assert_str_eq(v->record.nonce, reqs[i].req.volume.record.nonce);
		cr_assert_str_neq(v->record.nonce, made[i].record.nonce);
	}
	cr_assert_leq(t_box_stat(&b, "execs") - before, 16);
	cr_assert_leq(t_box_stat(&b, "execs_peak"), 4);
	ros_stats(b.rds, &stats);
	cr_assert_geq(stats.joined, 180);
	t_box_close(&b);
}

/* One was published by somebody else meanwhile, one has gone, one is no file of ours, one
 * has another NQN. */
Test(rds_crowd, one_bad_publish_spoils_no_other_of_its_script)
{
	make_many("--latency-ms 20");
	t_box_script(&b,
		     "/disk/set [/disk find where slot=\"pvc-0007\"] comment=\"rds-csi:1 "
		     "0badcafe c=prod-1 g=0 s=ok h=node-z/w b=1 q=-\"");
	t_box_script(&b, "/disk/remove [/disk find where slot=\"pvc-0021\"]");
	t_box_script(&b, "/disk/set [/disk find where slot=\"pvc-0042\"] "
			 "nvme-tcp-server-nqn=\"nqn.2000-02.com.mikrotik:other\"");
	start_publishes();
	t_run_until(&b.l, count_done() == MANY);
	for (unsigned i = 0; i < MANY; i++) {
		enum rds_outcome want = i == 0x07   ? RDS_STALE
					: i == 0x21 ? RDS_ABSENT
						    : RDS_OK;

		cr_assert_eq(reqs[i].err.code, i == 0x42 ? ERR_PRECONDITION : ERR_OK,
			     "%u: %s", i, reqs[i].err.msg);
		cr_assert_eq(reqs[i].req.outcome, want, "%u", i);
	}
	cr_assert_str_eq(reqs[7].req.volume.record.holders[0].node, "node-z");
	t_box_close(&b);
}

static unsigned n_checks;

static void count_checks(const struct op *op, unsigned from, unsigned to)
{
	n_checks += from != to && strcmp(op->type->name, "box") == 0 &&
		    strcmp(op->type->states[to], "checking") == 0;
}

/* Each is read back, and those that had no effect are sent once more, alone. */
Test(rds_crowd, publishes_whose_answer_was_cut_off_are_looked_for)
{
	make_many("--latency-ms 20");
	t_box_fault(&b, "cut-after-out=700");
	op_trace = count_checks;
	start_publishes();
	wait_many();
	op_trace = NULL;
	cr_assert_gt(n_checks, 2, "none was cut off");
	for (unsigned i = 0; i < MANY; i++)
		cr_assert(reqs[i].req.volume.is_exported, "%u", i);
	t_box_close(&b);
}

Test(rds_crowd, publish_does_not_wait_for_slow_creates)
{
	struct t_req one, q;

	t_box_open(&b, "--op-ms add=400");
	t_box_connect(&b);
	t_req_init(&one, RDS_CREATE, "first");
	t_req_run(&b, &one);
	start_many(RDS_CREATE, 0);
	t_req_change(&q, RDS_PUBLISH, &one.req.volume);
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_lt(count_done(), 20, "it waited for %u creates", count_done());
	for (unsigned i = 0; i < MANY; i++)
		op_cancel(&reqs[i].req.op, ERR_CANCELLED);
	t_run_until(&b.l, count_done() == MANY);
	t_box_close(&b);
}

static void make_disks(unsigned n, const char *cluster)
{
	char script[512];

	snprintf(script, sizeof(script),
		 ":for i from=1 to=%u do={:local n (\"%s-\".$i);/disk/add type=\"file\" "
		 "slot=$n file-path=(\"/storage-pool/metal-csi/\".$n.\".img\") "
		 "file-size=\"1073741824\" comment=\"rds-csi:1 0123abcd c=%s g=0 s=ok "
		 "h=- b=0 "
		 "q=-\"}",
		 n, cluster, cluster);
	cr_assert_eq(strlen(t_box_script(&b, script)), 0, "%s", t_box_script(&b, script));
}

Test(rds_crowd, lists_of_any_length_hold_our_own_volumes_once_each)
{
	struct t_req q;
	long before;

	t_box_open(&b, "--pool-fs xfs");
	t_box_connect(&b);
	make_disks(1000, "prod-1");
	make_disks(10, "other");
	t_req_init(&q, RDS_LIST, NULL);
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.rows, 1000);
	before = t_box_stat(&b, "execs");
	t_req_init(&q, RDS_LIST, NULL);
	t_req_run(&b, &q);
	cr_assert_eq(t_box_stat(&b, "execs"), before + 1);
	t_box_close(&b);
}

Test(rds_crowd, lists_beyond_one_answer_come_in_parts)
{
	struct t_req q;

	t_box_open(&b, "--pool-fs xfs");
	t_box_connect(&b);
	make_disks(2600, "prod-1");
	t_req_init(&q, RDS_LIST, NULL);
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.rows, 2600);
	t_box_close(&b);
}
