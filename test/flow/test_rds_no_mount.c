#include "support/box.h"

#include <string.h>

/* mount-filesystem: the box must mount no volume itself. The simulator mounts a disk that
 * says "yes" and bears a file system at the next set of anything, as the box is taken
 * to. */
static struct t_box b;

static struct rds_volume add(const char *rest)
{
	char script[512], path[200];
	struct t_req q;
	FILE *f;

	t_box_open(&b, NULL);
	t_box_connect(&b);
	snprintf(script, sizeof(script),
		 "/disk/add type=\"file\" slot=\"pvc-1\" file-size=\"1073741824\" "
		 "file-path=\"/storage-pool/metal-csi/pvc-1.img\" "
		 "comment=\"rds-csi:1 0123abcd c=prod-1 g=0 s=ok %s b=1 q=-\"",
		 rest);
	cr_assert_eq(strlen(t_box_script(&b, script)), 0);
	snprintf(path, sizeof(path), "%s/pool/metal-csi/pvc-1.img", b.dir);
	f = fopen(path, "r+");
	cr_assert(f && fwrite("XFSB", 4, 1, f) == 1 && fclose(f) == 0, "%s", path);
	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert(q.req.volume.mount_filesystem && !q.req.volume.is_mounted);
	return q.req.volume;
}

/* The box mounts it. */
static void mount(void)
{
	struct t_req q;

	cr_assert_eq(strlen(t_box_script(&b, "/disk/set \"pvc-1\" "
					     "nvme-tcp-server-port=\"4420\"")),
		     0);
	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	cr_assert(q.req.volume.is_mounted);
}

static enum err_code no_mount(struct t_req *q, bool may_unmount)
{
	t_req_init(q, RDS_NO_MOUNT, "pvc-1");
	q->req.may_unmount = may_unmount;
	t_req_run(&b, q);
	return q->err.code;
}

static void expect_off(const struct t_req *q, const struct rds_volume *before)
{
	const struct rds_volume *v = &q->req.volume;

	cr_assert_eq(q->err.code, ERR_OK, "%s", q->err.msg);
	cr_assert(!v->mount_filesystem && !v->is_mounted);
	cr_assert_str_eq(v->record.nonce, before->record.nonce);
	cr_assert_eq(v->is_exported, before->is_exported);
}

Test(rds_no_mount, not_mounted_it_is_set_at_once_under_a_holder_too)
{
	static const char *const holders[] = { "h=-", "h=node-a/w" };

	for (int i = 0; i < 2; i++) {
		struct rds_volume v = add(holders[i]);
		struct t_req q;

		cr_assert_eq(no_mount(&q, false), ERR_OK, "%s", q.err.msg);
		expect_off(&q, &v);
		cr_assert_eq(no_mount(&q, false), ERR_OK, "again");
		t_box_close(&b);
	}
}

Test(rds_no_mount, mounted_it_ends_only_where_nobody_holds_the_volume)
{
	struct rds_volume v = add("h=-");
	struct t_req q;

	mount();
	cr_assert_eq(no_mount(&q, false), ERR_PRECONDITION, "we know of a holder");
	cr_assert_eq(no_mount(&q, true), ERR_OK, "%s", q.err.msg);
	expect_off(&q, &v);
	t_box_close(&b);

	add("h=node-a/w");
	mount();
	cr_assert_eq(no_mount(&q, true), ERR_PRECONDITION, "the record knows of one");
	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	cr_assert(q.req.volume.is_mounted && q.req.volume.mount_filesystem);
	t_box_close(&b);
}

Test(rds_no_mount, an_answer_that_was_lost_is_asked_for_again)
{
	struct rds_volume v = add("h=-");
	struct t_req q;

	t_box_fault(&b, "cut-after-out=40");
	cr_assert_eq(no_mount(&q, false), ERR_OK, "%s", q.err.msg);
	expect_off(&q, &v);
	t_req_init(&q, RDS_NO_MOUNT, "pvc-2");
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK);
	cr_assert_eq(q.req.outcome, RDS_ABSENT);
	t_box_close(&b);
}
