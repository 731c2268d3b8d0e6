#include <arpa/inet.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/metrics/world.h"

/* Each leaves the world so that the next one can begin. */

static bool begin_creates(const char *prefix, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char id[40];

		snprintf(id, sizeof(id), "%s-%u", prefix, i);
		vol_init(&w.many[i], id);
		world_begin(&w.ctl, &w.many[i], VOL_CREATE);
	}
	return true;
}

static bool start(void)
{
	return driver_start(&w.ctl) && driver_start(&w.node);
}

static bool callers(void)
{
	for (unsigned i = 0; i < 3; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					 .sin_port = htons((uint16_t)w.ctl_port) };

		w.fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!CHECK(connect(w.fds[i], (struct sockaddr *)&a, sizeof(a)) == 0,
			   "no connection"))
			return false;
	}
	return true;
}

static void hang_up(void)
{
	for (unsigned i = 0; i < 3; i++)
		close(w.fds[i]);
}

static bool create_some(void)
{
	return world_create(&w.one, "m-one", false) &&
	       world_create(&w.two, "m-two", false) &&
	       world_create(&w.shared, "m-shared", true) &&
	       world_create(&w.gone, "m-gone", false) &&
	       world_create(&w.torn, "m-torn", false) &&
	       world_create(&w.held, "m-held", false);
}

static bool publish(void)
{
	return world_attach(&w.one, "node-a");
}

static bool conflict(void)
{
	w.one.node = "node-b";
	return CHECK(vol_do(&w.ctl, &w.one, VOL_PUBLISH) == ERR_PRECONDITION, "%s",
		     rpc_message());
}

static bool run_sh(const char *script, const char *arg)
{
	const char *const argv[] = { "/bin/sh", "-c", script, "sh", arg, NULL };
	char out[400];
	int rc = child_run(argv, out, sizeof(out));

	return CHECK(rc == 0, "%s: %s", script, out);
}

static bool stage(void)
{
	return vol_must(&w.node, &w.one, VOL_STAGE) &&
	       vol_must(&w.node, &w.one, VOL_NODE_PUBLISH) &&
	       run_sh("dd if=/dev/zero of=\"$1/f\" bs=1M count=8 oflag=direct 2>&1 && "
		      "dd if=\"$1/f\" of=/dev/null bs=1M iflag=direct 2>&1",
		      w.one.target);
}

static bool writes(void)
{
	static const char script[] = "while :; do dd if=/dev/zero of=\"$1/g\" bs=8M "
				     "count=8 oflag=direct 2>/dev/null || exit; done";
	const char *const argv[] = { "/bin/sh", "-c", script, "sh", w.one.target, NULL };
	const struct child_conf conf = { .argv = argv };

	w.writer = child_start(&conf);
	return CHECK(w.writer > 0, "no writer");
}

static void end_writes(void)
{
	(void)child_end(w.writer, SIGKILL, 60000);
	(void)child_wait_orphans(60000);
}

/* An unpublish from a node that is not ready is a fence: another NQN, of which the node
 * knows nothing until it is told to stage it. */
static bool leftover(void)
{
	if (!vol_must(&w.node, &w.one, VOL_NODE_UNPUBLISH))
		return false;
	api_sim_node(&w.api, "node-a", false);
	world_settle();
	if (!world_detach(&w.one, "node-a"))
		return false;
	api_sim_node(&w.api, "node-a", true);
	return world_attach(&w.one, "node-a") && vol_must(&w.node, &w.one, VOL_STAGE);
}

static bool take_off(void)
{
	w.one.node = "node-a";
	return vol_must(&w.node, &w.one, VOL_UNSTAGE) &&
	       vol_must(&w.ctl, &w.one, VOL_UNPUBLISH);
}

/* The object of the first is still there. */
static bool grace(void)
{
	return world_attach(&w.one, "node-b");
}

static void end_grace(void)
{
	world_drop_va(&w.one, "node-a");
	world_settle();
}

static bool migrating(void)
{
	return world_attach(&w.shared, "node-a") && world_attach(&w.shared, "node-b");
}

static bool migrated(void)
{
	return world_detach(&w.shared, "node-a");
}

static bool pending(void)
{
	if (!world_attach(&w.shared, "node-a"))
		return false;
	api_sim_node(&w.api, "node-b", false);
	world_settle();
	return world_detach(&w.shared, "node-b");
}

static void ready_again(void)
{
	api_sim_node(&w.api, "node-b", true);
	world_settle();
}

static bool disagree(void)
{
	world_put_va(&w.two, "node-b", true);
	world_settle();
	w.two.node = "node-a";
	return CHECK(vol_do(&w.ctl, &w.two, VOL_PUBLISH) == ERR_PRECONDITION, "%s",
		     rpc_message());
}

static void agree(void)
{
	world_drop_va(&w.two, "node-b");
	world_settle();
}

static bool node_gone(void)
{
	if (!world_attach(&w.gone, "node-c"))
		return false;
	api_sim_remove(&w.api, "nodes", NULL, "node-c");
	return true;
}

static bool slow(void)
{
	return sim_fault(&w.sim, "latency-ms=3000") && begin_creates("m-slow", N_CALLS);
}

static void fast(void)
{
	(void)sim_clear(&w.sim);
	world_end_calls(&w.ctl);
}

static bool crowd(void)
{
	return begin_creates("m-crowd", N_CALLS);
}

static void end_crowd(void)
{
	world_end_calls(&w.ctl);
}

static bool machines(void)
{
	api_sim_put(&w.api, "pods",
		    "{\"metadata\":{\"name\":\"launcher\",\"namespace\":\"default\","
		    "\"labels\":{\"kubevirt.io/vmi\":\"vm-1\"}},\"spec\":{\"nodeName\":"
		    "\"node-a\",\"volumes\":[{\"name\":\"a\",\"persistentVolumeClaim\":{"
		    "\"claimName\":\"claim-pv-m-torn\"}},{\"name\":\"b\","
		    "\"persistentVolumeClaim\":{\"claimName\":\"claim-pv-m-held\"}}]},"
		    "\"status\":{\"phase\":\"Running\"}}");
	world_put_va(&w.torn, "node-a", false);
	world_put_va(&w.held, "node-a", false);
	world_settle();
	if (!sim_fault(&w.sim, "latency-ms=3000"))
		return false;
	world_begin(&w.ctl, &w.torn, VOL_PUBLISH);
	world_begin(&w.ctl, &w.held, VOL_PUBLISH);
	return true;
}

static void end_machines(void)
{
	(void)sim_clear(&w.sim);
	CHECK(vol_end(&w.ctl, &w.torn, VOL_PUBLISH, &w.calls[0]) == ERR_OK, "%s",
	      rpc_message());
	CHECK(vol_end(&w.ctl, &w.held, VOL_PUBLISH, &w.calls[1]) == ERR_OK, "%s",
	      rpc_message());
	w.n_calls = 0;
	world_put_va(&w.torn, "node-a", true);
	world_put_va(&w.held, "node-a", true);
	world_settle();
}

static bool objects(void)
{
	api_sim_put(&w.api, "volumeattachments",
		    "{\"metadata\":{\"name\":\"broken\",\"annotations\":{\"x\":"
		    "\"a\\u0000b\"}},\"spec\":{\"attacher\":\"rds.csi.srvlab.io\","
		    "\"nodeName\":7}}");
	for (unsigned i = 0; i < N_CROWD; i++) {
		char name[40];

		snprintf(name, sizeof(name), "crowd-%u", i);
		api_sim_node(&w.api, name, true);
	}
	return true;
}

static void fewer_objects(void)
{
	api_sim_remove(&w.api, "volumeattachments", NULL, "broken");
	world_settle();
}

static bool streams(void)
{
	api_sim_fault(&w.api, (struct api_sim_fault){ .what = SIM_STATUS,
						      .method = "GET",
						      .match = "nodes?",
						      .status = 500 });
	api_sim_end_watches(&w.api);
	return true;
}

/* Refused for good; and each refusal of a conflict is another Event. */
static bool events(void)
{
	api_sim_fault(&w.api, (struct api_sim_fault){ .what = SIM_STATUS,
						      .method = "POST",
						      .match = "/events",
						      .times = 8,
						      .status = 403 });
	for (unsigned i = 0; i < N_CROWD; i++) {
		char node[40];

		snprintf(node, sizeof(node), "crowd-%u", i);
		w.one.node = node;
		(void)vol_do(&w.ctl, &w.one, VOL_PUBLISH);
	}
	return true;
}

/* Twice: the first attempt finds out, the next ones try to come back. A Node's end brings
 * the reconcilers' round forward, which then breaks off. */
static bool box_down(void)
{
	sim_kill(&w.sim);
	api_sim_remove(&w.api, "nodes", NULL, "crowd-1");
	for (unsigned i = 0; i < 3; i++) {
		vol_init(&w.many[0], "m-late");
		(void)vol_do(&w.ctl, &w.many[0], VOL_CREATE);
		e2e_sleep_ms(500);
	}
	return true;
}

static bool box_up(void)
{
	return sim_start(&w.sim) && vol_must(&w.ctl, &w.many[0], VOL_CREATE);
}

static bool may_mount(const char *id, const char *yes)
{
	char script[200], *said;

	snprintf(script, sizeof(script),
		 "/disk set [find slot=\"%s\"] mount-filesystem=%s", id, yes);
	said = sim_exec(&w.sim, script);
	CHECK(said && !*said, "%s: %s", script, said ? said : "no answer");
	free(said);
	return said != NULL;
}

/* One of them bears a file system and is held, the other is empty. */
static bool rounds(void)
{
	driver_stop(&w.ctl);
	w.ctl_args[6] = "--attachment-reconcile-interval=1s";
	return driver_start(&w.ctl) && may_mount(w.one.id, "yes") &&
	       may_mount(w.gone.id, "yes");
}

static void end_rounds(void)
{
	(void)may_mount(w.one.id, "no");
}

static bool api_down(void)
{
	api_sim_down(&w.api, true);
	return true;
}

static void api_up(void)
{
	api_sim_down(&w.api, false);
}

static bool has_loop(const char *image)
{
	glob_t g;
	bool found = false;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		char text[E2E_PATH] = "";
		FILE *f = fopen(g.gl_pathv[i], "re");

		if (f && fgets(text, sizeof(text), f))
			found = strncmp(text, image, strlen(image)) == 0;
		if (f)
			fclose(f);
	}
	globfree(&g);
	return found;
}

static bool figures(void)
{
	return sim_post(&w.sim,
			"/figures?read-ops-per-second=77&write-ops-per-second=99&"
			"read-rate=80000&write-rate=99000000&read-time=70&write-time=71&"
			"wait-time=72&in-flight-ops=17&active-time=73&raid1.state="
			"degraded&"
			"nvme1.temperature=64&nvme1.percentage-used=90&"
			"nvme1.available-spare=1&nvme1.io-errors=5&"
			"nvme1.unrecovered-integrity-errors=6&"
			"nvme1.critical-warning=temperature&"
			"nvme1.raid-member-failed=yes") &&
	       sim_post(&w.sim,
			"/figures?cpu-temperature=91&board-temperature1=92&"
			"fan1-speed=9001&fan2-speed=9002&psu1-power=201&psu2-power=202&"
			"psu1-temperature=93&psu2-temperature=94&psu2-state=fail");
}

/* Killed as soon as the device is there; mkfs has the time to end before the next start,
 * which finds a device that was connected and never staged. */
static bool orphan(void)
{
	char image[E2E_PATH];
	uint64_t end = e2e_now_ms() + 60000;

	if (!CHECK(sim_image(&w.sim, w.torn.id, image, sizeof(image)), "no image"))
		return false;
	world_begin(&w.node, &w.torn, VOL_STAGE);
	while (!has_loop(image) && e2e_now_ms() < end)
		rpc_turn(&w.node, 1);
	driver_kill(&w.node);
	world_end_calls(&w.node);
	return CHECK(child_wait_orphans(60000), "a helper never ends") &&
	       driver_start(&w.node);
}

/* Whoever makes a directory in a frozen file system sleeps until it is thawed, and no
 * signal reaches it: what a silent target does to its writers. */
static bool stuck(void)
{
	char path[E2E_PATH], command[1200];

	if (!vol_must(&w.node, &w.held, VOL_STAGE))
		return false;
	e2e_path(path, "cold");
	snprintf(command, sizeof(command),
		 "cd '%s' && truncate -s 64M cold.img && mkfs.ext4 -qF cold.img && "
		 "mkdir -p cold && mount -o loop cold.img cold && mkdir cold/pod && "
		 "fsfreeze -f cold && touch frozen; read -r x; fsfreeze -u cold; "
		 "sleep 1; umount -l cold",
		 e2e_dir());
	w.frozen = popen(command, "we");
	e2e_path(path, "frozen");
	for (unsigned i = 0; i < 1200 && access(path, F_OK); i++)
		e2e_sleep_ms(50);
	if (!CHECK(access(path, F_OK) == 0, "nothing can be frozen here"))
		return false;
	e2e_path(w.held.target, "cold/pod/mount");
	world_begin(&w.node, &w.held, VOL_NODE_PUBLISH);
	return true;
}

static void thaw(void)
{
	if (w.frozen)
		(void)pclose(w.frozen);
	w.frozen = NULL;
	world_end_calls(&w.node);
	(void)child_wait_orphans(60000);
	(void)vol_must(&w.node, &w.held, VOL_NODE_UNPUBLISH);
	(void)vol_must(&w.node, &w.held, VOL_UNSTAGE);
}

static bool move_key(const char *from, const char *to)
{
	char a[300], b[300];

	snprintf(a, sizeof(a), "%s/%s", w.sim.dir, from);
	snprintf(b, sizeof(b), "%s/%s", w.sim.dir, to);
	return CHECK(rename(a, b) == 0, "%s was not moved", from);
}

/* It is looked at when there is something to do, once a second at most. */
static bool keys(void)
{
	(void)move_key("client_key", "away");
	e2e_sleep_ms(1100);
	return rpc_do(&w.ctl, "GetCapacity", rpc_request("GetCapacity")) == ERR_OK;
}

static void keys_back(void)
{
	(void)move_key("away", "client_key");
}

static bool insecure(void)
{
	driver_stop(&w.ctl);
	w.ctl_args[6] = "--rds-insecure-skip-verify";
	return driver_start(&w.ctl);
}

const struct world_cause world_causes[CAUSE_N] = {
	[CAUSE_START] = { "start", start, NULL },
	[CAUSE_CALLERS] = { "callers", callers, hang_up },
	[CAUSE_CREATE] = { "create", create_some, NULL },
	[CAUSE_PUBLISH] = { "publish", publish, NULL },
	[CAUSE_CONFLICT] = { "conflict", conflict, NULL },
	[CAUSE_STAGE] = { "stage", stage, NULL },
	[CAUSE_WRITES] = { "writes", writes, end_writes },
	[CAUSE_LEFTOVER] = { "leftover", leftover, NULL },
	[CAUSE_FIGURES] = { "figures", figures, NULL },
	[CAUSE_DETACH] = { "detach", take_off, NULL },
	[CAUSE_GRACE] = { "grace", grace, end_grace },
	[CAUSE_MIGRATING] = { "migrating", migrating, NULL },
	[CAUSE_MIGRATED] = { "migrated", migrated, NULL },
	[CAUSE_PENDING] = { "pending", pending, ready_again },
	[CAUSE_DISAGREE] = { "disagree", disagree, agree },
	[CAUSE_NODE_GONE] = { "node gone", node_gone, NULL },
	[CAUSE_SLOW] = { "slow", slow, fast },
	[CAUSE_CROWD] = { "crowd", crowd, end_crowd },
	[CAUSE_MACHINES] = { "machines", machines, end_machines },
	[CAUSE_OBJECTS] = { "objects", objects, fewer_objects },
	[CAUSE_STREAMS] = { "streams", streams, NULL },
	[CAUSE_EVENTS] = { "events", events, NULL },
	[CAUSE_KEYS] = { "keys", keys, keys_back },
	[CAUSE_BOX_DOWN] = { "box down", box_down, NULL },
	[CAUSE_BOX_UP] = { "box up", box_up, NULL },
	[CAUSE_ROUNDS] = { "rounds", rounds, end_rounds },
	[CAUSE_API_DOWN] = { "api down", api_down, api_up },
	[CAUSE_ORPHAN] = { "orphan", orphan, NULL },
	[CAUSE_STUCK] = { "stuck", stuck, thaw },
	[CAUSE_INSECURE] = { "insecure", insecure, NULL },
};
