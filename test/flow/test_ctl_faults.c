#include "fakes/call_seam.h"
#include "fakes/ctl_scenario.h"

#define GIB (INT64_C(1) << 30)
#define ID ((char *)(uintptr_t) "pvc-1")

/* Every method, cut at every point and repeated. */

static struct rds_volume *row(struct ctl *c)
{
	return fake_rds_find(&c->box, ID);
}

static void nothing(struct ctl *c)
{
	(void)c;
}

static void created(struct ctl *c)
{
	cr_assert_eq(ctl_create(c, ID, GIB), ERR_OK);
}

static void created_cold(struct ctl *c)
{
	created(c);
	ctl_restart(c);
}

static void published(struct ctl *c)
{
	created(c);
	cr_assert_eq(ctl_publish(c, ID, "node-a"), ERR_OK);
}

static void lost(struct ctl *c)
{
	created_cold(c);
	row(c)->record.n_holders = 1;
	row(c)->record.holders[0] = (struct rds_holder){ .node = "lost", .use = 'w' };
	row(c)->is_exported = true;
}

static void fencing(struct ctl *c)
{
	lost(c);
	row(c)->record.is_fencing = true;
	row(c)->record.generation = 1;
}

static const void *create_request(void)
{
	static Csi__V1__CreateVolumeRequest req;
	static Csi__V1__CapacityRange range;
	static struct ctl_cap cap;

	csi__v1__create_volume_request__init(&req);
	csi__v1__capacity_range__init(&range);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	range.required_bytes = GIB;
	req.name = ID;
	req.capacity_range = &range;
	req.n_volume_capabilities = 1;
	req.volume_capabilities = cap.list;
	return &req;
}

static const void *publish_request(void)
{
	static Csi__V1__ControllerPublishVolumeRequest req;
	static struct ctl_cap cap;

	csi__v1__controller_publish_volume_request__init(&req);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	req.volume_id = ID;
	req.node_id = (char *)(uintptr_t) "node-a";
	req.volume_capability = &cap.cap;
	return &req;
}

static const void *unpublish(const char *node)
{
	static Csi__V1__ControllerUnpublishVolumeRequest req;

	csi__v1__controller_unpublish_volume_request__init(&req);
	req.volume_id = ID;
	req.node_id = (char *)(uintptr_t)node;
	return &req;
}

static const void *unpublish_request(void)
{
	return unpublish("node-a");
}

static const void *unpublish_lost_request(void)
{
	return unpublish("lost");
}

static const void *delete_request(void)
{
	static Csi__V1__DeleteVolumeRequest req;

	csi__v1__delete_volume_request__init(&req);
	req.volume_id = ID;
	return &req;
}

static const void *expand_request(void)
{
	static Csi__V1__ControllerExpandVolumeRequest req;
	static Csi__V1__CapacityRange range;

	csi__v1__controller_expand_volume_request__init(&req);
	csi__v1__capacity_range__init(&range);
	range.required_bytes = 2 * GIB;
	req.volume_id = ID;
	req.capacity_range = &range;
	return &req;
}

static const void *get_request(void)
{
	static Csi__V1__ControllerGetVolumeRequest req;

	csi__v1__controller_get_volume_request__init(&req);
	req.volume_id = ID;
	return &req;
}

static const void *validate_request(void)
{
	static Csi__V1__ValidateVolumeCapabilitiesRequest req;
	static struct ctl_cap cap;

	csi__v1__validate_volume_capabilities_request__init(&req);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	req.volume_id = ID;
	req.n_volume_capabilities = 1;
	req.volume_capabilities = cap.list;
	return &req;
}

static const void *list_request(void)
{
	static Csi__V1__ListVolumesRequest req;

	csi__v1__list_volumes_request__init(&req);
	return &req;
}

static const void *capacity_request(void)
{
	static Csi__V1__GetCapacityRequest req;

	csi__v1__get_capacity_request__init(&req);
	return &req;
}

static const void *capabilities_request(void)
{
	static Csi__V1__ControllerGetCapabilitiesRequest req;

	csi__v1__controller_get_capabilities_request__init(&req);
	return &req;
}

static void is_there(struct ctl *c)
{
	cr_assert_not_null(row(c));
	cr_assert_eq(row(c)->size_bytes, GIB);
	cr_assert_eq(c->box.volumes.count, 1);
}

static void is_grown(struct ctl *c)
{
	cr_assert_eq(row(c)->size_bytes, 2 * GIB);
}

static void is_gone(struct ctl *c)
{
	cr_assert_eq(c->box.volumes.count, 0);
}

static void is_held(struct ctl *c)
{
	cr_assert_eq(row(c)->record.n_holders, 1);
	cr_assert_str_eq(row(c)->record.holders[0].node, "node-a");
	cr_assert(row(c)->is_exported && !row(c)->record.is_fencing);
}

static void is_free(struct ctl *c)
{
	cr_assert_eq(row(c)->record.n_holders, 0);
	cr_assert(!row(c)->is_exported && !row(c)->record.is_fencing);
}

static void is_fenced(struct ctl *c)
{
	uint32_t in_nqn = row(c)->record.generation;
	char want[32];

	is_free(c);
	cr_assert_geq(in_nqn, 1);
	snprintf(want, sizeof(want), ".g%u-", in_nqn);
	cr_assert_not_null(strstr(row(c)->nqn, want), "%s", row(c)->nqn);
}

static void is_held_fenced(struct ctl *c)
{
	is_held(c);
	cr_assert_not_null(strstr(row(c)->nqn, ".g1-"), "%s", row(c)->nqn);
}

static const struct ctl_scenario scenarios[] = {
	{ "create", "CreateVolume", nothing, create_request, is_there },
	{ "create again", "CreateVolume", created, create_request, is_there },
	{ "publish warm", "ControllerPublishVolume", created, publish_request, is_held },
	{ "publish cold", "ControllerPublishVolume", created_cold, publish_request,
	  is_held },
	{ "publish again", "ControllerPublishVolume", published, publish_request,
	  is_held },
	{ "publish after a cut fence", "ControllerPublishVolume", fencing,
	  publish_request, is_held_fenced },
	{ "unpublish", "ControllerUnpublishVolume", published, unpublish_request,
	  is_free },
	{ "unpublish cold", "ControllerUnpublishVolume", created_cold, unpublish_request,
	  is_free },
	{ "fence", "ControllerUnpublishVolume", lost, unpublish_lost_request, is_fenced },
	{ "delete", "DeleteVolume", created, delete_request, is_gone },
	{ "delete after a cut fence", "DeleteVolume", fencing, delete_request, is_gone },
	{ "expand", "ControllerExpandVolume", created, expand_request, is_grown },
	{ "get", "ControllerGetVolume", created, get_request, is_there },
	{ "validate", "ValidateVolumeCapabilities", created, validate_request, is_there },
	{ "list", "ListVolumes", created, list_request, is_there },
	{ "capacity", "GetCapacity", nothing, capacity_request, nothing },
	{ "capabilities", "ControllerGetCapabilities", nothing, capabilities_request,
	  nothing },
};
enum { N_SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

Test(ctl_faults, cancel_after_any_number_of_turns)
{
	for (int i = 0; i < N_SCENARIOS; i++) {
		int turns = 0, cancelled = 0;

		while (ctl_scenario_cancel(ctl_open, &scenarios[i], turns, &cancelled))
			turns++;
		cr_assert(cancelled >= 3 || i == N_SCENARIOS - 1, "%s: %d of %d turns",
			  scenarios[i].name, cancelled, turns);
	}
}

Test(ctl_faults, every_allocation_may_fail)
{
	for (int i = 0; i < N_SCENARIOS; i++) {
		long nth = 0;

		while (ctl_scenario_starve(ctl_open, &scenarios[i], nth))
			nth++;
		cr_assert_geq(nth, 2, "%s", scenarios[i].name);
	}
}

/* false when there was no such exec. */
static bool fault_at(const struct ctl_scenario *s, enum fake_fault fault, unsigned nth)
{
	struct grpc_call call;
	struct ctl c;
	bool has_failed;

	ctl_open(&c);
	s->prepare(&c);
	c.box.fault = fault;
	c.box.skip = nth;
	ctl_start(&c, &call, s->method, s->request());
	ctl_finish(&c, &call);
	has_failed = c.box.fault == FAKE_FINE;
	c.box.fault = FAKE_FINE;
	/* A refusal by the box is not lost: the fake's answer is lost on success only. */
	cr_assert(call.err.code == (has_failed ? ERR_UNAVAILABLE : ERR_OK) ||
			  (fault == FAKE_LOSE && s->prepare == fencing),
		  "%s, fault %d at exec %u: %s", s->name, (int)fault, nth, call.err.msg);
	ctl_call_free(&call);
	ctl_scenario_repeat(&c, s, "after fault at exec", nth);
	return has_failed;
}

Test(ctl_faults, each_exec_may_be_refused_cut_or_lose_its_answer)
{
	static const enum fake_fault faults[] = { FAKE_REFUSE, FAKE_DROP, FAKE_LOSE,
						  FAKE_LATE };

	for (int i = 0; i < N_SCENARIOS - 1; i++)
		for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
			unsigned nth = 0;

			while (fault_at(&scenarios[i], faults[f], nth))
				nth++;
			cr_assert_geq(nth, 1, "%s", scenarios[i].name);
		}
}

/* The same with another controller after the fault, which believes nothing, and with the
 * lost script running on between and after. */
static bool late_at(const struct ctl_scenario *s, unsigned nth)
{
	struct grpc_call call;
	struct ctl c;
	bool has_failed;

	ctl_open(&c);
	s->prepare(&c);
	c.box.fault = FAKE_LATE;
	c.box.skip = nth;
	ctl_start(&c, &call, s->method, s->request());
	ctl_finish(&c, &call);
	has_failed = c.box.fault == FAKE_FINE;
	c.box.fault = FAKE_FINE;
	ctl_call_free(&call);
	ctl_restart(&c);
	cr_assert_eq(ctl_call(&c, &call, s->method, s->request()), ERR_OK, "%s, exec %u",
		     s->name, nth);
	ctl_call_free(&call);
	s->check(&c);
	/* A create that comes after all else makes an orphan, if the volume was deleted;
	 * here it was not. */
	fake_rds_run_late(&c.box);
	s->check(&c);
	ctl_close(&c);
	return has_failed;
}

Test(ctl_faults, a_script_that_runs_on_after_its_retry_changes_nothing)
{
	for (int i = 0; i < N_SCENARIOS - 1; i++) {
		unsigned nth = 0;

		while (late_at(&scenarios[i], nth))
			nth++;
	}
}

Test(ctl_faults, a_box_that_hangs_ends_in_DEADLINE_EXCEEDED)
{
	for (int i = 0; i < N_SCENARIOS - 1; i++) {
		const struct ctl_scenario *s = &scenarios[i];
		struct grpc_call call;
		struct ctl c;

		ctl_open(&c);
		s->prepare(&c);
		clock_hold(&c.l.uv);
		c.box.fault = FAKE_HANG;
		ctl_start(&c, &call, s->method, s->request());
		t_run_until(&c.l, c.box.fault == FAKE_FINE);
		clock_advance(&c.l.uv, 30 * 60 * 1000);
		ctl_finish(&c, &call);
		cr_assert_eq(call.err.code, ERR_DEADLINE, "%s: %s", s->name,
			     call.err.msg);
		ctl_call_free(&call);
		/* What no settle time holds up can be repeated with a clock held. */
		c.csi.fence_settle_ms = 0;
		ctl_start(&c, &call, s->method, s->request());
		while (!call.n_answers) {
			uv_run(&c.l.uv, UV_RUN_NOWAIT);
			clock_advance(&c.l.uv, 0);
		}
		cr_assert_eq(call.err.code, ERR_OK, "%s: %s", s->name, call.err.msg);
		ctl_call_free(&call);
		s->check(&c);
		ctl_close(&c);
	}
}

Test(ctl_faults, the_second_caller_of_a_volume_is_ABORTED_and_others_go_on)
{
	struct grpc_call call;
	struct ctl c;

	ctl_open(&c);
	created(&c);
	clock_hold(&c.l.uv);
	c.box.fault = FAKE_HANG;
	ctl_start(&c, &call, "DeleteVolume", delete_request());
	t_run_until(&c.l, c.box.fault == FAKE_FINE);
	cr_assert_eq(ctl_publish(&c, ID, "node-a"), ERR_ABORTED);
	cr_assert_eq(ctl_unpublish(&c, ID, "node-a"), ERR_ABORTED);
	cr_assert_eq(ctl_create(&c, ID, GIB), ERR_ABORTED);
	cr_assert_eq(ctl_create(&c, "pvc-2", GIB), ERR_OK);
	cr_assert_eq(ctl_publish(&c, "pvc-2", "node-a"), ERR_OK);
	dispatch_cancel(&c.dispatch);
	ctl_finish(&c, &call);
	ctl_call_free(&call);
	cr_assert_eq(ctl_delete(&c, ID), ERR_OK);
	ctl_close(&c);
}

/* By type name, the states that were entered. */
static struct {
	const struct op_type *type;
	uint32_t seen;
} traced[16];

static void on_trace(const struct op *op, unsigned from, unsigned to)
{
	unsigned i = 0;

	(void)from;
	while (traced[i].type && traced[i].type != op->type)
		i++;
	traced[i].type = op->type;
	traced[i].seen |= OP_BIT(to);
}

Test(ctl_faults, the_scenarios_enter_every_state_of_every_op)
{
	op_trace = on_trace;
	for (int i = 0; i < N_SCENARIOS; i++) {
		struct ctl c;

		ctl_open(&c);
		scenarios[i].prepare(&c);
		ctl_scenario_repeat(&c, &scenarios[i], "traced", 0);
	}
	op_trace = NULL;
	for (unsigned i = 0; traced[i].type; i++)
		for (unsigned st = 0; st < traced[i].type->n_states; st++)
			cr_assert(traced[i].seen & OP_BIT(st) ||
					  strstr("resolving checking looking queued",
						 traced[i].type->states[st]),
				  "%s never was in state %s", traced[i].type->name,
				  traced[i].type->states[st]);
	cr_assert_not_null(traced[11].type, "too few ops");
}
