#include "support/box.h"

/* libssh2 1.10 and 1.11 leave objects of OpenSSL's behind when a session ends in the
 * midst of its key exchange or without memory (about 1 KiB each). What goes through our
 * hooks, libssh2's own included, is counted all the same. */
#if defined(__SANITIZE_ADDRESS__)
#define LSAN_OFF() __lsan_disable()
#else
#define LSAN_OFF() ((void)0)
#endif

static struct t_box b;

static enum err_code run(struct t_req *q, enum rds_kind kind, const char *id)
{
	t_req_init(q, kind, id);
	t_req_run(&b, q);
	return q->err.code;
}

/* Cancels after each number of turns in turn, until the request ends before that. */
static void cancel_everywhere(enum rds_kind kind, bool is_warm)
{
	bool was_cancelled = true;
	struct t_req q;

	LSAN_OFF();
	t_box_open(&b, NULL);
	for (int turns = 0; was_cancelled; turns++) {
		if (!b.rds)
			t_box_connect(&b);
		if (is_warm)
			run(&q, RDS_GET, "other");
		t_req_init(&q, kind, "pvc-1");
		t_req_start(&b, &q);
		for (int i = 0; i < turns && !q.dones; i++)
			uv_run(&b.l.uv, UV_RUN_ONCE);
		was_cancelled = !q.dones;
		op_cancel(&q.req.op, ERR_CANCELLED);
		op_cancel(&q.req.op, ERR_DEADLINE);
		t_req_wait(&b, &q);
		cr_assert(was_cancelled ? q.err.code == ERR_CANCELLED : !q.err.code,
			  "turn %d: %d %s", turns, q.err.code, q.err.msg);
		if (!is_warm)
			t_box_stop_rds(&b);
	}
	if (!b.rds)
		t_box_connect(&b);
	cr_assert_eq(run(&q, RDS_CREATE, "pvc-1"), ERR_OK, "%s", q.err.msg);
	t_box_close(&b);
}

Test(rds_edges, a_cold_read_may_be_cancelled_at_any_turn)
{
	cancel_everywhere(RDS_GET, false);
}

Test(rds_edges, a_warm_create_may_be_cancelled_at_any_turn)
{
	cancel_everywhere(RDS_CREATE, true);
}

Test(rds_edges, a_stop_at_any_turn_ends_every_request_once)
{
	struct t_req q[3];
	int turns = 0;

	LSAN_OFF();
	t_box_open(&b, NULL);
	do {
		t_box_connect(&b);
		t_req_init(&q[0], RDS_CREATE, "pvc-1");
		t_req_init(&q[1], RDS_LIST, NULL);
		t_req_init(&q[2], RDS_DELETE, "pvc-2");
		for (int i = 0; i < 3; i++)
			t_req_start(&b, &q[i]);
		for (int i = 0; i < turns && !q[2].dones; i++)
			uv_run(&b.l.uv, UV_RUN_ONCE);
		t_box_stop_rds(&b);
		for (int i = 0; i < 3; i++) {
			cr_assert_eq(q[i].dones, 1, "turn %d", turns);
			cr_assert(!q[i].err.code || q[i].err.code == ERR_CANCELLED, "%s",
				  q[i].err.msg);
		}
		turns++;
	} while (q[2].err.code);
	t_box_close(&b);
}

Test(rds_edges, every_allocation_may_fail)
{
	struct t_req q, r;
	size_t live = 0;
	long n = 1;

	LSAN_OFF();
	t_box_open(&b, NULL);
	for (long i = 0; i < n; i++) {
		struct err err = { .code = ERR_OK };

		mem_fail_at(i ? i - 1 : -1);
		if (ros_new(&b.rds, &b.l.uv, &b.conf, &err)) {
			cr_assert_eq(err.code, ERR_EXHAUSTED, "%ld: %s", i, err.msg);
			continue;
		}
		t_req_init(&q, RDS_CREATE, "pvc-1");
		t_req_init(&r, RDS_DELETE, "pvc-2");
		t_req_start(&b, &q);
		t_req_start(&b, &r);
		t_req_wait(&b, &q);
		if (!r.dones)
			t_req_wait(&b, &r);
		t_box_stop_rds(&b);
		if (i == 0) /* some more, for what varies from run to run */
			n = mem_count() + 20;
		cr_assert(!q.err.code || q.err.code == ERR_EXHAUSTED ||
				  q.err.code == ERR_UNAVAILABLE,
			  "%ld: %d %s", i, q.err.code, q.err.msg);
		mem_fail_at(-1);
		if (i == 0) /* the loop keeps its table of watchers */
			live = mem_live();
		cr_assert_eq(mem_live(), live, "allocation %ld", i - 1);
	}
	t_box_close(&b);
}

Test(rds_edges, nothing_but_volumes_is_ever_touched)
{
	static const char *const ids[] = { "raid1", "alien", "photos", "elsewhere" };
	static const enum rds_kind kinds[] = { RDS_GROW,	RDS_DELETE,
					       RDS_PUBLISH,	RDS_UNPUBLISH,
					       RDS_FENCE_BEGIN, RDS_FENCE_FINISH,
					       RDS_NO_MOUNT,	RDS_EXPORT };
	static char before[1 << 16];
	struct t_req q, r;

	t_box_open(&b, "--pool-fs xfs");
	t_box_connect(&b);
	t_box_script(
		&b,
		"/disk/add type=\"file\" slot=\"alien\" file-size=\"1073741824\" "
		"file-path=\"/storage-pool/metal-csi/alien.img\" "
		"comment=\"rds-csi:1 0123abcd c=other g=0 s=ok h=- b=0 q=-\";"
		"/disk/add type=\"file\" slot=\"photos\" file-size=\"1073741824\" "
		"file-path=\"/storage-pool/metal-csi/photos.img\" comment=\"my photos\";"
		"/disk/add type=\"file\" slot=\"elsewhere\" file-size=\"1073741824\" "
		"file-path=\"/storage-pool/elsewhere.img\" "
		"comment=\"rds-csi:1 0123abcd c=prod-1 g=0 s=ok h=- b=0 q=-\"");
	snprintf(before, sizeof(before), "%s", t_box_control(&b, "GET /disks", NULL));
	cr_assert_not_null(strstr(before, "elsewhere.img"));
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			run(&r, RDS_GET, ids[i]);
			strcpy(r.req.volume.record.nonce, "0123abcd");
			snprintf(r.req.volume.nqn, sizeof(r.req.volume.nqn),
				 "nqn.2000-02.com.mikrotik:x");
			r.req.volume.record.n_holders = 0;
			t_req_change(&q, kinds[k], &r.req.volume);
			q.req.size_bytes = UINT64_C(2) << 30;
			t_req_run(&b, &q);
			cr_assert(q.err.code == ERR_PRECONDITION ||
					  (!q.err.code && q.req.outcome == RDS_STALE),
				  "%s %d: %d %s", ids[i], kinds[k], q.err.code,
				  q.err.msg);
		}
	cr_assert_str_eq(before, t_box_control(&b, "GET /disks", NULL));
	t_box_close(&b);
}

Test(rds_edges, an_image_left_by_a_create_that_was_cut_is_adopted)
{
	struct t_req q;

	t_box_open(&b, "--pool-fs xfs");
	t_box_connect(&b);
	for (int i = 0; i < 3; i++) {
		char script[512];

		snprintf(script, sizeof(script),
			 "/disk/add type=\"file\" slot=\"x\" file-size=\"%d073741824\" "
			 "file-path=\"/storage-pool/metal-csi/pvc-%d.img\";/disk/remove "
			 "\"x\"",
			 i + 1, i);
		cr_assert_eq(strlen(t_box_script(&b, script)), 0);
	}
	t_req_init(&q, RDS_CREATE, "pvc-0"); /* of the same size */
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.req.volume.size_bytes, UINT64_C(1) << 30);
	t_req_init(&q, RDS_CREATE, "pvc-1"); /* smaller */
	q.req.size_bytes = UINT64_C(3) << 30;
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.req.volume.size_bytes, UINT64_C(3) << 30);
	cr_assert_eq(run(&q, RDS_CREATE, "pvc-2"), ERR_EXISTS, "larger");
	t_box_close(&b);
}

/* As another driver added it: without a record, and the box may mount what is in it. */
Test(rds_edges, an_unmarked_disk_is_grown_and_deleted_and_never_mounted_by_the_box)
{
	char path[200];
	struct t_req q;
	FILE *f;

	t_box_open(&b, NULL);
	b.conf.adopt_unmarked = true;
	t_box_connect(&b);
	cr_assert_eq(strlen(t_box_script(
			     &b, "/disk/add type=\"file\" slot=\"pvc-1\" "
				 "file-size=\"1073741824\" nvme-tcp-export=\"yes\" "
				 "file-path=\"/storage-pool/metal-csi/pvc-1.img\"")),
		     0);
	snprintf(path, sizeof(path), "%s/pool/metal-csi/pvc-1.img", b.dir);
	f = fopen(path, "r+");
	cr_assert(f && fwrite("XFSB", 4, 1, f) == 1 && fclose(f) == 0, "%s", path);
	t_req_init(&q, RDS_GROW, "pvc-1");
	q.req.expect_nonce = NULL;
	q.req.size_bytes = UINT64_C(2) << 30;
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(q.req.volume.size_bytes, UINT64_C(2) << 30);
	cr_assert(q.req.volume.is_exported && !q.req.volume.is_mounted);
	t_req_delete(&b, &q, "pvc-1");
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(t_box_stat(&b, "files"), 0);
	t_box_close(&b);
}

Test(rds_edges, a_delete_finds_what_lies_there_without_a_disk)
{
	struct t_req q;

	t_box_open(&b, NULL);
	t_box_connect(&b);
	cr_assert_eq(run(&q, RDS_CREATE, "pvc-1"), ERR_OK, "%s", q.err.msg);
	cr_assert_eq(strlen(t_box_script(&b, "/disk/remove \"pvc-1\"")), 0);
	cr_assert_eq(t_box_stat(&b, "files"), 1);
	t_req_delete(&b, &q, "pvc-1");
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert_eq(t_box_stat(&b, "files"), 0);
	t_req_init(&q, RDS_DELETE, "pvc-1");
	q.req.base = "/storage-pool/other/pvc-1.img";
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_PRECONDITION);
	t_box_close(&b);
}

/* Nothing is seen of an image on a pool that is not mounted, and that proves nothing. */
Test(rds_edges, nothing_counts_as_deleted_while_the_pool_is_not_mounted)
{
	static const enum rds_layout layouts[] = { RDS_LAYOUT_SUBVOLUME,
						   RDS_LAYOUT_FILE };
	struct t_req q;

	t_box_open(&b, NULL);
	t_box_connect(&b);
	for (unsigned i = 0; i < 4; i++) {
		t_req_init(&q, RDS_CREATE, "pvc-1");
		q.req.layout = layouts[i / 2];
		t_req_run(&b, &q);
		cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
		if (i % 2) /* no disk is left that tells of the image */
			cr_assert_eq(strlen(t_box_script(&b, "/disk/remove \"pvc-1\"")),
				     0);
		t_box_fault(&b, "pool-away=1");
		t_req_delete(&b, &q, "pvc-1");
		t_req_run(&b, &q);
		cr_assert_eq(q.err.code, ERR_PRECONDITION, "%u: %s", i, q.err.msg);
		cr_assert_eq(t_box_stat(&b, "disks"), !(i % 2));
		t_box_fault(&b, "clear");
		t_req_delete(&b, &q, "pvc-1");
		t_req_run(&b, &q);
		cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
		cr_assert_eq(t_box_stat(&b, "files"), 0);
	}
	t_box_close(&b);
}

Test(rds_edges, a_hostile_id_never_reaches_the_box)
{
	static const char *const ids[] = { "",		 "a b",	 "a\"b", "$x",
					   "a;b",	 "..",	 "a/b",	 "-a",
					   "[find]",	 "a\nb", "a\\b", "pvc_1",
					   "caf\xc3\xa9" };
	struct t_req q;
	long execs;

	t_box_open(&b, NULL);
	t_box_connect(&b);
	run(&q, RDS_GET, "pvc-1");
	execs = t_box_stat(&b, "execs");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		for (enum rds_kind k = RDS_GET; k <= RDS_EXPORT; k++) {
			if (k == RDS_LIST || k == RDS_CAPACITY)
				continue;
			t_req_init(&q, k, ids[i]);
			strcpy(q.nqn, "nqn.2000-02.com.mikrotik:x");
			q.req.expect_nonce = "0123abcd";
			t_req_run(&b, &q);
			cr_assert_eq(q.err.code, ERR_INVALID, "%s: %s", ids[i],
				     q.err.msg);
		}
	t_req_init(&q, RDS_CREATE, "pvc-1");
	q.req.base = "/storage-pool/../etc";
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_INVALID);
	cr_assert_eq(t_box_stat(&b, "execs"), execs);
	t_box_close(&b);
}

Test(rds_edges, bad_configuration_is_told_before_anything_starts)
{
	struct err err;
	size_t live;

	t_box_open(&b, NULL);
	live = mem_live();
#define REFUSES(field, value, word)                                            \
	do {                                                                   \
		struct ros_conf c_ = b.conf;                                   \
		c_.field = value;                                              \
		cr_assert_eq(ros_new(&b.rds, &b.l.uv, &c_, &err), -1, #field); \
		cr_assert_eq(err.code, ERR_INVALID);                           \
		cr_assert(strstr(err.msg, word), "%s", err.msg);               \
	} while (0)
	REFUSES(key_file, "/nonexistent", "/nonexistent");
	REFUSES(key_file, b.host_key, "cannot load");
	REFUSES(host_key_file, "/nonexistent", "/nonexistent");
	REFUSES(host_key_file, b.key, "host key");
	REFUSES(host_key_file, NULL, "host key");
	REFUSES(address, "", "address");
	REFUSES(cluster_id, "a b", "cluster");
	REFUSES(cluster_id, NULL, "cluster");
	REFUSES(base, "relative", "directory");
	REFUSES(base, "/a/x,/b/y", "one pool");
	REFUSES(base, "/a/../b", "directory");
	REFUSES(max_sessions, 5, "sessions");
	cr_assert_eq(mem_live(), live);
	t_box_close(&b);
}
