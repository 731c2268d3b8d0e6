#include "k8s/object.h"

#include <string.h>

#include "core/mem.h"

/* Where the texts of a kind's struct lie, so that copying needs no code per kind. */
enum { TEXTS_MAX = 7 };

struct shape {
	size_t size;
	size_t texts[TEXTS_MAX]; /* of const char *, behind the object's own; 0 ends */
	size_t list, n_list; /* of a NUL-separated list and its unsigned count; or 0 */
};

#define AT(type, member) offsetof(struct type, member)

static const size_t common[] = {
	AT(k8s_object, name),
	AT(k8s_object, ns),
	AT(k8s_object, uid),
	AT(k8s_object, version),
};
enum { N_COMMON = sizeof(common) / sizeof(common[0]) };

static const struct shape shapes[K8S_KINDS] = {
	[K8S_VA] = { .size = sizeof(struct k8s_va),
		     .texts = { AT(k8s_va, node), AT(k8s_va, pv), AT(k8s_va, handle) } },
	[K8S_PV] = { .size = sizeof(struct k8s_pv),
		     .texts = { AT(k8s_pv, handle), AT(k8s_pv, claim_ns),
				AT(k8s_pv, claim_name), AT(k8s_pv, claim_uid),
				AT(k8s_pv, attached_node), AT(k8s_pv, phase),
				AT(k8s_pv, volume_path) } },
	[K8S_NODE] = { .size = sizeof(struct k8s_node),
		       .list = AT(k8s_node, in_use),
		       .n_list = AT(k8s_node, n_in_use) },
	[K8S_CSINODE] = { .size = sizeof(struct k8s_csinode),
			  .texts = { AT(k8s_csinode, node_id) },
			  .list = AT(k8s_csinode, keys),
			  .n_list = AT(k8s_csinode, n_keys) },
	[K8S_POD] = { .size = sizeof(struct k8s_pod),
		      .texts = { AT(k8s_pod, node), AT(k8s_pod, phase), AT(k8s_pod, vmi),
				 AT(k8s_pod, owner_pod) },
		      .list = AT(k8s_pod, claims),
		      .n_list = AT(k8s_pod, n_claims) },
	[K8S_PVC] = { .size = sizeof(struct k8s_pvc), .texts = { AT(k8s_pvc, volume) } },
	[K8S_LEASE] = { .size = sizeof(struct k8s_lease),
			.texts = { AT(k8s_lease, holder), AT(k8s_lease, renew_time) } },
	[K8S_EVENT] = { .size = sizeof(struct k8s_object) },
	[K8S_NAMESPACE] = { .size = sizeof(struct k8s_object) },
};

/* The nth text of the struct, or NULL behind the last. */
static const char **text_at(const struct shape *s, char *base, unsigned nth)
{
	size_t at;

	if (nth < N_COMMON)
		return (const char **)(void *)(base + common[nth]);
	if (nth - N_COMMON >= TEXTS_MAX)
		return NULL;
	at = s->texts[nth - N_COMMON];
	return at ? (const char **)(void *)(base + at) : NULL;
}

static size_t list_size(const char *list, unsigned n)
{
	const char *p = list;

	for (unsigned i = 0; i < n; i++)
		p += strlen(p) + 1;
	return (size_t)(p - list);
}

bool k8s_list_has(const char *list, unsigned n, const char *text)
{
	const char *p = list;

	for (unsigned i = 0; i < n; i++, p += strlen(p) + 1)
		if (strcmp(p, text) == 0)
			return true;
	return false;
}

/* Bytes that the text needs; an empty one needs none. Neither does one that is the name
 * once more: a volume's handle is its name as a rule. */
static size_t room_for(const char *s, const char *name, unsigned nth)
{
	if (!s || !*s || (nth && name && strcmp(s, name) == 0))
		return 0;
	return strlen(s) + 1;
}

static const char *put(char **end, const char *p, size_t n)
{
	char *at = *end;

	if (!n)
		return "";
	memcpy(at, p, n);
	*end += n;
	return at;
}

/* Of the list's bytes; 0 for a kind without one. */
static size_t list_bytes(const struct shape *s, const char *base)
{
	const char *list;
	unsigned n;

	if (!s->list)
		return 0;
	memcpy(&n, base + s->n_list, sizeof(n));
	memcpy(&list, base + s->list, sizeof(list));
	return list_size(list, n);
}

/* Moves the texts that base points to behind it. */
static void gather(const struct shape *s, char *base, size_t n_list)
{
	const char *was = *text_at(s, base, 0), **text;
	char *end = base + s->size;

	for (unsigned i = 0; (text = text_at(s, base, i)); i++) {
		size_t n = room_for(*text, was, i);

		if (!n && *text && **text)
			*text = *text_at(s, base, 0);
		else
			*text = put(&end, *text, n);
	}
	if (s->list) {
		text = (const char **)(void *)(base + s->list);
		*text = put(&end, *text, n_list);
	}
}

struct k8s_object *k8s_object_copy(const struct k8s_object *o)
{
	const struct shape *s = &shapes[o->kind];
	size_t n_list = list_bytes(s, (const char *)o), size = s->size + n_list;
	union {
		struct k8s_pv pv;
		struct k8s_pod pod;
		char bytes[1];
	} was; /* as large as the largest */
	struct k8s_object *ret;
	const char **text;

	bug_on(s->size > sizeof(was));
	memcpy(&was, o, s->size);
	for (unsigned i = 0; (text = text_at(s, was.bytes, i)); i++)
		size += room_for(*text, o->name, i);
	ret = mem_alloc(size);
	if (!ret)
		return NULL;
	memcpy(ret, o, s->size);
	ret->node = (struct map_node){ .next = NULL };
	gather(s, (char *)ret, n_list);
	return ret;
}

void k8s_object_free(struct k8s_object *o)
{
	mem_free(o);
}
