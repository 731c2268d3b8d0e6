/* What the process tells by HTTP: a collector for each thing that is only looked at when
 * somebody asks, and whether it is ready. */
#include "app.h"

#include <string.h>

#include "csi/controller/attachments.h"
#include "csi/controller/migrations.h"
#include "metrics/process.h"
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

/* What only a working controller can do; a node that answers is ready. */
static bool is_ready(void *ctx, struct buf *why)
{
	const struct app *a = ctx;

	if (!a->csi.is_controller)
		return true;
	if (a->csi.k8s && !kube_is_ready(&a->kube, why))
		return false;
	if (a->csi.rds->ops->features(a->csi.rds)->is_known)
		return true;
	(void)buf_puts(why, "the box was not reached yet");
	return false;
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

int app_metrics(struct app *a, struct err *err)
{
	const struct expo_source sources[] = {
		{ METRIC_CONNECTIONS_ACTIVE, collect_active, a },
		{ METRIC_MIGRATIONS_ACTIVE, collect_migrations, a },
		{ METRIC_LEADER, collect_leader, a },
		{ METRIC_RPCS_IN_FLIGHT, collect_in_flight, a },
		{ METRIC_BUILD_INFO, collect_build, a },
		{ METRIC_PROCESS_CPU, process_cpu, NULL },
		{ METRIC_PROCESS_RSS, process_rss, NULL },
		{ METRIC_PROCESS_FDS, process_fds, NULL },
		{ METRIC_PROCESS_START, process_start, NULL },
	};
	unsigned roles = (a->csi.is_controller ? METRIC_ON_CONTROLLER : 0) |
			 (a->csi.is_node ? METRIC_ON_NODE : 0);

	_Static_assert(sizeof(sources) <= sizeof(a->sources), "room for all");
	memcpy(a->sources, sources, sizeof(sources));
	a->metrics.site = (struct page_site){
		.roles = (enum metric_roles)roles,
		.sources = a->sources,
		.n_sources = sizeof(sources) / sizeof(sources[0]),
		.is_ready = is_ready,
		.ctx = a,
	};
	return metrics_server_listen(&a->metrics, a->config.metrics_address, err);
}
