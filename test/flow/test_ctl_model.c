#include "fakes/call_seam.h"

/* A model of nodes, an orchestrator and a box under which the controller is killed, loses
 * answers, and has scripts run on long after they were cut off. Nodes come to be unknown
 * and are known again; the volume is deleted and made again under its id. Whatever
 * happens: no more nodes can write than the access mode allows, and no node that was cut
 * off, or had the volume of that id before, can ever reach it again. */
#define GIB (INT64_C(1) << 30)
#define ID ((char *)(uintptr_t) "pvc-1")

enum { N_NODES = 3, MAX_ZOMBIES = 4096 };

static const char *const nodes[N_NODES] = { "node-a", "node-b", "node-c" };

/* A node as the orchestrator and the kernel there see it. */
struct node {
	bool is_known;		   /* to the controller that runs now */
	bool is_granted;	   /* Publish said OK; until an Unpublish it may write */
	bool is_out;		   /* Unpublish said OK, and no Publish was sent since */
	bool was_lost;		   /* was unknown while it held the volume */
	char nqn[RDS_NQN_MAX + 1]; /* what it connects to */
};

struct model {
	struct ctl c;
	uint64_t seed;
	int mode;
	unsigned limit; /* nodes that may write */
	bool is_torn;	/* statements interleave; the controller then stays */
	struct node nodes[N_NODES];
	char zombies[MAX_ZOMBIES][64]; /* NQNs that cut-off nodes still retry */
	unsigned n_zombies, n_grants, n_fences, n_made_again;
	char violation[200]; /* the first one; "" = none */
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

/* After each effect on the box: who can reach the volume now? */
static void look(struct fake_rds *f, const struct rds_volume *v)
{
	unsigned writers = 0;

	(void)f;
	if (!v->is_exported)
		return;
	for (unsigned i = 0; i < N_NODES; i++)
		writers += m->nodes[i].is_granted && strcmp(m->nodes[i].nqn, v->nqn) == 0;
	for (unsigned i = 0; i < m->n_zombies; i++)
		if (strcmp(m->zombies[i], v->nqn) == 0)
			violate("a node that was cut off reaches it", v->nqn);
	if (writers > m->limit)
		violate("too many writers", v->nqn);
}

static bool is_recorded(const struct rds_volume *v, const char *node)
{
	for (unsigned i = 0; i < v->record.n_holders; i++)
		if (strcmp(v->record.holders[i].node, node) == 0)
			return true;
	return false;
}

/* Between two steps: what was granted still stands. */
static void look_at_grants(void)
{
	const struct rds_volume *v = fake_rds_find(&m->c.box, ID);
	unsigned granted = 0;

	if (!v) {
		violate("the volume is gone", "");
		return;
	}
	for (unsigned i = 0; i < N_NODES; i++) {
		const struct node *n = &m->nodes[i];

		if (!m->is_torn && n->is_out && is_recorded(v, nodes[i]))
			violate("a node that was let go is in the record", nodes[i]);
		if (!n->is_granted || n->was_lost)
			continue;
		granted++;
		if (m->is_torn)
			continue;
		if (!is_recorded(v, nodes[i]))
			violate("a holder is not in the record", nodes[i]);
		else if (!v->is_exported || strcmp(v->nqn, n->nqn) != 0)
			violate("a holder is cut off", nodes[i]);
	}
	if (granted > m->limit)
		violate("granted to too many", "");
	look(&m->c.box, v);
}

static enum fake_fault choose(struct fake_rds *f, const struct rds_req *req)
{
	uint32_t dice = chance(100);

	(void)f;
	m->n_fences += req->kind == RDS_FENCE_FINISH;
	if (dice < 7)
		return m->is_torn ? FAKE_TORN : FAKE_LATE;
	if (dice < 12)
		return FAKE_LOSE;
	if (dice < 15)
		return FAKE_DROP;
	return dice < 17 ? FAKE_REFUSE : FAKE_FINE;
}

/* A controller that is replaced by one which knows other nodes, our own always. */
static void replace(void)
{
	char known[64] = "";

	for (unsigned i = 0; i < N_NODES; i++) {
		struct node *n = &m->nodes[i];

		n->is_known = i == 0 || chance(100) < 65;
		n->was_lost = n->was_lost || (n->is_granted && !n->is_known);
		if (n->is_known && i > 0) {
			strcat(known, nodes[i]);
			strcat(known, ",");
		}
	}
	attachments_free(m->c.csi.attachments);
	m->c.csi.attachments = attachments_new(&m->c.csi, known);
	cr_assert_not_null(m->c.csi.attachments);
}

static void maybe_run_late(void)
{
	unsigned n = fake_rds_n_late(&m->c.box);

	if (n && chance(100) < 4)
		fake_rds_run_late_nth(&m->c.box, chance(n));
}

/* Runs a call with late scripts between its turns; sometimes the controller dies in it.
 * The code of the answer, or ERR_UNKNOWN when nobody was left to answer. */
static enum err_code run_call(struct grpc_call *call, const char *method, const void *req)
{
	uint32_t dies_at = !m->is_torn && chance(100) < 8 ? chance(12) : UINT32_MAX;

	ctl_start(&m->c, call, method, req);
	for (uint32_t turn = 0; !call->n_answers; turn++) {
		if (turn == dies_at)
			dispatch_cancel(&m->c.dispatch);
		uv_run(&m->c.l.uv, UV_RUN_NOWAIT);
		maybe_run_late();
	}
	if (dies_at == UINT32_MAX)
		return call->err.code;
	replace();
	return ERR_UNKNOWN;
}

static void publish(unsigned i)
{
	Csi__V1__ControllerPublishVolumeRequest req;
	Csi__V1__ControllerPublishVolumeResponse *resp;
	struct grpc_call call;
	struct ctl_cap cap;
	struct node *n = &m->nodes[i];

	csi__v1__controller_publish_volume_request__init(&req);
	ctl_cap(&cap, m->mode);
	req.volume_id = ID;
	req.node_id = (char *)(uintptr_t)nodes[i];
	req.volume_capability = &cap.cap;
	n->is_out = false;
	if (run_call(&call, "ControllerPublishVolume", &req) == ERR_OK) {
		resp = ctl_reply(
			&call, &csi__v1__controller_publish_volume_response__descriptor);
		n->is_granted = true;
		n->was_lost = !n->is_known;
		for (size_t k = 0; k < resp->n_publish_context; k++)
			if (strcmp(resp->publish_context[k]->key, "nvme_nqn") == 0)
				snprintf(n->nqn, sizeof(n->nqn), "%s",
					 resp->publish_context[k]->value);
		m->n_grants++;
		protobuf_c_message_free_unpacked(&resp->base, NULL);
	}
	ctl_call_free(&call);
}

static void bury(struct node *n)
{
	if (n->nqn[0] && m->n_zombies < MAX_ZOMBIES)
		memcpy(m->zombies[m->n_zombies++], n->nqn, sizeof(m->zombies[0]));
	n->nqn[0] = '\0';
	n->is_granted = false;
}

/* A healthy node has let go before it is unpublished; a lost one goes on for ever. */
static enum err_code unpublish(unsigned i)
{
	Csi__V1__ControllerUnpublishVolumeRequest req;
	struct grpc_call call;
	struct node *n = &m->nodes[i];
	bool was_known = n->is_known;
	enum err_code code;

	if (was_known)
		n->is_granted = false;
	csi__v1__controller_unpublish_volume_request__init(&req);
	req.volume_id = ID;
	req.node_id = (char *)(uintptr_t)nodes[i];
	code = run_call(&call, "ControllerUnpublishVolume", &req);
	ctl_call_free(&call);
	n->is_out = code == ERR_OK;
	if (code != ERR_OK || !n->is_granted || was_known)
		return code;
	bury(n);
	return code;
}

static enum err_code create(void)
{
	Csi__V1__CreateVolumeRequest req;
	struct grpc_call call;
	struct ctl_cap cap;
	enum err_code code;

	csi__v1__create_volume_request__init(&req);
	ctl_cap(&cap, m->mode);
	req.name = ID;
	req.n_volume_capabilities = 1;
	req.volume_capabilities = cap.list;
	code = run_call(&call, "CreateVolume", &req);
	ctl_call_free(&call);
	return code;
}

/* Where nobody holds it. Whatever any node ever knew of it is of a volume that is no
 * more. */
static void make_again(void)
{
	enum err_code code;

	/* Once it was asked for, it may be gone at any time until it is. */
	do
		code = ctl_delete(&m->c, ID);
	while (code != ERR_OK && code != ERR_PRECONDITION);
	if (code != ERR_OK)
		return;
	for (unsigned i = 0; i < N_NODES; i++)
		bury(&m->nodes[i]);
	while (create() != ERR_OK)
		;
	m->n_made_again++;
}

static void model_open(uint64_t seed, int mode)
{
	m = mem_calloc(1, sizeof(*m));
	m->seed = seed;
	m->mode = mode;
	m->limit = mode == CTL_MODE(MULTI_NODE_MULTI_WRITER) ? 2 : 1;
	ctl_open(&m->c);
	m->c.csi.fence_settle_ms = 0;
	cr_assert_eq(ctl_create(&m->c, ID, GIB), ERR_OK);
	m->c.box.choose = choose;
	m->c.box.on_effect = look;
	for (unsigned i = 0; i < N_NODES; i++)
		m->nodes[i].is_known = true;
}

/* Ends on a box that answers: what is held can be let go, and the volume deleted. */
static void model_close(bool is_sound)
{
	m->c.box.choose = NULL;
	m->c.box.on_effect = NULL;
	if (is_sound) {
		fake_rds_run_late(&m->c.box);
		cr_assert_eq(ctl_unpublish(&m->c, ID, ""), ERR_OK, "%s", ctl_message());
		cr_assert_eq(ctl_delete(&m->c, ID), ERR_OK, "%s", ctl_message());
	}
	t_run_until(&m->c.l, dispatch_is_idle(&m->c.dispatch));
	struct ctl *c = &m->c;

	attachments_free(c->csi.attachments);
	map_fini(&c->csi.inflight);
	fake_rds_close(&c->box);
	t_loop_close(&c->l);
	mem_free(m);
	cr_assert_eq(mem_live(), 0);
}

static unsigned run_model(unsigned steps)
{
	unsigned n;

	for (n = 0; n < steps && !*m->violation; n++) {
		unsigned i = chance(N_NODES);

		if (!m->is_torn && chance(100) < 3)
			replace();
		maybe_run_late();
		if (!m->is_torn && chance(100) < 2)
			make_again();
		else if (chance(2))
			publish(i);
		else
			(void)unpublish(i);
		look_at_grants();
	}
	return n;
}

/* It must not hold in an empty world only. */
static void expect_busy(void)
{
	cr_assert_gt(m->n_grants, 400);
	cr_assert(m->is_torn || m->n_fences > 20);
	cr_assert(m->is_torn || m->n_zombies > 10);
	cr_assert(m->is_torn || m->n_made_again > 10, "%u", m->n_made_again);
}

static void hold_true(int mode, bool is_torn)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		model_open(seed, mode);
		m->is_torn = is_torn;
		unsigned n = run_model(5000);

		cr_assert_str_eq(m->violation, "", "seed %llu, step %u: %s",
				 (unsigned long long)seed, n, m->violation);
		expect_busy();
		model_close(true);
	}
}

Test(ctl_model, never_two_writers)
{
	hold_true(CTL_MODE(SINGLE_NODE_WRITER), false);
}

Test(ctl_model, never_three_that_share)
{
	hold_true(CTL_MODE(MULTI_NODE_MULTI_WRITER), false);
}

/* A script that had made its comparison when it was cut off, and goes on in the midst of
 * others, can overwrite the record. Then only what this controller has seen is left, so
 * this model keeps it alive: no restart takes away from it what it granted. */
Test(ctl_model, never_two_writers_where_statements_interleave)
{
	hold_true(CTL_MODE(SINGLE_NODE_WRITER), true);
}

/* The model can fail: a box that does not compare the nonce breaks it soon. */
Test(ctl_model, without_the_nonce_it_breaks)
{
	unsigned broken = 0;

	for (uint64_t seed = 1; seed <= 4; seed++) {
		model_open(seed, CTL_MODE(SINGLE_NODE_WRITER));
		m->c.box.ignores_nonce = true;
		(void)run_model(5000);
		broken += *m->violation != '\0';
		model_close(false);
	}
	cr_assert_eq(broken, 4);
}
