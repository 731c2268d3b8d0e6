#include "support/box.h"

#include <string.h>

/* A command line that the box holds up after any of its statements, its connection cut,
 * while others change the volume. Then it goes on. */
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

/* A request on its way, held up after so many statements of the script that has this
 * text; false when it ended before. The driver waits for it no longer. */
static bool hold_up(struct t_req *q, unsigned at, const char *match)
{
	char fault[80];

	snprintf(fault, sizeof(fault), "pause-at-statement=%u&match=%s", at, match);
	t_box_fault(&b, fault);
	t_req_start(&b, q);
	while (!q->dones && !is_paused())
		uv_run(&b.l.uv, UV_RUN_NOWAIT);
	if (q->dones)
		return false;
	op_cancel(&q->req.op, ERR_CANCELLED);
	t_req_wait(&b, q);
	cr_assert(q->req.is_outcome_unknown);
	return true;
}

static void go_on(void)
{
	t_box_fault(&b, "clear");
	t_run_until(&b.l, t_box_stat(&b, "execs_now") == 0);
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
		t_req_delete(&b, &q, "pvc-1");
		if (!hold_up(&q, at, "vol-"))
			break;
		delete ();
		create(&q, layout);
		made = q.req.volume;
		if (is_held) {
			t_req_change(&q, RDS_PUBLISH, &made);
			must(&q);
			made = q.req.volume;
		}
		go_on();
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

static void grow(struct t_req *q, unsigned gib)
{
	t_req_init(q, RDS_GROW, "pvc-1");
	q->req.size_bytes = (uint64_t)gib << 30;
}

static void is_as_large(unsigned at)
{
	struct t_req q;

	t_req_init(&q, RDS_GET, "pvc-1");
	must(&q);
	cr_assert_eq(q.req.volume.size_bytes, UINT64_C(4) << 30, "statement %u", at);
}

/* What the host has written behind the smaller size would be gone. The box here refuses
 * to make a file smaller, and counts that it was asked to. All that may be left is the
 * step from the last comparison to the write. */
static void shrank_nowhere_else(void)
{
	cr_assert_leq(t_box_stat(&b, "shrinks"), 1);
}

Test(rds_late, a_growth_held_up_anywhere_shrinks_nothing)
{
	struct t_req q;
	unsigned at;

	t_box_open(&b, "--run-on-after-cut 60");
	t_box_connect(&b);
	for (at = 1;; at++) {
		create(&q, RDS_LAYOUT_SUBVOLUME);
		grow(&q, 2);
		if (!hold_up(&q, at, "file-size"))
			break;
		grow(&q, 4);
		must(&q);
		go_on();
		is_as_large(at);
		delete ();
	}
	cr_assert_gt(at, 30);
	shrank_nowhere_else();
	t_box_close(&b);
}

/* An image without a disk, which a create adopts and grows. */
Test(rds_late, an_adoption_held_up_anywhere_shrinks_nothing)
{
	struct t_req q;
	unsigned at, n_there = 0;

	t_box_open(&b, "--run-on-after-cut 60 --pool-fs xfs");
	t_box_connect(&b);
	for (at = 1;; at++) {
		cr_assert_eq(strlen(t_box_script(
				     &b,
				     "/disk/add type=\"file\" slot=\"x\" "
				     "file-size=\"1073741824\" file-path=\"/storage-"
				     "pool/metal-csi/pvc-1.img\";/disk/remove \"x\"")),
			     0);
		t_req_init(&q, RDS_CREATE, "pvc-1");
		q.req.size_bytes = UINT64_C(2) << 30;
		if (!hold_up(&q, at, "larger"))
			break;
		grow(&q, 4);
		t_req_run(&b, &q);
		n_there += q.req.outcome == RDS_OK;
		go_on();
		if (q.req.outcome == RDS_OK)
			is_as_large(at);
		delete ();
	}
	cr_assert_gt(n_there, 1);
	shrank_nowhere_else();
	t_box_close(&b);
}

/* The volume as the box shows it once the request is done. */
static void change(struct rds_volume *v, enum rds_kind kind)
{
	struct t_req q;

	t_req_change(&q, kind, v);
	must(&q);
	*v = q.req.volume;
}

/* A change of the volume on its way, held up; false when it ended before. */
static bool hold_up_change(enum rds_kind kind, unsigned at)
{
	struct t_req q;
	struct rds_volume v;

	create(&q, RDS_LAYOUT_SUBVOLUME);
	v = q.req.volume;
	if (kind != RDS_PUBLISH)
		change(&v, RDS_PUBLISH);
	if (kind == RDS_FENCE_FINISH)
		change(&v, RDS_FENCE_BEGIN);
	t_req_change(&q, kind, &v);
	return hold_up(&q, at, "onerror");
}

/* Whoever it was that held the volume is cut off, and another one gets it. */
static void hand_over(struct rds_volume *ret)
{
	struct t_req q;

	t_req_init(&q, RDS_GET, "pvc-1");
	must(&q);
	*ret = q.req.volume;
	change(ret, RDS_FENCE_BEGIN);
	change(ret, RDS_FENCE_FINISH);
	change(ret, RDS_PUBLISH);
}

static bool is_as_it_was(const struct rds_volume *v)
{
	struct t_req q;

	t_req_init(&q, RDS_GET, "pvc-1");
	must(&q);
	return strcmp(q.req.volume.record.nonce, v->record.nonce) == 0 &&
	       strcmp(q.req.volume.nqn, v->nqn) == 0 && q.req.volume.is_exported;
}

static void clear_away(void)
{
	(void)t_box_script(&b, "/disk/set pvc-1 nvme-tcp-export=no;/disk/remove pvc-1");
	delete ();
}

/* All that may be left is the step from a comparison to the write behind it. */
Test(rds_late, a_change_held_up_touches_a_newer_holder_right_at_its_writes_alone)
{
	static const struct {
		enum rds_kind kind;
		unsigned n_writes;
	} cases[] = {
		{ RDS_PUBLISH, 1 },
		{ RDS_UNPUBLISH, 2 }, /* export, record */
		{ RDS_FENCE_BEGIN, 2 },
		{ RDS_FENCE_FINISH, 2 }, /* name, record */
	};

	t_box_open(&b, "--run-on-after-cut 60");
	t_box_connect(&b);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned at, n = 0;
		struct rds_volume v;

		for (at = 1; hold_up_change(cases[i].kind, at); at++) {
			hand_over(&v);
			go_on();
			n += !is_as_it_was(&v);
			clear_away();
		}
		t_box_fault(&b, "clear");
		clear_away();
		cr_assert_gt(at, 15);
		cr_assert_leq(n, cases[i].n_writes, "%d: %u", cases[i].kind, n);
	}
	t_box_close(&b);
}
