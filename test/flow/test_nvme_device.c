#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "nvme/tcp.h"
#include "support/fake_sys.h"
#include "support/t.h"

/* A device's name and its number are the next one's as soon as it is gone, and what is to
 * be done to it is begun later than it was looked at. */

#define BASE "nqn.2000-02.com.mikrotik:pvc-1"

static struct t_loop l;
static char root[128], state[160], helper[160];
static struct nvme *nvme;
static bool is_stopped, is_done;

static void on_stopped(void *arg)
{
	(void)arg;
	is_stopped = true;
}

static void on_done(struct op *op)
{
	(void)op;
	is_done = true;
}

static enum err_code ask(enum nvme_kind kind)
{
	struct nvme_req req = {
		.kind = kind,
		.id = "pvc-1",
		.nqn = BASE,
		.fs_type = "ext4",
		.fs_uuid = "0badcafe-0000-4000-8000-00000000cafe",
		.path = root,
		.device = { .path = "/dev/nvme70n1", .major = 259, .minor = 70 }
	};

	is_done = false;
	nvme_start(nvme, &req, on_done);
	t_run_until(&l, is_done);
	return req.op.err.code;
}

static void open_all(void)
{
	struct nvme_tcp_conf conf = { .state_dir = state,
				      .host_nqn = "own",
				      .host_id = "own-id",
				      .helper = helper,
				      .sys_root = root };
	struct err err = { .code = ERR_OK };

	log_set_level(LOG_ERROR);
	t_mkdir(root);
	snprintf(state, sizeof(state), "%s/state", root);
	snprintf(helper, sizeof(helper), "/bin/false");
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

static const enum nvme_kind kinds[] = { NVME_RESCAN, NVME_PROVE,  NVME_PROBE,
					NVME_WIPE,   NVME_FORMAT, NVME_CHECK,
					NVME_MOUNT,  NVME_BIND,	  NVME_GROW };

static void each_is(bool is_refused, const char *why)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		cr_expect_eq(ask(kinds[i]) == ERR_ABORTED, is_refused, "%s, kind %d", why,
			     (int)kinds[i]);
}

/* mkfs.ext4 without a terminal overwrites whatever it finds. */
Test(nvme_device, what_is_another_s_by_now_is_not_touched)
{
	open_all();
	fake_disk(root, "nvme70n1", "259:70", 2048, BASE);
	each_is(false, "its own");
	fake_disk(root, "nvme70n1", "259:70", 2048, BASE ".g1-0a1b2c3d");
	each_is(true, "another's");
	fake_disk(root, "nvme70n1", "259:71", 2048, BASE);
	each_is(true, "another's number");
	fake_disk(root, "nvme70n1", "259:70", 2048, BASE);
	each_is(false, "its own again");
	close_all();
}

Test(nvme_device, what_is_gone_is_not_begun)
{
	open_all();
	each_is(true, "gone");
	/* Nor waited for: what comes off needs no device. */
	cr_expect_neq(ask(NVME_UNMOUNT), ERR_ABORTED);
	close_all();
}
