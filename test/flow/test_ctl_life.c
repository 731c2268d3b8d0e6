#include "fakes/call_seam.h"

#define GIB (INT64_C(1) << 30)
#define TEXT(s) ((char *)(uintptr_t)(s))

static const struct rds_volume *row(struct ctl *c, const char *id)
{
	const struct rds_volume *v = fake_rds_find(&c->box, id);

	cr_assert_not_null(v, "%s is not on the box", id);
	return v;
}

Test(ctl_life, a_volume_s_whole_life_takes_one_exec_per_step)
{
	struct ctl c;

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	cr_assert_eq(c.box.n_execs, 1);
	cr_assert(!row(&c, "pvc-1")->is_exported);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(c.box.n_execs, 2);
	cr_assert(row(&c, "pvc-1")->is_exported);
	cr_assert_str_eq(row(&c, "pvc-1")->record.holders[0].node, "node-a");
	cr_assert_eq(attachments_count(c.csi.attachments), 1);
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_OK);
	cr_assert_eq(c.box.n_execs, 3);
	cr_assert(!row(&c, "pvc-1")->is_exported);
	cr_assert_eq(row(&c, "pvc-1")->record.n_holders, 0);
	cr_assert_eq(attachments_count(c.csi.attachments), 0);
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_OK);
	cr_assert_eq(c.box.n_execs, 4);
	cr_assert_null(fake_rds_find(&c.box, "pvc-1"));
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_OK);
	ctl_close(&c);
}

/* What a CreateVolume request asks for, and what must come of it. */
struct create_case {
	int64_t required, limit;
	enum err_code code;
	int64_t bytes;
};

static enum err_code create(struct ctl *c, struct grpc_call *call, const char *id,
			    const struct create_case *k)
{
	Csi__V1__CreateVolumeRequest req;
	Csi__V1__CapacityRange range;
	struct ctl_cap cap;

	csi__v1__create_volume_request__init(&req);
	csi__v1__capacity_range__init(&range);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	range.required_bytes = k->required;
	range.limit_bytes = k->limit;
	req.name = TEXT(id);
	req.capacity_range = &range;
	req.n_volume_capabilities = 1;
	req.volume_capabilities = cap.list;
	return ctl_call(c, call, "CreateVolume", &req);
}

Test(ctl_life, sizes_are_exact_in_the_answer_and_on_the_box)
{
	static const struct create_case cases[] = {
		{ 0, 0, ERR_OK, GIB },
		{ 1, 0, ERR_OK, GIB },
		{ GIB * 3 / 2 + 1, 0, ERR_OK, GIB * 3 / 2 + (1 << 20) },
		{ INT64_C(2500) << 20, 0, ERR_OK, INT64_C(2500) << 20 },
		{ GIB << 14, 0, ERR_OK, GIB << 14 },
		{ (GIB << 14) - 1, 0, ERR_OK, GIB << 14 },
		{ (GIB << 14) + 1, 0, ERR_RANGE, 0 },
		{ INT64_MAX, 0, ERR_RANGE, 0 },
		{ 1, GIB - 1, ERR_RANGE, 0 },
		{ 0, GIB, ERR_OK, GIB },
		{ GIB + 1, GIB + 1, ERR_RANGE, 0 },
		{ GIB + 1, GIB + (1 << 20), ERR_OK, GIB + (1 << 20) },
		{ -1, 0, ERR_INVALID, 0 },
		{ GIB, -1, ERR_INVALID, 0 },
	};
	struct ctl c;

	ctl_open(&c);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct grpc_call call;
		Csi__V1__CreateVolumeResponse *resp;
		char id[16];

		snprintf(id, sizeof(id), "v%zu", i);
		cr_assert_eq(create(&c, &call, id, &cases[i]), cases[i].code,
			     "case %zu: %s", i, call.err.msg);
		if (cases[i].code == ERR_OK) {
			resp = ctl_reply(&call,
					 &csi__v1__create_volume_response__descriptor);
			cr_assert_eq(resp->volume->capacity_bytes, cases[i].bytes,
				     "case %zu", i);
			cr_assert_eq((int64_t)row(&c, id)->size_bytes, cases[i].bytes);
			protobuf_c_message_free_unpacked(&resp->base, NULL);
		} else {
			cr_assert_null(fake_rds_find(&c.box, id));
		}
		ctl_call_free(&call);
	}
	ctl_close(&c);
}

Test(ctl_life, create_again_is_the_same_volume_or_ALREADY_EXISTS)
{
	static const struct {
		struct create_case k;
	} again[] = {
		{ { 2 * GIB, 2 * GIB, ERR_OK, 2 * GIB } },
		{ { GIB, 3 * GIB, ERR_OK, 2 * GIB } },
		{ { 2 * GIB, 0, ERR_OK, 2 * GIB } },
		{ { 4 * GIB, 4 * GIB, ERR_EXISTS, 0 } },
		{ { GIB, GIB, ERR_EXISTS, 0 } },
		{ { 3 * GIB, 0, ERR_EXISTS, 0 } },
	};
	struct ctl c;
	struct grpc_call call;

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "pvc-1", 2 * GIB), ERR_OK);
	for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
		cr_assert_eq(create(&c, &call, "pvc-1", &again[i].k), again[i].k.code,
			     "case %zu: %s", i, call.err.msg);
		ctl_call_free(&call);
	}
	cr_assert_eq(row(&c, "pvc-1")->size_bytes, 2 * GIB);
	ctl_close(&c);
}

static const char *context(const Csi__V1__Volume *v, const char *key)
{
	for (size_t i = 0; i < v->n_volume_context; i++)
		if (strcmp(v->volume_context[i]->key, key) == 0)
			return v->volume_context[i]->value;
	return NULL;
}

Test(ctl_life, volume_context_has_the_keys_that_existing_volumes_have)
{
	static const struct {
		const char *key, *value;
	} want[] = {
		{ "rdsAddress", "10.0.0.1" },
		{ "nvmeAddress", "10.0.0.1" },
		{ "nvmePort", "4420" },
		{ "nqn", "nqn.2000-02.com.mikrotik:pvc-1" },
		{ "volumePath", "/pool/csi/pvc-1.img" },
		{ "ctrlLossTmo", "-1" },
		{ "reconnectDelay", "5" },
		{ "keepAliveTmo", "0" },
		{ "migrationTimeoutSeconds", "300" },
		{ "fsIdentity", "volume-id" },
	};
	struct ctl c;
	struct grpc_call call;
	struct create_case k = { GIB, 0, ERR_OK, GIB };
	Csi__V1__CreateVolumeResponse *resp;

	ctl_open(&c);
	cr_assert_eq(create(&c, &call, "pvc-1", &k), ERR_OK);
	resp = ctl_reply(&call, &csi__v1__create_volume_response__descriptor);
	cr_assert_str_eq(resp->volume->volume_id, "pvc-1");
	cr_assert_eq(resp->volume->n_volume_context, 10);
	for (size_t i = 0; i < 10; i++) {
		const char *got = context(resp->volume, want[i].key);

		cr_assert_not_null(got, "%s", want[i].key);
		cr_assert_str_eq(got, want[i].value, "%s", want[i].key);
	}
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	ctl_call_free(&call);
	ctl_close(&c);
}

static const char *told(const Csi__V1__ControllerPublishVolumeResponse *r,
			const char *key)
{
	for (size_t i = 0; i < r->n_publish_context; i++)
		if (strcmp(r->publish_context[i]->key, key) == 0)
			return r->publish_context[i]->value;
	return "(none)";
}

Test(ctl_life, publish_context_tells_where_and_which)
{
	struct ctl c;
	struct grpc_call call;
	struct ctl_cap cap;
	Csi__V1__ControllerPublishVolumeRequest req;
	Csi__V1__ControllerPublishVolumeRequest__VolumeContextEntry e,
		*entries[] = { &e };
	Csi__V1__ControllerPublishVolumeResponse *resp;
	char nqn[RDS_NQN_MAX + 1];

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	memcpy(nqn, row(&c, "pvc-1")->nqn, sizeof(nqn));
	csi__v1__controller_publish_volume_request__init(&req);
	csi__v1__controller_publish_volume_request__volume_context_entry__init(&e);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	cap.mount.fs_type = TEXT("xfs");
	e.key = TEXT("nvmeAddress");
	e.value = TEXT("10.9.9.9");
	req.volume_id = TEXT("pvc-1");
	req.node_id = TEXT("node-b");
	req.volume_capability = &cap.cap;
	req.n_volume_context = 1;
	req.volume_context = entries;
	cr_assert_eq(ctl_call(&c, &call, "ControllerPublishVolume", &req), ERR_OK);
	resp = ctl_reply(&call, &csi__v1__controller_publish_volume_response__descriptor);
	cr_assert_str_eq(told(resp, "nvme_address"), "10.9.9.9");
	cr_assert_str_eq(told(resp, "nvme_port"), "4420");
	cr_assert_str_eq(told(resp, "nvme_nqn"), nqn);
	cr_assert_str_eq(told(resp, "fs_type"), "xfs");
	cr_assert_str_eq(told(resp, "rds_csi_ctx"), "2");
	cr_assert_str_eq(told(resp, "size_bytes"), "1073741824");
	cr_assert_str_eq(told(resp, "fence_gen"), "0");
	cr_assert_str_eq(told(resp, "readonly"), "false");
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	ctl_call_free(&call);
	ctl_close(&c);
}

static int64_t expand_limit;

static enum err_code expand(struct ctl *c, struct grpc_call *call, const char *id,
			    int64_t bytes, int mode)
{
	Csi__V1__ControllerExpandVolumeRequest req;
	Csi__V1__CapacityRange range;
	struct ctl_cap cap;

	csi__v1__controller_expand_volume_request__init(&req);
	csi__v1__capacity_range__init(&range);
	ctl_cap(&cap, mode);
	range.required_bytes = bytes;
	range.limit_bytes = expand_limit;
	req.volume_id = TEXT(id);
	req.capacity_range = bytes ? &range : NULL;
	req.volume_capability = &cap.cap;
	return ctl_call(c, call, "ControllerExpandVolume", &req);
}

Test(ctl_life, expand_is_exact_and_a_retry_still_sends_the_node)
{
	static const struct {
		int64_t ask, want;
		int mode;
	} steps[] = {
		{ 2 * GIB + 1, 2 * GIB + (1 << 20), CTL_MODE(SINGLE_NODE_WRITER) },
		{ 2 * GIB + 1, 2 * GIB + (1 << 20), CTL_MODE(SINGLE_NODE_WRITER) },
		{ GIB, 2 * GIB + (1 << 20), CTL_MODE(SINGLE_NODE_WRITER) },
		{ 3 * GIB, 3 * GIB, CTL_MODE(MULTI_NODE_MULTI_WRITER) },
	};
	struct ctl c;
	struct grpc_call call;

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		Csi__V1__ControllerExpandVolumeResponse *resp;

		cr_assert_eq(expand(&c, &call, "pvc-1", steps[i].ask, steps[i].mode),
			     ERR_OK, "%s", call.err.msg);
		resp = ctl_reply(&call,
				 &csi__v1__controller_expand_volume_response__descriptor);
		cr_assert_eq(resp->capacity_bytes, steps[i].want);
		cr_assert(resp->node_expansion_required);
		protobuf_c_message_free_unpacked(&resp->base, NULL);
		ctl_call_free(&call);
	}
	cr_assert_eq(expand(&c, &call, "pvc-2", GIB, steps[0].mode), ERR_NOT_FOUND);
	ctl_call_free(&call);
	cr_assert_eq(expand(&c, &call, "pvc-1", 0, steps[0].mode), ERR_INVALID);
	ctl_call_free(&call);
	cr_assert_eq(expand(&c, &call, "pvc-1", (GIB << 14) + 1, steps[0].mode),
		     ERR_RANGE);
	ctl_call_free(&call);
	expand_limit = 3 * GIB; /* as large as it is */
	cr_assert_eq(expand(&c, &call, "pvc-1", 2 * GIB, steps[0].mode), ERR_OK);
	ctl_call_free(&call);
	expand_limit = 3 * GIB - 1;
	cr_assert_eq(expand(&c, &call, "pvc-1", 2 * GIB, steps[0].mode), ERR_RANGE);
	ctl_call_free(&call);
	ctl_close(&c);
}

Test(ctl_life, the_answers_that_a_conformance_suite_expects)
{
	struct ctl c;

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "", GIB), ERR_INVALID);
	cr_assert_eq(ctl_delete(&c, ""), ERR_INVALID);
	cr_assert_eq(ctl_delete(&c, "fake-vol-id"), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "", "node-a"), ERR_INVALID);
	cr_assert_eq(ctl_publish(&c, "fake-vol-id-1", ""), ERR_INVALID);
	cr_assert_eq(ctl_publish_as(&c, "fake-vol-id-1", "fake-node-id", 0, false),
		     ERR_INVALID);
	cr_assert_eq(ctl_publish(&c, "fake-vol-id-1", "fake-node-id"), ERR_NOT_FOUND);
	cr_assert_eq(ctl_publish(&c, "fake-vol-id-1", "node-a"), ERR_NOT_FOUND);
	cr_assert_eq(ctl_unpublish(&c, "", "node-a"), ERR_INVALID);
	cr_assert_eq(ctl_unpublish(&c, "fake-vol-id-1", "node-a"), ERR_OK);
	cr_assert_eq(ctl_create(&c, "sanity", GIB), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "sanity", "fake-node-id-1"), ERR_NOT_FOUND);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(ctl_publish(&c, "sanity", "node-a"), ERR_OK);
	cr_assert_eq(ctl_publish_as(&c, "sanity", "node-a", CTL_MODE(SINGLE_NODE_WRITER),
				    true),
		     ERR_EXISTS);
	cr_assert_eq(ctl_unpublish(&c, "sanity", ""), ERR_OK);
	cr_assert_eq(row(&c, "sanity")->record.n_holders, 0);
	cr_assert_eq(ctl_unpublish(&c, "sanity", "node-a"), ERR_OK);
	cr_assert_eq(ctl_delete(&c, "sanity"), ERR_OK);
	cr_assert_eq(ctl_unpublish(&c, "sanity", "node-a"), ERR_OK);
	ctl_close(&c);
}

Test(ctl_life, what_a_volume_id_may_not_hold_never_reaches_the_box)
{
	static const char *const ids[] = {
		"../raid1", "a/b",  "a b", "a\"b", "a$b",      "a[b", "a;b", "a\nb",
		"-a",	    "a\\b", "a.b", "a_b",  "\xc3\xa9", "a:b", "{a}", "a=b",
	};
	char longest[130];
	struct ctl c;

	ctl_open(&c);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		cr_assert_eq(ctl_create(&c, ids[i], GIB), ERR_INVALID, "%s", ids[i]);
		cr_assert_eq(ctl_delete(&c, ids[i]), ERR_OK, "%s", ids[i]);
		cr_assert_eq(ctl_publish(&c, ids[i], "node-a"), ERR_NOT_FOUND, "%s",
			     ids[i]);
		cr_assert_eq(ctl_unpublish(&c, ids[i], "node-a"), ERR_OK, "%s", ids[i]);
	}
	memset(longest, 'a', 129);
	longest[129] = '\0';
	cr_assert_eq(ctl_create(&c, longest, GIB), ERR_INVALID);
	cr_assert_eq(c.box.n_execs, 0);
	longest[128] = '\0';
	cr_assert_eq(ctl_create(&c, longest, GIB), ERR_OK);
	ctl_close(&c);
}

Test(ctl_life, a_disk_that_is_none_of_ours_stays_as_it_is)
{
	static const char *const ids[] = { "raid1", "unmarked", "foreign", "garbled" };
	struct rds_volume before[4], *v;
	struct grpc_call call;
	struct ctl c;

	ctl_open(&c);
	for (int i = 0; i < 4; i++) {
		v = fake_rds_add(&c.box, ids[i], 4 * GIB);
		v->is_file_disk = i != 0;
		v->record.kind = i == 2	  ? RDS_RECORD_FOREIGN
				 : i == 3 ? RDS_RECORD_UNREADABLE
					  : RDS_RECORD_NONE;
		v->is_exported = i % 2;
		before[i] = *v;
	}
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(ctl_publish(&c, ids[i], "node-a"), ERR_PRECONDITION, "%s",
			     ids[i]);
		cr_assert_eq(ctl_unpublish(&c, ids[i], "node-a"), ERR_PRECONDITION);
		cr_assert_eq(ctl_create(&c, ids[i], 4 * GIB), ERR_PRECONDITION);
		cr_assert_eq(ctl_delete(&c, ids[i]), ERR_PRECONDITION);
		cr_assert_eq(expand(&c, &call, ids[i], 5 * GIB, 1), ERR_PRECONDITION);
		ctl_call_free(&call);
		cr_assert_eq(memcmp(row(&c, ids[i]), &before[i], sizeof(before[i])), 0,
			     "%s was changed", ids[i]);
	}
	ctl_close(&c);
}

Test(ctl_life, an_unmarked_volume_is_adopted_where_that_is_allowed)
{
	struct ctl c;

	ctl_open(&c);
	c.csi.may_adopt_unmarked = c.box.may_adopt = true;
	cr_assert_not_null(fake_rds_add(&c.box, "old-1", GIB));
	cr_assert_eq(ctl_publish(&c, "old-1", "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(row(&c, "old-1")->record.kind, RDS_RECORD_OURS);
	cr_assert_str_eq(row(&c, "old-1")->record.cluster, "cluster-1");
	cr_assert_eq(ctl_publish(&c, "old-1", "node-b"), ERR_PRECONDITION);
	cr_assert_eq(ctl_unpublish(&c, "old-1", "node-a"), ERR_OK);
	/* One whose NQN is not of the id bears no trace of its generation. */
	snprintf(fake_rds_add(&c.box, "old-2", GIB)->nqn, RDS_NQN_MAX, "nqn.other");
	cr_assert_eq(ctl_publish(&c, "old-2", "node-a"), ERR_PRECONDITION);
	ctl_close(&c);
}

Test(ctl_life, a_held_volume_is_not_deleted)
{
	struct ctl c;

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-b"), ERR_OK);
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_PRECONDITION);
	cr_assert_not_null(strstr(ctl_message(), "node-b"), "%s", ctl_message());
	cr_assert(row(&c, "pvc-1")->is_exported);
	ctl_close(&c);
}

Test(ctl_life, what_cannot_be_asked_of_a_create_is_refused_before_the_box)
{
	struct ctl c;
	struct grpc_call call;
	struct ctl_cap cap;
	Csi__V1__CreateVolumeRequest req;
	Csi__V1__CreateVolumeRequest__ParametersEntry e, *entries[] = { &e };
	Csi__V1__VolumeContentSource source;

	ctl_open(&c);
	csi__v1__create_volume_request__init(&req);
	csi__v1__create_volume_request__parameters_entry__init(&e);
	csi__v1__volume_content_source__init(&source);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	req.name = TEXT("pvc-1");
	cr_assert_eq(ctl_call(&c, &call, "CreateVolume", &req), ERR_INVALID);
	ctl_call_free(&call);
	req.n_volume_capabilities = 1;
	req.volume_capabilities = cap.list;
	req.volume_content_source = &source;
	cr_assert_eq(ctl_call(&c, &call, "CreateVolume", &req), ERR_INVALID);
	ctl_call_free(&call);
	req.volume_content_source = NULL;
	req.n_parameters = 1;
	req.parameters = entries;
	e.key = TEXT("volumPath");
	cr_assert_eq(ctl_call(&c, &call, "CreateVolume", &req), ERR_INVALID);
	cr_assert_not_null(strstr(call.err.msg, "volumPath"));
	ctl_call_free(&call);
	req.n_parameters = 0;
	cap.mode.mode = CTL_MODE(MULTI_NODE_MULTI_WRITER); /* with a file system */
	cr_assert_eq(ctl_call(&c, &call, "CreateVolume", &req), ERR_INVALID);
	ctl_call_free(&call);
	cr_assert_eq(c.box.n_execs, 0);
	ctl_close(&c);
}
