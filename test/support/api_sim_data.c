#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/api_sim_impl.h"
#include "support/t.h"

const struct sim_kind sim_kinds[SIM_KINDS] = {
	{ "/apis/storage.k8s.io/v1", "volumeattachments", "VolumeAttachment",
	  "storage.k8s.io/v1", false, true },
	{ "/api/v1", "persistentvolumes", "PersistentVolume", "v1", false, true },
	{ "/api/v1", "nodes", "Node", "v1", false, true },
	{ "/apis/storage.k8s.io/v1", "csinodes", "CSINode", "storage.k8s.io/v1", false,
	  false },
	{ "/api/v1", "pods", "Pod", "v1", true, true },
	{ "/api/v1", "persistentvolumeclaims", "PersistentVolumeClaim", "v1", true,
	  true },
	{ "/apis/coordination.k8s.io/v1", "leases", "Lease", "coordination.k8s.io/v1",
	  true, false },
	{ "/api/v1", "events", "Event", "v1", true, false },
	{ "/api/v1", "namespaces", "Namespace", "v1", false, true },
};

unsigned sim_kind_of(const char *name)
{
	for (unsigned i = 0; i < SIM_KINDS; i++)
		if (strcmp(sim_kinds[i].name, name) == 0)
			return i;
	cr_assert_fail("api_sim serves no %s", name);
	return 0;
}

struct sim_object *sim_ref(struct sim_object *o)
{
	o->refs++;
	return o;
}

void sim_unref(struct sim_object *o)
{
	if (!o || --o->refs)
		return;
	free(o->key);
	free(o);
}

/* Where the key is, or would be. */
static size_t place_of(const struct api_sim *s, unsigned kind, const char *key,
		       bool *ret_found)
{
	size_t low = 0, high = s->data[kind].n;

	*ret_found = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(s->data[kind].objects[mid]->key, key);

		if (c == 0) {
			*ret_found = true;
			return mid;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct sim_object *sim_find(const struct api_sim *s, unsigned kind, const char *key)
{
	bool found;
	size_t at = place_of(s, kind, key, &found);

	return found ? s->data[kind].objects[at] : NULL;
}

static json_t *meta_of(json_t *value)
{
	json_t *meta = json_object_get(value, "metadata");

	cr_assert(json_is_object(meta), "an object without metadata");
	return meta;
}

static struct sim_object *make(const char *key, json_t *value, uint64_t version)
{
	char *text = json_dumps(value, JSON_COMPACT);
	size_t n = strlen(text);
	struct sim_object *o = malloc(sizeof(*o) + n + 1);

	*o = (struct sim_object){
		.refs = 1, .version = version, .len = n, .key = strdup(key)
	};
	memcpy(o->text, text, n + 1);
	mem_free(text);
	return o;
}

static void note_event(struct api_sim *s, const char *type, unsigned kind,
		       struct sim_object *o)
{
	if (s->n_events == s->room) {
		s->room = s->room ? s->room * 2 : 256;
		s->events = realloc(s->events, s->room * sizeof(*s->events));
	}
	s->events[s->n_events++] = (struct sim_event){
		.type = type,
		.kind = kind,
		.version = o->version,
		.at_ms = clock_now_ms(s->loop),
		.o = sim_ref(o),
	};
	sim_fan_out(s);
}

static void stamp(struct api_sim *s, unsigned kind, json_t *value)
{
	json_t *meta = meta_of(value);
	char text[64];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)++s->version);
	json_object_set_new(meta, "resourceVersion", json_string(text));
	if (!json_object_get(meta, "uid")) {
		snprintf(text, sizeof(text), "00000000-0000-4000-8000-%012u",
			 ++s->last_uid);
		json_object_set_new(meta, "uid", json_string(text));
	}
	json_object_set_new(value, "kind", json_string(sim_kinds[kind].kind));
	json_object_set_new(value, "apiVersion", json_string(sim_kinds[kind].api));
}

struct sim_object *sim_store_take(struct api_sim *s, unsigned kind, const char *key,
				  json_t *value)
{
	bool found;
	size_t at = place_of(s, kind, key, &found), n = s->data[kind].n;
	struct sim_object *o;

	stamp(s, kind, value);
	o = make(key, value, s->version);
	json_decref(value);
	if (found) {
		sim_unref(s->data[kind].objects[at]);
	} else {
		if (n == s->data[kind].room) {
			s->data[kind].room = n ? n * 2 : 64;
			s->data[kind].objects =
				realloc(s->data[kind].objects,
					s->data[kind].room * sizeof(void *));
		}
		memmove(&s->data[kind].objects[at + 1], &s->data[kind].objects[at],
			(n - at) * sizeof(void *));
		s->data[kind].n++;
	}
	s->data[kind].objects[at] = o;
	note_event(s, found ? "MODIFIED" : "ADDED", kind, o);
	return o;
}

void sim_delete(struct api_sim *s, unsigned kind, const char *key)
{
	bool found;
	size_t at = place_of(s, kind, key, &found);
	struct sim_object *was, *last;
	json_t *value;
	char text[32];

	if (!found)
		return;
	was = s->data[kind].objects[at];
	s->data[kind].n--;
	memmove(&s->data[kind].objects[at], &s->data[kind].objects[at + 1],
		(s->data[kind].n - at) * sizeof(void *));
	/* The last state is told with the version of the deletion. */
	value = json_loads(was->text, JSON_ALLOW_NUL, NULL);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)++s->version);
	json_object_set_new(meta_of(value), "resourceVersion", json_string(text));
	last = make(key, value, s->version);
	json_decref(value);
	sim_unref(was);
	note_event(s, "DELETED", kind, last);
	sim_unref(last);
}

json_t *sim_merge(json_t *target, const json_t *patch)
{
	json_t *ret = json_is_object(target) ? json_copy(target) : json_object();
	const char *key;
	json_t *v;

	if (!json_is_object(patch)) {
		json_decref(ret);
		return json_deep_copy(patch);
	}
	json_object_foreach((json_t *)(uintptr_t)patch, key, v)
	{
		if (json_is_null(v))
			json_object_del(ret, key);
		else
			json_object_set_new(ret, key,
					    sim_merge(json_object_get(ret, key), v));
	}
	return ret;
}

void sim_data_close(struct api_sim *s)
{
	for (unsigned k = 0; k < SIM_KINDS; k++) {
		for (size_t i = 0; i < s->data[k].n; i++)
			sim_unref(s->data[k].objects[i]);
		free(s->data[k].objects);
	}
	for (size_t i = 0; i < s->n_events; i++)
		sim_unref(s->events[i].o);
	free(s->events);
	for (unsigned i = 0; i < SIM_SNAPSHOTS; i++) {
		for (size_t k = 0; k < s->snapshots[i].n; k++)
			sim_unref(s->snapshots[i].objects[k]);
		free(s->snapshots[i].objects);
	}
}

static void key_of(char *key, size_t n, const char *ns, const char *name)
{
	snprintf(key, n, "%s/%s", ns ? ns : "", name);
}

void api_sim_put(struct api_sim *s, const char *kind, const char *json)
{
	json_error_t why;
	json_t *value = json_loads(json, JSON_ALLOW_NUL, &why), *meta;
	unsigned k = sim_kind_of(kind);
	struct sim_object *was;
	char key[400];

	cr_assert_not_null(value, "%s in %s", why.text, json);
	meta = meta_of(value);
	key_of(key, sizeof(key), json_string_value(json_object_get(meta, "namespace")),
	       json_string_value(json_object_get(meta, "name")));
	was = sim_find(s, k, key);
	if (was && !json_object_get(meta, "uid")) {
		json_t *old = json_loads(was->text, JSON_ALLOW_NUL, NULL);

		json_object_set(meta, "uid", json_object_get(meta_of(old), "uid"));
		json_decref(old);
	}
	sim_store_take(s, k, key, value);
}

void api_sim_remove(struct api_sim *s, const char *kind, const char *ns, const char *name)
{
	char key[400];

	key_of(key, sizeof(key), ns, name);
	sim_delete(s, sim_kind_of(kind), key);
}

const char *api_sim_find(const struct api_sim *s, const char *kind, const char *ns,
			 const char *name)
{
	const struct sim_object *o;
	char key[400];

	key_of(key, sizeof(key), ns, name);
	o = sim_find(s, sim_kind_of(kind), key);
	return o ? o->text : NULL;
}

size_t api_sim_count(const struct api_sim *s, const char *kind)
{
	return s->data[sim_kind_of(kind)].n;
}

void api_sim_va(struct api_sim *s, const char *name, const char *node, const char *pv,
		bool is_attached)
{
	char json[2048];

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"attacher\":"
		 "\"rds.csi.srvlab.io\",\"nodeName\":\"%s\",\"source\":{"
		 "\"persistentVolumeName\":\"%s\"}},\"status\":{\"attached\":%s}}",
		 name, node, pv, is_attached ? "true" : "false");
	api_sim_put(s, "volumeattachments", json);
}

void api_sim_pv(struct api_sim *s, const char *name, const char *handle)
{
	char json[2048];

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"accessModes\":["
		 "\"ReadWriteOnce\"],\"csi\":{\"driver\":\"rds.csi.srvlab.io\","
		 "\"volumeHandle\":\"%s\",\"volumeAttributes\":{\"volumePath\":"
		 "\"/storage-pool/metal-csi\"}},\"claimRef\":{\"namespace\":\"default\","
		 "\"name\":\"claim-%s\",\"uid\":\"01234567-89ab-cdef-0123-456789abcdef\"}"
		 "},\"status\":{\"phase\":\"Bound\"}}",
		 name, handle, name);
	api_sim_put(s, "persistentvolumes", json);
}

void api_sim_node(struct api_sim *s, const char *name, bool is_ready)
{
	char json[2048];

	snprintf(
		json, sizeof(json),
		"{\"metadata\":{\"name\":\"%s\"},\"spec\":{},\"status\":{\"conditions\":["
		"{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
		name, is_ready ? "True" : "Unknown");
	api_sim_put(s, "nodes", json);
}

void api_sim_compact(struct api_sim *s)
{
	for (size_t i = 0; i < s->n_events; i++)
		sim_unref(s->events[i].o);
	s->n_events = 0;
	s->compacted = ++s->version;
	for (unsigned i = 0; i < SIM_SNAPSHOTS; i++)
		s->snapshots[i].is_expired = true;
}
