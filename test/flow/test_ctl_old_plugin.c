/* Nodes that still run the node plugin of an older driver: told by their CSINode, and
 * given no volume whose NQN that plugin cannot know. */
#include "fakes/ctl_cluster.h"

#include "csi/ids.h"

#define ZONE "topology.rds.csi.srvlab.io/zone"
#define PLUGIN "topology.rds.csi.srvlab.io/plugin"

static void plugin(struct ctl *c, const char *node, unsigned n_keys, const char *keys)
{
	struct k8s_csinode o = { .o = { .kind = K8S_CSINODE, .name = node },
				 .has_driver = true,
				 .node_id = node,
				 .n_keys = n_keys,
				 .keys = keys };

	fake_k8s_put(&c->cluster, &o.o);
}

static void set_base_nqn(struct ctl *c)
{
	id_base_nqn("pvc-1", row(c)->nqn);
	ctl_restart(c); /* nothing is believed of it */
}

static void expect_refusal(struct ctl *c, const char *node)
{
	struct rds_volume was = *row(c);
	unsigned n = fake_k8s_count_events(&c->cluster, "NodePluginTooOld");

	cr_assert_eq(attach(c, node, RWO), ERR_PRECONDITION, "%s", ctl_message());
	cr_assert_not_null(strstr(ctl_message(), node), "%s", ctl_message());
	cr_assert_not_null(strstr(ctl_message(), "upgrade the node plugin"), "%s",
			   ctl_message());
	cr_assert_str_eq(row(c)->record.nonce, was.record.nonce);
	cr_assert_str_eq(row(c)->nqn, was.nqn);
	cr_assert_eq(row(c)->is_exported, was.is_exported);
	cr_assert_eq(fake_k8s_count_events(&c->cluster, "NodePluginTooOld"), n + 1);
	detach_object(c, node);
}

Test(ctl_old_plugin, gets_no_volume_with_an_NQN_of_its_own)
{
	struct ctl c;

	open_with_volume(&c);
	plugin(&c, "node-a", 1, ZONE);
	expect_refusal(&c, "node-a");
	/* Another one had it: what is believed of the volume does not help. */
	plugin(&c, "node-b", 2, ZONE "\0" PLUGIN);
	cr_assert_eq(attach(&c, "node-b", RWO), ERR_OK, "%s", ctl_message());
	use_and_leave(&c, "node-b");
	cr_assert_eq(detach(&c, "node-b"), ERR_OK);
	expect_refusal(&c, "node-a");
	/* Upgraded. */
	plugin(&c, "node-a", 2, ZONE "\0" PLUGIN);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK, "%s", ctl_message());
	/* And taken back while it has the volume: it can let go, and no more. */
	plugin(&c, "node-a", 1, ZONE);
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_PRECONDITION);
	cr_assert(row(&c)->is_exported);
	use_and_leave(&c, "node-a");
	cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_not(row(&c)->is_exported);
	ctl_close(&c);
}

Test(ctl_old_plugin, gets_the_volumes_that_bear_the_base_NQN)
{
	struct ctl c;

	open_with_volume(&c);
	set_base_nqn(&c);
	plugin(&c, "node-a", 1, ZONE);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK, "%s", ctl_message());
	cr_assert_eq(ctl_publish(&c, "pvc-1", "node-a"), ERR_OK, "once more");
	cr_assert_eq(fake_k8s_count_events(&c.cluster, "NodePluginTooOld"), 0);
	ctl_close(&c);
}

Test(ctl_old_plugin, what_its_node_s_CSINode_does_not_tell_is_not_held_against_it)
{
	static const struct {
		bool has_csinode;
		unsigned n_keys;
	} cases[] = { { false, 0 }, { true, 0 } };

	for (unsigned i = 0; i < 2; i++) {
		struct ctl c;

		open_with_volume(&c);
		if (cases[i].has_csinode)
			plugin(&c, "node-a", cases[i].n_keys, "");
		else
			fake_k8s_remove(&c.cluster, K8S_CSINODE, NULL, "node-a");
		cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK, "%s", ctl_message());
		ctl_close(&c);
	}
}

/* The base NQN would be given up by the fence: so its demand cuts nobody off. */
Test(ctl_old_plugin, has_nobody_cut_off)
{
	struct ctl c;

	open_with_volume(&c);
	set_base_nqn(&c);
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK);
	fake_k8s_remove(&c.cluster, K8S_NODE, NULL, "node-a");
	fake_k8s_remove(&c.cluster, K8S_CSINODE, NULL, "node-a");
	plugin(&c, "node-b", 1, ZONE);
	c.csi.fence_settle_ms = 0;
	expect_refusal(&c, "node-b");
	cr_assert_eq(metric_counted(METRIC_FENCES, METRIC_SUCCESS, 0), 0);
	plugin(&c, "node-c", 2, PLUGIN "\0" ZONE);
	cr_assert_eq(attach(&c, "node-c", RWO), ERR_OK, "%s", ctl_message());
	cr_assert_eq(metric_counted(METRIC_FENCES, METRIC_SUCCESS, 0), 1);
	ctl_close(&c);
}
