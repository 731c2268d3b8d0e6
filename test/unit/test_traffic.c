#include "nvme/traffic.h"

#include <string.h>

#include "csi/node/traffic.h"
#include "support/fake_sys.h"
#include "support/t.h"

#define PREFIX "nqn.2000-02.com.mikrotik:"
#define OWN "nqn.2014-08.org.nvmexpress:uuid:own"

/* Of kernel 6.1. */
static const char line[] =
	"80337751     6620 731736373  4513995   401847   382583 "
	"372719679   194439        3  4563092  4877263    11012        "
	"0 5618796258    27775   151406   141053";

Test(traffic, a_line_of_the_kernels_counters)
{
	static const char *const bad[] = { "", "1 2 3 4 5 6 7 8 9", "a b c d e f g h i j",
					   "1 2 3 4 5 6 7 8 9 x" };
	struct nvme_traffic t = { .reads = 7 };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(traffic_parse(bad[i], &t), -1, "%s", bad[i]);
	cr_assert_eq(t.reads, 7);
	cr_assert_eq(traffic_parse(line, &t), 0);
	cr_assert_eq(t.reads, 80337751);
	cr_assert_eq(t.read_bytes, UINT64_C(731736373) * 512);
	cr_assert_eq(t.writes, 401847);
	cr_assert_eq(t.written_bytes, UINT64_C(372719679) * 512);
	cr_assert_eq(t.in_flight, 3);
	cr_assert_eq(t.busy_ms, 4563092);
	cr_assert_eq(traffic_parse("1 2 3 4 5 6 7 8 9 10", &t), 0,
		     "a kernel before 4.18");
}

Test(traffic, the_volume_behind_a_name)
{
	static const struct {
		const char *nqn, *id;
	} rows[] = {
		{ PREFIX "pvc-1", "pvc-1" },
		{ PREFIX "pvc-1.g0-0a1b2c3d", "pvc-1" },
		{ PREFIX "pvc-1.g12-0a1b2c3d", "pvc-1" },
		{ PREFIX, NULL },
		{ PREFIX ".g0-0a1b2c3d", NULL },
		{ PREFIX "a b", NULL },
		{ PREFIX "a\"b", NULL },
		{ "nqn.1994-11.com.vendor:pvc-1", NULL },
		{ "", NULL },
	};
	char id[ID_VOLUME], nqn[ID_NQN];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(node_traffic_id(rows[i].nqn, PREFIX, id), rows[i].id != NULL,
			     "%s", rows[i].nqn);
		if (rows[i].id)
			cr_assert_str_eq(id, rows[i].id);
	}
	memcpy(nqn, PREFIX, sizeof(PREFIX));
	memset(nqn + sizeof(PREFIX) - 1, 'a', ID_VOLUME);
	nqn[sizeof(PREFIX) - 1 + ID_VOLUME] = '\0';
	cr_assert(!node_traffic_id(nqn, PREFIX, id), "longer than any volume's id");
}

/* ---- over a sysfs of plain files ---- */

static char root[128];

static int over_sysfs(struct nvme *nvme,
		      bool (*each)(void *arg, const struct nvme_traffic *t), void *arg,
		      struct err *err)
{
	(void)nvme;
	return traffic_sessions(root, each, arg, err);
}

static const struct nvme_ops ops = { .traffic = over_sysfs };
static struct nvme nvme = { &ops };

static void put_path(const char *ctrl, const char *disk, const char *stat)
{
	char path[64];

	snprintf(path, sizeof(path), "class/nvme/%s/%s/stat", ctrl, disk);
	fake_put(root, path, stat);
}

Test(traffic, each_volume_once_and_each_session_by_its_state)
{
	struct t_loop l;
	struct csi csi = { .nvme = &nvme, .nqn_prefix = PREFIX };
	struct node_traffic n = { .at = NULL };

	t_loop_open(&l);
	clock_hold(&l.uv);
	csi.loop = &l.uv;
	t_mkdir(root);
	node_traffic_look(&n, &csi);
	cr_assert(n.is_known && n.n == 0, "no NVMe in the kernel");
	fake_session(root, "nvme0", PREFIX "pvc-1", OWN, "live");
	put_path("nvme0", "nvme0c0n1", line);
	fake_session(root, "nvme1", PREFIX "pvc-2.g3-0a1b2c3d", OWN, "connecting");
	fake_session(root, "nvme2", PREFIX "pvc-1", OWN, "live");
	fake_session(root, "nvme3", PREFIX "pvc-3", OWN, "deleting (no IO)");
	fake_session(root, "nvme4", "nqn.1994-11.com.vendor:disk", OWN, "live");
	fake_session(root, "nvme5", PREFIX "pvc-5", OWN, "live");
	fake_put(root, "class/nvme/nvme5/transport", "pcie\n");
	node_traffic_look(&n, &csi);
	cr_assert_eq(n.n, 0, "not read again at once");
	clock_advance(&l.uv, NODE_TRAFFIC_MS);
	node_traffic_look(&n, &csi);
	cr_assert_eq(n.n, 3);
	cr_assert_eq(n.n_live, 2);
	cr_assert_eq(n.n_connecting, 1);
	cr_assert_eq(n.n_deleting, 1);
	for (unsigned i = 0; i < n.n; i++) {
		bool is_first = strcmp(n.at[i].id, "pvc-1") == 0;

		cr_assert_eq(n.at[i].t.has_device, is_first, "%s", n.at[i].id);
		cr_assert(!is_first || n.at[i].t.reads == 80337751);
	}
	node_traffic_fini(&n);
	t_rmdir(root);
	t_loop_close(&l);
}

static bool one_more(void *arg, const struct nvme_traffic *t)
{
	++*(unsigned *)arg;
	(void)t;
	return *(unsigned *)arg < 2;
}

Test(traffic, whoever_has_enough_is_told_no_more)
{
	struct err err;
	unsigned n = 0;

	t_mkdir(root);
	fake_session(root, "nvme0", PREFIX "pvc-1", OWN, "live");
	fake_session(root, "nvme1", PREFIX "pvc-2", OWN, "live");
	fake_session(root, "nvme2", PREFIX "pvc-3", OWN, "live");
	cr_assert_eq(traffic_sessions(root, one_more, &n, &err), 0);
	cr_assert_eq(n, 2);
	t_rmdir(root);
}

/* A crowd: what does not fit is left out of the volumes, not of the sessions. */
static int crowd(struct nvme *self, bool (*each)(void *arg, const struct nvme_traffic *t),
		 void *arg, struct err *err)
{
	char nqn[ID_NQN];

	(void)self;
	(void)err;
	for (unsigned i = 0; i < NODE_TRAFFIC_MAX + 50; i++) {
		struct nvme_traffic t = { .nqn = nqn,
					  .state = NVME_LIVE,
					  .has_device = true };

		snprintf(nqn, sizeof(nqn), PREFIX "pvc-%u", i);
		if (!each(arg, &t))
			break;
	}
	return 0;
}

static void look_at_the_crowd(void)
{
	static const struct nvme_ops many = { .traffic = crowd };
	struct nvme port = { &many };
	struct t_loop l;
	struct csi csi = { .nvme = &port, .nqn_prefix = PREFIX };
	struct node_traffic n = { .at = NULL };

	t_loop_open(&l);
	csi.loop = &l.uv;
	node_traffic_look(&n, &csi);
	cr_assert_eq(n.n_live, NODE_TRAFFIC_MAX + 50);
	cr_assert_leq(n.n, NODE_TRAFFIC_MAX);
	node_traffic_fini(&n);
	t_loop_close(&l);
}

Test(traffic, a_crowd_is_bounded_also_without_memory)
{
	look_at_the_crowd();
	T_EACH_ALLOC_FAILS(look_at_the_crowd());
}
