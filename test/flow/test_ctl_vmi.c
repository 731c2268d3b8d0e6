#include "fakes/ctl_cluster.h"

#include "csi/controller/vmi.h"

/* Publish and unpublish with the queues of virtual machines: pvc-1 and pvc-2 are one
 * machine's, pvc-3 is another's. */
static void open_machines(struct ctl *c, struct vmi *v)
{
	open_with_volume(c);
	for (int i = 2; i <= 3; i++) {
		fake_k8s_pv(&c->cluster, i == 2 ? "pv-2" : "pv-3",
			    i == 2 ? "pvc-2" : "pvc-3");
		cr_assert_eq(ctl_create(c, i == 2 ? "pvc-2" : "pvc-3", GIB), ERR_OK);
	}
	fake_k8s_pod(&c->cluster, "default", "l1", "node-a", "claim-pv-1", "vm-1");
	fake_k8s_pod(&c->cluster, "default", "l2", "node-a", "claim-pv-2", "vm-1");
	fake_k8s_pod(&c->cluster, "default", "l3", "node-a", "claim-pv-3", "vm-2");
	vmi_init(v, &c->cluster.k8s, 60000);
	c->csi.vmi = v;
}

static void close_machines(struct ctl *c, struct vmi *v)
{
	cr_assert_eq(v->n_queued, 0);
	vmi_fini(v);
	ctl_close(c);
}

/* The box does not answer the publish of pvc-1, whoever else asks. */
static enum fake_fault stick(struct fake_rds *f, const struct rds_req *req)
{
	(void)f;
	return strcmp(req->id, "pvc-1") == 0 && req->kind >= RDS_PUBLISH ? FAKE_HANG
									 : FAKE_FINE;
}

static void start(struct ctl *c, struct grpc_call *call, char *id)
{
	static char node[] = "node-a";
	Csi__V1__ControllerPublishVolumeRequest req;
	struct ctl_cap cap;

	csi__v1__controller_publish_volume_request__init(&req);
	ctl_cap(&cap, RWO);
	req.volume_id = id;
	req.node_id = node;
	req.volume_capability = &cap.cap;
	memset(call, 0, sizeof(*call));
	ctl_start(c, call, "ControllerPublishVolume", &req);
}

static void turn(struct ctl *c, uint64_t ms)
{
	for (int i = 0; i < 60; i++) {
		clock_advance(&c->l.uv, i ? 0 : ms);
		(void)uv_run(&c->l.uv, UV_RUN_NOWAIT);
	}
}

/* It ends with its own deadline; then the next one goes on. */
Test(ctl_vmi, one_stuck_holds_up_its_own_machine_alone)
{
	static char ids[3][8] = { "pvc-1", "pvc-2", "pvc-3" };
	struct grpc_call calls[3];
	unsigned execs;
	struct vmi v;
	struct ctl c;

	open_machines(&c, &v);
	c.box.choose = stick;
	clock_hold(&c.l.uv);
	start(&c, &calls[0], ids[0]);
	turn(&c, 300 * 1000);
	execs = c.box.n_execs;
	start(&c, &calls[1], ids[1]);
	turn(&c, 0);
	cr_assert_eq(c.box.n_execs, execs);
	start(&c, &calls[2], ids[2]);
	turn(&c, 0);
	cr_assert_eq(calls[2].n_answers, 1);
	cr_assert_eq(calls[2].err.code, ERR_OK, "%s", calls[2].err.msg);
	cr_assert_eq(calls[0].n_answers + calls[1].n_answers, 0);
	turn(&c, 301 * 1000);
	cr_assert_eq(calls[0].n_answers, 1);
	cr_assert_neq(calls[0].err.code, ERR_OK);
	cr_assert_eq(calls[1].n_answers, 1);
	cr_assert_eq(calls[1].err.code, ERR_OK, "%s", calls[1].err.msg);
	for (int i = 0; i < 3; i++)
		ctl_call_free(&calls[i]);
	close_machines(&c, &v);
}

Test(ctl_vmi, an_api_server_that_does_not_say_costs_nothing)
{
	struct vmi v;
	struct ctl c;

	open_machines(&c, &v);
	fake_k8s_remove(&c.cluster, K8S_POD, "default", "l1");
	cr_assert_eq(attach(&c, "node-a", RWO), ERR_OK, "%s", ctl_message());
	cr_assert_eq(detach(&c, "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(v.n_turns, 0);
	cr_assert_eq(ctl_publish(&c, "pvc-2", "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(ctl_unpublish(&c, "pvc-2", "node-a"), ERR_OK, "%s", ctl_message());
	cr_assert_eq(v.n_turns, 2);
	close_machines(&c, &v);
}

/* The process ends while calls wait. */
Test(ctl_vmi, a_shutdown_ends_those_who_wait)
{
	static char ids[2][8] = { "pvc-1", "pvc-2" };
	struct grpc_call calls[2];
	struct vmi v;
	struct ctl c;

	open_machines(&c, &v);
	c.box.choose = stick;
	for (int i = 0; i < 2; i++) {
		start(&c, &calls[i], ids[i]);
		ctl_idle(&c);
	}
	dispatch_cancel(&c.dispatch);
	for (int i = 0; i < 2; i++) {
		ctl_finish(&c, &calls[i]);
		cr_assert_neq(calls[i].err.code, ERR_OK);
		ctl_call_free(&calls[i]);
	}
	close_machines(&c, &v);
}
