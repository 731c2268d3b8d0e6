/* What the process tells by HTTP: a collector for each thing that is only looked at when
 * somebody asks, and whether it is ready. */
#include "app.h"

#include "csi/controller/attachments.h"
#include "csi/controller/migrations.h"
#include "gauges.h"
#include "metrics/process.h"
#include "k8s/target.h"
#include "rds/ros.h"

static void collect_in_flight(void *ctx, struct expo *x)
{
	expo_put(x, ((const struct app *)ctx)->dispatch.n_running, NULL);
}

static void collect_build(void *ctx, struct expo *x)
{
	const char *const labels[] = { RDS_CSI_VERSION, RDS_CSI_COMMIT };

	(void)ctx;
	expo_put(x, 1, labels);
}

static void collect_active(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	size_t n;

	if (attachments_gauge(a->csi.attachments, &n))
		expo_put(x, (double)n, NULL);
}

static void collect_migrations(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	const struct migrations *m = attachments_migrations(a->csi.attachments);

	if (m)
		expo_put(x, migrations_active(m), NULL);
}

static void collect_leader(void *ctx, struct expo *x)
{
	const struct app *a = ctx;

	if (a->csi.k8s)
		expo_put(x, k8s_is_leader(a->csi.k8s), NULL);
}

/* ---- Kubernetes ---- */

static void collect_rounds(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	const struct reconcile_stats *s = reconcile_stats(&a->kube.reconcile);
	bool is_round = x->metric == &metrics_table[METRIC_RECONCILE_ROUNDS];

	if (a->csi.k8s)
		expo_put(x, (double)(is_round ? s->rounds : s->errors), NULL);
}

static void collect_found(void *ctx, struct expo *x)
{
	static const char *const findings[][1] = {
		{ "orphan" }, { "mounted" }, { "stale_holder" }, { "idle_export" }
	};
	const struct app *a = ctx;
	const struct reconcile_stats *s = reconcile_stats(&a->kube.reconcile);
	const unsigned n[] = { s->orphans, s->alarms, s->stale_holders, s->idle_exports };

	if (a->csi.k8s && s->is_known && k8s_is_leader(a->csi.k8s))
		for (unsigned i = 0; i < 4; i++)
			expo_put(x, n[i], findings[i]);
}

static void collect_events(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	bool is_drop = x->metric == &metrics_table[METRIC_EVENTS_DROPPED];
	struct events_stats s;

	if (!a->csi.k8s)
		return;
	events_stats(&a->kube.events, &s);
	expo_put(x, (double)(is_drop ? s.dropped : s.failed), NULL);
}

static void collect_lease(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	struct lease_stats s;

	if (!a->csi.k8s)
		return;
	lease_stats(&a->kube.lease, &s);
	if (x->metric == &metrics_table[METRIC_LEASE_GAINED])
		expo_put(x, (double)s.gained, NULL);
	else if (x->metric == &metrics_table[METRIC_LEASE_LOST])
		expo_put(x, (double)s.lost, NULL);
	else
		expo_put(x, (double)s.failed, NULL);
}

static double vmi_value(const struct vmi_stats *s, enum metric_id id)
{
	switch (id) {
	case METRIC_VMI_MACHINES:
		return s->machines;
	case METRIC_VMI_WAITING:
		return s->waiting;
	case METRIC_VMI_TURNS:
		return (double)s->turns;
	default:
		return (double)s->without;
	}
}

static void collect_vmi(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	struct vmi_stats s;

	if (!a->csi.vmi)
		return;
	vmi_stats(&a->vmi, &s);
	expo_put(x, vmi_value(&s, (enum metric_id)(x->metric - metrics_table)), NULL);
}

static void collect_api(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	struct k8s_api_stats s;
	bool is_all = x->metric == &metrics_table[METRIC_API_REQUESTS];

	if (!a->csi.k8s)
		return;
	k8s_api_stats(a->kube.api, &s);
	expo_put(x, (double)(is_all ? s.n_requests : s.n_failed), NULL);
}

/* Its value of one kind; false = absent. */
static bool watch_value(const struct k8s_api_stats *s, unsigned kind, enum metric_id id,
			double *ret)
{
	const bool is_whole = s->kinds[kind].age_ms != UINT64_MAX;

	switch (id) {
	case METRIC_WATCH_AGE:
		*ret = (double)s->kinds[kind].age_ms / 1000;
		return is_whole;
	case METRIC_WATCH_OBJECTS:
		*ret = (double)s->kinds[kind].objects;
		return is_whole;
	case METRIC_WATCH_UNREADABLE:
		*ret = (double)s->kinds[kind].unreadable;
		return true;
	case METRIC_WATCH_LISTS:
		*ret = (double)s->kinds[kind].lists;
		return true;
	case METRIC_WATCH_STREAMS:
		*ret = (double)s->kinds[kind].streams;
		return true;
	case METRIC_WATCH_EVENTS:
		*ret = (double)s->kinds[kind].events;
		return true;
	default:
		*ret = (double)s->kinds[kind].failures;
		return true;
	}
}

static void collect_watch(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	enum metric_id id = (enum metric_id)(x->metric - metrics_table);
	struct k8s_api_stats s;
	double value;

	if (!a->csi.k8s)
		return;
	k8s_api_stats(a->kube.api, &s);
	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		const char *const labels[] = { k8s_kind_name((enum k8s_kind)i) };

		if (watch_value(&s, i, id, &value))
			expo_put(x, value, labels);
	}
}

/* ---- the box ---- */

static void collect_state(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	const char *const labels[] = { a->config.rds_address };
	struct ros_stats s;

	ros_stats(a->csi.rds, &s);
	if (s.is_known)
		expo_put(x, s.sessions > 0, labels);
}

static void collect_info(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	const struct rds_features *f = a->csi.rds->ops->features(a->csi.rds);
	const char *const labels[] = { a->config.rds_address, f->version,
				       f->has_subvolumes ? "yes" : "no" };

	if (f->is_known)
		expo_put(x, 1, labels);
}

static void collect_insecure(void *ctx, struct expo *x)
{
	expo_put(x, ((const struct app *)ctx)->config.rds_insecure, NULL);
}

static void collect_sessions(void *ctx, struct expo *x)
{
	static const char *const states[][1] = { { "busy" }, { "free" } };
	const struct app *a = ctx;
	struct ros_stats s;

	ros_stats(a->csi.rds, &s);
	expo_put(x, s.busy, states[0]);
	expo_put(x, s.sessions - s.busy, states[1]);
}

static void collect_queued(void *ctx, struct expo *x)
{
	static const char *const lanes[][1] = {
		{ "fast" }, { "read" }, { "bulk" }, { "idle" }
	};
	const struct app *a = ctx;
	struct ros_stats s;

	ros_stats(a->csi.rds, &s);
	for (unsigned i = 0; i < 4; i++)
		expo_put(x, s.queued_in[i], lanes[i]);
}

static void collect_ssh(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	struct ros_stats s;

	ros_stats(a->csi.rds, &s);
	expo_put(x,
		 (double)(x->metric == &metrics_table[METRIC_SSH_JOINED] ? s.joined
									 : s.connects),
		 NULL);
}

static void collect_key_pending(void *ctx, struct expo *x)
{
	const struct app *a = ctx;
	struct ros_stats s;

	ros_stats(a->csi.rds, &s);
	expo_put(x, s.is_key_pending, NULL);
}

/* ---- the node ---- */

static void collect_stuck(void *ctx, struct expo *x)
{
	const struct app *a = ctx;

	expo_put(x, a->csi.nvme->ops->n_stuck(a->csi.nvme), NULL);
}

static void collect_controllers(void *ctx, struct expo *x)
{
	static const char *const states[][1] = { { "live" },
						 { "connecting" },
						 { "deleting" } };
	struct app *a = ctx;
	struct node_traffic *n = &a->traffic;

	node_traffic_look(n, &a->csi);
	if (!n->is_known)
		return;
	expo_put(x, n->n_live, states[0]);
	expo_put(x, n->n_connecting, states[1]);
	expo_put(x, n->n_deleting, states[2]);
}

static double traffic_value(const struct nvme_traffic *t, enum metric_id id)
{
	switch (id) {
	case METRIC_VOLUME_READS:
		return (double)t->reads;
	case METRIC_VOLUME_WRITES:
		return (double)t->writes;
	case METRIC_VOLUME_READ_BYTES:
		return (double)t->read_bytes;
	case METRIC_VOLUME_WRITTEN_BYTES:
		return (double)t->written_bytes;
	case METRIC_VOLUME_BUSY:
		return (double)t->busy_ms / 1000;
	default:
		return (double)t->in_flight;
	}
}

static void collect_traffic(void *ctx, struct expo *x)
{
	struct app *a = ctx;
	struct node_traffic *n = &a->traffic;

	node_traffic_look(n, &a->csi);
	for (unsigned i = 0; n->is_known && i < n->n; i++) {
		const char *const labels[] = { n->at[i].id };

		if (n->at[i].t.has_device)
			expo_put(x,
				 traffic_value(
					 &n->at[i].t,
					 (enum metric_id)(x->metric - metrics_table)),
				 labels);
	}
}

/* ---- all of it ---- */

/* What only a working controller can do, and what only a registered node is asked to. */
static bool is_ready(void *ctx, struct buf *why)
{
	const struct app *a = ctx;

	if (a->csi.is_node && *a->config.registry && !a->registration.is_registered) {
		(void)buf_puts(why, "not registered with the kubelet yet");
		return false;
	}
	if (!a->csi.is_controller)
		return true;
	if (a->csi.k8s && !kube_is_ready(&a->kube, why))
		return false;
	if (a->csi.rds->ops->features(a->csi.rds)->is_known)
		return true;
	(void)buf_puts(why, "the box was not reached yet");
	return false;
}

static void count_turn(uint64_t busy_us)
{
	metric_observe(METRIC_LOOP_LAG, 0, busy_us);
}

static const struct {
	enum metric_id id;
	expo_collect_fn *collect;
} collectors[] = {
	{ METRIC_CONNECTIONS_ACTIVE, collect_active },
	{ METRIC_MIGRATIONS_ACTIVE, collect_migrations },
	{ METRIC_LEADER, collect_leader },
	{ METRIC_RECONCILE_ROUNDS, collect_rounds },
	{ METRIC_RECONCILE_ERRORS, collect_rounds },
	{ METRIC_RECONCILE_FOUND, collect_found },
	{ METRIC_EVENTS_FAILED, collect_events },
	{ METRIC_EVENTS_DROPPED, collect_events },
	{ METRIC_LEASE_GAINED, collect_lease },
	{ METRIC_LEASE_LOST, collect_lease },
	{ METRIC_LEASE_FAILURES, collect_lease },
	{ METRIC_VMI_MACHINES, collect_vmi },
	{ METRIC_VMI_WAITING, collect_vmi },
	{ METRIC_VMI_TURNS, collect_vmi },
	{ METRIC_VMI_WITHOUT, collect_vmi },
	{ METRIC_WATCH_AGE, collect_watch },
	{ METRIC_WATCH_OBJECTS, collect_watch },
	{ METRIC_WATCH_UNREADABLE, collect_watch },
	{ METRIC_WATCH_LISTS, collect_watch },
	{ METRIC_WATCH_STREAMS, collect_watch },
	{ METRIC_WATCH_EVENTS, collect_watch },
	{ METRIC_WATCH_FAILURES, collect_watch },
	{ METRIC_API_REQUESTS, collect_api },
	{ METRIC_API_FAILURES, collect_api },
	{ METRIC_RDS_STATE, collect_state },
	{ METRIC_RDS_INFO, collect_info },
	{ METRIC_RDS_INSECURE, collect_insecure },
	{ METRIC_SSH_SESSIONS, collect_sessions },
	{ METRIC_SSH_QUEUED, collect_queued },
	{ METRIC_SSH_CONNECTS, collect_ssh },
	{ METRIC_SSH_JOINED, collect_ssh },
	{ METRIC_SSH_KEY_PENDING, collect_key_pending },
	{ METRIC_STUCK, collect_stuck },
	{ METRIC_CONTROLLERS, collect_controllers },
	{ METRIC_VOLUME_READS, collect_traffic },
	{ METRIC_VOLUME_WRITES, collect_traffic },
	{ METRIC_VOLUME_READ_BYTES, collect_traffic },
	{ METRIC_VOLUME_WRITTEN_BYTES, collect_traffic },
	{ METRIC_VOLUME_BUSY, collect_traffic },
	{ METRIC_VOLUME_IN_FLIGHT, collect_traffic },
	{ METRIC_RPCS_IN_FLIGHT, collect_in_flight },
	{ METRIC_BUILD_INFO, collect_build },
	{ METRIC_PROCESS_CPU, process_cpu },
	{ METRIC_PROCESS_RSS, process_rss },
	{ METRIC_PROCESS_FDS, process_fds },
	{ METRIC_PROCESS_START, process_start },
};
enum { N_COLLECTORS = sizeof(collectors) / sizeof(collectors[0]) };

int app_metrics(struct app *a, struct err *err)
{
	unsigned roles = (a->csi.is_controller ? METRIC_ON_CONTROLLER : 0) |
			 (a->csi.is_node ? METRIC_ON_NODE : 0);

	unsigned n = N_COLLECTORS;

	_Static_assert(N_COLLECTORS + GAUGES_N <=
			       sizeof(a->sources) / sizeof(a->sources[0]),
		       "room");
	a->loop.on_turn = count_turn;
	for (unsigned i = 0; i < N_COLLECTORS; i++)
		a->sources[i] = (struct expo_source){ collectors[i].id,
						      collectors[i].collect, a };
	if (a->csi.is_controller)
		n = gauges_add(a->sources, n, a->csi.rds);
	a->metrics.site = (struct page_site){
		.roles = (enum metric_roles)roles,
		.sources = a->sources,
		.n_sources = n,
		.is_ready = is_ready,
		.ctx = a,
	};
	return metrics_server_listen(&a->metrics, a->config.metrics_address, err);
}
