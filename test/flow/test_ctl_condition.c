/* The condition of a volume whose live migration takes too long, as both calls tell it.
 */
#include "fakes/ctl_cluster.h"

enum { NONE = -1, WELL, ABNORMAL };

static int of(const Csi__V1__VolumeCondition *c)
{
	if (!c)
		return NONE;
	cr_assert_neq(c->message[0], '\0', "the specification wants one");
	return c->abnormal ? ABNORMAL : WELL;
}

static int got(struct ctl *c, const char *id)
{
	Csi__V1__ControllerGetVolumeRequest req;
	Csi__V1__ControllerGetVolumeResponse *resp;
	struct grpc_call call;
	int ret;

	csi__v1__controller_get_volume_request__init(&req);
	req.volume_id = (char *)(uintptr_t)id;
	cr_assert_eq(ctl_call(c, &call, "ControllerGetVolume", &req), ERR_OK);
	resp = ctl_reply(&call, &csi__v1__controller_get_volume_response__descriptor);
	ctl_call_free(&call);
	ret = of(resp->status->volume_condition);
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	return ret;
}

static int listed(struct ctl *c, const char *id)
{
	Csi__V1__ListVolumesRequest req;
	Csi__V1__ListVolumesResponse *resp;
	struct grpc_call call;
	int ret = NONE;

	csi__v1__list_volumes_request__init(&req);
	cr_assert_eq(ctl_call(c, &call, "ListVolumes", &req), ERR_OK);
	resp = ctl_reply(&call, &csi__v1__list_volumes_response__descriptor);
	ctl_call_free(&call);
	cr_assert_eq(resp->n_entries, 2);
	for (size_t i = 0; i < 2; i++)
		if (strcmp(resp->entries[i]->volume->volume_id, id) == 0)
			ret = of(resp->entries[i]->status->volume_condition);
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	return ret;
}

static void expect(struct ctl *c, int first)
{
	cr_assert_eq(got(c, "pvc-1"), first);
	cr_assert_eq(listed(c, "pvc-1"), first);
	cr_assert_eq(got(c, "pvc-2"), WELL);
	cr_assert_eq(listed(c, "pvc-2"), WELL);
}

Test(ctl_condition, is_abnormal_while_a_migration_is_late)
{
	struct ctl c;

	open_with_volume(&c);
	cr_assert_eq(ctl_create(&c, "pvc-2", GIB), ERR_OK);
	cr_assert_eq(attach(&c, "node-a", RWX), ERR_OK);
	cr_assert_eq(attach(&c, "node-b", RWX), ERR_OK);
	ctl_idle(&c);
	expect(&c, WELL);
	clock_hold(&c.l.uv);
	clock_advance(&c.l.uv, 300 * 1000);
	expect(&c, ABNORMAL);
	cr_assert_eq(metric_counted(METRIC_MIGRATIONS, METRIC_MIGRATION_TIMEOUT, 0), 1);
	use_and_leave(&c, "node-a");
	cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
	expect(&c, WELL);
	ctl_close(&c);
}
