#include "csi/controller/attach_rules.h"

#include <string.h>

static bool is_holder(const struct rds_holder *h, const char *node)
{
	return strcmp(h->node, node) == 0;
}

static int check_record(const struct attach_view *view, struct err *err)
{
	switch (view->record->kind) {
	case RDS_RECORD_NONE:
		if (!view->may_adopt)
			return err_set(err, ERR_PRECONDITION,
				       "the disk bears no record of this driver; "
				       "--adopt-unmarked takes such volumes over");
		break;
	case RDS_RECORD_FOREIGN:
		return err_set(err, ERR_PRECONDITION,
			       "the volume belongs to cluster id %s; to adopt it, clear "
			       "the disk's comment and start with --adopt-unmarked",
			       view->record->cluster);
	case RDS_RECORD_UNREADABLE:
		return err_set(err, ERR_PRECONDITION,
			       "the disk's comment is not a record that can be read");
	case RDS_RECORD_OURS:
		break;
	}
	return 0;
}

/* Also what is left of a fence when the record is gone: without either, the generation
 * that was given up cannot be told, and a node cut off might be let in again. */
static int check_nqn(const struct attach_view *view, struct err *err)
{
	if (view->has_own_nqn)
		return 0;
	return err_set(err, ERR_PRECONDITION,
		       "the disk's NQN is not one of this volume's");
}

/* The record as it is, ready to be changed and written. */
static struct rds_record next_record(const struct attach_view *view)
{
	struct rds_record r = *view->record;

	if (r.kind == RDS_RECORD_NONE)
		r = (struct rds_record){ .kind = RDS_RECORD_OURS };
	memcpy(r.cluster, view->cluster_id, strnlen(view->cluster_id, RDS_CLUSTER_MAX));
	if (r.generation < view->nqn_generation)
		r.generation = view->nqn_generation;
	return r;
}

static enum attach_verdict plan_fence(const struct attach_view *view, bool is_new,
				      struct attach_plan *ret)
{
	ret->record = next_record(view);
	ret->record.generation += is_new;
	ret->record.is_fencing = true;
	ret->switch_off = true;
	return ATTACH_FENCE;
}

static enum attach_verdict refuse(struct err *err, const char *why, const char *holder)
{
	(void)err_set(err, ERR_PRECONDITION, "%s: %s holds it", why, holder);
	return ATTACH_REFUSED;
}

/* Whether one more holder may join those that are there. */
static enum attach_verdict admit(const struct attach_view *view,
				 const struct attach_ask *ask, struct err *err)
{
	const struct rds_record *r = view->record;

	for (unsigned i = 0; i < r->n_holders; i++) {
		const struct rds_holder *h = &r->holders[i];

		if (view->standing[i] != NODE_HEALTHY)
			return refuse(err,
				      "a node that is not known must first be "
				      "unpublished, which cuts it off",
				      h->node);
		if (ask->is_one_node || h->use == 'w' || ask->use == 'w')
			return refuse(err, "the volume is published to another node",
				      h->node);
		if (h->use != ask->use)
			return refuse(err, "readers and writers exclude each other",
				      h->node);
		if (ask->use == 'x' && r->n_holders >= 2)
			return refuse(err, "two nodes share the volume already", h->node);
	}
	if (r->n_holders >= RDS_MAX_HOLDERS) {
		(void)err_set(err, ERR_EXHAUSTED, "%d nodes read the volume already",
			      RDS_MAX_HOLDERS);
		return ATTACH_REFUSED;
	}
	return ATTACH_WRITE;
}

/* The node holds the volume already. */
static enum attach_verdict again(const struct attach_view *view,
				 const struct attach_ask *ask, const struct rds_holder *h,
				 struct attach_plan *ret, struct err *err)
{
	if (h->use != ask->use) {
		(void)err_set(err, ERR_EXISTS,
			      "published to this node already, as '%c' and not as '%c'",
			      h->use, ask->use);
		return ATTACH_REFUSED;
	}
	ret->record = next_record(view);
	/* The same record once more, under a new nonce: where an earlier publish was cut
	 * between record and export, and where an unpublish of this node that was cut off
	 * may still wait for the nonce that is there. */
	return view->is_exported && view->is_sealed ? ATTACH_DONE : ATTACH_WRITE;
}

enum attach_verdict attach_publish(const struct attach_view *view,
				   const struct attach_ask *ask, struct attach_plan *ret,
				   struct err *err)
{
	const struct rds_record *r = view->record;
	bool is_behind = view->nqn_generation < r->generation;

	*ret = (struct attach_plan){ .switch_off = false };
	if (check_record(view, err) || check_nqn(view, err))
		return ATTACH_REFUSED;
	if (r->is_fencing)
		return plan_fence(view, false, ret);
	/* An older NQN than the record's is one that a node cut off may still retry. */
	if (is_behind && r->n_holders == 0)
		return plan_fence(view, false, ret);
	if (is_behind)
		return refuse(err, "the disk's NQN is older than its record",
			      r->holders[0].node);
	for (unsigned i = 0; i < r->n_holders; i++)
		if (is_holder(&r->holders[i], ask->node))
			return again(view, ask, &r->holders[i], ret, err);
	if (admit(view, ask, err) != ATTACH_WRITE)
		return ATTACH_REFUSED;
	ret->record = next_record(view);
	ret->record.holders[ret->record.n_holders].use = ask->use;
	memcpy(ret->record.holders[ret->record.n_holders].node, ask->node,
	       strnlen(ask->node, RDS_NODE_MAX) + 1);
	ret->record.n_holders++;
	return ATTACH_WRITE;
}

/* What an Unpublish finds among the holders. */
struct leaving {
	unsigned n_out;
	bool is_out_clean; /* all that leave are healthy */
	const char *stays; /* a healthy one that stays, or NULL */
};

static struct leaving count_leaving(const struct attach_view *view, const char *node)
{
	struct leaving l = { .is_out_clean = true };

	for (unsigned i = 0; i < view->record->n_holders; i++) {
		bool is_healthy = view->standing[i] == NODE_HEALTHY;

		if (!*node || is_holder(&view->record->holders[i], node)) {
			l.n_out++;
			l.is_out_clean = l.is_out_clean && is_healthy;
		} else if (is_healthy) {
			l.stays = view->record->holders[i].node;
		}
	}
	return l;
}

/* No holder leaves. A publish whose answer was lost may still run on the box, under the
 * nonce that is there now; a new nonce stops it. Where a single writer holds the volume
 * no publish can have been sent on that record, and a held record is left alone. */
static enum attach_verdict absent(const struct attach_view *view,
				  const struct attach_ask *ask, struct attach_plan *ret)
{
	const struct rds_record *r = view->record;

	if (r->kind == RDS_RECORD_NONE && *ask->node && !ask->is_node_healthy)
		return plan_fence(view, true, ret);
	if (view->is_nonce_new && (r->n_holders || !view->is_exported))
		return ATTACH_DONE;
	if (r->n_holders == 1 && r->holders[0].use == 'w')
		return ATTACH_DONE;
	ret->record = next_record(view);
	ret->switch_off = r->n_holders == 0;
	return ATTACH_WRITE;
}

enum attach_verdict attach_unpublish(const struct attach_view *view,
				     const struct attach_ask *ask,
				     struct attach_plan *ret, struct err *err)
{
	struct leaving l;
	unsigned n = 0;

	*ret = (struct attach_plan){ .switch_off = false };
	if (check_record(view, err) ||
	    (view->record->kind == RDS_RECORD_NONE && check_nqn(view, err)))
		return ATTACH_REFUSED;
	if (view->record->is_fencing)
		return plan_fence(view, false, ret);
	l = count_leaving(view, ask->node);
	if (l.n_out == 0)
		return absent(view, ask, ret);
	/* A new NQN would cut off the healthy one too. The lost one stays in the record,
	 * which admits nobody, until it is the last. */
	if (!l.is_out_clean && l.stays)
		return refuse(err, "a lost node is cut off once no healthy one is left",
			      l.stays);
	if (!l.is_out_clean)
		return plan_fence(view, true, ret);
	ret->record = next_record(view);
	for (unsigned i = 0; i < view->record->n_holders; i++)
		if (*ask->node && !is_holder(&view->record->holders[i], ask->node))
			ret->record.holders[n++] = view->record->holders[i];
	ret->record.n_holders = n;
	ret->switch_off = n == 0;
	return ATTACH_WRITE;
}

const char *attach_missing(const struct rds_record *believed,
			   const struct rds_record *found, const char *node)
{
	if (believed->is_fencing)
		return NULL; /* they were being cut off */
	for (unsigned i = 0; i < believed->n_holders; i++) {
		const char *name = believed->holders[i].node;
		bool is_there = is_holder(&believed->holders[i], node);

		for (unsigned k = 0; k < found->n_holders && !is_there; k++)
			is_there = is_holder(&found->holders[k], name);
		if (!is_there)
			return name;
	}
	return NULL;
}
