#include "nvme/request.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "nvme/backend.h"
#include "nvme/loop.h"
#include "support/t.h"

/* One request, one child, by helpers that behave badly: shell scripts in their place. */

static struct t_loop l;
static char dir[128], exports[160], state[160], script[160];
static struct nvme *nvme;
static unsigned n_done;
static bool is_stopped;

static void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static void on_stopped(void *arg)
{
	(void)arg;
	is_stopped = true;
}

static void open_with(const char *text)
{
	struct nvme_loop_conf conf = { exports, state, script };
	struct err err = { .code = ERR_OK };
	FILE *f;

	n_done = 0;
	is_stopped = false;
	log_set_level(LOG_ERROR);
	t_mkdir(dir);
	snprintf(exports, sizeof(exports), "%s/exports", dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(script, sizeof(script), "%s/helper", dir);
	mkdir(exports, 0700);
	f = fopen(script, "w");
	fprintf(f, "#!/bin/sh\n%s\n", text);
	fclose(f);
	chmod(script, 0700);
	t_loop_open(&l);
	nvme = nvme_loop_new(&l.uv, &conf, &err);
	cr_assert_not_null(nvme, "%s", err.msg);
}

static void close_all(void)
{
	nvme_loop_stop(nvme, on_stopped, NULL);
	t_loop_close(&l);
	cr_assert(is_stopped);
	t_rmdir(dir);
	cr_assert_eq(mem_live(), 0);
}

static struct err run(struct nvme_req *req)
{
	req->id = "vol";
	n_done = 0;
	nvme_start(nvme, req, on_done);
	cr_assert_eq(n_done, 0, "done() before the loop ran");
	t_run_until(&l, n_done == 1);
	cr_assert_null(req->impl);
	return req->op.err;
}

static struct err probe(const char *text)
{
	struct nvme_req req = { .kind = NVME_PROBE, .device = { .path = "/dev/none" } };
	struct err e;

	open_with(text);
	e = run(&req);
	close_all();
	return e;
}

#define FACTS                                                                        \
	"{\"size\":4096,\"blkid\":1,\"type\":\"\",\"usage\":\"\",\"uuid\":\"\","     \
	"\"table\":\"\",\"unfinished\":0,\"fs_size\":0,\"dirty\":0,\"has_error\":0," \
	"\"error_at\":0,\"has_set\":0,\"set_at\":0,\"code\":0,\"msg\":\"\"}"

Test(request, a_good_answer_is_a_result)
{
	struct nvme_req req = { .kind = NVME_PROBE, .device = { .path = "/dev/none" } };

	open_with("echo '" FACTS "'");
	cr_assert_eq(run(&req).code, ERR_OK, "%s", req.op.err.msg);
	cr_assert_eq(req.content.kind, NVME_BLANK);
	close_all();
}

Test(request, whatever_else_the_helper_says_is_an_error)
{
	cr_assert_eq(probe("exit 0").code, ERR_INTERNAL);
	cr_assert_eq(probe("echo '" FACTS "' | head -c 100").code, ERR_INTERNAL);
	cr_assert_eq(probe("echo '" FACTS "'; echo more").code, ERR_INTERNAL);
	cr_assert_eq(probe("echo '{\"code\":0,\"msg\":\"\"}'").code, ERR_INTERNAL,
		     "without its facts");
	cr_assert_eq(probe("echo '{\"code\":99,\"msg\":\"\"}'").code, ERR_INTERNAL);
	cr_assert_eq(probe("head -c 200000 /dev/zero").code, ERR_INTERNAL);
	cr_assert_eq(probe("kill -9 $$").code, ERR_ABORTED);
	struct err e = probe("echo '{\"code\":10,\"msg\":\"busy as told\"}'");

	cr_assert_eq(e.code, ERR_ABORTED);
	cr_assert_not_null(strstr(e.msg, "busy as told"));
}

Test(request, a_lock_that_is_held_means_aborted)
{
	struct nvme_req req = { .kind = NVME_PROBE, .device = { .path = "/dev/none" } };
	struct nvme_req stats = { .kind = NVME_STATS, .path = "/" };
	struct record_dir d;
	struct err err;
	int fd = -1;

	open_with("echo '" FACTS "'");
	cr_assert_eq(record_open(&d, state, &err), 0);
	cr_assert_eq(record_lock(&d, "vol", &fd, &err), 0);
	cr_assert_eq(run(&req).code, ERR_ABORTED);
	/* Who only reads is not stopped by it. */
	cr_assert_eq(run(&stats).code, ERR_INTERNAL);
	close(fd);
	cr_assert_eq(run(&req).code, ERR_OK);
	close_all();
}

/* What a killed driver leaves behind: its child still holds the lock. */
Test(request, the_child_holds_the_lock_as_long_as_it_lives)
{
	struct nvme_req a = { .kind = NVME_PROBE, .device = { .path = "/dev/none" } };
	struct record_dir d;
	struct err err;
	int fd;

	open_with("read x < "
		  "$0.gate; echo '" FACTS "'");
	char gate[200];

	snprintf(gate, sizeof(gate), "%s.gate", script);
	cr_assert_eq(mkfifo(gate, 0600), 0);
	a.id = "vol";
	nvme_start(nvme, &a, on_done);
	fd = -1;
	t_run_until(&l,
		    fd >= 0 || (fd = open(gate, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0);
	cr_assert_eq(record_open(&d, state, &err), 0);
	int lock = -1;

	cr_assert_eq(record_lock(&d, "vol", &lock, &err), -1);
	cr_assert_eq(err.code, ERR_ABORTED);
	close(fd);
	t_run_until(&l, n_done == 1);
	cr_assert_eq(record_lock(&d, "vol", &lock, &err), 0);
	close(lock);
	close_all();
}

/* A connect that outlived its driver makes the session later: were the record gone by
 * then, nobody would know whose it is. */
Test(request, what_a_child_still_works_on_is_not_forgotten)
{
	struct nvme_record rec = { .stage = NVME_ATTACHING };
	struct record_dir d;
	struct err err = { .code = ERR_OK };
	int fd = -1;

	open_with("exit 1");
	cr_assert_eq(nvme->ops->record_write(nvme, "vol", &rec, &err), 0);
	cr_assert_eq(record_open(&d, state, &err), 0);
	cr_assert_eq(record_lock(&d, "vol", &fd, &err), 0);
	cr_assert_eq(nvme->ops->record_forget(nvme, "vol", &err), -1);
	cr_assert_eq(err.code, ERR_ABORTED);
	err.code = ERR_OK;
	cr_assert_eq(nvme->ops->record_read(nvme, "vol", &rec, &err), 0);
	cr_assert_eq(record_lock(&d, "vol", &fd, &err), -1, "the lock is another one");
	close(fd);
	cr_assert_eq(nvme->ops->record_forget(nvme, "vol", &err), 0);
	cr_assert_eq(nvme->ops->record_read(nvme, "vol", &rec, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	close_all();
}

Test(request, a_deadline_ends_the_child)
{
	struct nvme_req req = { .kind = NVME_PROBE,
				.id = "vol",
				.device = { .path = "/dev/none" } };

	open_with("exec sleep 1000");
	nvme_start(nvme, &req, on_done);
	op_set_deadline(&req.op, clock_now_ms(&l.uv) + 50);
	t_run_until(&l, n_done == 1);
	cr_assert_eq(req.op.err.code, ERR_DEADLINE, "%s", req.op.err.msg);
	cr_assert(!req.is_stuck);
	cr_assert_eq(nvme->ops->n_stuck(nvme), 0);
	close_all();
}

Test(request, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 12; turns++) {
		struct nvme_req req = { .kind = NVME_PROBE,
					.id = "vol",
					.device = { .path = "/dev/none" } };

		open_with("echo '" FACTS "'");
		nvme_start(nvme, &req, on_done);
		for (int i = 0; i < turns && !n_done; i++)
			uv_run(&l.uv, UV_RUN_ONCE);
		bool is_late = op_is_done(&req.op);

		op_cancel(&req.op, ERR_CANCELLED);
		t_run_until(&l, n_done == 1);
		cr_assert_eq(req.op.err.code, is_late ? ERR_OK : ERR_CANCELLED, "%d",
			     turns);
		close_all();
	}
}

/* One turn: the second begins when the first has ended, the cancelled one never. */
Test(request, attaches_wait_their_turn)
{
	static const char *const ids[] = { "vol-a", "vol-b", "vol-c", "vol-d" };
	enum { N = 4, CANCELLED = 2 };
	struct nvme_req req[N];

	open_with("[ $2 = loop-attach ] && mkdir $0.turn && sleep 0.05 && rmdir $0.turn "
		  "&& echo '{\"device\":\"/dev/none\",\"size\":4096,\"major\":1,"
		  "\"minor\":2,\"code\":0,\"msg\":\"\"}'");
	backend_of(nvme)->host.max_attaches = 1;
	for (int i = 0; i < N; i++) {
		req[i] = (struct nvme_req){ .kind = NVME_ATTACH,
					    .id = ids[i],
					    .source = "/image" };
		nvme_start(nvme, &req[i], on_done);
	}
	t_run_until(&l, req[CANCELLED].op.state != OP_START);
	cr_assert_str_eq(req[CANCELLED].op.type->states[req[CANCELLED].op.state],
			 "queued");
	op_cancel(&req[CANCELLED].op, ERR_CANCELLED);
	t_run_until(&l, n_done == N);
	for (int i = 0; i < N; i++)
		cr_assert_eq(req[i].op.err.code, i == CANCELLED ? ERR_CANCELLED : ERR_OK,
			     "%d: %s", i, req[i].op.err.msg);
	close_all();
}

static void one_oom_run(void)
{
	struct nvme_req req = { .kind = NVME_MOUNT,
				.path = "/x",
				.fs_type = "ext4",
				.device = { .path = "/dev/none" } };
	struct err e = run(&req);

	cr_assert(e.code == ERR_OK || e.code == ERR_EXHAUSTED, "%s", e.msg);
}

Test(request, every_allocation_may_fail)
{
	open_with("echo '{\"code\":0,\"msg\":\"\"}'");
	T_EACH_ALLOC_FAILS(one_oom_run());
	close_all();
}

Test(request, tools_are_run_without_a_shell)
{
	struct nvme_req req = { .kind = NVME_GROW,
				.path = "/x;touch /tmp/pwned",
				.fs_type = "xfs",
				.device = { .path = "/dev/none" } };

	open_with("exit 0");
	cr_assert_eq(run(&req).code, ERR_PRECONDITION);
	req.fs_type = "ntfs";
	cr_assert_eq(run(&req).code, ERR_PRECONDITION);
	cr_assert_neq(access("/tmp/pwned", F_OK), 0);
	close_all();
}
