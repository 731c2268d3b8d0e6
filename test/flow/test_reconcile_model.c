#include <stdlib.h>
#include <string.h>

#include "fakes/call_seam.h"
#include "fakes/reconcile_lab.h"

/* Volumes, PVs, VolumeAttachments, nodes and pods come and go at random, the proper way
 * and by force, while watches stand still, lists are stale or not whole, the Lease goes
 * to and fro, the box loses scripts and the controller starts anew. What the reconcilers
 * do to the box is compared with the truth: what the API server has, and what it had. */
enum { N_VOLUMES = 12, N_NODES = 4, N_STEPS = 2000, N_IDS = N_VOLUMES + N_STEPS };

static const char *const node_names[N_NODES] = { "node-a", "node-b", "node-c", "node-d" };

struct truth { /* of one volume */
	char id[16];
	bool was_retained; /* its last PV had Retain when it went */
	uint64_t pv_gone_ms;
};

struct model {
	struct rlab l;
	uint64_t seed;
	struct truth ids[N_IDS], *volumes[N_VOLUMES]; /* all, and those of now */
	bool is_calling; /* an RPC is at work, not the reconcilers */
	bool is_whole;	 /* nothing is held, stale or incomplete */
	unsigned n_removed, n_off, n_let_go, n_deletes_in_round, next_id;
	char violation[160];
};

static struct model *m;

static uint32_t chance(uint32_t n)
{
	m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(m->seed >> 33) % n;
}

static void violate(const char *what, const char *who)
{
	if (!*m->violation)
		snprintf(m->violation, sizeof(m->violation), "%s: %s", what, who);
}

static struct truth *truth_of(const char *id)
{
	return &m->ids[strtoul(id + strlen("pvc-"), NULL, 10)];
}

static uint64_t now(void)
{
	return clock_now_ms(&m->l.c.l.uv);
}

static const struct k8s_object *server_pv(const char *id)
{
	return fake_k8s_find(m->l.f, K8S_PV, NULL, id);
}

static void va_name(char name[40], const char *id, const char *node)
{
	snprintf(name, 40, "%s.%s", id, node);
}

static const struct k8s_object *server_va(const char *id, const char *node)
{
	char name[40];

	va_name(name, id, node);
	return fake_k8s_find(m->l.f, K8S_VA, NULL, name);
}

static bool has_va(const char *id)
{
	for (unsigned i = 0; i < N_NODES; i++)
		if (server_va(id, node_names[i]))
			return true;
	return false;
}

static bool has_node(const char *node)
{
	return fake_k8s_find(m->l.f, K8S_NODE, NULL, node) != NULL;
}

static const struct k8s_object *server_pod(const char *id, const char *node)
{
	char name[40];

	va_name(name, id, node);
	return fake_k8s_find(m->l.f, K8S_POD, "default", name);
}

/* ---- what the reconcilers do to the box ---- */
static void look_at_removal(const struct rds_volume *v)
{
	const struct truth *t = truth_of(v->id);

	m->n_removed++;
	m->n_deletes_in_round++;
	if (m->n_deletes_in_round > RECONCILE_MAX_REMOVALS)
		violate("too many removed in a round", v->id);
	if (server_pv(v->id) || has_va(v->id) || v->record.n_holders)
		violate("removed, but wanted", v->id);
	if (t->was_retained)
		violate("removed, but retained", v->id);
	else if (now() - t->pv_gone_ms < RLAB_DAY_MS)
		violate("removed too soon", v->id);
	if (v->record.kind != RDS_RECORD_OURS || !v->record.is_bound)
		violate("removed, but not ours", v->id);
}

static bool is_clearing(const char *id, const char *node)
{
	struct reconcile *r = &m->l.r;

	if (strcmp(r->op.type->states[r->op.state], "attachments") != 0)
		return false;
	LIST_FOREACH (it, &r->attachments.running) {
		const struct reconcile_lost *l =
			CONTAINER_OF(it, struct reconcile_lost, list);

		if (strcmp(l->handle, id) == 0 && strcmp(l->node, node) == 0)
			return true;
	}
	return false;
}

/* Cut off is only who has no object any more, or whose node is no more; the reconciler
 * itself also waits for the pods there, but the fence of one lost node cuts them all. A
 * watch that stands still may hide what came since. */
static void look_at_holder(const struct rds_volume *v, const char *node)
{
	m->n_let_go++;
	/* A fence that was left open is finished by whoever finds it. */
	if (!m->is_whole || v->record.is_fencing || !server_va(v->id, node))
		return;
	if (has_node(node))
		violate("taken from a holder", v->id);
	if (is_clearing(v->id, node) && server_pod(v->id, node))
		violate("taken from a pod", v->id);
}

static bool stays(const struct rds_req *req, const char *node)
{
	const struct rds_record *r = req->record;

	for (unsigned i = 0; req->kind == RDS_UNPUBLISH && i < r->n_holders; i++)
		if (strcmp(r->holders[i].node, node) == 0)
			return true;
	return false;
}

/* An Unpublish that finds no holder makes sure of the export too, by its own rule. */
static bool is_switching_off(void)
{
	const struct reconcile *r = &m->l.r;

	return strcmp(r->op.type->states[r->op.state], "box") == 0 &&
	       r->box.act.action == RECONCILE_SWITCH_OFF;
}

static void look(const struct rds_req *req)
{
	const struct rds_volume *v = rlab_find(&m->l, req->id);

	/* The Lease may be lost while several are at work: then it is not sent. */
	if (req->may_send && !req->may_send(req))
		return;
	if (!m->l.f->is_leader || !k8s_is_current(&m->l.f->k8s))
		violate("changed without the right to", req->id);
	if (!v)
		return;
	if (v->record.kind == RDS_RECORD_FOREIGN)
		violate("a foreign one is touched", req->id);
	if (req->kind == RDS_DELETE)
		look_at_removal(v);
	else if (is_switching_off() && req->kind == RDS_UNPUBLISH) {
		m->n_off++;
		if (m->is_whole && has_va(v->id))
			violate("switched off, but there is an attachment", v->id);
	}
	for (unsigned i = 0; req->kind > RDS_PUBLISH && i < v->record.n_holders; i++)
		if (v->record.holders[i].use != ATTACH_UNFENCED &&
		    !stays(req, v->record.holders[i].node))
			look_at_holder(v, v->record.holders[i].node);
	if (req->kind == RDS_NO_MOUNT && v->is_mounted && v->record.n_holders)
		violate("unmounted under a holder", v->id);
}

static enum fake_fault choose(struct fake_rds *f, const struct rds_req *req)
{
	uint32_t dice = chance(100);

	(void)f;
	if (!m->is_calling && req->kind >= RDS_CREATE)
		look(req);
	if (dice < 2)
		return FAKE_LOSE;
	if (dice < 4)
		return FAKE_DROP;
	return dice < 6 ? FAKE_REFUSE : FAKE_FINE;
}

static struct fake_k8s_fault choose_k8s(struct fake_k8s *f, const struct k8s_request *r)
{
	static const enum err_code codes[] = { ERR_UNAVAILABLE, ERR_PERMISSION,
					       ERR_EXHAUSTED };
	uint32_t dice = chance(100);

	(void)r;
	if (!m->is_calling && dice < 2)
		f->is_leader = false; /* in the middle of a round */
	if (dice < 4)
		return (struct fake_k8s_fault){ FAKE_K8S_REFUSE, codes[chance(3)] };
	return (struct fake_k8s_fault){ .what = dice < 5 ? FAKE_K8S_LOSE
							 : FAKE_K8S_FINE };
}

/* ---- the world's own steps ---- */
static void put_pv(struct truth *t, bool is_retained)
{
	rlab_pv(&m->l, t->id, t->id, is_retained);
}

static struct truth *make(void)
{
	struct truth *t = &m->ids[m->next_id];
	struct rds_volume *v;

	snprintf(t->id, sizeof(t->id), "pvc-%u", m->next_id++);
	t->pv_gone_ms = now();
	v = fake_rds_add(&m->l.c.box, t->id, UINT64_C(1) << 30);
	v->record = (struct rds_record){ .kind = chance(20) ? RDS_RECORD_OURS
							    : RDS_RECORD_FOREIGN,
					 .is_bound = chance(8) != 0 };
	snprintf(v->record.nonce, sizeof(v->record.nonce), "%08x",
		 ++m->l.c.box.next_nonce);
	snprintf(v->record.claim, sizeof(v->record.claim), "default/claim-%s", t->id);
	if (chance(10))
		put_pv(t, !chance(4));
	return t;
}

static void remove_pv(struct truth *t)
{
	const struct k8s_object *pv = server_pv(t->id);

	if (pv) {
		t->pv_gone_ms = now();
		t->was_retained = K8S_PV_OF(pv)->is_retained;
	}
	fake_k8s_remove(m->l.f, K8S_PV, NULL, t->id);
}

/* As external-attacher does; a grant may be lost on its way. */
static void attach(struct truth *t, const char *node)
{
	char name[40];

	va_name(name, t->id, node);
	if (!server_pv(t->id) || !has_node(node))
		return;
	fake_k8s_va(m->l.f, name, NULL, node, t->id, false);
	if (chance(3))
		fake_k8s_pod(m->l.f, "default", name, node,
			     K8S_PV_OF(server_pv(t->id))->claim_name, NULL);
	if (chance(5) && ctl_publish(&m->l.c, t->id, node) == ERR_OK && chance(10))
		fake_k8s_va(m->l.f, name, NULL, node, t->id, true);
}

static void detach(struct truth *t, const char *node)
{
	char name[40];

	va_name(name, t->id, node);
	if (!server_va(t->id, node))
		return;
	fake_k8s_remove(m->l.f, K8S_POD, "default", name);
	/* By force one time out of six: the object goes, nobody is asked. */
	if (!chance(6) || ctl_unpublish(&m->l.c, t->id, node) == ERR_OK)
		fake_k8s_remove(m->l.f, K8S_VA, NULL, name);
}

/* DeleteVolume and the PV after it, or by force the PV alone. */
static void discard(struct truth *t)
{
	const struct k8s_object *pv = server_pv(t->id);

	if (has_va(t->id))
		return;
	if (!pv || K8S_PV_OF(pv)->is_retained || !chance(2)) {
		remove_pv(t);
		return;
	}
	if (ctl_delete(&m->l.c, t->id) == ERR_OK)
		remove_pv(t);
}

static void toggle_node(const char *node)
{
	if (!has_node(node)) {
		fake_k8s_node(m->l.f, node, true, false, NULL);
		fake_k8s_csinode(m->l.f, node, true);
		return;
	}
	if (chance(3))
		return;
	fake_k8s_remove(m->l.f, K8S_NODE, NULL, node);
	fake_k8s_remove(m->l.f, K8S_CSINODE, NULL, node);
}

static void drop_pods(const char *node)
{
	char name[40];

	for (unsigned i = 0; i < N_VOLUMES; i++) {
		va_name(name, m->volumes[i]->id, node);
		if (!has_node(node))
			fake_k8s_remove(m->l.f, K8S_POD, "default", name);
	}
}

static void bend(struct truth *t)
{
	struct rds_volume *v = rlab_find(&m->l, t->id);

	if (!v)
		return;
	if (chance(2))
		v->is_exported = true;
	else if (chance(2))
		v->mount_filesystem = true;
	else if (!v->record.n_holders)
		v->is_mounted = v->mount_filesystem = true;
}

static void trouble(void)
{
	switch (chance(5)) {
	case 0:
		fake_k8s_hold(m->l.f, chance(K8S_WATCHED));
		m->is_whole = false;
		break;
	case 1:
		fake_k8s_stale(m->l.f, true);
		m->is_whole = false;
		break;
	case 2:
		fake_k8s_incomplete(m->l.f);
		m->is_whole = false;
		break;
	case 3:
		m->l.f->is_leader = false;
		break;
	default:
		rlab_restart(&m->l);
	}
}

static void mend(void)
{
	fake_k8s_relist(m->l.f);
	fake_k8s_stale(m->l.f, false);
	m->l.f->is_leader = true;
	m->is_whole = true;
}

static void forget_requests(void)
{
	struct fake_k8s *f = m->l.f;

	for (unsigned i = 0; i < f->n_requests; i++)
		free(f->requests[i].body);
	f->n_requests = f->n_events = 0;
}

static void pass(unsigned rounds)
{
	m->is_calling = false;
	while (rounds-- && !*m->violation) {
		m->n_deletes_in_round = 0;
		rlab_rounds(&m->l, 1);
		forget_requests();
	}
	m->is_calling = true;
}

/* Long enough for an orphan to go, if nothing disturbs the row of looks. */
static void quiet_days(void)
{
	if (chance(4))
		mend();
	for (int i = 0; i < 3; i++) {
		pass(100);
		m->l.f->is_leader |= chance(3) != 0;
	}
}

static void change_the_world(void)
{
	struct truth **of = &m->volumes[chance(N_VOLUMES)], *t = *of;
	const char *node = node_names[chance(N_NODES)];

	switch (chance(9)) {
	case 0:
	case 1:
		attach(t, node);
		return;
	case 2:
	case 3:
		detach(t, node);
		return;
	case 4:
		discard(t);
		return;
	case 5:
		toggle_node(node);
		return;
	case 6:
		drop_pods(node);
		return;
	case 7:
		bend(t);
		return;
	default:
		if (server_pv(t->id))
			put_pv(t, !chance(4));
		else if (!rlab_find(&m->l, t->id) || !chance(30))
			*of = make(); /* the old one, if it is there, stays so */
	}
}

static void step(void)
{
	uint32_t dice = chance(100);

	if (dice < 60)
		change_the_world();
	else if (dice < 90)
		pass(1);
	else if (dice < 93)
		trouble();
	else if (dice < 97)
		mend();
	else
		quiet_days();
	forget_requests();
}

static void model_open(uint64_t seed)
{
	m = calloc(1, sizeof(*m));
	m->seed = seed;
	m->is_calling = m->is_whole = true;
	rlab_open(&m->l);
	for (unsigned i = 0; i < N_VOLUMES; i++)
		m->volumes[i] = make();
	m->l.c.box.choose = choose;
	m->l.f->choose = choose_k8s;
	rlab_start(&m->l);
}

static void model_close(void)
{
	m->l.c.box.choose = NULL;
	m->l.f->choose = NULL;
	rlab_close(&m->l);
	free(m);
}

Test(reconcile_model, what_is_wanted_is_neither_removed_nor_cut_off)
{
	unsigned n_removed = 0, n_off = 0, n_let_go = 0;

	for (uint64_t seed = 1; seed <= 8; seed++) {
		unsigned n;

		model_open(seed);
		for (n = 0; n < N_STEPS && !*m->violation; n++)
			step();
		cr_assert_str_eq(m->violation, "", "seed %llu, step %u: %s",
				 (unsigned long long)seed, n, m->violation);
		n_removed += m->n_removed;
		n_off += m->n_off;
		n_let_go += m->n_let_go;
		model_close();
	}
	/* It must not hold in an empty world only. */
	cr_assert_gt(n_removed, 5);
	cr_assert_gt(n_off, 20);
	cr_assert_gt(n_let_go, 20);
}
