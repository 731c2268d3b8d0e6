#include "support/t.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/log.h"
#include "csi/node/start.h"
#include "fakes/fake_nvme.h"

/* The start of a node over a port in memory, of which one volume is half connected, and
 * which has sessions of others beside it. */
#define ID "pvc-1"
#define BASE ID_NQN_PREFIX ID

struct setup {
	struct t_loop l;
	struct csi csi;
	struct fake_nvme fake;
	struct nvme_ops ops;
	struct node_start st;
	char dir[128];
	bool is_done;
};

static struct setup s;

static void on_done(struct op *op)
{
	(void)op;
	s.is_done = true;
}

static int records(struct nvme *nvme, bool (*each)(void *arg, const char *id), void *arg,
		   struct err *err)
{
	(void)nvme;
	(void)err;
	if (s.fake.has_record)
		(void)each(arg, ID);
	return 0;
}

static int sessions(struct nvme *nvme, bool (*each)(void *arg, const char *nqn),
		    void *arg, struct err *err)
{
	static const char *const nqns[] = { BASE, ID_NQN_PREFIX "pvc-other",
					    "nqn.2014-08.org.nvmexpress:host.s-own-disk",
					    ID_NQN_PREFIX "pvc-1x" };

	(void)nvme;
	(void)err;
	for (unsigned i = 0; i < sizeof(nqns) / sizeof(nqns[0]); i++)
		(void)each(arg, nqns[i]);
	return 0;
}

static void open_setup(enum nvme_stage stage)
{
	memset(&s, 0, sizeof(s));
	t_loop_open(&s.l);
	log_set_level(LOG_ERROR);
	t_mkdir(s.dir);
	fake_nvme_init(&s.fake, &s.l.uv, BASE, 1024 * 1024);
	s.ops = *s.fake.nvme.ops;
	s.ops.records = records;
	s.ops.sessions = sessions;
	s.fake.nvme.ops = &s.ops;
	s.fake.has_record = s.fake.is_attached = true;
	s.fake.record = (struct nvme_record){
		.stage = stage, .is_this_boot = true, .nqn = BASE, .staging = "/s"
	};
	s.csi = (struct csi){ .loop = &s.l.uv,
			      .driver_name = "d.example",
			      .nqn_prefix = ID_NQN_PREFIX,
			      .nvme = &s.fake.nvme };
	s.st = (struct node_start){ .csi = &s.csi,
				    .kubelet_dir = "/nonexistent",
				    .state_dir = s.dir };
}

static void begin(void)
{
	s.is_done = false;
	node_start_start(&s.st, on_done);
}

static void close_setup(void)
{
	t_run_until(&s.l, s.is_done);
	node_start_fini(&s.st);
	t_rmdir(s.dir);
	t_loop_close(&s.l);
}

Test(adopt, detaches_what_is_half_connected_and_counts_what_is_nobody_s)
{
	open_setup(NVME_READY);
	begin();
	t_run_until(&s.l, s.is_done);
	cr_assert_eq(s.st.op.err.code, ERR_OK, "%s", s.st.op.err.msg);
	cr_assert_eq(s.st.n_detached, 1);
	cr_assert(!s.fake.is_attached && !s.fake.has_record);
	cr_assert_eq(s.fake.n_requests[NVME_PROVE], 1);
	cr_assert_eq(s.fake.n_requests[NVME_DETACH], 1);
	cr_assert_eq(s.fake.n_all, 2);
	/* Its own record is gone with its session; the host's own disk counts never. */
	cr_assert_eq(s.st.n_unowned, 3);
	close_setup();
}

Test(adopt, a_staged_volume_is_not_touched)
{
	open_setup(NVME_STAGED);
	begin();
	t_run_until(&s.l, s.is_done);
	cr_assert(s.fake.is_attached && s.fake.has_record);
	cr_assert_eq(s.fake.n_all, 0);
	cr_assert_eq(s.st.n_unowned, 2);
	close_setup();
}

/* A device that is busy, a target that does not answer: the node starts all the same. */
Test(adopt, what_fails_is_left)
{
	for (int at = 0; at < 2; at++) {
		open_setup(NVME_READY);
		s.fake.fail_at = at;
		s.fake.fail_code = ERR_ABORTED;
		begin();
		t_run_until(&s.l, s.is_done);
		cr_assert_eq(s.st.op.err.code, ERR_OK, "%s", s.st.op.err.msg);
		cr_assert_eq(s.st.n_failed, 1);
		cr_assert(s.fake.is_attached && s.fake.has_record);
		cr_assert_eq(s.st.n_unowned, 2); /* the record is still there */
		close_setup();
	}
	open_setup(NVME_READY);
	s.fake.fail_look_at = 0;
	begin();
	t_run_until(&s.l, s.is_done);
	cr_assert_eq(s.st.n_failed, 1);
	cr_assert_eq(s.fake.n_all, 0);
	close_setup();
}

Test(adopt, without_a_state_directory_nothing_starts)
{
	open_setup(NVME_READY);
	s.st.state_dir = "/nonexistent/state";
	begin();
	t_run_until(&s.l, s.is_done);
	cr_assert_neq(s.st.op.err.code, ERR_OK);
	cr_assert_eq(s.fake.n_all, 0);
	close_setup();
}

Test(adopt, cancelled_after_any_number_of_turns)
{
	for (int n = 0; n < 16; n++) {
		open_setup(NVME_READY);
		begin();
		for (int i = 0; i < n && !s.is_done; i++)
			(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
		op_cancel(&s.st.op, ERR_CANCELLED);
		t_run_until(&s.l, s.is_done);
		cr_assert(!s.fake.is_attached || s.fake.has_record, "unowned");
		close_setup();
	}
}

/* Nothing is lost: without memory the volume is left, and the next start does it. */
Test(adopt, every_allocation_fails)
{
	T_EACH_ALLOC_FAILS({
		open_setup(NVME_READY);
		begin();
		t_run_until(&s.l, s.is_done);
		cr_assert_eq(s.st.op.err.code, ERR_OK);
		cr_assert_eq(s.fake.is_attached, s.fake.has_record);
		close_setup();
	});
}

/* As after a reboot with many volumes: the loop goes on turning meanwhile. */
Test(adopt, one_volume_a_turn)
{
	enum { N = 300 };
	char path[512], kubelet[160];
	unsigned turns = 0;

	open_setup(NVME_STAGED);
	snprintf(kubelet, sizeof(kubelet), "%s/k", s.dir);
	snprintf(path, sizeof(path), "mkdir -p %s/plugins/kubernetes.io/csi/d.example",
		 kubelet);
	cr_assert_eq(system(path), 0);
	for (int i = 0; i < N; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/plugins/kubernetes.io/csi/d.example/%d",
			 kubelet, i);
		cr_assert_eq(mkdir(path, 0700), 0);
		strcat(path, "/vol_data.json");
		f = fopen(path, "w");
		cr_assert_not_null(f);
		fprintf(f, "{\"driverName\":\"d.example\",\"volumeHandle\":\"pvc-%d\"}",
			i);
		fclose(f);
	}
	s.st.kubelet_dir = kubelet;
	begin();
	while (!s.is_done) {
		(void)uv_run(&s.l.uv, UV_RUN_ONCE);
		turns++;
	}
	cr_assert_eq(s.st.n_failed, 0);
	cr_assert_geq(turns, N);
	close_setup();
}
