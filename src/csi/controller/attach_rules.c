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

	r.kind = RDS_RECORD_OURS; /* where there was none, but for holders, it is empty */
	memcpy(r.cluster, view->cluster_id, strnlen(view->cluster_id, RDS_CLUSTER_MAX));
	if (r.generation < view->nqn_generation)
		r.generation = view->nqn_generation;
	return r;
}

/* The same without the holders that only objects name: the box's record arbitrates, and
 * what a watch shows, late perhaps, is never written into it. */
static struct rds_record own_record(const struct attach_view *view)
{
	struct rds_record r = next_record(view);
	unsigned n = 0;

	for (unsigned i = 0; i < view->record->n_holders; i++)
		if (!view->facts[i].is_object)
			r.holders[n++] = view->record->holders[i];
	r.n_holders = n;
	return r;
}

/* Names all that are cut off, for those who find it half done and for people. */
static enum attach_verdict plan_fence(const struct attach_view *view, bool is_new,
				      struct attach_plan *ret)
{
	ret->record = next_record(view);
	ret->record.generation += is_new;
	ret->record.is_fencing = true;
	ret->switch_off = true;
	return ATTACH_FENCE;
}

static enum attach_verdict refuse(struct attach_plan *ret, enum attach_why why,
				  const char *holder, const char *text, struct err *err)
{
	ret->why = why;
	memcpy(ret->holder, holder, strnlen(holder, RDS_NODE_MAX) + 1);
	(void)err_set(err, ERR_PRECONDITION, "%s: %s holds it", text, holder);
	return ATTACH_REFUSED;
}

static bool is_clean(const struct node_facts *f)
{
	return f->standing == NODE_HEALTHY && !f->is_in_use && !f->is_unproven;
}

/* May be cut off when another node asks: it was let go already, or nobody runs there any
 * more. A node that is only not Ready may still write. */
static bool is_dead(const struct rds_holder *h, const struct attach_facts *f)
{
	return h->use == ATTACH_UNFENCED || f->gives_way ||
	       f->node.standing == NODE_GONE || f->node.standing == NODE_OUT_OF_SERVICE;
}

static bool is_to_check(const struct rds_holder *h, const struct attach_facts *f)
{
	return h->use != ATTACH_UNFENCED && !f->gives_way && !f->is_live;
}

struct census {
	const char *dead, *stays; /* one of each, or NULL */
	bool is_to_check;	  /* one of the dead may be alive after all */
};

static struct census count_holders(const struct attach_view *view)
{
	struct census c = { .dead = NULL };

	for (unsigned i = 0; i < view->record->n_holders; i++) {
		const struct rds_holder *h = &view->record->holders[i];

		if (!is_dead(h, &view->facts[i])) {
			c.stays = h->node;
			continue;
		}
		c.dead = h->node;
		c.is_to_check |= is_to_check(h, &view->facts[i]);
	}
	return c;
}

/* Whether one more may join this holder. */
static enum attach_verdict join(const struct attach_view *view,
				const struct attach_ask *ask, unsigned i,
				struct attach_plan *ret, struct err *err)
{
	const struct rds_record *r = view->record;
	const struct rds_holder *h = &r->holders[i];
	const struct attach_facts *f = &view->facts[i];

	if (f->is_object && r->kind == RDS_RECORD_OURS)
		return refuse(ret, ATTACH_WHY_DISAGREE, h->node,
			      "the record on the box and a VolumeAttachment disagree, "
			      "which its detach settles",
			      err);
	if (f->node.standing == NODE_UNKNOWN)
		return refuse(ret, ATTACH_WHY_OTHER, h->node,
			      "a node that is not known must first be unpublished, which "
			      "cuts it off",
			      err);
	if (f->node.standing != NODE_HEALTHY)
		return refuse(ret, ATTACH_WHY_CONFLICT, h->node,
			      "a node that is not ready may still write; it is cut off "
			      "once it is deleted or tainted out-of-service",
			      err);
	if (ask->is_one_node || h->use == 'w' || ask->use == 'w')
		return refuse(ret, ATTACH_WHY_CONFLICT, h->node,
			      "the volume is published to another node", err);
	if (h->use != ask->use)
		return refuse(ret, ATTACH_WHY_CONFLICT, h->node,
			      "readers and writers exclude each other", err);
	if (ask->use == 'x' && r->n_holders >= 2)
		return refuse(ret, ATTACH_WHY_CONFLICT, h->node,
			      "two nodes share the volume already", err);
	return ATTACH_WRITE;
}

/* Whether one more holder may be beside those that are there. */
static enum attach_verdict admit(const struct attach_view *view,
				 const struct attach_ask *ask, struct attach_plan *ret,
				 struct err *err)
{
	const struct rds_record *r = view->record;
	struct census c = count_holders(view);

	if (c.dead && c.stays)
		return refuse(ret, ATTACH_WHY_PENDING, c.dead,
			      "a lost node is cut off once nobody else has the volume, "
			      "and until then no other is let in",
			      err);
	if (c.dead)
		return c.is_to_check ? ATTACH_CHECK : plan_fence(view, true, ret);
	for (unsigned i = 0; i < r->n_holders; i++)
		if (join(view, ask, i, ret, err) != ATTACH_WRITE)
			return ATTACH_REFUSED;
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
	ret->record = own_record(view);
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
	enum attach_verdict verdict;

	*ret = (struct attach_plan){ .switch_off = false };
	if (check_record(view, err) || check_nqn(view, err))
		return ATTACH_REFUSED;
	if (r->is_fencing)
		return plan_fence(view, false, ret);
	/* An older NQN than the record's is one that a node cut off may still retry. */
	if (is_behind && r->n_holders == 0)
		return plan_fence(view, false, ret);
	if (is_behind)
		return refuse(ret, ATTACH_WHY_OTHER, r->holders[0].node,
			      "the disk's NQN is older than its record", err);
	/* One that was let go without being cut off is no holder to go on with. */
	for (unsigned i = 0; i < r->n_holders; i++)
		if (is_holder(&r->holders[i], ask->node) &&
		    r->holders[i].use != ATTACH_UNFENCED)
			return again(view, ask, &r->holders[i], ret, err);
	verdict = admit(view, ask, ret, err);
	if (verdict != ATTACH_WRITE)
		return verdict;
	ret->record = own_record(view);
	ret->record.holders[ret->record.n_holders].use = ask->use;
	memcpy(ret->record.holders[ret->record.n_holders].node, ask->node,
	       strnlen(ask->node, RDS_NODE_MAX) + 1);
	ret->record.n_holders++;
	return ATTACH_WRITE;
}

/* What an Unpublish finds among the holders. */
struct leaving {
	unsigned n_out;
	bool is_out_clean; /* all that leave have proven to let go */
	bool is_to_check;  /* one of the others might prove it to the API server */
	bool has_unfenced; /* one that stays was let go before and still may write */
	const char *stays; /* one that stays and must not be cut off, or NULL */
};

/* An object alone, against which a sweep goes on. */
static bool is_passed_over(const struct attach_ask *ask, const struct attach_facts *f)
{
	return ask->is_sweep && f->is_object && is_clean(&f->node);
}

static struct leaving count_leaving(const struct attach_view *view,
				    const struct attach_ask *ask)
{
	struct leaving l = { .is_out_clean = true };
	const char *node = ask->node;

	for (unsigned i = 0; i < view->record->n_holders; i++) {
		const struct rds_holder *h = &view->record->holders[i];
		const struct attach_facts *f = &view->facts[i];

		if (!*node || is_holder(h, node)) {
			bool is_proven = is_clean(&f->node) && h->use != ATTACH_UNFENCED;

			/* One that was let go uncut can prove nothing any more. */
			l.n_out++;
			l.is_to_check |= !is_clean(&f->node) && !f->is_live &&
					 h->use != ATTACH_UNFENCED;
			l.is_out_clean = l.is_out_clean && is_proven;
			continue;
		}
		if (is_passed_over(ask, f))
			continue;
		l.is_to_check |= ask->is_sweep && f->is_object && !f->is_live;
		l.has_unfenced |= h->use == ATTACH_UNFENCED;
		if (!is_dead(h, f) && f->node.standing != NODE_UNKNOWN)
			l.stays = h->node;
	}
	l.is_to_check = l.is_to_check && view->has_objects;
	return l;
}

/* No holder leaves. A publish whose answer was lost may still run on the box, under the
 * nonce that is there now; a new nonce stops it. Where a single writer holds the volume
 * no publish can have been sent on that record, and a held record is left alone. */
static enum attach_verdict absent(const struct attach_view *view,
				  const struct attach_ask *ask, struct attach_plan *ret)
{
	const struct rds_record *r = view->record;

	if (r->kind == RDS_RECORD_NONE && r->n_holders == 0 && *ask->node &&
	    !is_clean(&view->asker))
		return view->has_objects && !view->is_asker_live
			       ? ATTACH_CHECK
			       : plan_fence(view, true, ret);
	if (view->is_nonce_new &&
	    (r->n_holders || !view->is_exported || view->is_export_kept))
		return ATTACH_DONE;
	if (r->n_holders == 1 && r->holders[0].use == 'w' && !view->facts[0].is_object)
		return ATTACH_DONE;
	ret->record = own_record(view);
	ret->switch_off = r->n_holders == 0 && !view->is_export_kept;
	return ATTACH_WRITE;
}

/* A new NQN would cut off the healthy one too. The lost one stays in the record as
 * unfenced, which admits nobody, until the last healthy one leaves. */
static enum attach_verdict put_off(const struct attach_view *view,
				   const struct attach_ask *ask, const char *stays,
				   struct attach_plan *ret, struct err *err)
{
	bool is_news = false;
	unsigned n = 0;

	if (!view->has_objects)
		return refuse(ret, ATTACH_WHY_PENDING, stays,
			      "a lost node is cut off once no healthy one is left", err);
	ret->record = next_record(view);
	for (unsigned i = 0; i < view->record->n_holders; i++) {
		struct rds_holder h = view->record->holders[i];

		if (is_holder(&h, ask->node)) {
			is_news = h.use != ATTACH_UNFENCED;
			h.use = ATTACH_UNFENCED;
		} else if (view->facts[i].is_object) {
			continue;
		}
		ret->record.holders[n++] = h;
	}
	ret->record.n_holders = n;
	ret->is_pending = true;
	return is_news ? ATTACH_WRITE : ATTACH_DONE;
}

/* The record without those that have proven to let go. */
static enum attach_verdict let_go(const struct attach_view *view,
				  const struct attach_ask *ask, unsigned n_out,
				  struct attach_plan *ret)
{
	const struct rds_record *r = view->record;
	unsigned n = 0;

	ret->record = next_record(view);
	for (unsigned i = 0; i < r->n_holders; i++)
		if (*ask->node && !is_holder(&r->holders[i], ask->node) &&
		    !view->facts[i].is_object)
			ret->record.holders[n++] = r->holders[i];
	ret->record.n_holders = n;
	ret->switch_off = n_out == r->n_holders && !view->is_export_kept;
	ret->is_clean = true;
	return ATTACH_WRITE;
}

enum attach_verdict attach_unpublish(const struct attach_view *view,
				     const struct attach_ask *ask,
				     struct attach_plan *ret, struct err *err)
{
	struct leaving l;

	*ret = (struct attach_plan){ .switch_off = false };
	if (check_record(view, err) ||
	    (view->record->kind == RDS_RECORD_NONE && check_nqn(view, err)))
		return ATTACH_REFUSED;
	if (view->record->is_fencing)
		return plan_fence(view, false, ret);
	l = count_leaving(view, ask);
	if (l.n_out == 0)
		return absent(view, ask, ret);
	if (l.is_to_check)
		return ATTACH_CHECK;
	if (!l.is_out_clean && l.stays)
		return put_off(view, ask, l.stays, ret, err);
	if (!l.is_out_clean || (l.has_unfenced && !l.stays))
		return plan_fence(view, true, ret);
	return let_go(view, ask, l.n_out, ret);
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
