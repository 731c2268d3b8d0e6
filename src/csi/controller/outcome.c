#include "csi/controller/outcome.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/audit.h"
#include "csi/controller/annotate.h"
#include "csi/controller/attachments.h"
#include "csi/controller/change.h"
#include "csi/controller/migrations.h"
#include "csi/controller/tell.h"
#include "csi/controller/troubles.h"
#include "csi/controller/watched.h"
#include "metrics/registry.h"

static const char *name_of(const struct change *c, const char *node)
{
	return attachments_node_name(c->csi->attachments, node);
}

static uint64_t now_ms(const struct change *c)
{
	return clock_now_ms(c->csi->loop);
}

static void observe(const struct change *c, enum metric_attach what)
{
	metric_observe(METRIC_ATTACH_SECONDS, what, (now_ms(c) - c->started_ms) * 1000);
}

/* The objects still say that another node has it; that it let go was ours to know. */
static void count_grace(struct change *c)
{
	const struct watched *w = attachments_watched(c->csi->attachments);
	const struct watched_va *va = NULL;

	while ((va = watched_next(w, c->id, va)))
		if (va->is_released && va->is_clean && va->is_attached &&
		    now_ms(c) - va->released_ms < c->csi->attach.grace_ms) {
			metric_count(METRIC_GRACE_USED, 0, 0);
			return;
		}
}

static void note_migration(struct change *c)
{
	const struct rds_record *r = &c->volume.record;
	struct migration_pair pair = { .timeout_s = c->migration_timeout_s };

	if (r->n_holders != 2 || r->holders[0].use != 'x' || r->holders[1].use != 'x')
		return;
	pair.source = name_of(c, r->holders[0].node);
	pair.target = name_of(c, r->holders[1].node);
	migrations_begin(attachments_migrations(c->csi->attachments), c->id, &pair);
}

static void published(struct change *c)
{
	struct attachments *a = c->csi->attachments;
	const char *node = name_of(c, c->ask.node);
	bool is_second = c->volume.record.n_holders > 1;

	if (c->is_news) {
		metric_count(METRIC_ATTACHES, METRIC_SUCCESS, 0);
		observe(c, is_second ? METRIC_ATTACH_SECONDARY : METRIC_ATTACH);
	}
	if (!c->csi->k8s)
		return;
	if (c->is_news) {
		count_grace(c);
		tell(c->csi, c->id, TELL_ATTACHED,
		     "Attached to node %s (duration: %llums)", node,
		     (unsigned long long)(now_ms(c) - c->started_ms));
		annotate_set(attachments_annotate(a), c->id, node);
	}
	watched_ack(attachments_watched(a), c->id, c->ask.node);
	note_migration(c);
}

void outcome_let_go(struct change *c)
{
	const struct watched_release r = { .node = *c->ask.node ? c->ask.node : NULL,
					   .is_clean = c->was_clean,
					   .now_ms = now_ms(c) };

	if (c->csi->k8s)
		watched_release(attachments_watched(c->csi->attachments), c->id, &r);
}

static void unpublished(struct change *c)
{
	struct attachments *a = c->csi->attachments;
	bool is_left = !c->is_absent && c->volume.record.n_holders > 0;

	if (c->is_news) {
		metric_count(METRIC_DETACHES, METRIC_SUCCESS, 0);
		observe(c, is_left ? METRIC_DETACH_PARTIAL : METRIC_DETACH);
	}
	if (!c->csi->k8s)
		return;
	outcome_let_go(c);
	if (!c->is_news)
		return;
	migrations_end(attachments_migrations(a), c->id,
		       *c->ask.node ? name_of(c, c->ask.node) : "");
	if (c->was_clean)
		tell(c->csi, c->id, TELL_DETACHED, "Detached from %s%s",
		     *c->ask.node ? "node " : "every node", name_of(c, c->ask.node));
	if (!is_left)
		annotate_set(attachments_annotate(a), c->id, NULL);
}

static void tell_pending(struct change *c, const char *lost)
{
	tell(c->csi, c->id, TELL_FENCE_PENDING,
	     "Node %s may still write to the volume and is not cut off yet, because "
	     "another node uses it; no further node is let in until that one has let go",
	     lost);
}

static void refused(struct change *c)
{
	const char *holder = name_of(c, c->plan.holder);

	switch (c->plan.why) {
	case ATTACH_WHY_CONFLICT:
		metric_count(METRIC_CONFLICTS, 0, 0);
		tell(c->csi, c->id, TELL_CONFLICT,
		     "Attachment to node %s rejected - volume already attached to node "
		     "%s. Delete the pod on %s to release the volume.",
		     name_of(c, c->ask.node), holder, holder);
		return;
	case ATTACH_WHY_DISAGREE:
		metric_count(METRIC_DISAGREEMENTS, 0, 0);
		tell(c->csi, c->id, TELL_CONFLICT,
		     "Attachment to node %s rejected - a VolumeAttachment says that node "
		     "%s has the volume, the storage box does not. Delete the pod on %s "
		     "to settle it.",
		     name_of(c, c->ask.node), holder, holder);
		return;
	case ATTACH_WHY_PENDING:
		tell_pending(c, holder);
		return;
	case ATTACH_WHY_PLUGIN:
		tell(c->csi, c->id, TELL_OLD_PLUGIN,
		     "Attachment to node %s rejected - the node plugin there is an older "
		     "driver's, which cannot attach this volume. Upgrade it.",
		     name_of(c, c->ask.node));
		return;
	case ATTACH_WHY_OTHER:
		return;
	}
}

/* "node-a, node-b" */
static void name_holders(const struct change *c, const struct rds_record *r,
			 char ret[400])
{
	size_t n = 0;

	ret[0] = '\0';
	for (unsigned i = 0; i < r->n_holders && n < 399; i++)
		n += (size_t)snprintf(ret + n, 400 - n, "%s%s", i ? ", " : "",
				      name_of(c, r->holders[i].node));
}

/* Fixed texts, so that a fault that lasts is one Event whose count rises. A fence that
 * met another record, or a process that leads no more, was not tried. */
void outcome_box_failed(struct change *c, const struct err *err, bool is_fence)
{
	bool is_away = err->code == ERR_UNAVAILABLE || err->code == ERR_DEADLINE;
	char nodes[400];

	if (is_fence)
		metric_count(METRIC_FENCES, METRIC_FAILURE, 0);
	if (!c->csi->k8s || err->code == ERR_CANCELLED || err->code == ERR_ABORTED)
		return;
	if (is_fence) {
		name_holders(c, &c->plan.record, nodes);
		tell(c->csi, c->id, TELL_FENCE_FAILED,
		     "Could not cut off from the volume: %s. The storage box has not "
		     "confirmed it; until it does nobody else gets the volume.",
		     *nodes ? nodes : "whoever had it");
	}
	if (!is_away)
		return;
	troubles_add(attachments_troubles(c->csi->attachments), c->id);
	tell(c->csi, c->id, TELL_BOX_AWAY,
	     "The storage box does not answer: the volume cannot be %s %s%s yet; it is "
	     "tried again",
	     c->is_publish ? "attached to" : "detached from",
	     *c->ask.node ? "node " : "every node", name_of(c, c->ask.node));
}

void outcome_ended(struct change *c)
{
	if (op_failed(&c->op)) {
		metric_count(c->is_publish ? METRIC_ATTACHES : METRIC_DETACHES,
			     METRIC_FAILURE, 0);
		refused(c);
		return;
	}
	if (troubles_remove(attachments_troubles(c->csi->attachments), c->id))
		tell(c->csi, c->id, TELL_BOX_BACK, "The storage box answers again");
	if (c->was_pending) {
		metric_count(METRIC_FENCES_PENDING, 0, 0);
		tell_pending(c, name_of(c, c->ask.node));
	}
	if (c->is_publish && c->is_absent)
		return;
	if (c->was_stale) {
		metric_count(METRIC_STALE_CLEARED, 0, 0);
		tell(c->csi, c->id, TELL_STALE,
		     "Cleared a stale attachment: the storage box named a node for which "
		     "there is no VolumeAttachment");
	}
	if (c->is_publish)
		published(c);
	else
		unpublished(c);
}

static void format_time(char out[32], int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm = { .tm_year = 0 };

	(void)gmtime_r(&t, &tm);
	if (strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
}

void outcome_fenced(struct change *c)
{
	struct attachments *a = c->csi->attachments;
	const struct rds_record *cut = &c->plan.record;
	const struct watched_release all = { .node = NULL, .now_ms = now_ms(c) };
	char nodes[400], off[32], renamed[32];

	metric_count(METRIC_FENCES, METRIC_SUCCESS, 0);
	name_holders(c, cut, nodes);
	format_time(off, c->fence.off_at);
	format_time(renamed, c->fence.renamed_at);
	log_audit(AUDIT_FENCED, "csi", "nodes cut off", KS("volume", c->id),
		  KS("nodes", nodes), KS("export_off_read_back", off),
		  KS("nqn_read_back", renamed), KS("nqn", c->volume.nqn));
	if (!c->csi->k8s)
		return;
	watched_release(attachments_watched(a), c->id, &all);
	migrations_end(attachments_migrations(a), c->id, "");
	tell(c->csi, c->id, TELL_FENCED,
	     "Cut off from the volume: %s. The storage box read back: not exported at "
	     "%s, "
	     "renamed to %s at %s",
	     *nodes ? nodes : "whoever had it", off, c->volume.nqn, renamed);
}
