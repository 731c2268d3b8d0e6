#include "fakes/ctl_cluster.h"

/* The controller with a cluster: the gate, clean and unclean, fences, migrations. */

Test(ctl_k8s, a_publish_and_a_clean_unpublish_are_one_exec_and_no_question)
{
	struct ctl c;
	unsigned execs;

	open_with_volume(&c);
	execs = c.box.n_execs;
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK, "%s", ctl_message());
	cr_assert_eq(c.box.n_execs, execs + 1);
	cr_assert_eq(gauge(&c), 1);
	use_and_leave(&c, "node-a");
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(c.box.n_execs, execs + 2);
	cr_assert_eq(c.box.n_kind[RDS_FENCE_BEGIN], 0);
	cr_assert_eq(n_asked(&c), 0);
	cr_assert_eq(gauge(&c), 0);
	cr_assert(row(&c)->record.is_bound);
	cr_assert_str_eq(row(&c)->record.claim, "default/claim-pv-1");
	cr_assert_eq(fake_k8s_count_events(&c.cluster, "VolumeAttached"), 1);
	cr_assert_eq(fake_k8s_count_events(&c.cluster, "VolumeDetached"), 1);
	cr_assert_str_eq(fake_k8s_last_event(&c.cluster, "VolumeAttached")->claim,
			 "claim-pv-1");
	ctl_close(&c);
}

Test(ctl_k8s, a_second_node_is_refused_with_the_holder_s_name)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_PRECONDITION);
	cr_assert_not_null(strstr(ctl_message(), "node-a"), "%s", ctl_message());
	cr_assert_eq(metric_counted(METRIC_CONFLICTS, 0, 0), 1);
	cr_assert_not_null(
		strstr(fake_k8s_last_event(&c.cluster, "AttachmentConflict")->message,
		       "[pvc-1]: Attachment to node node-b rejected - volume already "
		       "attached to node node-a."));
	/* The next one may have it at once, whatever the objects still say. */
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_OK, "%s", ctl_message());
	cr_assert_eq(metric_counted(METRIC_GRACE_USED, 0, 0), 1);
	detach_object(&c, "node-a");
	cr_assert_eq(gauge(&c), 1);
	ctl_close(&c);
}

/* Nobody who does not know, or does not lead, decides. */
Test(ctl_k8s, without_a_current_state_or_the_Lease_the_answer_is_UNAVAILABLE)
{
	struct ctl c;
	size_t n;

	open_with_volume(&c);
	for (int i = 0; i < 3; i++) {
		if (i == 0)
			c.cluster.is_leader = false;
		if (i == 1)
			fake_k8s_stale(&c.cluster, true);
		if (i == 2)
			fake_k8s_incomplete(&c.cluster);
		unsigned execs = c.box.n_execs;
		cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_UNAVAILABLE);
		cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_UNAVAILABLE);
		cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_UNAVAILABLE);
		cr_assert_eq(c.box.n_execs, execs);
		if (i == 2)
			cr_assert(!attachments_gauge(c.csi.attachments, &n));
		c.cluster.is_leader = true;
		if (i == 1)
			fake_k8s_stale(&c.cluster, false);
		if (i == 2)
			fake_k8s_relist(&c.cluster);
		cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK, "%s",
			     ctl_message());
		cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	}
	ctl_close(&c);
}

/* Another controller led meanwhile, and let the holder go. */
Test(ctl_k8s, who_comes_to_lead_again_starts_from_the_objects_and_the_box)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	cr_assert_eq(gauge(&c), 1);
	c.cluster.is_leader = false;
	cr_assert_eq(gauge(&c), 1, "by its object");
	memcpy(row(&c)->record.nonce, "ffffffff", RDS_NONCE);
	row(&c)->record.n_holders = 0;
	row(&c)->is_exported = false;
	detach_object(&c, "node-a");
	cr_assert_eq(gauge(&c), 0);
	c.cluster.is_leader = true;
	cr_assert_eq(gauge(&c), 0, "what it believed is not true any more");
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_OK, "%s", ctl_message());
	ctl_close(&c);
}

static void lose_the_lease(struct fake_rds *f, const struct rds_volume *v)
{
	(void)v;
	((struct fake_k8s *)f->arg)->is_leader = false;
}

/* A leader that slept past its Lease between the two scripts of a fence. */
Test(ctl_k8s, each_mutation_asks_for_the_Lease_before_it_leaves)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	fake_k8s_remove(&c.cluster, K8S_NODE, NULL, "node-a");
	c.box.arg = &c.cluster;
	c.box.on_effect = lose_the_lease;
	cr_assert_neq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	c.box.on_effect = NULL;
	cr_assert(row(&c)->record.n_holders, "the read was the last it could do");
	cr_assert_eq(c.box.n_kind[RDS_FENCE_BEGIN], 1);
	cr_assert(!row(&c)->record.is_fencing);
	cr_assert(row(&c)->is_exported);
	c.cluster.is_leader = true;
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(row(&c)->record.generation, 1);
	ctl_close(&c);
}

Test(ctl_k8s, what_an_unpublish_must_prove_to_be_clean)
{
	static const struct {
		bool is_there, is_ready, is_out, is_in_use, is_fence;
	} cases[] = {
		{ true, true, false, false, false },  { true, false, false, false, true },
		{ true, true, true, false, true },    { true, true, false, true, true },
		{ false, false, false, false, true },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int is_behind = 0; is_behind < 2; is_behind++) {
			struct ctl c;

			open_with_volume(&c);
			cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
			use_and_leave(&c, "node-a");
			if (cases[i].is_there)
				fake_k8s_node(&c.cluster, "node-a", cases[i].is_ready,
					      cases[i].is_out,
					      cases[i].is_in_use ? "pvc-1" : NULL);
			else
				fake_k8s_remove(&c.cluster, K8S_NODE, NULL, "node-a");
			/* The watch shows it so, the API server knows better. */
			if (is_behind) {
				fake_k8s_hold(&c.cluster, K8S_NODE);
				fake_k8s_node(&c.cluster, "node-a", true, false, NULL);
			}
			cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
			bool is_fence = cases[i].is_fence && !is_behind;
			cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], is_fence,
				     "case %u %d", i, is_behind);
			cr_assert_eq(fake_k8s_count(&c.cluster, K8S_GET, K8S_NODE),
				     cases[i].is_fence, "case %u %d", i, is_behind);
			cr_assert_eq(row(&c)->record.n_holders, 0);
			cr_assert_eq(fake_k8s_count_events(&c.cluster, "NodeFenced"),
				     is_fence);
			cr_assert_eq(gauge(&c), 0);
			ctl_close(&c);
		}
}

/* A kubelet says that it uses a volume before it mounts it. A watch that is behind has
 * not shown that yet, and a detach that was forced meanwhile must not pass for a clean
 * one. */
Test(ctl_k8s, a_node_that_was_never_seen_to_use_the_volume_is_asked_about_it)
{
	for (int is_in_use = 0; is_in_use < 2; is_in_use++) {
		struct ctl c;

		open_with_volume(&c);
		fake_k8s_hold(&c.cluster, K8S_NODE);
		cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
		fake_k8s_node(&c.cluster, "node-a", true, false,
			      is_in_use ? "pvc-1" : NULL);
		cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
		cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], (unsigned)is_in_use);
		cr_assert_eq(fake_k8s_count(&c.cluster, K8S_GET, K8S_NODE), 1);
		ctl_close(&c);
	}
}

/* That it used the volume the last time is no proof for this time. */
Test(ctl_k8s, each_attachment_needs_a_proof_of_its_own)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	use_and_leave(&c, "node-a");
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(n_asked(&c), 0);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(fake_k8s_count(&c.cluster, K8S_GET, K8S_NODE), 1);
	ctl_close(&c);
}

/* What cannot be asked is not concluded. */
Test(ctl_k8s, a_node_that_cannot_be_read_is_neither_clean_nor_fenced)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	fake_k8s_node(&c.cluster, "node-a", true, false, "pvc-1");
	c.cluster.fault.what = FAKE_K8S_REFUSE;
	cr_assert_eq(detach(&c, "node-a"), ERR_UNAVAILABLE);
	cr_assert_eq(row(&c)->record.n_holders, 1);
	cr_assert(row(&c)->is_exported);
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(row(&c)->record.generation, 1);
	ctl_close(&c);
}

Test(ctl_k8s, publish_to_a_node_that_is_gone_or_lost)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-x"), ERR_NOT_FOUND);
	fake_k8s_node(&c.cluster, "node-b", false, false, NULL);
	attach_object(&c, "node-b", true);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
	fake_k8s_node(&c.cluster, "node-b", true, true, NULL);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
	ctl_close(&c);
}

Test(ctl_k8s, another_node_s_demand_fences_the_dead_and_nobody_else)
{
	static const struct {
		bool is_there, is_out, is_fence;
	} cases[] = { { false, false, true },
		      { true, true, true },
		      { true, false, false } };

	for (unsigned i = 0; i < 3; i++) {
		struct ctl c;

		open_with_volume(&c);
		cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
		if (cases[i].is_there)
			fake_k8s_node(&c.cluster, "node-a", false, cases[i].is_out, NULL);
		else
			fake_k8s_remove(&c.cluster, K8S_NODE, NULL, "node-a");
		ctl_idle(&c);
		cr_assert_eq(c.box.n_kind[RDS_FENCE_BEGIN], 0,
			     "it alone cuts nobody off");
		cr_assert_eq(attach(&c, "node-b", RWO),
			     cases[i].is_fence ? ERR_OK : ERR_PRECONDITION, "case %u: %s",
			     i, ctl_message());
		cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], cases[i].is_fence);
		cr_assert_str_eq(row(&c)->record.holders[0].node,
				 cases[i].is_fence ? "node-b" : "node-a");
		if (cases[i].is_fence) {
			const struct fake_k8s_event *e =
				fake_k8s_last_event(&c.cluster, "NodeFenced");

			cr_assert_not_null(strstr(e->message, "node-a"), "%s",
					   e->message);
			cr_assert_not_null(strstr(e->message, row(&c)->nqn));
			cr_assert_eq(gauge(&c), 1);
			/* Its own VolumeAttachment is no holder any more. */
			cr_assert_eq(detach(&c, "node-b"), ERR_OK);
			cr_assert_eq(gauge(&c), 0);
		}
		ctl_close(&c);
	}
}

Test(ctl_k8s, a_node_that_only_the_watch_lost_is_not_fenced)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	fake_k8s_remove(&c.cluster, K8S_NODE, NULL, "node-a");
	fake_k8s_hold(&c.cluster, K8S_NODE);
	fake_k8s_node(&c.cluster, "node-a", true, false, NULL);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_PRECONDITION);
	cr_assert_eq(c.box.n_kind[RDS_FENCE_BEGIN], 0);
	ctl_close(&c);
}

Test(ctl_k8s, a_migration_and_its_outcomes)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_OK, "%s", ctl_message());
	cr_assert_eq(attach(&c, "node-c", RWX), ERR_PRECONDITION);
	cr_assert_eq(gauge(&c), 1);
	cr_assert_eq(migrations_active(attachments_migrations(c.csi.attachments)), 1);
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(metric_counted(METRIC_MIGRATIONS, METRIC_MIGRATED, 0), 1);
	/* The other way: the target goes back. */
	cr_assert_eq(attach(&c, "node-c", RWX), ERR_OK);
	cr_assert_eq(detach(&c, "node-c"), ERR_OK);
	cr_assert_eq(metric_counted(METRIC_MIGRATIONS, METRIC_MIGRATION_FAILED, 0), 1);
	cr_assert_eq(metric_counted(METRIC_MIGRATIONS, METRIC_MIGRATED, 0), 1);
	cr_assert(row(&c)->is_exported);
	cr_assert_eq(fake_k8s_count_events(&c.cluster, "MigrationStarted"), 2);
	cr_assert_eq(fake_k8s_count_events(&c.cluster, "MigrationCompleted"), 1);
	cr_assert_eq(fake_k8s_count_events(&c.cluster, "MigrationFailed"), 1);
	ctl_close(&c);
}

Test(ctl_k8s, a_migration_s_timeout_is_counted_once_and_cuts_nothing)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_OK);
	ctl_idle(&c);
	clock_hold(&c.l.uv);
	clock_advance(&c.l.uv, 299 * 1000);
	cr_assert_eq(fake_k8s_count_events(&c.cluster, "MigrationFailed"), 0);
	clock_advance(&c.l.uv, 10000 * 1000);
	ctl_idle(&c);
	cr_assert_eq(metric_counted(METRIC_MIGRATIONS, METRIC_MIGRATION_TIMEOUT, 0), 1);
	cr_assert_eq(fake_k8s_count_events(&c.cluster, "MigrationFailed"), 1);
	cr_assert(migrations_is_late(attachments_migrations(c.csi.attachments), "pvc-1"));
	cr_assert(row(&c)->is_exported);
	cr_assert_eq(row(&c)->record.n_holders, 2);
	cr_assert_eq(attach(&c, "node-c", RWX), ERR_PRECONDITION);
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(metric_counted(METRIC_MIGRATIONS, METRIC_MIGRATED, 0), 0);
	cr_assert_eq(attach(&c, "node-c", RWX), ERR_OK, "%s", ctl_message());
	ctl_close(&c);
}

Test(ctl_k8s, a_lost_node_beside_a_survivor_is_cut_off_when_that_one_leaves)
{
	char nqn[RDS_NQN_MAX + 1];
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_OK);
	memcpy(nqn, row(&c)->nqn, sizeof(nqn));
	fake_k8s_remove(&c.cluster, K8S_NODE, NULL, "node-a");
	/* Before anybody let it go, and after. */
	cr_assert_eq(attach(&c, "node-c", RWX), ERR_PRECONDITION);
	cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_str_eq(row(&c)->nqn, nqn, "the survivor was cut");
	cr_assert(row(&c)->is_exported);
	cr_assert_eq(row(&c)->record.holders[0].use, 'u');
	cr_assert_geq(fake_k8s_count_events(&c.cluster, "NodeFencePending"), 1);
	cr_assert_eq(attach(&c, "node-c", RWX), ERR_PRECONDITION);
	/* Back again, it must not have the volume by its old name either. */
	fake_k8s_node(&c.cluster, "node-a", true, false, NULL);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_PRECONDITION, "%s", ctl_message());
	detach_object(&c, "node-a");
	ctl_restart(&c);
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_OK, "the survivor itself goes on");
	cr_assert_eq(detach(&c, "node-b"), ERR_OK);
	cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], 1);
	cr_assert_str_neq(row(&c)->nqn, nqn);
	cr_assert_eq(row(&c)->record.n_holders, 0);
	cr_assert_eq(gauge(&c), 0);
	cr_assert_eq(attach(&c, "node-c", RWX), ERR_OK);
	ctl_close(&c);
}
