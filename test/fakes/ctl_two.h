#ifndef CTL_TWO_H
#define CTL_TWO_H
#include "fakes/call_seam.h"

#include "core/log.h"

/* The file that includes this has included one of these before:
 *   ctl_two_fake.h   the port's double, and watches that are lists of what is to come
 *   ctl_two_wire.h   the real client over HTTP, and a simulated API server
 * Both have struct cluster, what the API server has, and struct view, what one controller
 * sees of it. */

/* Two controllers over one box and one cluster, of which each sees what its watches have
 * brought so far, up to a minute late and each kind by a time of its own. The Lease
 * moves; a controller dies between the box's answer and the attacher's word to the API
 * server; answers are lost and scripts run on late; nodes are deleted, tainted, go deaf
 * and come back rebooted; VolumeAttachments are forced away. Whatever happens: one writer
 * at most is in the record and can reach the volume, and no volume is stuck for good. */
#define GIB (INT64_C(1) << 30)

enum { N_NODES = 3, N_VOLUMES = 2, N_CONTROLLERS = 2, MAX_ZOMBIES = 4096 };

static const char *const node_names[N_NODES] = { "node-a", "node-b", "node-c" };
static const char *const volumes[N_VOLUMES] = { "pvc-1", "pvc-2" };
static const char *const pvs[N_VOLUMES] = { "pv-one", "pvc-2" };

/* One volume on one node, as the attacher and the kernel there see it. */
struct place {
	unsigned v, n;
	bool has_va, is_attached, is_leaving; /* the object's state in the cluster */
	bool is_granted;		      /* the kernel may write, until unmounted */
	char nqn[RDS_NQN_MAX + 1];
	struct grpc_call call;
	unsigned controller;
	enum { IDLE, PUBLISHING, UNPUBLISHING } doing;
};

struct node {
	bool is_there, is_ready, is_out;
};

struct controller {
	struct csi csi;
	struct dispatch dispatch;
	struct view view;
	bool is_dying; /* what it answers nobody hears */
};

struct world {
	struct t_loop l;
	struct fake_rds box;
	struct cluster cluster;
	struct controller c[N_CONTROLLERS];
	struct place places[N_VOLUMES * N_NODES];
	struct node nodes[N_NODES];
	struct zombie {
		unsigned n;
		char nqn[RDS_NQN_MAX + 1];
	} zombies[MAX_ZOMBIES];
	unsigned n_zombies, n_calls, n_done, n_grants, n_kills, n_fences, n_forced,
		n_moves;
	bool is_calm;
	uint64_t seed;
	char violation[200];
};

static struct world *w;
static const struct rpc_method *const tables[] = { controller_methods };

static uint32_t chance(uint32_t n)
{
	w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(w->seed >> 33) % n;
}

static void violate(const char *what, const char *who)
{
	if (!*w->violation)
		snprintf(w->violation, sizeof(w->violation), "%s: %s", what, who);
}

/* Let go while somebody else seemed to have the volume: it may go on until that is
 * settled, and nobody is let in before. */
static bool is_unfenced(const struct rds_volume *v, unsigned n)
{
	for (unsigned i = 0; i < v->record.n_holders; i++)
		if (strcmp(v->record.holders[i].node, node_names[n]) == 0)
			return v->record.holders[i].use == 'u';
	return false;
}

static void look(struct fake_rds *f, const struct rds_volume *v)
{
	unsigned writers = 0, holders = 0;

	(void)f;
	for (unsigned i = 0; i < v->record.n_holders; i++)
		holders += v->record.holders[i].use == 'w';
	if (holders > 1 && !v->record.is_fencing)
		violate("two holders in the record", v->id);
	if (!v->is_exported)
		return;
	for (unsigned i = 0; i < N_VOLUMES * N_NODES; i++) {
		const struct place *p = &w->places[i];

		writers += p->is_granted && strcmp(p->nqn, v->nqn) == 0;
	}
	for (unsigned i = 0; i < w->n_zombies; i++)
		if (strcmp(w->zombies[i].nqn, v->nqn) == 0 &&
		    (holders || !is_unfenced(v, w->zombies[i].n)))
			violate("one that was let go reaches it", v->nqn);
	if (writers > 1)
		violate("two writers", v->nqn);
}

static enum fake_fault choose(struct fake_rds *f, const struct rds_req *req)
{
	uint32_t dice = chance(100);

	(void)f;
	w->n_fences += req->kind == RDS_FENCE_FINISH;
	if (w->is_calm || dice >= 12)
		return FAKE_FINE;
	return dice < 5	   ? FAKE_LATE
	       : dice < 9  ? FAKE_LOSE
	       : dice < 11 ? FAKE_DROP
			   : FAKE_REFUSE;
}

/* ---- the cluster ---------------------------------------------------------------------
 */

static struct place *place(unsigned v, unsigned n)
{
	return &w->places[v * N_NODES + n];
}

static void put_node(unsigned n)
{
	char in_use[64] = "";
	struct k8s_node o = { .o = { .kind = K8S_NODE, .name = node_names[n] },
			      .is_ready = w->nodes[n].is_ready,
			      .is_out_of_service = w->nodes[n].is_out,
			      .in_use = in_use };
	size_t len = 0;

	for (unsigned v = 0; v < N_VOLUMES; v++)
		if (place(v, n)->is_granted) {
			strcpy(in_use + len, volumes[v]);
			len += strlen(volumes[v]) + 1;
			o.n_in_use++;
		}
	if (w->nodes[n].is_there)
		cluster_put_node(&w->cluster, &o);
	else
		cluster_remove(&w->cluster, K8S_NODE, node_names[n]);
}

static void put_va(struct place *p)
{
	char name[64];
	struct k8s_va va = {
		.o = { .kind = K8S_VA, .name = name, .is_deleting = p->is_leaving },
		.node = node_names[p->n],
		.pv = pvs[p->v],
		.is_attached = p->is_attached
	};

	snprintf(name, sizeof(name), "csi-%u-%u", p->v, p->n);
	if (p->has_va)
		cluster_put_va(&w->cluster, &va);
	else
		cluster_remove(&w->cluster, K8S_VA, name);
}

/* Both controllers have heard what the node does now. What a watch has not brought yet
 * they cannot know: a node that mounts and is forced off within that time is beyond what
 * the Node object can tell. */
static bool is_heard(unsigned n)
{
	for (unsigned i = 0; i < N_CONTROLLERS; i++)
		if (!view_has_node(&w->c[i].view, node_names[n]))
			return false;
	return true;
}

/* ---- the controllers -----------------------------------------------------------------
 */

static void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static void turn(void)
{
	uv_run(&w->l.uv, UV_RUN_NOWAIT);
	clock_advance(&w->l.uv, chance(4) ? 1 : chance(2000));
	for (unsigned i = 0; i < N_CONTROLLERS; i++)
		view_turn(&w->c[i].view);
	unsigned n_late = fake_rds_n_late(&w->box);

	if (n_late && chance(100) < 3)
		fake_rds_run_late_nth(&w->box, chance(n_late));
}

static void begin_controller(struct controller *c)
{
	c->csi.k8s = view_port(&c->view);
	c->csi.attachments = attachments_new(&c->csi, NULL);
	cr_assert_not_null(c->csi.attachments);
	c->is_dying = false;
}

static void end_controller(struct controller *c)
{
	bool is_stopped = false;

	c->is_dying = true;
	dispatch_cancel(&c->dispatch);
	while (!dispatch_is_idle(&c->dispatch))
		turn();
	if (attachments_stop(c->csi.attachments, on_stopped, &is_stopped))
		while (!is_stopped)
			turn();
	attachments_free(c->csi.attachments);
}

static void settle_calls(void);

static void kill_controller(unsigned i)
{
	w->n_kills++;
	end_controller(&w->c[i]);
	settle_calls();
	view_restart(&w->c[i].view, turn);
	begin_controller(&w->c[i]);
}

static void move_lease(void)
{
	unsigned to = chance(5 * N_CONTROLLERS + 1) / 5; /* nobody's for a while, too */

	w->n_moves++;
	for (unsigned i = 0; i < N_CONTROLLERS; i++)
		w->c[i].view.is_leader = i == to;
}

static unsigned leader(void)
{
	for (unsigned i = 0; i < N_CONTROLLERS; i++)
		if (w->c[i].view.is_leader)
			return i;
	return 0;
}

/* ---- the attacher and the kernels ----------------------------------------------------
 */

static void start_call(struct place *p, const char *method, const void *req)
{
	char path[128];
	struct grpc_call *call = &p->call;

	p->controller = chance(50) ? leader() : chance(N_CONTROLLERS);
	snprintf(path, sizeof(path), "/csi.v1.Controller/%s", method);
	*call = (struct grpc_call){ .path = strdup(path) };
	call->len = protobuf_c_message_get_packed_size(req);
	call->message = malloc(call->len + 1);
	protobuf_c_message_pack(req, call->message);
	w->n_calls++;
	dispatch_call(&w->c[p->controller].dispatch, call);
}

static void start_publish(struct place *p)
{
	Csi__V1__ControllerPublishVolumeRequest req;
	struct ctl_cap cap;

	csi__v1__controller_publish_volume_request__init(&req);
	ctl_cap(&cap, CTL_MODE(SINGLE_NODE_WRITER));
	req.volume_id = (char *)(uintptr_t)volumes[p->v];
	req.node_id = (char *)(uintptr_t)node_names[p->n];
	req.volume_capability = &cap.cap;
	p->doing = PUBLISHING;
	start_call(p, "ControllerPublishVolume", &req);
}

static void start_unpublish(struct place *p)
{
	Csi__V1__ControllerUnpublishVolumeRequest req;

	csi__v1__controller_unpublish_volume_request__init(&req);
	req.volume_id = (char *)(uintptr_t)volumes[p->v];
	req.node_id = (char *)(uintptr_t)node_names[p->n];
	p->doing = UNPUBLISHING;
	start_call(p, "ControllerUnpublishVolume", &req);
}

static void published(struct place *p)
{
	Csi__V1__ControllerPublishVolumeResponse *resp = ctl_reply(
		&p->call, &csi__v1__controller_publish_volume_response__descriptor);

	w->n_grants++;
	p->is_attached = true;
	p->is_granted = !p->is_leaving; /* no kubelet mounts what goes away */
	for (size_t k = 0; k < resp->n_publish_context; k++)
		if (strcmp(resp->publish_context[k]->key, "nvme_nqn") == 0)
			snprintf(p->nqn, sizeof(p->nqn), "%s",
				 resp->publish_context[k]->value);
	protobuf_c_message_free_unpacked(&resp->base, NULL);
	put_va(p);
	put_node(p->n);
	look(&w->box, fake_rds_find(&w->box, volumes[p->v]));
}

/* From here on whatever the kernel there still does must reach nothing. */
static void unpublished(struct place *p)
{
	if (p->is_granted && w->n_zombies < MAX_ZOMBIES) {
		struct zombie *z = &w->zombies[w->n_zombies++];

		z->n = p->n;
		memcpy(z->nqn, p->nqn, sizeof(z->nqn));
	}
	p->is_granted = p->has_va = p->is_attached = p->is_leaving = false;
	put_va(p);
	put_node(p->n);
	look(&w->box, fake_rds_find(&w->box, volumes[p->v]));
}

static void settle_calls(void)
{
	for (unsigned i = 0; i < N_VOLUMES * N_NODES; i++) {
		struct place *p = &w->places[i];
		bool is_heard_of = !w->c[p->controller].is_dying;
		int doing = p->doing;

		if (doing == IDLE || !p->call.n_answers)
			continue;
		p->doing = IDLE;
		/* Sometimes it dies with the box's answer in its hands. */
		if (p->call.err.code == ERR_OK && is_heard_of && !w->is_calm &&
		    chance(100) < 3) {
			ctl_call_free(&p->call);
			kill_controller(p->controller);
			return;
		}
		w->n_done += p->call.err.code == ERR_OK;
		if (p->call.err.code == ERR_OK && is_heard_of && doing == PUBLISHING)
			published(p);
		if (p->call.err.code == ERR_OK && is_heard_of && doing == UNPUBLISHING)
			unpublished(p);
		ctl_call_free(&p->call);
	}
}

/* The attacher works on what the objects ask for, again and again. */
static void work_on(struct place *p)
{
	if (p->doing != IDLE || !p->has_va)
		return;
	if (p->is_leaving)
		start_unpublish(p);
	else if (!p->is_attached || chance(20) == 0)
		start_publish(p);
}

/* A healthy kubelet unmounts before the VolumeAttachment is deleted; who forces it does
 * not wait for that. */
static void want_away(struct place *p)
{
	bool is_forced = chance(8) == 0;

	if (p->is_granted && !is_heard(p->n))
		return;
	if (p->is_granted && w->nodes[p->n].is_there && w->nodes[p->n].is_ready &&
	    !is_forced) {
		p->is_granted = false;
		put_node(p->n);
	}
	w->n_forced += p->is_granted;
	p->is_leaving = true;
	put_va(p);
}

static void change_mind(void)
{
	struct place *p = place(chance(N_VOLUMES), chance(N_NODES));

	if (p->doing != IDLE)
		return;
	if (!p->has_va && w->nodes[p->n].is_there) {
		p->has_va = true;
		put_va(p);
	} else if (p->has_va && !p->is_leaving) {
		want_away(p);
	} else if (p->has_va && chance(40) == 0 && is_heard(p->n)) {
		/* Its finalizer is patched away: nobody is told. */
		p->has_va = p->is_attached = p->is_leaving = false;
		put_va(p);
	}
}

/* A node that is gone or out goes on writing until it is cut off; when it comes back it
 * was booted anew and has let go of everything. */
static void change_node(void)
{
	unsigned n = chance(N_NODES);
	struct node *node = &w->nodes[n];

	if (!is_heard(n))
		return;
	if (!node->is_there || !node->is_ready || node->is_out) {
		*node = (struct node){ .is_there = true, .is_ready = true };
		for (unsigned v = 0; v < N_VOLUMES; v++)
			place(v, n)->is_granted = false;
	} else {
		uint32_t dice = chance(3);

		node->is_there = dice != 0;
		node->is_ready = dice == 1;
		node->is_out = dice == 1;
	}
	put_node(n);
}

static void shake(void)
{
	uint32_t dice = chance(1000);

	if (dice < 2)
		move_lease();
	else if (dice < 4)
		kill_controller(chance(N_CONTROLLERS));
	else if (dice < 14)
		change_node();
	else if (dice < 24)
		w->c[chance(N_CONTROLLERS)].view.delay_ms[chance(K8S_WATCHED)] =
			chance(3) ? chance(60 * 1000) : 0;
}

static void run(unsigned n_done)
{
	while (w->n_done < n_done && !*w->violation) {
		if (!w->is_calm)
			shake();
		if (!w->is_calm && chance(6) == 0)
			change_mind();
		work_on(place(chance(N_VOLUMES), chance(N_NODES)));
		turn();
		settle_calls();
		cluster_forget(&w->cluster);
	}
}

/* ---- the world -----------------------------------------------------------------------
 */

static void open_world(uint64_t seed)
{
	w = mem_calloc(1, sizeof(*w));
	w->seed = seed;
	t_loop_open(&w->l);
	log_open(LOG_ERROR + 1, false);
	clock_hold(&w->l.uv);
	fake_rds_open(&w->box, &w->l.uv, "cluster-1");
	w->box.choose = choose;
	w->box.on_effect = look;
	cluster_open(&w->cluster, &w->l.uv);
	for (unsigned n = 0; n < N_NODES; n++) {
		w->nodes[n] = (struct node){ .is_there = true, .is_ready = true };
		put_node(n);
		cluster_put_csinode(&w->cluster, node_names[n]);
	}
	for (unsigned v = 0; v < N_VOLUMES; v++) {
		struct rds_volume *row = fake_rds_add(&w->box, volumes[v], 1 << 30);

		row->record = (struct rds_record){ .kind = RDS_RECORD_OURS,
						   .nonce = "0badcafe",
						   .cluster = "cluster-1" };
		cluster_put_pv(&w->cluster, pvs[v], volumes[v]);
		for (unsigned n = 0; n < N_NODES; n++)
			*place(v, n) = (struct place){ .v = v, .n = n };
	}
	for (unsigned i = 0; i < N_CONTROLLERS; i++) {
		struct controller *c = &w->c[i];

		view_open(&c->view, &w->cluster, i);
		c->csi = (struct csi){ .loop = &w->l.uv,
				       .driver_name = "rds.csi.srvlab.io",
				       .is_controller = true,
				       .node_id = "",
				       .cluster_id = "cluster-1",
				       .rds = &w->box.rds,
				       .rds_address = "10.0.0.1",
				       .fence_settle_ms = 2000,
				       .attach = { 30 * 1000, 300 * 1000 } };
		map_init(&c->csi.inflight);
		dispatch_init(&c->dispatch, &c->csi, tables, 1);
		begin_controller(c);
	}
	w->c[0].view.is_leader = true;
}

static void close_world(void)
{
	struct world *gone = w;

	for (unsigned i = 0; i < N_CONTROLLERS; i++)
		end_controller(&w->c[i]);
	settle_calls();
	for (unsigned i = 0; i < N_CONTROLLERS; i++) {
		view_close(&w->c[i].view, turn);
		map_fini(&w->c[i].csi.inflight);
	}
	fake_rds_close(&w->box);
	cluster_close(&w->cluster);
	t_loop_close(&w->l);
	mem_free(gone);
	cr_assert_eq(mem_live(), 0);
}
#endif
