#include "nvme/tcp.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "support/fake_sys.h"
#include "support/t.h"

/* The back end over a made-up sysfs and helpers that are shell scripts. */

#define BASE "nqn.2000-02.com.mikrotik:pvc-1"
#define OWN "nqn.2014-08.org.nvmexpress:uuid:own"
#define HIS "nqn.2014-08.org.nvmexpress:uuid:his"
#define ROOT "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
#define DEVICE                                          \
	"{\"ns_id\":\"u\",\"host\":\"" OWN              \
	"\",\"device\":\"/dev/nvme0n1\",\"size\":4096," \
	"\"major\":259,\"minor\":1,\"code\":0,\"msg\":\"\"}"

static struct t_loop l;
static char root[128], state[160], script[160], mountinfo[160];
static struct nvme *nvme;
static bool is_stopped;
static unsigned n_done;

static void on_stopped(void *arg)
{
	(void)arg;
	is_stopped = true;
}

static void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static void open_with(const char *text, unsigned max_connects)
{
	struct nvme_tcp_conf conf = { .state_dir = state,
				      .host_nqn = OWN,
				      .host_id = "own-id",
				      .max_connects = max_connects,
				      .refusal_settle_ms = 1500,
				      .helper = script,
				      .sys_root = root,
				      .mountinfo = mountinfo };
	struct err err = { .code = ERR_OK };
	char body[1024];

	log_set_level(LOG_ERROR);
	t_mkdir(root);
	snprintf(state, sizeof(state), "%s/state", root);
	snprintf(script, sizeof(script), "%s/helper", root);
	snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", root);
	snprintf(body, sizeof(body), "#!/bin/sh\n%s\n", text);
	fake_put(root, "helper", body);
	chmod(script, 0700);
	fake_put(root, "mountinfo", ROOT);
	n_done = 0;
	is_stopped = false;
	t_loop_open(&l);
	nvme = nvme_tcp_new(&l.uv, &conf, &err);
	cr_assert_not_null(nvme, "%s", err.msg);
}

static void close_all(void)
{
	nvme_tcp_stop(nvme, on_stopped, NULL);
	t_loop_close(&l);
	cr_assert(is_stopped);
	t_rmdir(root);
	cr_assert_eq(mem_live(), 0);
}

/* ---- looking ---- */

static struct nvme_view v;

static int look(struct nvme_query q)
{
	struct err err = { .code = ERR_OK };

	q.id = "pvc-1";
	q.base_nqn = BASE;
	q.nqn = q.nqn ? q.nqn : "";
	q.source = q.source ? q.source : "";
	q.path = q.path ? q.path : "/stage";
	if (nvme->ops->look(nvme, &q, &v, &err) == 0)
		cr_assert_eq(err.code, ERR_OK);
	return (int)err.code;
}

#define LOOK(...) look((struct nvme_query){ __VA_ARGS__ })

static void session_with_disk(const char *ctrl, const char *disk, const char *number,
			      const char *nqn, const char *host)
{
	char path[96];

	fake_session(root, ctrl, nqn, host, "live");
	snprintf(path, sizeof(path), "class/nvme/%s/%s/size", ctrl, disk);
	fake_put(root, path, "2048\n");
	fake_disk(root, disk, number, 2048, nqn);
}

Test(nvme_tcp, states_of_a_session)
{
	open_with("exit 1", 0);
	cr_assert_eq(LOOK(.nqn = BASE), ERR_OK);
	cr_assert(v.state == NVME_ABSENT && !v.nqn[0] && !v.device.path[0]);
	cr_assert_str_eq(v.source, OWN);
	fake_session(root, "nvme0", BASE, OWN, "live");
	cr_assert_eq(LOOK(.nqn = BASE), ERR_OK);
	cr_assert_eq(v.state, NVME_EMPTY);
	cr_assert_str_eq(v.nqn, BASE);
	session_with_disk("nvme0", "nvme0n1", "259:1", BASE, OWN);
	LOOK(.nqn = BASE);
	cr_assert_eq(v.state, NVME_LIVE);
	cr_assert_str_eq(v.device.path, "/dev/nvme0n1");
	fake_put(root, "class/nvme/nvme0/state", "connecting\n");
	LOOK(.nqn = BASE);
	cr_assert(v.state == NVME_RECOVERING && v.device.path[0]);
	fake_session(root, "nvme1", BASE, OWN, "live");
	LOOK(.nqn = BASE);
	cr_assert_eq(v.state, NVME_LIVE, "one live session is enough");
	fake_put(root, "class/nvme/nvme0/state", "deleting\n");
	fake_put(root, "class/nvme/nvme1/state", "dead\n");
	LOOK(.nqn = BASE);
	cr_assert_eq(v.state, NVME_GOING);
	close_all();
}

Test(nvme_tcp, whose_session_it_is)
{
	open_with("exit 1", 0);
	session_with_disk("nvme0", "nvme0n1", "259:1", BASE, HIS);
	cr_assert_eq(LOOK(.nqn = BASE), ERR_OK);
	cr_assert_eq(v.state, NVME_LIVE, "nothing is recorded: it is found");
	cr_assert_str_eq(v.source, HIS);
	LOOK(.nqn = BASE, .source = OWN);
	cr_assert_eq(v.state, NVME_ABSENT, "recorded as ours, this is another's");
	LOOK(.nqn = BASE, .source = HIS);
	cr_assert_eq(v.state, NVME_LIVE);
	session_with_disk("nvme1", "nvme1n1", "259:2", BASE, OWN);
	LOOK(.nqn = BASE, .source = HIS);
	cr_assert_str_eq(v.device.path, "/dev/nvme1n1", "the own one first");
	cr_assert(strstr(v.source, HIS) && strstr(v.source, OWN));
	close_all();
}

Test(nvme_tcp, other_names_of_the_volume_are_counted)
{
	open_with("exit 1", 0);
	fake_session(root, "nvme0", BASE, OWN, "live");
	fake_session(root, "nvme1", BASE ".g1-00000001", OWN, "connecting");
	fake_session(root, "nvme2", BASE ".g2-00000002", HIS, "connecting");
	fake_session(root, "nvme3", BASE "-x", OWN, "live");
	LOOK(.nqn = BASE ".g3-00000003");
	cr_assert(v.state == NVME_ABSENT && v.n_other_sessions == 2);
	LOOK(.nqn = BASE ".g3-00000003", .source = HIS);
	cr_assert_eq(v.n_other_sessions, 3);
	LOOK(.nqn = BASE);
	cr_assert(v.state == NVME_EMPTY && v.n_other_sessions == 1);
	cr_assert_eq(LOOK(.nqn = ""), ERR_PRECONDITION, "which one cannot be told");
	close_all();
}

Test(nvme_tcp, without_an_nqn_the_mount_or_the_only_session_tells)
{
	open_with("exit 1", 0);
	cr_assert_eq(LOOK(.is_staging = true), ERR_OK);
	cr_assert(v.state == NVME_ABSENT && !v.nqn[0]);
	session_with_disk("nvme0", "nvme0n1", "259:1", BASE ".g1-00000001", OWN);
	LOOK(.is_staging = true);
	cr_assert_str_eq(v.nqn, BASE ".g1-00000001");
	session_with_disk("nvme1", "nvme1n1", "259:2", BASE, OWN);
	fake_put(root, "mountinfo",
		 ROOT "30 22 259:2 / /stage rw - ext4 /dev/nvme1n1 rw\n");
	cr_assert_eq(LOOK(.is_staging = true), ERR_OK);
	cr_assert_str_eq(v.nqn, BASE);
	cr_assert_eq(v.top, NVME_TOP_OURS);
	fake_put(root, "mountinfo",
		 ROOT "30 22 0:50 / /stage rw - btrfs /dev/nvme0n1 rw\n");
	cr_assert_eq(LOOK(.is_staging = true), ERR_OK);
	cr_assert_str_eq(v.nqn, BASE ".g1-00000001");
	cr_assert_eq(LOOK(.is_staging = false), ERR_PRECONDITION);
	fake_disk(root, "nvme9n1", "259:9", 8, "nqn.1994-11.com.vendor:disk");
	fake_put(root, "mountinfo",
		 ROOT "30 22 259:9 / /stage rw - ext4 /dev/nvme9n1 rw\n");
	cr_assert_eq(LOOK(.is_staging = true), ERR_PRECONDITION, "another's disk");
	close_all();
}

Test(nvme_tcp, a_dead_device_under_the_recorded_mount)
{
	open_with("exit 1", 0);
	fake_put(root, "mountinfo",
		 ROOT "30 22 259:1 / /stage rw - ext4 /dev/nvme0n1 rw\n"
		      "31 22 259:1 / /pod rw - ext4 /dev/nvme0n1 rw\n");
	LOOK(.nqn = BASE);
	cr_assert(v.top == NVME_TOP_FOREIGN && !v.n_dead, "not recorded");
	LOOK(.nqn = BASE, .recorded = "/stage");
	cr_assert(v.top == NVME_TOP_OURS && v.n_dead == 2);
	cr_assert_str_eq(v.dead_path, "/pod");
	session_with_disk("nvme0", "nvme0n2", "259:7", BASE, OWN);
	LOOK(.nqn = BASE, .recorded = "/stage");
	cr_assert(v.n_dead == 2 && v.state == NVME_LIVE, "a new one changes nothing");
	fake_disk(root, "nvme0n1", "259:1", 8, BASE);
	cr_assert_eq(LOOK(.nqn = BASE, .recorded = "/stage"), ERR_ABORTED, "it is there");
	close_all();
}

/* ---- requests ---- */

static const struct nvme_target target = { .address = "10.0.0.1", .port = 4420 };

static int run(struct nvme_req *req)
{
	req->id = req->id ? req->id : "pvc-1";
	n_done = 0;
	nvme_start(nvme, req, on_done);
	t_run_until(&l, n_done == 1);
	return (int)req->op.err.code;
}

/* Its last session is off it already: nobody's mount until the kernel is done. */
Test(nvme_tcp, a_device_that_is_just_going_is_not_judged)
{
	static const char *const mounts[] = {
		ROOT "30 22 259:1 / /stage rw - ext4 /dev/nvme0n1 rw\n",
		ROOT "30 22 0:40 / /stage rw - btrfs /dev/nvme0n1 rw\n",
		ROOT "30 22 0:6 /nvme0n1 /stage rw - devtmpfs udev rw\n",
	};

	char path[200];

	open_with("", 0);
	for (unsigned i = 0; i < 3; i++) {
		session_with_disk("nvme0", "nvme0n1", "259:1", BASE, OWN);
		fake_put(root, "mountinfo", mounts[i]);
		cr_assert_eq(LOOK(.nqn = BASE), ERR_OK);
		cr_assert_eq(v.top, NVME_TOP_OURS);
		cr_assert_eq(LOOK(.nqn = BASE ".g1"), ERR_OK, "under another name");
		cr_assert_eq(v.top, NVME_TOP_FOREIGN);
		snprintf(path, sizeof(path), "%s/class/nvme/nvme0/nvme0n1", root);
		t_rmdir(path);
		cr_assert_eq(LOOK(.nqn = BASE), ERR_ABORTED);
		cr_assert_eq(LOOK(.nqn = BASE ".g1"), ERR_ABORTED);
		cr_assert_eq(LOOK(.path = "/target", .recorded = "/stage"), ERR_ABORTED);
		cr_assert_eq(LOOK(.path = "/target"), ERR_OK);
		fake_disk(root, "nvme0n1", "259:1", 2048, "nqn.of:another");
		cr_assert_eq(LOOK(.nqn = BASE), ERR_OK);
		cr_assert_eq(v.top, NVME_TOP_FOREIGN);
	}
	/* The last one: sysfs lets go of the name before devtmpfs marks the node. */
	snprintf(path, sizeof(path), "%s/block/nvme0n1", root);
	t_rmdir(path);
	cr_assert_eq(LOOK(.nqn = BASE), ERR_ABORTED);
	fake_put(root, "mountinfo", ROOT "30 22 0:6 /sdz /stage rw - devtmpfs udev rw\n");
	cr_assert_eq(LOOK(.nqn = BASE), ERR_OK);
	cr_assert_eq(v.top, NVME_TOP_FOREIGN, "no NVMe device");
	close_all();
}

static void read_args(char *text, int size)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s.args", script);
	f = fopen(path, "r");
	cr_assert_not_null(f);
	cr_assert_not_null(fgets(text, size, f));
	fclose(f);
}

Test(nvme_tcp, an_attach_says_everything_in_arguments)
{
	struct nvme_target to = { .address = "fe80::1%eth0",
				  .port = 4421,
				  .n_io_queues = 4,
				  .queue_size = NVME_UNSET,
				  .ctrl_loss_tmo_s = -1 };
	struct nvme_req req = { .kind = NVME_ATTACH,
				.nqn = BASE,
				.source = HIS,
				.readonly = true,
				.target = &to };
	char text[600] = "";

	open_with("echo \"$*\" >$0.args; echo '" DEVICE "'", 0);
	cr_assert_eq(run(&req), ERR_OK, "%s", req.op.err.msg);
	cr_assert_str_eq(req.device.path, "/dev/nvme0n1");
	cr_assert(req.device.minor == 1 && req.device.size_bytes == 4096);
	cr_assert_str_eq(req.ns_id, "u");
	cr_assert_str_eq(req.source_now, OWN);
	read_args(text, sizeof(text));
	cr_assert_str_eq(text, "helper nvme-attach " BASE " " OWN " own-id " OWN "," HIS
			       " fe80::1%eth0 4421 4,-2147483648,-1,0,0,0 ro new\n");
	fake_session(root, "nvme7", BASE, HIS, "deleting");
	cr_assert_eq(run(&req), ERR_OK);
	read_args(text, sizeof(text));
	cr_assert(strstr(text, " ro any\n"), "a session that is there is looked at: %s",
		  text);
	close_all();
}

Test(nvme_tcp, what_would_slip_into_the_options_is_refused)
{
	static const char *const addresses[] = { "box.example", "10.0.0.1,hostnqn=x",
						 "10.0.0.1%e",	"",
						 "fe80::1%a,b", "::g" };
	struct nvme_target to = target;
	struct nvme_req req = { .kind = NVME_ATTACH, .nqn = BASE, .target = &to };

	open_with("echo '" DEVICE "'", 0);
	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		to.address = addresses[i];
		cr_assert_eq(run(&req), ERR_INVALID, "%s", addresses[i]);
	}
	to = target;
	cr_assert_eq(run(&req), ERR_OK);
	req.nqn = BASE ",traddr=10.0.0.2";
	cr_assert_eq(run(&req), ERR_INVALID);
	req.nqn = "";
	cr_assert_eq(run(&req), ERR_INVALID);
	req.nqn = BASE;
	req.target = NULL;
	cr_assert_eq(run(&req), ERR_INVALID);
	close_all();
}

Test(nvme_tcp, a_question_goes_where_the_session_leads)
{
	struct nvme_req req = { .kind = NVME_ASK, .nqn = BASE, .source = HIS };

	open_with("[ \"$*\" = 'helper ask fe80::1 4420 " BASE " " HIS
		  " 6f7a2b1e-1111-4222-8333-444455556666 1500' ] &&"
		  "echo '{\"refused\":1,\"code\":0,\"msg\":\"\"}'",
		  0);
	cr_assert_eq(run(&req), ERR_UNAVAILABLE, "no session");
	fake_session(root, "nvme0", BASE, HIS, "connecting");
	cr_assert_eq(run(&req), ERR_OK, "%s", req.op.err.msg);
	cr_assert(req.is_refused);
	close_all();
}

/* ---- whose turn it is ---- */

enum { N = 12, MAX = 3 };

static struct nvme_req many[N];
static char ids[N][8];

static void start_many(void)
{
	n_done = 0;
	for (unsigned i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "v%u", i);
		many[i] = (struct nvme_req){
			.kind = NVME_ATTACH, .id = ids[i], .nqn = BASE, .target = &target
		};
		nvme_start(nvme, &many[i], on_done);
		uv_run(&l.uv, UV_RUN_NOWAIT); /* as calls come: one after the other */
	}
}

/* A child that finds more than MAX of its kind fails the attach. */
#define CROWD                                                                     \
	"d=${0%/*}/crowd; mkdir -p $d; : >$d/$$; n=$(ls $d | wc -l); sleep 0.02;" \
	"rm $d/$$; [ $n -le 3 ] && echo '" DEVICE "'"

Test(nvme_tcp, so_many_attach_at_a_time)
{
	open_with(CROWD, MAX);
	start_many();
	t_run_until(&l, n_done == N);
	for (unsigned i = 0; i < N; i++)
		cr_assert_eq(many[i].op.err.code, ERR_OK, "%u: %s", i,
			     many[i].op.err.msg);
	close_all();
}

static unsigned order[N];

static void on_order(struct op *op)
{
	order[n_done++] = (unsigned)(CONTAINER_OF(op, struct nvme_req, op) - many);
}

Test(nvme_tcp, first_come_first_served_and_a_detach_does_not_wait)
{
	struct nvme_req other = { .kind = NVME_DETACH, .id = "w", .nqn = BASE };

	open_with("[ $2 = nvme-detach ] && exec echo '{\"code\":0,\"msg\":\"\"}';"
		  "while [ ! -e ${0%/*}/go ]; do sleep 0.01; done; echo '" DEVICE "'",
		  1);
	start_many();
	for (unsigned i = 0; i < N; i++)
		many[i].op.done = on_order;
	nvme_start(nvme, &other, on_done);
	t_run_until(&l, n_done == 1);
	cr_assert_eq(other.op.err.code, ERR_OK, "%s", other.op.err.msg);
	n_done = 0;
	fake_put(root, "go", "");
	t_run_until(&l, n_done == N);
	for (unsigned i = 0; i < N; i++)
		cr_assert_eq(order[i], i);
	close_all();
}

Test(nvme_tcp, who_waits_can_be_cancelled_and_frees_nobodys_turn)
{
	for (unsigned turns = 0; turns < 8; turns++) {
		open_with("while [ ! -e ${0%/*}/go ]; do sleep 0.01; done; echo '" DEVICE
			  "'",
			  1);
		start_many();
		for (unsigned i = 0; i < turns; i++)
			uv_run(&l.uv, UV_RUN_NOWAIT);
		op_cancel(&many[1].op, ERR_CANCELLED);
		op_set_deadline(&many[2].op, clock_now_ms(&l.uv) + 1);
		t_run_until(&l, n_done == 2);
		cr_assert_eq(many[1].op.err.code, ERR_CANCELLED);
		cr_assert_eq(many[2].op.err.code, ERR_DEADLINE);
		fake_put(root, "go", "");
		t_run_until(&l, n_done == N);
		for (unsigned i = 0; i < N; i++)
			cr_assert(i == 1 || i == 2 || many[i].op.err.code == ERR_OK,
				  "%u: %s", i, many[i].op.err.msg);
		close_all();
	}
}

Test(nvme_tcp, a_turn_that_fails_to_start_is_passed_on)
{
	static const struct nvme_target bad = { .address = "nowhere", .port = 1 };

	open_with("while [ ! -e ${0%/*}/go ]; do sleep 0.01; done; echo '" DEVICE "'", 1);
	start_many();
	for (unsigned i = 2; i < N; i += 2)
		many[i].target = &bad;
	fake_put(root, "go", "");
	t_run_until(&l, n_done == N);
	for (unsigned i = 0; i < N; i++)
		cr_assert_eq(many[i].op.err.code, i && i % 2 == 0 ? ERR_INVALID : ERR_OK,
			     "%u", i);
	close_all();
}

static void oom_once(void)
{
	n_done = 0;
	for (unsigned i = 0; i < 3; i++)
		nvme_start(nvme, &many[i], on_done);
	t_run_until(&l, n_done == 3);
}

Test(nvme_tcp, every_allocation_may_fail)
{
	open_with("echo '" DEVICE "'", 1);
	start_many();
	t_run_until(&l, n_done == N);
	T_EACH_ALLOC_FAILS(oom_once());
	close_all();
}

/* ---- what is stuck ---- */

Test(nvme_tcp, what_is_not_stuck_is_not_told)
{
	struct nvme_req req = { .kind = NVME_DETACH, .id = "w", .nqn = BASE };

	open_with("exec sleep 1000", 0);
	nvme_start(nvme, &req, on_done);
	for (unsigned i = 0; i < 5; i++)
		uv_run(&l.uv, UV_RUN_NOWAIT);
	cr_assert_str_eq(nvme->ops->stuck(nvme, "w"), "", "it is only running");
	op_cancel(&req.op, ERR_CANCELLED);
	t_run_until(&l, n_done == 1);
	cr_assert_str_eq(nvme->ops->stuck(nvme, "w"), "");
	close_all();
}
