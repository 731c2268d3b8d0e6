#include "support/box.h"

#include <string.h>

#include <string.h>

/* A delete that the box holds up after any of its statements, its connection cut, while
 * the volume is deleted by a second one and made again under the same id. Then the first
 * one goes on. */
static struct t_box b;

static void must(struct t_req *q)
{
	t_req_run(&b, q);
	cr_assert_eq(q->err.code, ERR_OK, "%s", q->err.msg);
	cr_assert_eq(q->req.outcome, RDS_OK);
}

static void create(struct t_req *q, enum rds_layout layout)
{
	t_req_init(q, RDS_CREATE, "pvc-1");
	q->req.layout = layout;
	must(q);
}

/* The fault is gone from the list once a script has met it. */
static bool is_paused(void)
{
	return strstr(t_box_control(&b, "GET /fault", NULL),
		      "\"pause-at-statement\":-1") != NULL;
}

/* A delete on its way, held up after so many statements; false when it ended before. The
 * driver waits for it no longer. */
static bool hold_up(unsigned at)
{
	char fault[64];
	struct t_req q;

	t_req_delete(&b, &q, "pvc-1");
	snprintf(fault, sizeof(fault), "pause-at-statement=%u&match=vol-", at);
	t_box_fault(&b, fault);
	t_req_start(&b, &q);
	while (!q.dones && !is_paused())
		uv_run(&b.l.uv, UV_RUN_NOWAIT);
	if (q.dones)
		return false;
	op_cancel(&q.req.op, ERR_CANCELLED);
	t_req_wait(&b, &q);
	cr_assert(q.req.is_outcome_unknown);
	return true;
}

static void delete (void)
{
	struct t_req q;

	t_req_delete(&b, &q, "pvc-1");
	must(&q);
}

/* All of the new volume is there and nothing of it has changed. */
static void check(const struct rds_volume *made, unsigned at)
{
	struct t_req q;

	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.req.outcome, RDS_OK, "statement %u: the disk is gone", at);
	cr_assert_str_eq(q.req.volume.record.nonce, made->record.nonce);
	cr_assert_str_eq(q.req.volume.nqn, made->nqn);
	cr_assert_eq(q.req.volume.is_exported, made->is_exported,
		     "statement %u: it is cut off", at);
	cr_assert_eq(t_box_stat(&b, "files"), 1, "statement %u: the file is gone", at);
}

static unsigned run_layout(enum rds_layout layout, bool is_held)
{
	struct t_req q;
	struct rds_volume made;
	unsigned at;

	for (at = 1;; at++) {
		create(&q, layout);
		if (!hold_up(at))
			break;
		delete ();
		create(&q, layout);
		made = q.req.volume;
		if (is_held) {
			t_req_change(&q, RDS_PUBLISH, &made);
			must(&q);
			made = q.req.volume;
		}
		t_box_fault(&b, "clear");
		t_run_until(&b.l, t_box_stat(&b, "execs_now") == 0);
		check(&made, at);
		if (is_held) {
			t_req_change(&q, RDS_UNPUBLISH, &made);
			must(&q);
		}
		delete ();
	}
	t_box_fault(&b, "clear");
	return at;
}

Test(rds_late, a_delete_held_up_anywhere_takes_no_newer_volume)
{
	t_box_open(&b, "--run-on-after-cut 60");
	t_box_connect(&b);
	for (int is_held = 0; is_held < 2; is_held++) {
		cr_assert_gt(run_layout(RDS_LAYOUT_SUBVOLUME, is_held), 15);
		cr_assert_gt(run_layout(RDS_LAYOUT_FILE, is_held), 15);
	}
	t_box_close(&b);
}
