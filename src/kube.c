#include "kube.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "csi/controller/attachments.h"
#include "metrics/registry.h"

/* start ─► running ─► settling ─► leaving ─► silencing ─► hanging-up ─► done
 *
 * running: until kube_stop and the last annotation's end
 * settling: the reconcilers' round ends     leaving: the Lease is being given back
 * silencing: Events that wait are dropped   hanging-up: watches and connections end
 *
 * Failure modes: none of its own. What the API server does not give is asked for again by
 * whoever wants it. */
enum {
	ST_START,
	ST_RUNNING,
	ST_SETTLING,
	ST_LEAVING,
	ST_SILENCING,
	ST_HANGING_UP,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = {
	"start", "running", "settling", "leaving", "silencing", "hanging-up", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RUNNING),	[ST_RUNNING] = OP_BIT(ST_SETTLING),
	[ST_SETTLING] = OP_BIT(ST_LEAVING),	[ST_LEAVING] = OP_BIT(ST_SILENCING),
	[ST_SILENCING] = OP_BIT(ST_HANGING_UP), [ST_HANGING_UP] = OP_BIT(ST_DONE),
};

static void on_cluster(struct op *op)
{
	op_unref_wake(&CONTAINER_OF(op, struct kube, cluster.op)->op);
}

static void on_lease(struct op *op)
{
	op_unref_wake(&CONTAINER_OF(op, struct kube, lease.op)->op);
}

static void on_events(struct op *op)
{
	op_unref_wake(&CONTAINER_OF(op, struct kube, events.op)->op);
}

static void on_reconcile(struct op *op)
{
	op_unref_wake(&CONTAINER_OF(op, struct kube, reconcile.op)->op);
}

static void on_api(void *arg)
{
	op_unref_wake(&((struct kube *)arg)->op);
}

static bool is_leader(void *ctx)
{
	const struct kube *k = ctx;

	return k->op.state == ST_RUNNING && lease_is_leader(&k->lease);
}

static void emit(void *ctx, const struct k8s_event *e)
{
	events_emit(&((struct kube *)ctx)->events, e);
}

static bool is_over(const struct op *op)
{
	return !op->type || op_is_done(op);
}

static void count_posted(const char *reason)
{
	metric_count(METRIC_EVENTS_POSTED,
		     metric_label_value(METRIC_EVENTS_POSTED, 0, reason), 0);
}

static void do_start(struct kube *k)
{
	struct k8s *port = k8s_api_port(k->api);

	k->op.refs += 4; /* the API client, the Events, the Lease, the reconcilers */
	k8s_api_start(k->api, on_api, k);
	k->events.conf = (struct events_conf){
		.k8s = port,
		.source = { "rds-csi-controller", k->identity },
		.posted = count_posted,
	};
	events_start(&k->events, on_events);
	k->lease.conf = (struct lease_conf){
		.k8s = port,
		.ns = *k->conf.ns ? k->conf.ns : k8s_api_namespace(k->api),
		.name = k->lease_name,
		.identity = k->identity,
		.terms = lease_usual_terms,
	};
	lease_start(&k->lease, on_lease);
	reconcile_start(&k->reconcile, k->csi, &k->conf.reconcile, on_reconcile);
	if (!*k->cluster_id) {
		op_ref(&k->op);
		cluster_start(&k->cluster, port, k->cluster_id, on_cluster);
	}
	op_move(&k->op, ST_RUNNING);
}

static void do_settle(struct kube *k)
{
	if (!is_over(&k->cluster.op))
		op_cancel(&k->cluster.op, ERR_CANCELLED);
	reconcile_stop(&k->reconcile);
	op_move(&k->op, ST_SETTLING);
}

/* Each part that ends wakes it in any state, so each state looks whether its own is over.
 */
static void step(struct op *op)
{
	struct kube *k = CONTAINER_OF(op, struct kube, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			do_start(k);
			break;
		case ST_RUNNING:
			if (!op_failed(op))
				return;
			do_settle(k);
			break;
		case ST_SETTLING:
			if (!is_over(&k->reconcile.op) || !is_over(&k->cluster.op))
				return;
			lease_stop(&k->lease);
			op_move(op, ST_LEAVING);
			break;
		case ST_LEAVING:
			if (!is_over(&k->lease.op))
				return;
			events_stop(&k->events);
			op_move(op, ST_SILENCING);
			break;
		case ST_SILENCING:
			if (!is_over(&k->events.op))
				return;
			k8s_api_stop(k->api);
			op_move(op, ST_HANGING_UP);
			break;
		case ST_HANGING_UP:
			if (op->refs)
				return;
			op_move(op, ST_DONE);
			return;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	if (op->state == ST_RUNNING)
		op_wake(op);
}

static const struct op_type kube_type = {
	.name = "kubernetes",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

int kube_open(struct kube *k, struct csi *csi, const struct kube_conf *conf,
	      struct err *err)
{
	const struct k8s_client_conf client = {
		.kubeconfig = *conf->kubeconfig ? conf->kubeconfig : NULL,
		.user_agent = "rds-csi",
	};
	const struct k8s_api_hooks hooks = { is_leader, emit, k };
	char host[64] = "";

	k->csi = csi;
	k->conf = *conf;
	(void)snprintf(k->cluster_id, sizeof(k->cluster_id), "%s", conf->cluster_id);
	k->api = k8s_api_new(csi->loop, &client, csi->driver_name, err);
	if (!k->api)
		return -1;
	k8s_api_set(k->api, &hooks);
	(void)gethostname(host, sizeof(host) - 1); /* in a pod: the pod's name */
	lease_identity(host, k->identity);
	lease_name(csi->driver_name, k->lease_name);
	csi->k8s = k8s_api_port(k->api);
	csi->cluster_id = k->cluster_id;
	return 0;
}

void kube_start(struct kube *k, void (*done)(struct op *op))
{
	op_start(&k->op, &kube_type, k->csi->loop, done);
}

static void on_annotated(void *arg)
{
	op_cancel(&((struct kube *)arg)->op, ERR_CANCELLED);
}

void kube_stop(struct kube *k)
{
	if (!attachments_stop(k->csi->attachments, on_annotated, k))
		on_annotated(k); /* as a rule: it had nothing left to write */
}

void kube_close(struct kube *k)
{
	k8s_api_free(k->api);
	k->api = NULL;
}

bool kube_is_ready(const struct kube *k, struct buf *why)
{
	if (!*k->cluster_id)
		(void)buf_puts(why, "the cluster's id is not known yet");
	else if (!k8s_is_current(k->csi->k8s))
		(void)buf_puts(why, "the API server's lists are not whole, or nothing "
				    "was heard of it for too long");
	else
		return true;
	return false;
}
