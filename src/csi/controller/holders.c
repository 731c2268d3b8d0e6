#include "csi/controller/holders.h"

#include <string.h>

#include "csi/controller/attachments.h"
#include "csi/controller/watched.h"
#include "csi/ids.h"
#include "k8s/k8s.h"

static struct attach_facts facts_of(const struct csi *csi, const struct holders_ask *ask,
				    const char *node)
{
	const struct node_facts *live = node_check_find(ask->live, node);
	struct attach_facts f = { .is_live = live != NULL };

	f.node = live ? *live : attachments_facts(csi->attachments, node, ask->id);
	return f;
}

static bool gives_way(struct csi *csi, const char *id, const char *node)
{
	return watched_gives_way(attachments_watched(csi->attachments), id, node,
				 clock_now_ms(csi->loop), csi->attach.interval_ms);
}

static bool is_well(const struct attach_facts *f)
{
	return f->node.standing == NODE_HEALTHY && !f->node.is_in_use;
}

/* Then its object is what is missing, not the holder: an API server that was restored. */
static bool is_at_work(const struct attach_facts *f)
{
	return f->node.standing == NODE_HEALTHY && f->node.is_in_use;
}

/* A holder of the record that has had no VolumeAttachment for two sightings makes room
 * for another one: at once where its node has let go, else by a fence. */
static void take_record(struct holders *h, struct csi *csi, const struct holders_ask *ask,
			const struct rds_record *record)
{
	unsigned n = 0;

	for (unsigned i = 0; i < record->n_holders; i++) {
		const struct rds_holder *holder = &record->holders[i];
		struct attach_facts f = facts_of(csi, ask, holder->node);
		bool is_asker = strcmp(holder->node, ask->node) == 0;

		if (csi->k8s && !record->is_fencing && !is_asker &&
		    holder->use != ATTACH_UNFENCED)
			f.gives_way =
				gives_way(csi, ask->id, holder->node) && !is_at_work(&f);
		h->has_stale |= f.gives_way;
		if (f.gives_way && ask->is_publish && is_well(&f))
			continue;
		h->record.holders[n] = *holder;
		h->facts[n++] = f;
	}
	h->record.n_holders = n;
}

static void name_of(const struct csi *csi, const struct watched_va *va, char out[ID_NODE])
{
	const struct k8s_object *o =
		k8s_store_find(&csi->k8s->stores[K8S_CSINODE], va->node);
	bool has_id = o && K8S_CSINODE_OF(o)->has_driver;

	id_record_node(has_id ? K8S_CSINODE_OF(o)->node_id : va->node, out);
}

static bool is_there(const struct holders *h, const char *node)
{
	for (unsigned i = 0; i < h->record.n_holders; i++)
		if (strcmp(h->record.holders[i].node, node) == 0)
			return true;
	return false;
}

static char use_by_modes(unsigned modes)
{
	if (modes & K8S_PV_RWX)
		return 'x';
	return modes && !(modes & (K8S_PV_RWO | K8S_PV_RWOP)) ? 'r' : 'w';
}

static int take_object(struct holders *h, struct csi *csi, const struct holders_ask *ask,
		       const char *node, struct err *err)
{
	struct watched *w = attachments_watched(csi->attachments);
	struct rds_holder *to = &h->record.holders[h->record.n_holders];

	if (is_there(h, node) || (ask->is_publish && strcmp(node, ask->node) == 0))
		return 0;
	if (h->record.n_holders == RDS_MAX_HOLDERS)
		return err_set(err, ERR_EXHAUSTED, "more than %d nodes hold the volume",
			       RDS_MAX_HOLDERS);
	*to = (struct rds_holder){ .use = use_by_modes(watched_modes(w, ask->id)) };
	memcpy(to->node, node, strlen(node) + 1);
	h->facts[h->record.n_holders] = facts_of(csi, ask, node);
	h->facts[h->record.n_holders++].is_object = true;
	return 0;
}

/* One that was left behind without an object, and that the box knows nothing of either,
 * goes by the same two sightings. */
static bool is_over(struct csi *csi, const struct holders_ask *ask,
		    const struct watched_va *va, const struct rds_record *record)
{
	if (va->has_object || !gives_way(csi, ask->id, va->node))
		return false;
	for (unsigned i = 0; i < record->n_holders; i++)
		if (watched_is_node(attachments_watched(csi->attachments), va,
				    record->holders[i].node))
			return false;
	return true;
}

int holders_gather(struct holders *h, struct csi *csi, const struct holders_ask *ask,
		   const struct rds_record *record, struct err *err)
{
	struct watched *w = attachments_watched(csi->attachments);
	const struct watched_va *va = NULL;
	struct watched_release over = { .now_ms = clock_now_ms(csi->loop) };
	char node[ID_NODE], gone[ID_NODE];

	/* Where the objects are all there is, each of them must have been read. */
	if (w && record->kind == RDS_RECORD_NONE &&
	    csi->k8s->stores[K8S_VA].unreadable.count)
		return err_set(
			err, ERR_UNAVAILABLE,
			"a VolumeAttachment cannot be read; it may be the volume's");
	*h = (struct holders){ .record = *record };
	take_record(h, csi, ask, record);
	if (!w || record->is_fencing ||
	    (record->kind != RDS_RECORD_OURS && record->kind != RDS_RECORD_NONE))
		return 0;
	while ((va = watched_next(w, ask->id, va))) {
		if (!watched_holds(va))
			continue;
		name_of(csi, va, node);
		if (is_over(csi, ask, va, record)) {
			memcpy(gone, node, sizeof(gone));
			over.node = gone;
			continue;
		}
		if (take_object(h, csi, ask, node, err))
			return -1;
	}
	if (over.node) {
		h->has_stale = true;
		watched_release(w, ask->id, &over);
	}
	return 0;
}
