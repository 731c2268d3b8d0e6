#include "support/box.h"

static struct t_box b;

static void must(struct t_req *q)
{
	t_req_run(&b, q);
	cr_assert_eq(q->err.code, ERR_OK, "%s", q->err.msg);
	cr_assert_eq(q->req.outcome, RDS_OK);
}

static void whole_life(enum rds_layout layout, const char *path)
{
	struct t_req q, r;
	struct rds_volume v;

	t_req_init(&q, RDS_CREATE, "pvc-1");
	q.req.layout = layout;
	q.req.size_bytes = UINT64_C(1537) << 20;
	must(&q);
	v = q.req.volume;
	cr_assert_str_eq(v.id, "pvc-1");
	cr_assert_eq(v.size_bytes, UINT64_C(1537) << 20);
	cr_assert_str_eq(v.path, path);
	cr_assert_str_eq(v.nqn, q.nqn);
	cr_assert_eq(v.port, 4420);
	cr_assert_eq(v.record.kind, RDS_RECORD_OURS);
	cr_assert(v.is_file_disk && !v.is_exported && !v.is_mounted &&
		  !v.mount_filesystem);

	t_req_change(&q, RDS_PUBLISH, &v);
	must(&q);
	cr_assert(q.req.volume.is_exported);
	cr_assert_str_eq(q.req.volume.record.holders[0].node, "node-a");
	cr_assert_str_neq(q.req.volume.record.nonce, v.record.nonce);

	/* A second one that still believes in the old record changes nothing. */
	t_req_change(&r, RDS_PUBLISH, &v);
	t_req_run(&b, &r);
	cr_assert_eq(r.err.code, ERR_OK, "%s", r.err.msg);
	cr_assert_eq(r.req.outcome, RDS_STALE);
	cr_assert_str_eq(r.req.volume.record.nonce, q.req.volume.record.nonce);
	v = q.req.volume;

	t_req_delete(&b, &q, "pvc-1");
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.req.outcome, RDS_STALE, "it is held");
	cr_assert_eq(q.req.volume.record.n_holders, 1);

	t_req_init(&q, RDS_GROW, "pvc-1");
	q.req.size_bytes = UINT64_C(3) << 30;
	must(&q);
	cr_assert_eq(q.req.volume.size_bytes, UINT64_C(3) << 30);
	q.req.size_bytes = UINT64_C(2) << 30;
	q.dones = 0;
	must(&q);
	cr_assert_eq(q.req.volume.size_bytes, UINT64_C(3) << 30, "it shrank");

	t_req_change(&q, RDS_UNPUBLISH, &v);
	must(&q);
	cr_assert(!q.req.volume.is_exported);
	v = q.req.volume;

	t_req_change(&q, RDS_FENCE_BEGIN, &v);
	must(&q);
	v = q.req.volume;
	cr_assert(v.record.is_fencing && v.record.generation == 1 && !v.is_exported);
	t_req_change(&q, RDS_FENCE_FINISH, &v);
	must(&q);
	v = q.req.volume;
	cr_assert(!v.record.is_fencing);
	cr_assert_str_eq(v.nqn, q.nqn);

	t_req_init(&q, RDS_LIST, NULL);
	must(&q);
	cr_assert_eq(q.rows, 1);
	t_req_init(&q, RDS_GET, "pvc-1");
	must(&q);
	cr_assert_str_eq(q.req.volume.nqn, v.nqn);

	t_req_delete(&b, &q, "pvc-1");
	q.req.base = v.path;
	must(&q);
	cr_assert_eq(t_box_stat(&b, "files"), 0);
	t_req_delete(&b, &q, "pvc-1");
	must(&q);
	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	cr_assert_eq(q.req.outcome, RDS_ABSENT);
}

Test(rds_life, of_a_subvolume)
{
	t_box_open(&b, NULL);
	t_box_connect(&b);
	whole_life(RDS_LAYOUT_AUTO, "/storage-pool/vol-pvc-1/volume.img");
	t_box_close(&b);
}

Test(rds_life, of_a_flat_file)
{
	t_box_open(&b, NULL);
	t_box_connect(&b);
	whole_life(RDS_LAYOUT_FILE, "/storage-pool/metal-csi/pvc-1.img");
	t_box_close(&b);
}

Test(rds_life, on_a_pool_without_subvolumes)
{
	t_box_open(&b, "--pool-fs xfs");
	t_box_connect(&b);
	whole_life(RDS_LAYOUT_AUTO, "/storage-pool/metal-csi/pvc-1.img");
	t_box_close(&b);
}

/* Two ids that differ in case alone have every name in common but its random end; a node
 * takes the sessions of both for one volume's. */
Test(rds_life, no_two_ids_share_a_base_whatever_their_suffixes)
{
	static const char *const taken[] = {
		"nqn.2000-02.com.mikrotik:pvc-a",
		"nqn.2000-02.com.mikrotik:pvc-a.g0-0123abcd",
		"nqn.2000-02.com.mikrotik:pvc-a.g3-0123abcd",
	};
	struct t_req q;

	t_box_open(&b, NULL);
	t_box_connect(&b);
	for (unsigned i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		t_req_init(&q, RDS_CREATE, "pvc-a");
		strcpy(q.nqn, taken[i]);
		t_req_run(&b, &q);
		cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
		cr_assert_str_eq(q.req.volume.nqn, taken[i]);
		t_req_init(&q, RDS_CREATE, "PVC-A");
		strcpy(q.nqn, "nqn.2000-02.com.mikrotik:pvc-a.g0-76543210");
		t_req_run(&b, &q);
		cr_assert_eq(q.err.code, ERR_EXISTS, "%s", q.err.msg);
		t_req_delete(&b, &q, "pvc-a");
		t_req_run(&b, &q);
		cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
		cr_assert_eq(t_box_stat(&b, "files"), 0);
	}
	t_box_close(&b);
}
