#include "csi/node/contexts.h"

#include <stdio.h>
#include <string.h>

#include "support/t.h"

/* What a request's two maps say of the volume. */

#define PREFIX "nqn.2000-02.com.mikrotik:"
enum { MAX_PAIRS = 20 };

static struct node_target target;
static struct err err;

/* Pairs of key and value, "p:" before a key of the publish_context. */
static int judge(const char *const *pairs)
{
	struct node_contexts c = { .values = { NULL } };

	err = (struct err){ .code = ERR_OK };
	for (; *pairs; pairs += 2) {
		if (strncmp(pairs[0], "p:", 2) == 0)
			node_contexts_publish(&c, pairs[0] + 2, pairs[1]);
		else
			node_contexts_volume(&c, pairs[0], pairs[1]);
	}
	return node_contexts_target(&c, PREFIX, &target, &err);
}

#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

Test(contexts, an_existing_volume_is_reached_as_its_class_said)
{
	cr_assert_eq(judge(PAIRS("nqn", PREFIX "pvc-1", "rdsAddress", "10.0.0.1",
				 "nvmeAddress", "10.0.0.2", "nvmePort", "4420",
				 "volumePath", "/p", "ctrlLossTmo", "-1",
				 "reconnectDelay", "7", "keepAliveTmo", "0")),
		     0, "%s", err.msg);
	cr_assert_str_eq(target.nqn, PREFIX "pvc-1");
	cr_assert_str_eq(target.at.address, "10.0.0.2");
	cr_assert_eq(target.at.port, 4420);
	cr_assert_eq(target.at.ctrl_loss_tmo_s, -1);
	cr_assert_eq(target.at.reconnect_delay_s, 7);
	cr_assert_eq(target.at.keep_alive_tmo_s, NVME_UNSET);
	cr_assert_eq(target.at.n_io_queues, NVME_UNSET);
	cr_assert_eq(target.at.queue_size, NVME_UNSET);
	cr_assert_eq(target.at.fast_io_fail_tmo_s, NVME_UNSET);
	cr_assert(!target.has_own_fs);
	cr_assert_eq(target.size_bytes, 0);
}

Test(contexts, every_setting_arrives)
{
	cr_assert_eq(judge(PAIRS("nqn", PREFIX "a", "nvmeAddress", "", "rdsAddress",
				 "fd00::1", "nvmePort", "65535", "ctrlLossTmo", "600",
				 "keepAliveTmo", "9", "nrIoQueues", "1024", "queueSize",
				 "16", "fastIoFailTmo", "-1", "fsIdentity", "volume-id")),
		     0, "%s", err.msg);
	cr_assert_str_eq(target.at.address, "fd00::1");
	cr_assert_eq(target.at.port, 65535);
	cr_assert_eq(target.at.ctrl_loss_tmo_s, 600);
	cr_assert_eq(target.at.reconnect_delay_s, 5, "the class's default");
	cr_assert_eq(target.at.keep_alive_tmo_s, 9);
	cr_assert_eq(target.at.n_io_queues, 1024);
	cr_assert_eq(target.at.queue_size, 16);
	cr_assert_eq(target.at.fast_io_fail_tmo_s, -1);
	cr_assert(target.has_own_fs);
	/* A static volume may say less, and a zero is the kernel's default. */
	cr_assert_eq(judge(PAIRS("nqn", PREFIX "a", "ctrlLossTmo", "0")), 0);
	cr_assert_null(target.at.address);
	cr_assert_eq(target.at.port, 0);
	cr_assert_eq(target.at.ctrl_loss_tmo_s, NVME_UNSET);
}

/* The earlier driver's said port 0 and ext4 for everything. */
Test(contexts, the_publish_context_counts_only_with_our_mark)
{
	cr_assert_eq(judge(PAIRS("p:nvme_nqn", PREFIX "b", "p:nvme_address", "box",
				 "p:nvme_port", "0", "p:size_bytes", "5", "nqn",
				 PREFIX "a", "nvmeAddress", "10.0.0.1", "nvmePort",
				 "4420")),
		     0, "%s", err.msg);
	cr_assert_str_eq(target.nqn, PREFIX "a");
	cr_assert_str_eq(target.at.address, "10.0.0.1");
	cr_assert_eq(target.size_bytes, 0);
	cr_assert_eq(judge(PAIRS("p:rds_csi_ctx", "2", "p:nvme_nqn", PREFIX "b.g1-0",
				 "p:nvme_address", "10.0.0.9", "p:nvme_port", "4421",
				 "p:size_bytes", "5", "nqn", PREFIX "a", "nvmeAddress",
				 "10.0.0.1", "nvmePort", "4420", "ctrlLossTmo", "60")),
		     0, "%s", err.msg);
	cr_assert_str_eq(target.nqn, PREFIX "b.g1-0");
	cr_assert_str_eq(target.at.address, "10.0.0.9");
	cr_assert_eq(target.at.port, 4421);
	cr_assert_eq(target.at.ctrl_loss_tmo_s, 60);
	cr_assert_eq(target.size_bytes, 5);
	cr_assert(!target.is_readonly);
	cr_assert_eq(judge(PAIRS("p:rds_csi_ctx", "2", "p:nvme_nqn", PREFIX "b",
				 "p:readonly", "true")),
		     0);
	cr_assert(target.is_readonly);
	cr_assert_eq(judge(PAIRS("p:readonly", "true", "nqn", PREFIX "a")), 0);
	cr_assert(!target.is_readonly, "without our mark");
	/* Neither context's keys pass for the other's. */
	cr_assert_eq(judge(PAIRS("rds_csi_ctx", "2", "nvme_nqn", PREFIX "b", "nqn",
				 PREFIX "a")),
		     0);
	cr_assert_str_eq(target.nqn, PREFIX "a");
	cr_assert_eq(judge(PAIRS("p:rds_csi_ctx", "2", "nqn", PREFIX "a")), -1);
}

static const struct {
	const char *key, *value;
	enum err_code code;
} bad[] = {
	{ "nqn", "", ERR_INVALID },
	{ "nqn", PREFIX, ERR_PRECONDITION },
	{ "nqn", "nqn.2014-08.org.nvmexpress:disk", ERR_PRECONDITION },
	{ "nqn", PREFIX "a b", ERR_INVALID },
	{ "nqn", PREFIX "a,hostnqn=x", ERR_INVALID },
	{ "nqn", PREFIX "../a", ERR_INVALID },
	{ "nqn", PREFIX "a\n", ERR_INVALID },
	{ "nqn", PREFIX "\xc3\xa4", ERR_INVALID },
	{ "nvmeAddress", "box.example", ERR_INVALID },
	{ "nvmeAddress", "10.0.0.1,trsvcid=1", ERR_INVALID },
	{ "nvmeAddress", "[fd00::1]", ERR_INVALID },
	{ "nvmeAddress", "10.0.0", ERR_INVALID },
	{ "rdsAddress", "box.example", ERR_INVALID },
	{ "nvmePort", "0", ERR_INVALID },
	{ "nvmePort", "65536", ERR_INVALID },
	{ "nvmePort", "-1", ERR_INVALID },
	{ "nvmePort", "nvme", ERR_INVALID },
	{ "ctrlLossTmo", "-2", ERR_INVALID },
	{ "ctrlLossTmo", "2147483648", ERR_INVALID },
	{ "reconnectDelay", "-1", ERR_INVALID },
	{ "keepAliveTmo", "5s", ERR_INVALID },
	{ "nrIoQueues", "0", ERR_INVALID },
	{ "nrIoQueues", "1025", ERR_INVALID },
	{ "queueSize", "15", ERR_INVALID },
	{ "fastIoFailTmo", "-2", ERR_INVALID },
	{ "fastIoFailTmo", "", ERR_INVALID },
	{ "fsIdentity", "cluster", ERR_INVALID },
	{ "fsIdentity", "", ERR_INVALID },
};

Test(contexts, what_is_wrong_is_named)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bool is_nqn = strcmp(bad[i].key, "nqn") == 0;

		cr_assert_eq(judge(PAIRS("nqn", PREFIX "a", bad[i].key, bad[i].value)),
			     -1, "%s=%s", bad[i].key, bad[i].value);
		cr_assert_eq(err.code, bad[i].code, "%s=%s: %s", bad[i].key, bad[i].value,
			     err.msg);
		cr_assert(is_nqn || strstr(err.msg, bad[i].key), "%s", err.msg);
	}
	cr_assert_eq(judge(PAIRS("p:rds_csi_ctx", "2", "p:nvme_nqn", PREFIX "a",
				 "p:nvme_address", "box")),
		     -1);
	cr_assert_eq(judge(PAIRS("p:rds_csi_ctx", "2", "p:nvme_nqn", PREFIX "a",
				 "p:nvme_port", "0")),
		     -1);
	cr_assert_eq(judge(PAIRS("p:rds_csi_ctx", "2", "p:nvme_nqn", PREFIX "a",
				 "p:size_bytes", "1G")),
		     -1);
	cr_assert_eq(judge(PAIRS("p:rds_csi_ctx", "2", "p:nvme_nqn", PREFIX "a",
				 "p:readonly", "yes")),
		     -1);
}
