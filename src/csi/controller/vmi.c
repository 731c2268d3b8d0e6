#include "csi/controller/vmi.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

/* What was found out of one volume, its name and key behind the struct. */
struct known {
	struct map_node node;
	struct list age;
	uint64_t until_ms;
	const char *key;
};

struct vmi_queue {
	struct map_node node;
	struct list places;
	char key[VMI_KEY];
};

static struct known *known_of(struct map_node *n)
{
	return n ? CONTAINER_OF(n, struct known, node) : NULL;
}

void vmi_init(struct vmi *v, struct k8s *k8s, uint64_t ttl_ms)
{
	*v = (struct vmi){ .k8s = k8s, .ttl_ms = ttl_ms };
	map_init(&v->known);
	map_init(&v->queues);
	list_init(&v->ages);
}

static void forget(struct vmi *v, struct known *k)
{
	v->n_known--;
	list_remove(&k->age);
	map_remove(&v->known, &k->node);
	mem_free(k);
}

void vmi_fini(struct vmi *v)
{
	bug_on(v->n_queued);
	if (!v->ages.next)
		return;
	LIST_FOREACH (it, &v->ages)
		forget(v, CONTAINER_OF(it, struct known, age));
	map_fini(&v->known);
	map_fini(&v->queues);
}

bool vmi_recall(const struct vmi *v, const char *volume, uint64_t now_ms,
		char ret_key[VMI_KEY])
{
	const struct known *k = known_of(map_find(&v->known, volume));

	(void)snprintf(ret_key, VMI_KEY, "%s", k ? k->key : "");
	return k && now_ms < k->until_ms;
}

void vmi_remember(struct vmi *v, const char *volume, const char *key, uint64_t now_ms,
		  uint64_t ttl_ms)
{
	size_t n_volume = strlen(volume) + 1, n_key = strlen(key) + 1;
	struct known *k = known_of(map_find(&v->known, volume));
	char *text;

	if (k)
		forget(v, k);
	if (v->n_known >= VMI_KNOWN_MAX)
		forget(v, CONTAINER_OF(v->ages.next, struct known, age));
	k = mem_calloc(1, sizeof(*k) + n_volume + n_key);
	if (!k)
		return;
	text = (char *)(k + 1);
	memcpy(text, volume, n_volume);
	memcpy(text + n_volume, key, n_key);
	k->key = text + n_volume;
	k->until_ms = now_ms + (ttl_ms < v->ttl_ms ? ttl_ms : v->ttl_ms);
	if (map_add(&v->known, &k->node, text)) {
		mem_free(k);
		return;
	}
	list_append(&v->ages, &k->age);
	v->n_known++;
}

/* ---- queues -------------------------------------------------------------------------
 */

static struct vmi_queue *queue_for(struct vmi *v, const char *key)
{
	struct map_node *n = map_find(&v->queues, key);
	struct vmi_queue *q;

	if (n)
		return CONTAINER_OF(n, struct vmi_queue, node);
	q = mem_calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	list_init(&q->places);
	(void)snprintf(q->key, sizeof(q->key), "%s", key);
	if (map_add(&v->queues, &q->node, q->key)) {
		mem_free(q);
		return NULL;
	}
	return q;
}

int vmi_join(struct vmi *v, struct vmi_place *p, const char *key)
{
	struct vmi_queue *q = v->n_queued < VMI_QUEUED_MAX ? queue_for(v, key) : NULL;

	if (!q)
		return -1;
	p->queue = q;
	list_append(&q->places, &p->node);
	v->n_queued++;
	return 0;
}

bool vmi_is_first(const struct vmi_place *p)
{
	return p->queue && p->queue->places.next == &p->node;
}

/* The queue goes with its last one. */
struct vmi_place *vmi_quit(struct vmi *v, struct vmi_place *p)
{
	struct vmi_queue *q = p->queue;
	bool was_first = vmi_is_first(p);

	if (!q)
		return NULL;
	list_remove(&p->node);
	p->queue = NULL;
	v->n_queued--;
	if (list_is_empty(&q->places)) {
		map_remove(&v->queues, &q->node);
		mem_free(q);
		return NULL;
	}
	return was_first ? CONTAINER_OF(q->places.next, struct vmi_place, node) : NULL;
}

static unsigned length(const struct vmi_queue *q)
{
	unsigned n = 0;

	for (const struct list *it = q->places.next; it != &q->places; it = it->next)
		n++;
	return n;
}

void vmi_stats(const struct vmi *v, struct vmi_stats *ret)
{
	size_t pos = 0;

	*ret = (struct vmi_stats){ .turns = v->n_turns, .without = v->n_without };
	for (struct map_node *n = map_next(&v->queues, &pos, NULL); n;
	     n = map_next(&v->queues, &pos, n)) {
		ret->machines++;
		ret->waiting += length(CONTAINER_OF(n, struct vmi_queue, node)) - 1;
	}
}
