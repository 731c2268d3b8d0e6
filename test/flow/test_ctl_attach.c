#include "fakes/call_seam.h"

#define GIB (INT64_C(1) << 30)
#define RWX CTL_MODE(MULTI_NODE_MULTI_WRITER)
#define ROX CTL_MODE(MULTI_NODE_READER_ONLY)

static struct rds_volume *row(struct ctl *c)
{
	struct rds_volume *v = fake_rds_find(&c->box, "pvc-1");

	cr_assert_not_null(v);
	return v;
}

/* A volume that a node holds which was known once: "lost". */
static void hold_by_lost(struct ctl *c)
{
	struct rds_volume *v = row(c);

	v->record.n_holders = 1;
	v->record.holders[0] = (struct rds_holder){ .node = "lost", .use = 'w' };
	v->is_exported = true;
	attachments_forget(c->csi.attachments, "pvc-1");
}

static void open_with_volume(struct ctl *c)
{
	ctl_open(c);
	cr_assert_eq(ctl_create(c, "pvc-1", GIB), ERR_OK);
}

Test(ctl_attach, one_writer)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
	cr_assert_not_null(strstr(ctl_message(), "node-a"), "%s", ctl_message());
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-b", RWX, false), ERR_PRECONDITION);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-b", ROX, true), ERR_PRECONDITION);
	/* Another controller knows as much. */
	ctl_restart(&c);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_OK);
	ctl_close(&c);
}

Test(ctl_attach, two_nodes_share_raw_block_and_the_export_stays_for_the_second)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-a", RWX, false), ERR_OK);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-b", RWX, false), ERR_OK);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-c", RWX, false), ERR_PRECONDITION);
	cr_assert_eq(attachments_count(c.csi.attachments), 1);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert(row(&c)->is_exported);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-c", RWX, false), ERR_OK);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-b"), ERR_OK);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-c"), ERR_OK);
	cr_assert(!row(&c)->is_exported);
	ctl_close(&c);
}

Test(ctl_attach, readers_are_many_and_no_writer_joins)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-a", ROX, false), ERR_OK);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-b", ROX, true), ERR_OK);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-c", ROX, false), ERR_OK);
	cr_assert_eq(row(&c)->record.n_holders, 3);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-c"), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-c"), ERR_PRECONDITION);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", ""), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-c"), ERR_OK);
	ctl_close(&c);
}

Test(ctl_attach, a_held_volume_s_record_is_written_for_a_change_of_holders_only)
{
	char nonce[RDS_NONCE + 1];
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	memcpy(nonce, row(&c)->record.nonce, sizeof(nonce));
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-b"), ERR_OK);
	cr_assert_str_eq(row(&c)->record.nonce, nonce);
	cr_assert(row(&c)->is_exported);
	ctl_close(&c);
}

Test(ctl_attach, an_unknown_node_s_unpublish_is_a_fence)
{
	struct ctl c;
	uint32_t generation = 0;

	open_with_volume(&c);
	hold_by_lost(&c);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_PRECONDITION);
	cr_assert(row(&c)->is_exported, "a Publish alone cuts nobody off");
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "lost"), ERR_OK);
	cr_assert_eq(c.box.n_kind[RDS_FENCE_BEGIN], 1);
	cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], 1);
	cr_assert_eq(c.box.n_kind[RDS_UNPUBLISH], 0);
	cr_assert(!row(&c)->is_exported);
	cr_assert(!row(&c)->record.is_fencing);
	cr_assert_eq(row(&c)->record.generation, 1);
	cr_assert_eq(row(&c)->record.n_holders, 0);
	cr_assert_eq(sscanf(row(&c)->nqn,
			    "nqn.2000-02.com.mikrotik:pvc-1.g%u-%*8[0-9a-f]",
			    &generation),
		     1);
	cr_assert_eq(generation, 1);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(row(&c)->record.generation, 1);
	ctl_close(&c);
}

Test(ctl_attach, the_second_script_of_a_fence_waits_for_the_settle_time)
{
	struct ctl c;
	struct grpc_call call;
	Csi__V1__ControllerUnpublishVolumeRequest req;

	open_with_volume(&c);
	hold_by_lost(&c);
	c.csi.fence_settle_ms = 2000;
	clock_hold(&c.l.uv);
	csi__v1__controller_unpublish_volume_request__init(&req);
	req.volume_id = (char *)(uintptr_t) "pvc-1";
	req.node_id = (char *)(uintptr_t) "lost";
	ctl_start(&c, &call, "ControllerUnpublishVolume", &req);
	t_run_until(&c.l, !row(&c)->is_exported);
	for (int i = 0; i < 20; i++)
		uv_run(&c.l.uv, UV_RUN_NOWAIT);
	clock_advance(&c.l.uv, 1999);
	for (int i = 0; i < 20; i++)
		uv_run(&c.l.uv, UV_RUN_NOWAIT);
	cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], 0);
	cr_assert(row(&c)->record.is_fencing);
	/* Meanwhile nobody else has the volume. */
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_ABORTED);
	clock_advance(&c.l.uv, 1);
	ctl_finish(&c, &call);
	cr_assert_eq(call.err.code, ERR_OK);
	ctl_call_free(&call);
	ctl_close(&c);
}

/* The fence of a dead controller, cut after each of its scripts. */
Test(ctl_attach, whoever_finds_a_fence_finishes_it_first)
{
	for (int is_off = 0; is_off < 2; is_off++)
		for (int who = 0; who < 3; who++) {
			struct ctl c;

			open_with_volume(&c);
			hold_by_lost(&c);
			row(&c)->record.is_fencing = true;
			row(&c)->record.generation = 4;
			row(&c)->is_exported = !is_off;
			if (who == 0)
				cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
			if (who == 1)
				cr_assert_eq(ctl_unpublish(&c, "pvc-1", "lost"), ERR_OK);
			if (who == 2) {
				cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_OK, "%s",
					     ctl_message());
				cr_assert_null(fake_rds_find(&c.box, "pvc-1"));
			} else {
				cr_assert_eq(row(&c)->record.generation, 4);
				cr_assert_not_null(strstr(row(&c)->nqn, ".g4-"));
				cr_assert(!row(&c)->record.is_fencing);
			}
			cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], 1);
			ctl_close(&c);
		}
}

Test(ctl_attach, a_survivor_is_not_cut_off_with_a_lost_node)
{
	struct ctl c;
	struct rds_record *r;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-a", RWX, false), ERR_OK);
	r = &row(&c)->record;
	r->holders[r->n_holders++] = (struct rds_holder){ .node = "lost", .use = 'x' };
	ctl_restart(&c);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "lost"), ERR_PRECONDITION);
	cr_assert_not_null(strstr(ctl_message(), "node-a"), "%s", ctl_message());
	cr_assert(row(&c)->is_exported);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-b", RWX, false), ERR_PRECONDITION);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-b", RWX, false), ERR_PRECONDITION);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "lost"), ERR_OK);
	cr_assert_eq(row(&c)->record.generation, 1);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-b", RWX, false), ERR_OK);
	ctl_close(&c);
}

Test(ctl_attach, a_stale_belief_costs_a_round_and_nothing_else)
{
	struct ctl c;

	open_with_volume(&c);
	/* Another controller wrote the record; it shows no holder still. */
	memcpy(row(&c)->record.nonce, "ffffffff", RDS_NONCE);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(c.box.n_kind[RDS_PUBLISH], 2);
	/* It has given the volume to somebody else. */
	memcpy(row(&c)->record.nonce, "eeeeeeee", RDS_NONCE);
	snprintf(row(&c)->record.holders[0].node, RDS_NODE_MAX, "node-c");
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_str_eq(row(&c)->record.holders[0].node, "node-c");
	cr_assert(row(&c)->is_exported);
	ctl_close(&c);
}

Test(ctl_attach, while_record_and_belief_disagree_nobody_new_is_admitted)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	memcpy(row(&c)->record.nonce, "ffffffff", RDS_NONCE);
	row(&c)->record.n_holders = 0;
	row(&c)->is_exported = false;
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
		cr_assert_not_null(strstr(ctl_message(), "node-a"), "%s", ctl_message());
		cr_assert_eq(row(&c)->record.n_holders, 0);
		/* Another node's unpublish does not settle it. */
		cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-c"), ERR_OK);
	}
	/* Its own publish does, */
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert(row(&c)->is_exported);
	memcpy(row(&c)->record.nonce, "eeeeeeee", RDS_NONCE);
	row(&c)->record.n_holders = 0;
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
	/* and its own unpublish. */
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_OK);
	ctl_close(&c);
}

/* The publish of a volume whose record was written and whose export was not. */
Test(ctl_attach, a_publish_cut_before_the_export_is_completed)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	row(&c)->is_exported = false;
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert(row(&c)->is_exported);
	ctl_close(&c);
}

Test(ctl_attach, a_publish_whose_script_ran_late_cannot_come_back)
{
	struct ctl c;

	open_with_volume(&c);
	c.box.fault = FAKE_LATE;
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_UNAVAILABLE);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_OK);
	fake_rds_run_late(&c.box);
	cr_assert_eq(row(&c)->record.n_holders, 1);
	cr_assert_str_eq(row(&c)->record.holders[0].node, "node-b");
	/* The same without anyone after it: the unpublish has spent the nonce. */
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-b"), ERR_OK);
	c.box.fault = FAKE_LATE;
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_UNAVAILABLE);
	ctl_restart(&c);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	fake_rds_run_late(&c.box);
	cr_assert_eq(row(&c)->record.n_holders, 0);
	cr_assert(!row(&c)->is_exported);
	ctl_close(&c);
}

Test(ctl_attach, a_late_second_publish_of_shared_block_cannot_come_back)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-a", RWX, false), ERR_OK);
	c.box.fault = FAKE_LATE;
	cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-b", RWX, false), ERR_UNAVAILABLE);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-b"), ERR_OK);
	fake_rds_run_late(&c.box);
	cr_assert_eq(row(&c)->record.n_holders, 1);
	cr_assert(row(&c)->is_exported);
	ctl_close(&c);
}
