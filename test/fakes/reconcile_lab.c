#include "fakes/reconcile_lab.h"

#include <string.h>

static struct rlab *running; /* whose done() is awaited */

static void on_turn(uv_prepare_t *turn)
{
	clock_advance(turn->loop, 0);
}

void rlab_open(struct rlab *l)
{
	metric_reset();
	memset(l, 0, sizeof(*l));
	ctl_open_k8s(&l->c);
	clock_hold(&l->c.l.uv);
	uv_prepare_init(&l->c.l.uv, &l->turn);
	uv_prepare_start(&l->turn, on_turn);
	uv_unref((uv_handle_t *)&l->turn);
	l->c.csi.fence_settle_ms = 0;
	l->f = &l->c.cluster;
	l->conf = (struct reconcile_conf){ .attachment_interval_ms = RLAB_INTERVAL_MS,
					   .orphan_interval_ms = RLAB_INTERVAL_MS,
					   .orphan_grace_ms = RLAB_DAY_MS,
					   .is_orphan_hunted = true };
}

/* Lets the settle time of a fence pass, and no other. */
static void settle(struct rlab *l)
{
	clock_advance(&l->c.l.uv, l->c.csi.fence_settle_ms ? 1 : 0);
}

static void on_done(struct op *op)
{
	(void)op;
	running->is_running = false;
}

void rlab_start(struct rlab *l)
{
	running = l;
	l->is_running = true;
	reconcile_start(&l->r, &l->c.csi, &l->conf, on_done);
	rlab_pass(l, RECONCILE_HURRY_MS); /* the first round */
}

void rlab_stop(struct rlab *l)
{
	if (!l->is_running)
		return;
	reconcile_stop(&l->r);
	t_run_until(&l->c.l, (settle(l), !l->is_running));
}

void rlab_restart(struct rlab *l)
{
	rlab_stop(l);
	ctl_restart(&l->c);
	rlab_start(l);
}

void rlab_close(struct rlab *l)
{
	rlab_stop(l);
	uv_close((uv_handle_t *)&l->turn, NULL);
	ctl_close(&l->c);
}

/* It waits again: the rounds that were due are over. */
static bool is_idle(const struct rlab *l)
{
	return !l->is_running || (clock_timer_is_running(&l->r.timer) &&
				  l->r.timer.due_ms > clock_now_ms(l->r.op.loop));
}

void rlab_pass(struct rlab *l, uint64_t ms)
{
	for (int i = 0; i < 3; i++)
		uv_run(&l->c.l.uv, UV_RUN_NOWAIT);
	clock_advance(&l->c.l.uv, ms);
	t_run_until(&l->c.l, (settle(l), is_idle(l)));
}

void rlab_rounds(struct rlab *l, unsigned n)
{
	while (n--)
		rlab_pass(l, RLAB_INTERVAL_MS);
}

struct rds_volume *rlab_find(struct rlab *l, const char *id)
{
	return fake_rds_find(&l->c.box, id);
}

struct rds_volume *rlab_volume(struct rlab *l, const char *id)
{
	struct rds_volume *v = fake_rds_add(&l->c.box, id, UINT64_C(1) << 30);

	v->record = (struct rds_record){ .kind = RDS_RECORD_OURS, .is_bound = true };
	snprintf(v->record.nonce, sizeof(v->record.nonce), "%08x", ++l->c.box.next_nonce);
	snprintf(v->record.cluster, sizeof(v->record.cluster), "%s", l->c.csi.cluster_id);
	snprintf(v->record.claim, sizeof(v->record.claim), "default/claim-%.60s", id);
	fake_k8s_pv(l->f, id, id);
	return v;
}

struct rds_volume *rlab_held(struct rlab *l, const char *id, const char *node)
{
	struct rds_volume *v = rlab_volume(l, id);

	v->is_exported = true;
	v->record.n_holders = 1;
	snprintf(v->record.holders[0].node, sizeof(v->record.holders[0].node), "%s",
		 node);
	v->record.holders[0].use = 'w';
	return v;
}

void rlab_pv(struct rlab *l, const char *name, const char *handle, bool is_retained)
{
	char claim[300];
	struct k8s_pv pv = { .o = { .kind = K8S_PV, .name = name },
			     .handle = handle,
			     .claim_ns = "default",
			     .claim_name = claim,
			     .phase = "Bound",
			     .modes = K8S_PV_RWO,
			     .is_retained = is_retained };

	snprintf(claim, sizeof(claim), "claim-%s", name);
	fake_k8s_put(l->f, &pv.o);
}

unsigned rlab_changes(const struct rlab *l)
{
	unsigned n = 0;

	for (enum rds_kind k = RDS_CREATE; k <= RDS_EXPORT; k++)
		n += l->c.box.n_kind[k];
	return n;
}

uint64_t rlab_counted(const char *action, enum metric_outcome outcome)
{
	return metric_counted(METRIC_RECONCILE_ACTIONS,
			      metric_label_value(METRIC_RECONCILE_ACTIONS, 0, action),
			      outcome);
}

uint64_t rlab_skipped(void)
{
	uint64_t n = rlab_counted("clear_stale", METRIC_SKIPPED);

	for (unsigned i = RECONCILE_NOTHING + 1; i < RECONCILE_N_ACTIONS; i++)
		n += rlab_counted(reconcile_name((enum reconcile_action)i),
				  METRIC_SKIPPED);
	return n;
}

uint64_t rlab_done(const struct rlab *l, enum reconcile_action action)
{
	(void)l;
	return rlab_counted(reconcile_name(action), METRIC_DONE);
}
