#include "csi/ids.h"
#include "fakes/call_seam.h"

/* Under which NQN a volume is exported, and which one is told. */
#define GIB (INT64_C(1) << 30)

static struct rds_volume *row(struct ctl *c)
{
	struct rds_volume *v = fake_rds_find(&c->box, "pvc-1");

	cr_assert_not_null(v);
	return v;
}

/* The volume_context's nqn of a create that must succeed. */
static void create_for_nqn(struct ctl *c, char out[RDS_NQN_MAX + 1])
{
	Csi__V1__CreateVolumeRequest req;
	Csi__V1__CreateVolumeResponse *resp;
	struct grpc_call call;
	struct ctl_cap cap;

	csi__v1__create_volume_request__init(&req);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	req.name = (char *)(uintptr_t) "pvc-1";
	req.n_volume_capabilities = 1;
	req.volume_capabilities = cap.list;
	cr_assert_eq(ctl_call(c, &call, "CreateVolume", &req), ERR_OK, "%s",
		     call.err.msg);
	resp = ctl_reply(&call, &csi__v1__create_volume_response__descriptor);
	out[0] = '\0';
	for (size_t i = 0; i < resp->volume->n_volume_context; i++)
		if (strcmp(resp->volume->volume_context[i]->key, "nqn") == 0)
			snprintf(out, RDS_NQN_MAX + 1, "%s",
				 resp->volume->volume_context[i]->value);
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	ctl_call_free(&call);
}

/* What it is exported under. */
static bool is_own(const char *nqn, uint32_t generation)
{
	uint32_t g = 99;

	return id_nqn_is_of(nqn, "pvc-1", &g) && g == generation &&
	       strcmp(nqn, "nqn.2000-02.com.mikrotik:pvc-1") != 0;
}

Test(ctl_names, a_name_made_again_has_another_nqn_and_a_repeated_create_the_same)
{
	char first[RDS_NQN_MAX + 1], told[RDS_NQN_MAX + 1], again[RDS_NQN_MAX + 1];
	struct ctl c;

	ctl_open(&c);
	create_for_nqn(&c, told);
	memcpy(first, row(&c)->nqn, sizeof(first));
	cr_assert(is_own(first, 0), "%s", first);
	ctl_restart(&c);
	create_for_nqn(&c, again);
	cr_assert_str_eq(again, told);
	cr_assert_str_eq(row(&c)->nqn, first);

	/* A fence gives it another one, of which the volume_context says nothing. */
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK);
	strcpy(row(&c)->record.holders[0].node, "lost");
	attachments_forget(c.csi.attachments, "pvc-1");
	cr_assert_eq(ctl_unpublish(&c, "pvc-1", "lost"), ERR_OK, "%s", ctl_message());
	cr_assert(is_own(row(&c)->nqn, 1), "%s", row(&c)->nqn);
	create_for_nqn(&c, again);
	cr_assert_str_eq(again, told);
	cr_assert(is_own(row(&c)->nqn, 1));

	cr_assert_eq(ctl_delete(&c, "pvc-1"), ERR_OK);
	create_for_nqn(&c, again);
	cr_assert_str_eq(again, told);
	cr_assert(is_own(row(&c)->nqn, 0), "%s", row(&c)->nqn);
	cr_assert_str_neq(row(&c)->nqn, first);
	ctl_close(&c);
}

/* Of an earlier driver, or somebody else's. */
Test(ctl_names, create_keeps_the_base_nqn_and_takes_no_foreign_one)
{
	static const struct {
		const char *nqn;
		enum err_code code;
	} cases[] = {
		{ "nqn.2000-02.com.mikrotik:pvc-1", ERR_OK },
		{ "nqn.2000-02.com.mikrotik:pvc-2", ERR_PRECONDITION },
		{ "", ERR_PRECONDITION },
	};
	struct ctl c;

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "pvc-1", GIB), ERR_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(row(&c)->nqn, cases[i].nqn);
		cr_assert_eq(ctl_create(&c, "pvc-1", GIB), cases[i].code, "%s",
			     cases[i].nqn);
		cr_assert_str_eq(row(&c)->nqn, cases[i].nqn);
	}
	ctl_close(&c);
}
