#include "support/t.h"

#include <stdio.h>
#include <string.h>

#include "csi/controller/attachments.h"
#include "csi/csi.h"

static struct csi csi = { .node_id = "own", .cluster_id = "c1" };

static struct rds_volume held(const char *id, const char *node)
{
	struct rds_volume v = { .size_bytes = 1 };

	snprintf(v.id, sizeof(v.id), "%s", id);
	snprintf(v.nqn, sizeof(v.nqn), "nqn.x:%s", id);
	v.record = (struct rds_record){ .kind = RDS_RECORD_OURS,
					.nonce = "12345678",
					.generation = 2,
					.claim = "ns/c" };
	if (node) {
		v.record.n_holders = 1;
		v.record.holders[0].use = 'w';
		snprintf(v.record.holders[0].node, RDS_NODE_MAX, "%s", node);
	}
	return v;
}

Test(attachments, own_and_known_nodes_are_healthy_and_no_other)
{
	char longer[80], key[] = "b,,c,";
	struct attachments *a;

	memset(longer, 'n', 70);
	longer[70] = '\0';
	a = attachments_new(&csi, key);
	cr_assert_eq(attachments_standing(a, "own"), NODE_HEALTHY);
	cr_assert_eq(attachments_standing(a, "b"), NODE_HEALTHY);
	cr_assert_eq(attachments_standing(a, "c"), NODE_HEALTHY);
	cr_assert_eq(attachments_standing(a, ""), NODE_UNKNOWN);
	cr_assert_eq(attachments_standing(a, "b,"), NODE_UNKNOWN);
	cr_assert_eq(attachments_standing(a, longer), NODE_UNKNOWN);
	attachments_free(a);
	/* A name that the record cannot hold is known by both its forms. */
	a = attachments_new(&csi, longer);
	cr_assert_eq(attachments_standing(a, longer), NODE_HEALTHY);
	cr_assert_str_eq(attachments_node_name(a, "other"), "other");
	attachments_free(a);
	attachments_free(NULL);
	cr_assert_eq(mem_live(), 0);
}

Test(attachments, a_belief_comes_back_whole)
{
	struct attachments *a = attachments_new(&csi, NULL);
	struct rds_volume v = held("v1", "own");
	struct attachments_belief b;

	v.record.n_holders = 2;
	v.record.is_fencing = v.record.is_bound = true;
	snprintf(v.record.holders[1].node, RDS_NODE_MAX, "b");
	v.record.holders[1].use = 'r';
	attachments_learn(a, &v, false);
	cr_assert(attachments_recall(a, "v1", &b));
	cr_assert_str_eq(b.nqn, v.nqn);
	cr_assert_str_eq(b.record.nonce, v.record.nonce);
	cr_assert_str_eq(b.record.cluster, "c1");
	cr_assert_str_eq(b.record.claim, "ns/c");
	cr_assert_eq(b.record.generation, 2);
	cr_assert(b.record.is_fencing && b.record.is_bound &&
		  b.record.kind == RDS_RECORD_OURS);
	cr_assert_eq(b.record.n_holders, 2);
	cr_assert_str_eq(b.record.holders[1].node, "b");
	cr_assert_eq(b.record.holders[1].use, 'r');
	attachments_forget(a, "v1");
	attachments_forget(a, "v1");
	cr_assert(!attachments_recall(a, "v1", &b));
	attachments_free(a);
	cr_assert_eq(mem_live(), 0);
}

Test(attachments, volumes_with_a_holder_are_counted_once)
{
	struct attachments *a = attachments_new(&csi, NULL);
	struct rds_volume v = held("v1", "own"), free_one = held("v2", NULL);

	attachments_learn(a, &v, false);
	attachments_learn(a, &v, false);
	attachments_learn(a, &free_one, false);
	cr_assert_eq(attachments_count(a), 1);
	v.record.n_holders = 0;
	attachments_learn(a, &v, true);
	cr_assert_eq(attachments_count(a), 0);
	/* What is not ours is not believed. */
	v.record.n_holders = 1;
	v.record.kind = RDS_RECORD_FOREIGN;
	attachments_learn(a, &v, false);
	cr_assert_eq(attachments_count(a), 0);
	attachments_free(a);
	cr_assert_eq(mem_live(), 0);
}

Test(attachments, a_look_takes_no_holder_away)
{
	struct attachments *a = attachments_new(&csi, NULL);
	struct rds_volume v = held("v1", "own"), gone = held("v1", NULL);
	struct attachments_belief b;

	attachments_learn(a, &v, true);
	memcpy(gone.record.nonce, "87654321", RDS_NONCE);
	attachments_learn(a, &gone, false);
	cr_assert(attachments_recall(a, "v1", &b));
	cr_assert_eq(b.record.n_holders, 1);
	/* The call that was about it does. */
	attachments_accept(a, &gone);
	cr_assert(attachments_recall(a, "v1", &b) && b.record.n_holders == 0);
	/* Neither is one missed that was being cut off. */
	v.record.is_fencing = true;
	attachments_learn(a, &v, true);
	attachments_learn(a, &gone, false);
	cr_assert(attachments_recall(a, "v1", &b) && b.record.n_holders == 0);
	attachments_free(a);
	cr_assert_eq(mem_live(), 0);
}

Test(attachments, doubt_unseals_and_stays_until_something_was_seen)
{
	struct attachments *a = attachments_new(&csi, NULL);
	struct rds_volume v = held("v1", "own");
	struct attachments_belief b;

	attachments_doubt(a, "v1");
	attachments_learn(a, &v, true);
	attachments_doubt(a, "v1");
	cr_assert(attachments_recall(a, "v1", &b) && b.is_doubtful && !b.is_sealed);
	cr_assert_eq(attachments_count(a), 1);
	attachments_learn(a, &v, false);
	cr_assert(attachments_recall(a, "v1", &b) && !b.is_doubtful && !b.is_sealed);
	attachments_free(a);
	cr_assert_eq(mem_live(), 0);
}

Test(attachments, the_least_recently_used_belief_goes)
{
	struct attachments *a = attachments_new(&csi, NULL);
	struct attachments_belief b;
	char id[32];

	for (int i = 0; i <= ATTACHMENTS_MAX_BELIEFS; i++) {
		struct rds_volume v;

		snprintf(id, sizeof(id), "v%d", i);
		v = held(id, "own");
		attachments_learn(a, &v, false);
		if (i == 0)
			continue;
		cr_assert_eq(attachments_recall(a, "v0", &b), true);
	}
	cr_assert_eq(attachments_count(a), ATTACHMENTS_MAX_BELIEFS);
	cr_assert(!attachments_recall(a, "v1", &b));
	attachments_free(a);
	cr_assert_eq(mem_live(), 0);
}

static void one_run(void)
{
	struct attachments *a = attachments_new(&csi, "b,c");
	struct rds_volume v = held("v1", "own");

	if (a)
		attachments_learn(a, &v, false);
	attachments_free(a);
}

Test(attachments, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(one_run());
	cr_assert_eq(mem_live(), 0);
}

Test(attachments, a_nonce_is_sealed_by_its_writing_and_not_by_a_look)
{
	struct attachments *a = attachments_new(&csi, NULL);
	struct rds_volume v = held("v1", "own");
	struct attachments_belief b;

	attachments_learn(a, &v, false);
	cr_assert(attachments_recall(a, "v1", &b) && !b.is_sealed);
	attachments_learn(a, &v, true);
	cr_assert(attachments_recall(a, "v1", &b) && b.is_sealed);
	/* Looked at again: the same nonce is still ours, another one is not. */
	attachments_learn(a, &v, false);
	cr_assert(attachments_recall(a, "v1", &b) && b.is_sealed);
	memcpy(v.record.nonce, "87654321", RDS_NONCE);
	attachments_learn(a, &v, false);
	cr_assert(attachments_recall(a, "v1", &b) && !b.is_sealed);
	/* A write that ended nobody knows how. */
	attachments_learn(a, &v, true);
	attachments_doubt(a, "v1");
	attachments_learn(a, &v, false);
	cr_assert(attachments_recall(a, "v1", &b) && !b.is_sealed);
	attachments_free(a);
	cr_assert_eq(mem_live(), 0);
}
