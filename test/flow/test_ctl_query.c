#include "fakes/call_seam.h"

#define GIB (INT64_C(1) << 30)
#define TEXT(s) ((char *)(uintptr_t)(s))

typedef Csi__V1__ListVolumesResponse page;

static enum err_code list(struct ctl *c, int max, const char *token, page **ret)
{
	struct grpc_call call;
	Csi__V1__ListVolumesRequest req;
	enum err_code code;

	csi__v1__list_volumes_request__init(&req);
	req.max_entries = max;
	req.starting_token = TEXT(token);
	code = ctl_call(c, &call, "ListVolumes", &req);
	*ret = code == ERR_OK
		       ? ctl_reply(&call, &csi__v1__list_volumes_response__descriptor)
		       : NULL;
	ctl_call_free(&call);
	return code;
}

static void page_free(page *p)
{
	protobuf_c_message_free_unpacked(&p->base, NULL);
}

Test(ctl_query, list_sees_what_is_made_and_loses_what_is_deleted)
{
	struct ctl c;
	page *p;

	ctl_open(&c);
	cr_assert_eq(list(&c, 0, "", &p), ERR_OK);
	cr_assert_eq(p->n_entries, 0);
	page_free(p);
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	cr_assert_eq(ctl_create(&c, "pvc-2", 2 * GIB), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-2", "node-b"), ERR_OK);
	cr_assert_not_null(fake_rds_add(&c.box, "raid1", GIB)); /* without a record */
	cr_assert_eq(list(&c, 0, "", &p), ERR_OK);
	cr_assert_eq(p->n_entries, 2);
	cr_assert_str_eq(p->entries[0]->volume->volume_id, "pvc-1");
	cr_assert_not_null(p->entries[0]->status);
	cr_assert_eq(p->entries[0]->status->n_published_node_ids, 0);
	cr_assert_eq(p->entries[1]->volume->capacity_bytes, 2 * GIB);
	cr_assert_eq(p->entries[1]->status->n_published_node_ids, 1);
	cr_assert_str_eq(p->entries[1]->status->published_node_ids[0], "node-b");
	cr_assert_str_eq(p->next_token, "");
	page_free(p);
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_OK);
	cr_assert_eq(list(&c, 0, "", &p), ERR_OK);
	cr_assert_eq(p->n_entries, 1);
	page_free(p);
	ctl_close(&c);
}

Test(ctl_query, a_token_that_is_none_is_ABORTED)
{
	static const char *const tokens[] = { "invalid-token", "after:", "after:a/b", "0",
					      "after:a$b" };
	struct ctl c;
	page *p;

	ctl_open(&c);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		cr_assert_eq(list(&c, 0, tokens[i], &p), ERR_ABORTED, "%s", tokens[i]);
	cr_assert_eq(list(&c, -1, "", &p), ERR_INVALID);
	cr_assert_eq(c.box.n_execs, 0);
	ctl_close(&c);
}

/* Every volume that lives through the paging is told once, in order, whatever is made
 * and deleted meanwhile. */
Test(ctl_query, pages_stay_right_while_volumes_come_and_go)
{
	struct ctl c;
	char token[160] = "", last[RDS_ID_MAX + 1] = "", id[32];
	unsigned told = 0, pages = 0;

	ctl_open(&c);
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "v-%03d-stays", i);
		fake_rds_add(&c.box, id, GIB)->record.kind = RDS_RECORD_OURS;
	}
	do {
		page *p;

		cr_assert_eq(list(&c, 70, token, &p), ERR_OK);
		cr_assert_leq(p->n_entries, 70);
		for (size_t i = 0; i < p->n_entries; i++) {
			const char *now = p->entries[i]->volume->volume_id;

			cr_assert_lt(strcmp(last, now), 0);
			snprintf(last, sizeof(last), "%s", now);
			told += strstr(now, "stays") != NULL;
		}
		snprintf(token, sizeof(token), "%s", p->next_token);
		page_free(p);
		/* One behind, one ahead; the one behind goes again, being the token. */
		snprintf(id, sizeof(id), "v-%03u-new", pages * 70);
		cr_assert_eq(ctl_create(&c, id, GIB), ERR_OK);
		snprintf(id, sizeof(id), "v-%03u-new", pages * 35);
		cr_assert_eq(ctl_delete(&c, id), ERR_OK);
		pages++;
	} while (*token);
	cr_assert_eq(told, 1000);
	cr_assert_geq(pages, 15);
	ctl_close(&c);
}

Test(ctl_query, a_long_list_is_cut_into_pages_that_a_sidecar_can_receive)
{
	struct ctl c;
	char token[160] = "", id[RDS_ID_MAX + 1];
	unsigned told = 0, pages = 0;

	ctl_open(&c);
	memset(id, 'x', 110);
	for (int i = 0; i < 24000; i++) {
		snprintf(id + 110, sizeof(id) - 110, "%05d", i);
		fake_rds_add(&c.box, id, GIB)->record.kind = RDS_RECORD_OURS;
	}
	do {
		page *p;

		cr_assert_eq(list(&c, 0, token, &p), ERR_OK);
		cr_assert_leq(csi__v1__list_volumes_response__get_packed_size(p),
			      4 * 1024 * 1024 - 1024);
		told += p->n_entries;
		pages++;
		snprintf(token, sizeof(token), "%s", p->next_token);
		page_free(p);
	} while (*token);
	cr_assert_eq(told, 24000);
	cr_assert_geq(pages, 2);
	ctl_close(&c);
}

Test(ctl_query, get_volume)
{
	struct ctl c;
	struct grpc_call call;
	Csi__V1__ControllerGetVolumeRequest req;
	Csi__V1__ControllerGetVolumeResponse *resp;

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-c"), ERR_OK);
	csi__v1__controller_get_volume_request__init(&req);
	req.volume_id = TEXT("pvc-1");
	cr_assert_eq(ctl_call(&c, &call, "ControllerGetVolume", &req), ERR_OK);
	resp = ctl_reply(&call, &csi__v1__controller_get_volume_response__descriptor);
	cr_assert_str_eq(resp->volume->volume_id, "pvc-1");
	cr_assert_eq(resp->volume->capacity_bytes, GIB);
	cr_assert_eq(resp->status->n_published_node_ids, 1);
	cr_assert_str_eq(resp->status->published_node_ids[0], "node-c");
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	ctl_call_free(&call);
	req.volume_id = TEXT("pvc-2");
	cr_assert_eq(ctl_call(&c, &call, "ControllerGetVolume", &req), ERR_NOT_FOUND);
	ctl_call_free(&call);
	req.volume_id = TEXT("a;b");
	cr_assert_eq(ctl_call(&c, &call, "ControllerGetVolume", &req), ERR_NOT_FOUND);
	ctl_call_free(&call);
	req.volume_id = TEXT("");
	cr_assert_eq(ctl_call(&c, &call, "ControllerGetVolume", &req), ERR_INVALID);
	ctl_call_free(&call);
	ctl_close(&c);
}

static enum err_code validate(struct ctl *c, struct grpc_call *call, const char *id,
			      struct ctl_cap *cap, const char *key)
{
	Csi__V1__ValidateVolumeCapabilitiesRequest req;
	Csi__V1__ValidateVolumeCapabilitiesRequest__ParametersEntry e, *list1[] = { &e };

	csi__v1__validate_volume_capabilities_request__init(&req);
	csi__v1__validate_volume_capabilities_request__parameters_entry__init(&e);
	req.volume_id = TEXT(id);
	req.n_volume_capabilities = cap ? 1 : 0;
	req.volume_capabilities = cap ? cap->list : NULL;
	e.key = TEXT(key);
	e.value = TEXT("file");
	req.n_parameters = key ? 1 : 0;
	req.parameters = list1;
	return ctl_call(c, call, "ValidateVolumeCapabilities", &req);
}

Test(ctl_query, validate_confirms_all_or_says_why_not)
{
	struct ctl c;
	struct grpc_call call;
	struct ctl_cap cap;
	Csi__V1__ValidateVolumeCapabilitiesResponse *resp;

	ctl_open(&c);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	cr_assert_eq(validate(&c, &call, "", &cap, NULL), ERR_INVALID);
	ctl_call_free(&call);
	cr_assert_eq(validate(&c, &call, "pvc-1", NULL, NULL), ERR_INVALID);
	ctl_call_free(&call);
	cr_assert_eq(validate(&c, &call, "fake-vol-id-1", &cap, NULL), ERR_NOT_FOUND);
	ctl_call_free(&call);
	cr_assert_eq(validate(&c, &call, "pvc-1", &cap, "layout"), ERR_OK);
	resp = ctl_reply(&call,
			 &csi__v1__validate_volume_capabilities_response__descriptor);
	cr_assert_not_null(resp->confirmed);
	cr_assert_eq(resp->confirmed->n_volume_capabilities, 1);
	cr_assert_eq(resp->confirmed->n_parameters, 1);
	cr_assert_str_eq(resp->confirmed->parameters[0]->value, "file");
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	ctl_call_free(&call);
	for (int i = 0; i < 2; i++) {
		ctl_cap(&cap, i ? CTL_MODE(MULTI_NODE_SINGLE_WRITER)
				: CTL_MODE(SINGLE_NODE_WRITER));
		cr_assert_eq(validate(&c, &call, "pvc-1", &cap, i ? NULL : "layuot"),
			     ERR_OK);
		resp = ctl_reply(
			&call,
			&csi__v1__validate_volume_capabilities_response__descriptor);
		cr_assert_null(resp->confirmed);
		cr_assert(*resp->message);
		protobuf_c_message_free_unpacked(&resp->base, NULL);
		ctl_call_free(&call);
	}
	ctl_close(&c);
}

static Csi__V1__GetCapacityResponse *capacity(struct ctl *c, const char *path)
{
	struct grpc_call call;
	Csi__V1__GetCapacityRequest req;
	Csi__V1__GetCapacityRequest__ParametersEntry e, *entries[] = { &e };
	Csi__V1__GetCapacityResponse *resp;

	csi__v1__get_capacity_request__init(&req);
	csi__v1__get_capacity_request__parameters_entry__init(&e);
	e.key = TEXT("volumePath");
	e.value = TEXT(path);
	req.n_parameters = path ? 1 : 0;
	req.parameters = entries;
	cr_assert_eq(ctl_call(c, &call, "GetCapacity", &req), ERR_OK, "%s", call.err.msg);
	resp = ctl_reply(&call, &csi__v1__get_capacity_response__descriptor);
	ctl_call_free(&call);
	return resp;
}

static void expect_capacity(struct ctl *c, const char *path, int64_t free_bytes,
			    int64_t max_bytes)
{
	Csi__V1__GetCapacityResponse *r = capacity(c, path);

	cr_assert_eq(r->available_capacity, free_bytes);
	cr_assert_eq(r->maximum_volume_size->value, max_bytes);
	cr_assert_eq(r->minimum_volume_size->value, GIB);
	protobuf_c_message_free_unpacked(&r->base, NULL);
}

Test(ctl_query, capacity_is_read_once_in_ten_seconds_or_when_we_changed_it)
{
	struct ctl c;

	ctl_open(&c);
	clock_hold(&c.l.uv);
	c.box.free_bytes = (uint64_t)5 * GIB + 17;
	expect_capacity(&c, NULL, 5 * GIB + 17, 5 * GIB);
	c.box.free_bytes = (uint64_t)GIB - 1;
	clock_advance(&c.l.uv, 9999);
	expect_capacity(&c, NULL, 5 * GIB + 17, 5 * GIB);
	cr_assert_eq(c.box.n_execs, 1);
	clock_advance(&c.l.uv, 1);
	expect_capacity(&c, NULL, GIB - 1, 0);
	cr_assert_eq(c.box.n_execs, 2);
	/* Another directory is another question. */
	c.box.free_bytes = UINT64_C(50) << 40;
	expect_capacity(&c, "/other", INT64_C(50) << 40, INT64_C(16) << 40);
	cr_assert_eq(c.box.n_execs, 3);
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	expect_capacity(&c, "/other", INT64_C(50) << 40, INT64_C(16) << 40);
	cr_assert_eq(c.box.n_execs, 5);
	ctl_close(&c);
}

Test(ctl_query, capabilities_come_from_memory)
{
	struct ctl c;
	struct grpc_call call;
	Csi__V1__ControllerGetCapabilitiesRequest req;
	Csi__V1__ControllerGetCapabilitiesResponse *resp;
	bool seen[16] = { false };

	ctl_open(&c);
	csi__v1__controller_get_capabilities_request__init(&req);
	cr_assert_eq(ctl_call(&c, &call, "ControllerGetCapabilities", &req), ERR_OK);
	resp = ctl_reply(&call,
			 &csi__v1__controller_get_capabilities_response__descriptor);
	cr_assert_eq(resp->n_capabilities, 10);
	for (size_t i = 0; i < resp->n_capabilities; i++) {
		int type = (int)resp->capabilities[i]->rpc->type;

		cr_assert(type > 0 && type < 16 && !seen[type]);
		seen[type] = true;
	}
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	ctl_call_free(&call);
	cr_assert_eq(c.box.n_execs, 0);
	ctl_close(&c);
}

Test(ctl_query, a_box_that_is_away_is_neither_empty_nor_without_the_volume)
{
	struct ctl c;
	struct grpc_call call;
	struct ctl_cap cap;
	page *p;

	ctl_open(&c);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	c.box.fault = FAKE_REFUSE;
	cr_assert_eq(list(&c, 0, "", &p), ERR_UNAVAILABLE);
	c.box.fault = FAKE_REFUSE;
	cr_assert_eq(validate(&c, &call, "pvc-1", &cap, NULL), ERR_UNAVAILABLE);
	ctl_call_free(&call);
	c.box.fault = FAKE_REFUSE;
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_UNAVAILABLE);
	c.box.fault = FAKE_REFUSE;
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "node-a"), ERR_UNAVAILABLE);
	c.box.fault = FAKE_REFUSE;
	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_UNAVAILABLE);
	c.box.fault = FAKE_REFUSE;
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_UNAVAILABLE);
	c.box.free_bytes = 0;
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_EXHAUSTED);
	ctl_close(&c);
}
