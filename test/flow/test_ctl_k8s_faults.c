#include "fakes/ctl_cluster.h"
#include "fakes/ctl_scenario.h"

#define ID ((char *)(uintptr_t) "pvc-1")

/* What the cluster adds to a call, cut at every turn, short of memory at every
 * allocation, and with every question to the API server refused: the retry finds its way,
 * nothing was concluded from what was not heard. */

static const void *publish_request(void)
{
	static Csi__V1__ControllerPublishVolumeRequest req;
	static struct ctl_cap cap;

	csi__v1__controller_publish_volume_request__init(&req);
	ctl_cap(&cap, RWO);
	req.volume_id = ID;
	req.node_id = (char *)(uintptr_t) "node-b";
	req.volume_capability = &cap.cap;
	return &req;
}

static const void *unpublish_request(void)
{
	static Csi__V1__ControllerUnpublishVolumeRequest req;

	csi__v1__controller_unpublish_volume_request__init(&req);
	req.volume_id = ID;
	req.node_id = (char *)(uintptr_t) "node-a";
	return &req;
}

static const void *delete_request(void)
{
	static Csi__V1__DeleteVolumeRequest req;

	csi__v1__delete_volume_request__init(&req);
	req.volume_id = ID;
	return &req;
}

/* A VolumeAttachment of another volume, whose PV no store has yet. */
static void unresolved(struct ctl *c)
{
	fake_k8s_hold(&c->cluster, K8S_PV);
	fake_k8s_pv(&c->cluster, "pv-9", "pvc-9");
	fake_k8s_va(&c->cluster, "csi-9", NULL, "node-c", "pv-9", true);
}

static void held(struct ctl *c)
{
	cr_assert_eq(attach(c, "node-a", RWO), ERR_OK);
	ctl_idle(c);
}

static void held_by_dead(struct ctl *c)
{
	held(c);
	fake_k8s_remove(&c->cluster, K8S_NODE, NULL, "node-a");
	unresolved(c);
}

static void in_use(struct ctl *c)
{
	held(c);
	fake_k8s_node(&c->cluster, "node-a", true, false, "pvc-1");
	unresolved(c);
}

static void no_pv(struct ctl *c)
{
	fake_k8s_remove(&c->cluster, K8S_PV, NULL, "pv-1");
	unresolved(c);
}

static void left_over(struct ctl *c)
{
	row(c)->record.n_holders = 1;
	row(c)->record.holders[0] = (struct rds_holder){ .node = "node-a", .use = 'u' };
	row(c)->is_exported = true;
	attachments_forget(c->csi.attachments, ID);
	no_pv(c);
}

static void mounted(struct ctl *c)
{
	row(c)->is_mounted = row(c)->mount_filesystem = true;
}

static void is_unmounted(struct ctl *c)
{
	cr_assert(!row(c)->is_mounted && !row(c)->mount_filesystem);
	cr_assert(row(c)->is_exported && row(c)->record.n_holders == 1);
}

static void is_b_s(struct ctl *c)
{
	cr_assert_eq(row(c)->record.n_holders, 1);
	cr_assert_str_eq(row(c)->record.holders[0].node, "node-b");
	cr_assert(row(c)->is_exported && !row(c)->record.is_fencing);
	cr_assert_not_null(strstr(row(c)->nqn, ".g"), "never cut off: %s", row(c)->nqn);
}

static void is_fenced(struct ctl *c)
{
	cr_assert_eq(row(c)->record.n_holders, 0);
	cr_assert(!row(c)->is_exported && !row(c)->record.is_fencing);
	cr_assert_not_null(strstr(row(c)->nqn, ".g"), "never cut off: %s", row(c)->nqn);
}

static void is_gone(struct ctl *c)
{
	cr_assert_null(fake_rds_find(&c->box, ID));
}

static const struct ctl_scenario scenarios[] = {
	{ "demand", "ControllerPublishVolume", held_by_dead, publish_request, is_b_s },
	{ "publish of what the box has mounted", "ControllerPublishVolume", mounted,
	  publish_request, is_unmounted },
	{ "fence", "ControllerUnpublishVolume", in_use, unpublish_request, is_fenced },
	{ "delete", "DeleteVolume", no_pv, delete_request, is_gone },
	{ "delete what was left over", "DeleteVolume", left_over, delete_request,
	  is_gone },
};
enum { N_SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

Test(ctl_k8s_faults, cancel_after_any_number_of_turns)
{
	for (int i = 0; i < N_SCENARIOS; i++) {
		int turns = 0, cancelled = 0;

		while (ctl_scenario_cancel(open_with_volume, &scenarios[i], turns,
					   &cancelled))
			turns++;
		cr_assert_gt(turns, 5);
	}
}

Test(ctl_k8s_faults, every_allocation_may_fail)
{
	for (int i = 0; i < N_SCENARIOS; i++) {
		long nth = 0;

		while (ctl_scenario_starve(open_with_volume, &scenarios[i], nth))
			nth++;
		cr_assert_geq(nth, 4, "%s", scenarios[i].name);
	}
}

/* false when there was no nth question. */
static bool refuse_question(const struct ctl_scenario *s, unsigned nth,
			    enum fake_k8s_what what)
{
	struct grpc_call call;
	struct ctl c;
	bool was_asked;

	open_with_volume(&c);
	s->prepare(&c);
	ctl_idle(&c);
	c.cluster.skip = nth;
	c.cluster.fault = (struct fake_k8s_fault){ .what = what };
	clock_hold(&c.l.uv);
	c.csi.fence_settle_ms = 0;
	ctl_start(&c, &call, s->method, s->request());
	for (int i = 0; !call.n_answers; i++) {
		uv_run(&c.l.uv, UV_RUN_NOWAIT);
		clock_advance(&c.l.uv, i < 200 ? 0 : 60 * 60 * 1000);
	}
	was_asked = c.cluster.fault.what == FAKE_K8S_FINE;
	/* The PV's annotations are the last question, for which nobody waits. */
	cr_assert(call.err.code == ERR_OK || call.err.code == ERR_UNAVAILABLE ||
			  (what == FAKE_K8S_HANG && call.err.code == ERR_DEADLINE),
		  "%s, question %u: %s", s->name, nth, call.err.msg);
	ctl_call_free(&call);
	c.cluster.fault.what = FAKE_K8S_FINE;
	ctl_start(&c, &call, s->method, s->request());
	while (!call.n_answers) {
		uv_run(&c.l.uv, UV_RUN_NOWAIT);
		clock_advance(&c.l.uv, 0);
	}
	cr_assert_eq(call.err.code, ERR_OK, "%s, question %u: %s", s->name, nth,
		     call.err.msg);
	ctl_call_free(&call);
	s->check(&c);
	ctl_close(&c);
	return was_asked;
}

Test(ctl_k8s_faults, every_question_may_be_refused_or_never_answered)
{
	for (int i = 0; i < N_SCENARIOS; i++)
		for (int what = 0; what < 2; what++) {
			unsigned nth = 0;

			while (nth < 20 &&
			       refuse_question(&scenarios[i], nth,
					       what ? FAKE_K8S_HANG : FAKE_K8S_REFUSE))
				nth++;
			cr_assert(nth >= 1 && nth < 20, "%s: %u", scenarios[i].name, nth);
		}
}

static struct {
	const struct op_type *type;
	uint32_t seen;
} traced[32];

static void on_trace(const struct op *op, unsigned from, unsigned to)
{
	unsigned i = 0;

	(void)from;
	while (traced[i].type && traced[i].type != op->type)
		i++;
	traced[i].type = op->type;
	traced[i].seen |= OP_BIT(to);
}

Test(ctl_k8s_faults, the_scenarios_enter_every_state_of_every_op)
{
	static const char *const ops[] = { "change",	 "delete",   "resolve",
					   "node_check", "annotate", "fence" };
	unsigned n_found = 0;

	op_trace = on_trace;
	for (int i = 0; i < N_SCENARIOS; i++) {
		struct ctl c;

		open_with_volume(&c);
		scenarios[i].prepare(&c);
		ctl_scenario_repeat(&c, &scenarios[i], "traced", 0);
	}
	op_trace = NULL;
	for (unsigned i = 0; traced[i].type; i++)
		for (unsigned k = 0; k < sizeof(ops) / sizeof(ops[0]); k++) {
			if (strcmp(traced[i].type->name, ops[k]) != 0)
				continue;
			n_found++;
			for (unsigned st = 0; st < traced[i].type->n_states; st++)
				cr_assert(traced[i].seen & OP_BIT(st),
					  "%s never was in state %s", ops[k],
					  traced[i].type->states[st]);
		}
	cr_assert_eq(n_found, 6);
}
