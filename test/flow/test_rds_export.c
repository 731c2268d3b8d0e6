#include "support/box.h"

#include <string.h>

/* What the one command line of an export under the plain NQN refuses on the box itself,
 * whatever was believed when it was sent: nothing changes then. */
#define PLAIN "nqn.2000-02.com.mikrotik:"

static struct t_box b;
static char before[1 << 16];

static void look(struct t_req *q, const char *id)
{
	t_req_init(q, RDS_GET, id);
	t_req_run(&b, q);
	cr_assert_eq(q->err.code, ERR_OK, "%s", q->err.msg);
}

static void remember(void)
{
	snprintf(before, sizeof(before), "%s", t_box_control(&b, "GET /disks", NULL));
}

static void is_unchanged(void)
{
	cr_assert_str_eq(t_box_control(&b, "GET /disks", NULL), before);
}

static void export(struct t_req *q, const struct rds_volume *v)
{
	t_req_change(q, RDS_EXPORT, v);
	t_req_run(&b, q);
}

static void open_box(struct t_req *q)
{
	t_box_open(&b, NULL);
	t_box_connect(&b);
	t_box_create(&b, "pvc-1");
	look(q, "pvc-1");
}

Test(rds_export, is_on_under_the_plain_nqn_with_a_record_of_nobody)
{
	struct rds_volume v;
	struct t_req q;

	open_box(&q);
	v = q.req.volume;
	export(&q, &v);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.req.outcome, RDS_OK);
	cr_assert(q.req.volume.is_exported);
	cr_assert_str_eq(q.req.volume.nqn, PLAIN "pvc-1");
	cr_assert_eq(q.req.volume.record.n_holders, 0);
	cr_assert_str_neq(q.req.volume.record.nonce, v.record.nonce);
	t_box_close(&b);
}

Test(rds_export, another_record_than_the_one_that_was_read_stops_it)
{
	struct rds_volume v;
	struct t_req q;

	open_box(&q);
	v = q.req.volume;
	t_req_change(&q, RDS_PUBLISH, &v);
	t_req_run(&b, &q);
	cr_assert_eq(q.req.outcome, RDS_OK);
	remember();
	export(&q, &v);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.req.outcome, RDS_STALE);
	is_unchanged();
	t_box_close(&b);
}

Test(rds_export, what_is_on_is_never_renamed)
{
	struct rds_volume v;
	struct t_req q;

	open_box(&q);
	v = q.req.volume;
	t_box_script(&b, "/disk/set [/disk find where slot=\"pvc-1\"] "
			 "nvme-tcp-export=\"yes\"");
	remember();
	cr_assert_not_null(strstr(before, ".g0-"));
	export(&q, &v);
	cr_assert_neq(q.err.code, ERR_OK);
	is_unchanged();
	t_box_close(&b);
}

Test(rds_export, no_two_disks_get_one_nqn)
{
	struct rds_volume v;
	struct t_req q;

	open_box(&q);
	v = q.req.volume;
	t_box_script(&b,
		     "/disk/add type=\"file\" slot=\"other\" file-size=\"1073741824\" "
		     "file-path=\"/storage-pool/metal-csi/other.img\" "
		     "nvme-tcp-server-nqn=\"" PLAIN "pvc-1\"");
	remember();
	cr_assert_not_null(strstr(before, "other.img"));
	export(&q, &v);
	cr_assert_eq(q.err.code, ERR_PRECONDITION, "%s", q.err.msg);
	is_unchanged();
	t_box_close(&b);
}
