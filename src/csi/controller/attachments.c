#include "csi/controller/attachments.h"

#include <string.h>

#include "core/list.h"
#include "core/map.h"
#include "core/mem.h"
#include "csi/controller/annotate.h"
#include "csi/controller/migrations.h"
#include "csi/controller/troubles.h"
#include "csi/controller/watched.h"
#include "csi/csi.h"
#include "csi/ids.h"
#include "k8s/k8s.h"

struct known_node {
	struct known_node *next;
	char record_name[ID_NODE];
	char name[];
};

/* One belief, packed: 20,000 of them must stay cheap. text holds, each with its NUL: the
 * volume id, the NQN, the claim, then per holder one character of use and the name. */
struct belief {
	struct map_node node;
	struct list lru; /* newest first */
	uint32_t generation;
	uint8_t n_holders;
	bool is_fencing, is_bound, is_deletable, is_sealed, is_doubtful;
	char nonce[RDS_NONCE + 1];
	char text[];
};

struct attachments {
	struct known_node *known; /* owned */
	struct map beliefs;	  /* of struct belief, owned */
	struct list lru;
	size_t n_held;
	const char *cluster_id; /* borrowed from csi */
	/* With Kubernetes, else NULL. */
	struct k8s *k8s; /* borrowed */
	struct watched *watched;
	struct migrations *migrations;
	struct annotate *annotate;
	struct troubles troubles;
	bool was_leader;
};

static int add_known(struct attachments *a, const char *name, size_t len)
{
	struct known_node *k;

	if (len == 0)
		return 0;
	k = mem_alloc(sizeof(*k) + len + 1);
	if (!k)
		return -1;
	memcpy(k->name, name, len);
	k->name[len] = '\0';
	id_record_node(k->name, k->record_name);
	k->next = a->known;
	a->known = k;
	return 0;
}

static int follow(struct attachments *a, struct csi *csi)
{
	a->k8s = csi->k8s;
	a->was_leader = k8s_is_leader(csi->k8s);
	a->watched = watched_new(csi->k8s);
	a->migrations = migrations_new(csi);
	a->annotate = annotate_new(csi);
	return a->watched && a->migrations && a->annotate ? 0 : -1;
}

struct attachments *attachments_new(struct csi *csi, const char *known_nodes)
{
	struct attachments *a = mem_calloc(1, sizeof(*a));
	const char *own = csi->node_id ? csi->node_id : "";

	if (!a)
		return NULL;
	a->cluster_id = csi->cluster_id;
	map_init(&a->beliefs);
	list_init(&a->lru);
	troubles_init(&a->troubles);
	if (csi->k8s && follow(a, csi))
		goto out;
	if (add_known(a, own, strlen(own)))
		goto out;
	for (const char *s = known_nodes; s && *s;) {
		size_t len = strcspn(s, ",");

		if (add_known(a, s, len))
			goto out;
		s += len + (s[len] == ',');
	}
	return a;
out:
	attachments_free(a);
	return NULL;
}

static void drop(struct attachments *a, struct belief *b)
{
	if (b->n_holders)
		a->n_held--;
	if (a->watched)
		watched_believe(a->watched, b->text, false);
	map_remove(&a->beliefs, &b->node);
	list_remove(&b->lru);
	mem_free(b);
}

void attachments_free(struct attachments *a)
{
	if (!a)
		return;
	while (!list_is_empty(&a->lru))
		drop(a, CONTAINER_OF(a->lru.next, struct belief, lru));
	map_fini(&a->beliefs);
	troubles_clear(&a->troubles);
	annotate_free(a->annotate);
	migrations_free(a->migrations);
	watched_free(a->watched);
	while (a->known) {
		struct known_node *next = a->known->next;

		mem_free(a->known);
		a->known = next;
	}
	mem_free(a);
}

bool attachments_stop(struct attachments *a, void (*stopped)(void *arg), void *arg)
{
	return a->annotate && annotate_stop(a->annotate, stopped, arg);
}

struct watched *attachments_watched(const struct attachments *a)
{
	return a->watched;
}

struct migrations *attachments_migrations(const struct attachments *a)
{
	return a->migrations;
}

struct troubles *attachments_troubles(struct attachments *a)
{
	return &a->troubles;
}

struct annotate *attachments_annotate(const struct attachments *a)
{
	return a->annotate;
}

bool attachments_is_leader(struct attachments *a)
{
	bool is_leader = !a->k8s || k8s_is_leader(a->k8s);

	if (is_leader && !a->was_leader && a->watched) {
		while (!list_is_empty(&a->lru))
			drop(a, CONTAINER_OF(a->lru.next, struct belief, lru));
		watched_restart(a->watched);
		migrations_forget(a->migrations);
		troubles_clear(&a->troubles);
	}
	a->was_leader = is_leader;
	return is_leader;
}

/* What another controller may have changed since is not counted. */
size_t attachments_count(const struct attachments *a)
{
	return a->watched ? watched_count(a->watched, a->was_leader) : a->n_held;
}

bool attachments_gauge(struct attachments *a, size_t *ret)
{
	(void)attachments_is_leader(a);
	if (a->watched) {
		for (unsigned i = 0; i < K8S_WATCHED; i++)
			if (!a->k8s->stores[i].is_complete)
				return false;
		if (watched_settle(a->watched))
			return false;
	}
	*ret = attachments_count(a);
	return true;
}

struct node_facts attachments_facts(const struct attachments *a, const char *node,
				    const char *handle)
{
	struct node_facts f = { .standing = NODE_UNKNOWN };

	if (a->k8s) {
		f = nodes_facts(a->k8s, node, handle);
		f.is_unproven = *handle && !watched_was_in_use(a->watched, handle, node);
		return f;
	}
	for (const struct known_node *k = a->known; k; k = k->next)
		if (strcmp(k->name, node) == 0 || strcmp(k->record_name, node) == 0)
			f.standing = NODE_HEALTHY;
	return f;
}

enum node_standing attachments_standing(const struct attachments *a, const char *node)
{
	return attachments_facts(a, node, "").standing;
}

const char *attachments_node_name(const struct attachments *a, const char *record_node)
{
	if (a->k8s)
		return nodes_csi_name(a->k8s, record_node);
	for (const struct known_node *k = a->known; k; k = k->next)
		if (strcmp(k->record_name, record_node) == 0)
			return k->name;
	return record_node;
}

static struct belief *find(const struct attachments *a, const char *id)
{
	struct map_node *n = map_find(&a->beliefs, id);

	return n ? CONTAINER_OF(n, struct belief, node) : NULL;
}

/* Copies one packed text and returns what follows it. */
static const char *take(const char *from, char *to)
{
	size_t n = strlen(from) + 1;

	memcpy(to, from, n);
	return from + n;
}

bool attachments_recall(struct attachments *a, const char *id,
			struct attachments_belief *ret)
{
	struct belief *b = find(a, id);
	struct rds_record *r = &ret->record;
	const char *s;

	if (!b)
		return false;
	*r = (struct rds_record){ .kind = RDS_RECORD_OURS,
				  .generation = b->generation,
				  .is_fencing = b->is_fencing,
				  .is_bound = b->is_bound,
				  .is_deletable = b->is_deletable,
				  .n_holders = b->n_holders };
	memcpy(r->nonce, b->nonce, sizeof(r->nonce));
	(void)take(a->cluster_id, r->cluster);
	s = b->text + strlen(b->text) + 1;
	s = take(s, ret->nqn);
	s = take(s, r->claim);
	for (unsigned i = 0; i < b->n_holders; i++) {
		r->holders[i].use = *s++;
		s = take(s, r->holders[i].node);
	}
	ret->is_sealed = b->is_sealed;
	ret->is_doubtful = b->is_doubtful;
	list_remove(&b->lru);
	list_insert(a->lru.next, &b->lru);
	return true;
}

static size_t packed_len(const struct rds_volume *v)
{
	const struct rds_record *r = &v->record;
	size_t n = strlen(v->id) + strlen(v->nqn) + strlen(r->claim) + 3;

	for (unsigned i = 0; i < r->n_holders; i++)
		n += 1 + strlen(r->holders[i].node) + 1;
	return n;
}

static char *put(char *to, const char *from)
{
	size_t n = strlen(from) + 1;

	memcpy(to, from, n);
	return to + n;
}

static struct belief *pack(const struct rds_volume *v)
{
	const struct rds_record *r = &v->record;
	struct belief *b = mem_alloc(sizeof(*b) + packed_len(v));
	char *s;

	if (!b)
		return NULL;
	*b = (struct belief){ .generation = r->generation,
			      .n_holders = (uint8_t)r->n_holders,
			      .is_fencing = r->is_fencing,
			      .is_bound = r->is_bound,
			      .is_deletable = r->is_deletable };
	memcpy(b->nonce, r->nonce, sizeof(b->nonce));
	s = put(b->text, v->id);
	s = put(s, v->nqn);
	s = put(s, r->claim);
	for (unsigned i = 0; i < r->n_holders; i++) {
		*s++ = r->holders[i].use;
		s = put(s, r->holders[i].node);
	}
	return b;
}

/* Takes the place of old, which may be NULL. */
static void replace(struct attachments *a, struct belief *old, const struct rds_volume *v,
		    bool is_written)
{
	bool is_sealed = is_written || (old && old->is_sealed &&
					strcmp(old->nonce, v->record.nonce) == 0);
	struct belief *b;

	if (old)
		drop(a, old);
	if (v->record.kind != RDS_RECORD_OURS)
		return;
	if (a->beliefs.count >= ATTACHMENTS_MAX_BELIEFS)
		drop(a, CONTAINER_OF(a->lru.prev, struct belief, lru));
	b = pack(v);
	if (!b)
		return;
	if (map_add(&a->beliefs, &b->node, b->text)) {
		mem_free(b);
		return;
	}
	b->is_sealed = is_sealed;
	list_insert(a->lru.next, &b->lru);
	if (!b->n_holders)
		return;
	a->n_held++;
	if (a->watched)
		watched_believe(a->watched, b->text, true);
}

static bool has_holder(const struct rds_record *r, const char *node)
{
	for (unsigned i = 0; i < r->n_holders; i++)
		if (strcmp(r->holders[i].node, node) == 0)
			return true;
	return false;
}

/* Whether a holder that is believed in is missing from the record, and not because it was
 * being cut off. */
static bool is_disputed(const struct belief *b, const struct rds_record *r)
{
	const char *s = b->text;

	for (unsigned i = 0; i < 3; i++) /* id, NQN, claim */
		s += strlen(s) + 1;
	for (unsigned i = 0; i < b->n_holders && !b->is_fencing; i++) {
		if (!has_holder(r, s + 1))
			return true;
		s += strlen(s) + 1;
	}
	return false;
}

void attachments_learn(struct attachments *a, const struct rds_volume *volume,
		       bool is_written)
{
	struct belief *b = find(a, volume->id);

	if (is_written || !b || a->watched || !is_disputed(b, &volume->record))
		replace(a, b, volume, is_written);
}

void attachments_accept(struct attachments *a, const struct rds_volume *volume)
{
	replace(a, find(a, volume->id), volume, false);
}

void attachments_doubt(struct attachments *a, const char *id)
{
	struct belief *b = find(a, id);

	if (b) {
		b->is_sealed = false;
		b->is_doubtful = true;
	}
}

void attachments_forget(struct attachments *a, const char *id)
{
	struct belief *b = find(a, id);

	if (b)
		drop(a, b);
}
