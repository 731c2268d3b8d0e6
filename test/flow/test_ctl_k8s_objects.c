#include "fakes/ctl_cluster.h"

/* ---- what the objects say and the record does not ------------------------------------
 */

Test(ctl_k8s_objects, an_empty_comment_says_nothing_and_the_objects_decide)
{
	struct ctl c;

	open_with_volume(&c);
	row(&c)->record = (struct rds_record){ .kind = RDS_RECORD_NONE };
	row(&c)->is_exported = true;
	attach_object(&c, "node-a", true);
	ctl_restart(&c);
	cr_assert_eq(gauge(&c), 1);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_PRECONDITION);
	cr_assert_not_null(strstr(ctl_message(), "node-a"), "%s", ctl_message());
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(row(&c)->record.kind, RDS_RECORD_OURS);
	cr_assert_eq(row(&c)->record.n_holders, 1);
	ctl_close(&c);
}

Test(ctl_k8s_objects, one_of_two_that_an_older_driver_attached_leaves_and_the_other_stays)
{
	struct k8s_pv pv = { .o = { .kind = K8S_PV, .name = "pv-1" },
			     .handle = "pvc-1",
			     .modes = K8S_PV_RWX,
			     .is_block = true };
	struct ctl c;

	open_with_volume(&c);
	fake_k8s_put(&c.cluster, &pv.o);
	for (int kind = 0; kind < 2; kind++) {
		row(&c)->record = (struct rds_record){
			.kind = kind ? RDS_RECORD_OURS : RDS_RECORD_NONE,
			.nonce = "00001234",
			.cluster = "cluster-1",
		};
		row(&c)->is_exported = true;
		attach_object(&c, "node-a", true);
		attach_object(&c, "node-b", true);
		ctl_restart(&c);
		cr_assert_eq(attach(&c, "node-c", RWX), ERR_PRECONDITION);
		cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
		cr_assert(row(&c)->is_exported, "the other one was cut off");
		cr_assert_eq(row(&c)->record.n_holders, 0);
		cr_assert_eq(gauge(&c), 1);
		cr_assert_eq(detach(&c, "node-b"), ERR_OK);
		cr_assert(!row(&c)->is_exported);
		cr_assert_eq(gauge(&c), 0);
		detach_object(&c, "node-c");
	}
	ctl_close(&c);
}

Test(ctl_k8s_objects, where_record_and_objects_disagree_nobody_new_is_let_in)
{
	struct ctl c;

	open_with_volume(&c);
	/* Another driver published it and left our record as it was. */
	attach_object(&c, "node-a", true);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_PRECONDITION);
	cr_assert_eq(metric_counted(METRIC_DISAGREEMENTS, 0, 0), 1);
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_OK);
	/* A script that was cut off took the record away: the acknowledgement is left. */
	attach_object(&c, "node-b", false);
	memcpy(row(&c)->record.nonce, "ffffffff", RDS_NONCE);
	row(&c)->record.n_holders = 0;
	row(&c)->is_exported = false;
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_PRECONDITION);
	cr_assert_eq(gauge(&c), 1);
	cr_assert_eq(detach(&c, "node-b"), ERR_OK);
	cr_assert_eq(gauge(&c), 0);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	ctl_close(&c);
}

/* attached=false is none: the attach-detach controller makes such for dead nodes. */
Test(ctl_k8s_objects, an_object_that_was_never_attached_is_no_holder)
{
	struct ctl c;

	open_with_volume(&c);
	attach_object(&c, "node-c", false);
	cr_assert_eq(gauge(&c), 0);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	cr_assert_eq(gauge(&c), 1);
	ctl_close(&c);
}

Test(ctl_k8s_objects, the_record_gives_way_after_two_sightings_without_an_object)
{
	for (int is_dead = 0; is_dead < 2; is_dead++) {
		struct ctl c;

		open_with_volume(&c);
		cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
		ctl_idle(&c);
		clock_hold(&c.l.uv);
		c.csi.fence_settle_ms = 0;
		detach_object(&c, "node-a");
		cr_assert_eq(gauge(&c), 1, "the record still names it");
		fake_k8s_node(&c.cluster, "node-a", !is_dead, false, NULL);
		attach_object(&c, "node-b", false);
		cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
		/* Not while the node is well and says that it uses the volume. */
		clock_advance(&c.l.uv, 1000);
		c.csi.attach.interval_ms = 1000;
		fake_k8s_node(&c.cluster, "node-a", true, false, "pvc-1");
		cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
		fake_k8s_node(&c.cluster, "node-a", !is_dead, false, NULL);
		c.csi.attach.interval_ms = 300 * 1000;
		clock_advance(&c.l.uv, 298 * 1000);
		cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION);
		clock_advance(&c.l.uv, 1000);
		struct grpc_call call;
		Csi__V1__ControllerPublishVolumeRequest req;
		struct ctl_cap cap;

		csi__v1__controller_publish_volume_request__init(&req);
		ctl_cap(&cap, RWO);
		req.volume_id = (char *)(uintptr_t) "pvc-1";
		req.node_id = (char *)(uintptr_t) "node-b";
		req.volume_capability = &cap.cap;
		ctl_start(&c, &call, "ControllerPublishVolume", &req);
		while (!call.n_answers) {
			uv_run(&c.l.uv, UV_RUN_NOWAIT);
			clock_advance(&c.l.uv, 0);
		}
		cr_assert_eq(call.err.code, ERR_OK, "%s", call.err.msg);
		ctl_call_free(&call);
		cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], is_dead);
		cr_assert_eq(row(&c)->record.n_holders, 1);
		cr_assert_eq(metric_counted(METRIC_STALE_CLEARED, 0, 0), 1);
		ctl_close(&c);
	}
}

/* ---- PVs, names, deletion ------------------------------------------------------------
 */

Test(ctl_k8s_objects, two_PVs_on_one_handle_are_one_volume)
{
	struct ctl c;

	open_with_volume(&c);
	fake_k8s_pv(&c.cluster, "pv-2", "pvc-1");
	fake_k8s_va(&c.cluster, "csi-x", NULL, "node-a", "pv-2", true);
	attach_object(&c, "node-a", true);
	cr_assert_eq(gauge(&c), 1);
	cr_assert_eq(attach(&c, "node-b", ROX), ERR_PRECONDITION);
	ctl_close(&c);
}

Test(ctl_k8s_objects, an_object_whose_PV_nobody_knows_is_resolved_first)
{
	struct ctl c;

	open_with_volume(&c);
	/* Its PV is not in the store yet; the API server has it. */
	fake_k8s_hold(&c.cluster, K8S_PV);
	fake_k8s_pv(&c.cluster, "pv-9", "pvc-1");
	fake_k8s_va(&c.cluster, "csi-9", NULL, "node-a", "pv-9", true);
	c.cluster.fault.what = FAKE_K8S_REFUSE;
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_UNAVAILABLE);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_PRECONDITION, "%s",
		     ctl_message());
	cr_assert_eq(fake_k8s_count(&c.cluster, K8S_GET, K8S_PV), 2);
	/* No PV at all: then it is a volume of that name. */
	cr_assert_eq(ctl_create(&c, "pvc-7", GIB), ERR_OK);
	fake_k8s_va(&c.cluster, "csi-7", NULL, "node-a", "pvc-7", true);
	cr_assert_eq(ctl_publish(&c, "pvc-7", "node-b"), ERR_PRECONDITION);
	cr_assert_eq(ctl_delete(&c, "pvc-7"), ERR_PRECONDITION);
	ctl_close(&c);
}

Test(ctl_k8s_objects, a_volume_with_any_VolumeAttachment_is_not_deleted)
{
	struct ctl c;

	open_with_volume(&c);
	attach_object(&c, "node-c", false);
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_PRECONDITION);
	cr_assert_not_null(strstr(ctl_message(), "node-c"), "%s", ctl_message());
	detach_object(&c, "node-c");
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_OK, "%s", ctl_message());
	ctl_close(&c);
}

Test(ctl_k8s_objects, a_disk_that_no_PV_names_and_no_record_marks_is_not_deleted)
{
	struct ctl c;

	open_with_volume(&c);
	c.box.may_adopt = true; /* the port leaves it to the controller */
	cr_assert_not_null(fake_rds_add(&c.box, "foreign", 1 << 30));
	cr_assert_eq(ctl_delete(&c, "foreign"), ERR_PRECONDITION);
	cr_assert_not_null(fake_rds_find(&c.box, "foreign"));
	cr_assert_eq(ctl_publish(&c, "foreign", "node-a"), ERR_PRECONDITION);
	fake_k8s_pv(&c.cluster, "static", "foreign");
	cr_assert_eq(ctl_publish(&c, "foreign", "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(ctl_unpublish(&c, "foreign", "node-a"), ERR_OK);
	cr_assert_eq(ctl_delete(&c, "foreign"), ERR_OK, "%s", ctl_message());
	ctl_close(&c);
}

/* An object that could not be decoded may say anything. */
Test(ctl_k8s_objects, what_cannot_be_read_is_not_concluded_from)
{
	struct k8s_store *vas, *nodes;
	struct ctl c;

	open_with_volume(&c);
	vas = &c.cluster.k8s.stores[K8S_VA];
	nodes = &c.cluster.k8s.stores[K8S_NODE];
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	cr_assert_eq(k8s_store_put_unreadable(nodes, "node-a"), 0);
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(fake_k8s_count(&c.cluster, K8S_GET, K8S_NODE), 1);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_PRECONDITION);
	cr_assert_eq(k8s_store_put_unreadable(vas, "csi-x"), 0);
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_UNAVAILABLE);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_OK,
		     "the record says enough");
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-b"), ERR_OK);
	row(&c)->record = (struct rds_record){ .kind = RDS_RECORD_NONE };
	ctl_restart(&c);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_UNAVAILABLE);
	k8s_store_remove(vas, "csi-x");
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_OK, "%s", ctl_message());
	ctl_close(&c);
}

Test(ctl_k8s_objects, unpublish_of_every_node_is_judged_by_each)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_OK);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", ""), ERR_OK);
	cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], 0);
	cr_assert_eq(gauge(&c), 0);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_OK);
	fake_k8s_node(&c.cluster, "node-b", true, false, "pvc-1");
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", ""), ERR_OK);
	cr_assert_eq(c.box.n_kind[RDS_FENCE_FINISH], 1);
	cr_assert(!row(&c)->is_exported);
	cr_assert_eq(gauge(&c), 0);
	ctl_close(&c);
}

Test(ctl_k8s_objects, annotations_are_written_behind_and_waited_for_by_nobody)
{
	const struct fake_k8s_request *last;
	struct ctl c;

	open_with_volume(&c);
	c.cluster.fault = (struct fake_k8s_fault){ .what = FAKE_K8S_HANG };
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	ctl_idle(&c);
	use_and_leave(&c, "node-a");
	cr_assert_eq(detach(&c, "node-a"), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_OK);
	ctl_idle(&c);
	cr_assert_eq(fake_k8s_count(&c.cluster, K8S_PATCH, K8S_PV), 1);
	clock_hold(&c.l.uv);
	clock_advance(&c.l.uv, 10 * 1000);
	ctl_idle(&c);
	/* Of what came meanwhile only the last word is written. */
	cr_assert_eq(fake_k8s_count(&c.cluster, K8S_PATCH, K8S_PV), 2);
	last = &c.cluster.requests[c.cluster.n_requests - 1];
	cr_assert_str_eq(last->name, "pv-1");
	cr_assert_not_null(strstr(last->body, "\"rds.csi.srvlab.io/attached-node\":"
					      "\"node-b\""),
			   "%s", last->body);
	cr_assert_eq(last->code, ERR_OK);
	/* One that hangs does not keep the process. */
	c.cluster.fault = (struct fake_k8s_fault){ .what = FAKE_K8S_HANG };
	use_and_leave(&c, "node-b");
	cr_assert_eq(detach(&c, "node-b"), ERR_OK);
	ctl_idle(&c);
	ctl_close(&c);
}
