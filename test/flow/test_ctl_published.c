/* Which nodes a volume is said to be published to, and what the attacher makes of it. */
#include "fakes/ctl_cluster.h"

typedef Csi__V1__ListVolumesResponse page;

/* The only volume's nodes, "a,b"; "?" when the call fails. */
static const char *listed(struct ctl *c)
{
	static char text[256];
	struct grpc_call call;
	Csi__V1__ListVolumesRequest req;
	page *p;

	csi__v1__list_volumes_request__init(&req);
	if (ctl_call(c, &call, "ListVolumes", &req) != ERR_OK) {
		ctl_call_free(&call);
		return "?";
	}
	p = ctl_reply(&call, &csi__v1__list_volumes_response__descriptor);
	ctl_call_free(&call);
	cr_assert_eq(p->n_entries, 1);
	cr_assert_not_null(p->entries[0]->status, "reads as detached");
	text[0] = '\0';
	for (size_t i = 0; i < p->entries[0]->status->n_published_node_ids; i++) {
		strcat(text, i ? "," : "");
		strcat(text, p->entries[0]->status->published_node_ids[i]);
	}
	protobuf_c_message_free_unpacked(&p->base, NULL);
	return text;
}

static const char *got(struct ctl *c)
{
	static char text[256];
	struct grpc_call call;
	Csi__V1__ControllerGetVolumeRequest req;
	Csi__V1__ControllerGetVolumeResponse *resp;
	static char id[] = "pvc-1";

	csi__v1__controller_get_volume_request__init(&req);
	req.volume_id = id;
	cr_assert_eq(ctl_call(c, &call, "ControllerGetVolume", &req), ERR_OK);
	resp = ctl_reply(&call, &csi__v1__controller_get_volume_response__descriptor);
	ctl_call_free(&call);
	text[0] = '\0';
	for (size_t i = 0; i < resp->status->n_published_node_ids; i++) {
		strcat(text, i ? "," : "");
		strcat(text, resp->status->published_node_ids[i]);
	}
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	return text;
}

/* What the attacher does each minute with one VolumeAttachment that is not being deleted:
 * where its status and the list differ, ControllerPublish. */
static enum err_code sync_attachment(struct ctl *c, const char *node, bool is_attached)
{
	const char *nodes = listed(c);
	enum err_code code;

	cr_assert_str_neq(nodes, "?");
	if ((strstr(nodes, node) != NULL) == is_attached)
		return ERR_OK;
	code = ctl_publish_as(c, "pvc-1", node, RWO, false);
	if (code == ERR_OK)
		attach_object(c, node, true);
	return code;
}

Test(ctl_published, what_only_an_object_says_gets_into_the_record_within_a_minute)
{
	struct ctl c;

	open_with_volume(&c);
	row(&c)->record = (struct rds_record){ .kind = RDS_RECORD_OURS,
					       .nonce = "00001234",
					       .cluster = "cluster-1" };
	row(&c)->is_exported = true;
	attach_object(&c, "node-a", true);
	ctl_restart(&c);
	cr_assert_str_eq(listed(&c), "");
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_PRECONDITION);
	cr_assert_eq(sync_attachment(&c, "node-a", true), ERR_OK, "%s", ctl_message());
	cr_assert_str_eq(listed(&c), "node-a");
	cr_assert_str_eq(got(&c), "node-a");
	cr_assert(row(&c)->is_exported);
	/* And no further call is made. */
	unsigned n = c.box.n_kind[RDS_PUBLISH];

	cr_assert_eq(sync_attachment(&c, "node-a", true), ERR_OK);
	cr_assert_eq(c.box.n_kind[RDS_PUBLISH], n);
	ctl_close(&c);
}

/* Its VolumeAttachment may stay for a while, attached: a sync does not let it in again.
 */
Test(ctl_published, a_node_that_was_cut_off_is_not_let_in_again_by_a_sync)
{
	struct ctl c;

	open_with_volume(&c);
	c.csi.fence_settle_ms = 0;
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	fake_k8s_node(&c.cluster, "node-a", true, true, "pvc-1"); /* out of service */
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_OK, "%s", ctl_message());
	cr_assert_str_eq(listed(&c), "node-b");
	cr_assert_eq(sync_attachment(&c, "node-a", true), ERR_PRECONDITION);
	cr_assert_eq(sync_attachment(&c, "node-b", true), ERR_OK);
	cr_assert_str_eq(listed(&c), "node-b");
	ctl_close(&c);
}

Test(ctl_published, one_that_was_let_go_and_is_not_cut_off_yet_is_not_listed)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_OK);
	cr_assert_str_eq(listed(&c), "node-a,node-b");
	fake_k8s_remove(&c.cluster, K8S_NODE, NULL, "node-a");
	cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(row(&c)->record.n_holders, 2, "it may still write");
	cr_assert_str_eq(listed(&c), "node-b");
	cr_assert_str_eq(got(&c), "node-b");
	ctl_close(&c);
}

/* An empty list would have everything attached anew. */
Test(ctl_published, a_box_that_is_away_is_no_list_without_nodes)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	c.box.fault = FAKE_REFUSE;
	cr_assert_str_eq(listed(&c), "?");
	cr_assert_str_eq(listed(&c), "node-a");
	ctl_close(&c);
}
