#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/api_sim_impl.h"
#include "support/t.h"

/* What a request asks for, and the answers to all but watches. */
char *sim_status_body(unsigned status, const char *reason, const char *message)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
		 "\"Failure\",\"message\":\"%s\",\"reason\":\"%s\",\"code\":%u}",
		 message, reason, status);
	return strdup(text);
}

static void refuse(struct sim_reply *r, unsigned status, const char *reason,
		   const char *message)
{
	r->status = status;
	r->body = sim_status_body(status, reason, message);
}

/* Percent decoding into a field; false when it does not fit or is broken. */
static bool unescape(char *to, size_t max, const char *p, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned c = (unsigned char)p[i];

		if (c == '%') {
			if (i + 2 >= n || sscanf(p + i + 1, "%2x", &c) != 1)
				return false;
			i += 2;
		}
		if (at + 1 >= max)
			return false;
		to[at++] = (char)c;
	}
	to[at] = '\0';
	return true;
}

static bool parse_param(const char *p, size_t n, struct sim_target *t)
{
	const char *eq = memchr(p, '=', n);
	char key[32], value[256];

	if (!eq || !unescape(key, sizeof(key), p, (size_t)(eq - p)) ||
	    !unescape(value, sizeof(value), eq + 1, n - (size_t)(eq - p) - 1))
		return false;
	if (strcmp(key, "limit") == 0)
		return sscanf(value, "%u", &t->limit) == 1;
	if (strcmp(key, "timeoutSeconds") == 0)
		return sscanf(value, "%u", &t->timeout_s) == 1;
	if (strcmp(key, "watch") == 0)
		t->is_watch = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
	else if (strcmp(key, "allowWatchBookmarks") == 0)
		t->wants_bookmarks = strcmp(value, "true") == 0;
	else if (strcmp(key, "continue") == 0)
		return snprintf(t->next, sizeof(t->next), "%s", value) <
		       (int)sizeof(t->next);
	else if (strcmp(key, "fieldSelector") == 0)
		return snprintf(t->field, sizeof(t->field), "%s", value) <
		       (int)sizeof(t->field);
	else if (strcmp(key, "resourceVersion") == 0) {
		t->has_version = true;
		snprintf(t->version, sizeof(t->version), "%.31s", value);
	} else
		return false;
	return true;
}

static bool parse_query(const char *q, struct sim_target *t)
{
	while (*q) {
		size_t n = strcspn(q, "&");

		if (!parse_param(q, n, t))
			return false;
		q += n + (q[n] == '&');
	}
	return true;
}

/* The segments behind the root: "nodes/x/status", "namespaces/ns/pods/x". */
static bool parse_path(const char *path, size_t n, const char *root, struct sim_target *t)
{
	char parts[6][256];
	unsigned n_parts = 0, at = 0;

	while (n) {
		size_t len = 0;

		if (*path != '/' || n_parts == 6)
			return false;
		path++, n--;
		while (len < n && path[len] != '/')
			len++;
		if (!len || !unescape(parts[n_parts++], 256, path, len))
			return false;
		path += len;
		n -= len;
	}
	if (n_parts >= 3 && strcmp(parts[0], "namespaces") == 0) {
		snprintf(t->ns, sizeof(t->ns), "%.63s", parts[1]);
		at = 2;
	}
	if (at >= n_parts)
		return false;
	for (t->kind = 0; t->kind < SIM_KINDS; t->kind++)
		if (strcmp(sim_kinds[t->kind].name, parts[at]) == 0 &&
		    strcmp(sim_kinds[t->kind].root, root) == 0)
			break;
	if (t->kind == SIM_KINDS || (*t->ns && !sim_kinds[t->kind].has_ns))
		return false;
	if (at + 1 < n_parts)
		snprintf(t->name, sizeof(t->name), "%s", parts[at + 1]);
	if (at + 2 < n_parts)
		snprintf(t->sub, sizeof(t->sub), "%.31s", parts[at + 2]);
	return at + 3 >= n_parts && (!*t->name || *t->ns || !sim_kinds[t->kind].has_ns);
}

unsigned sim_parse_target(const char *target, struct sim_target *t)
{
	static const char *const roots[] = { "/apis/storage.k8s.io/v1",
					     "/apis/coordination.k8s.io/v1", "/api/v1" };
	size_t n = strcspn(target, "?");

	*t = (struct sim_target){ .limit = 0 };
	if (target[n] && !parse_query(target + n + 1, t))
		return 400;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(roots[i]);

		if (n > len && strncmp(target, roots[i], len) == 0)
			return parse_path(target + len, n - len, roots[i], t) ? 0 : 404;
	}
	return 404;
}

/* ---- lists ---- */

static bool is_selected(const struct sim_target *t, const struct sim_object *o)
{
	size_t n = strlen(t->ns);
	const char *want = strchr(t->field, '=');
	json_t *v, *node;
	bool is;

	if (n && (strncmp(o->key, t->ns, n) != 0 || o->key[n] != '/'))
		return false;
	if (!*t->field)
		return true;
	if (strncmp(t->field, "metadata.name=", 14) == 0)
		return strcmp(strchr(o->key, '/') + 1, want + 1) == 0;
	v = json_loads(o->text, JSON_ALLOW_NUL, NULL);
	node = json_object_get(json_object_get(v, "spec"), "nodeName");
	is = node && want && strcmp(json_string_value(node), want + 1) == 0;
	json_decref(v);
	return is;
}

static struct sim_snapshot *snapshot(struct api_sim *s, const struct sim_target *t)
{
	unsigned id = ++s->last_snapshot;
	struct sim_snapshot *snap = &s->snapshots[id % SIM_SNAPSHOTS];

	for (size_t i = 0; i < snap->n; i++)
		sim_unref(snap->objects[i]);
	free(snap->objects);
	*snap = (struct sim_snapshot){ .id = id, .version = s->version };
	snap->objects = calloc(s->data[t->kind].n + 1, sizeof(void *));
	for (size_t i = 0; i < s->data[t->kind].n; i++)
		if (is_selected(t, s->data[t->kind].objects[i]))
			snap->objects[snap->n++] = sim_ref(s->data[t->kind].objects[i]);
	return snap;
}

/* The items as one text, in one piece of memory. */
static char *page_text(const struct sim_target *t, const struct sim_snapshot *snap,
		       size_t from, size_t to)
{
	const struct sim_kind *k = &sim_kinds[t->kind];
	size_t size = 512, at;
	char *text, more[64] = "";

	for (size_t i = from; i < to; i++)
		size += snap->objects[i]->len + 1;
	if (to < snap->n)
		snprintf(more, sizeof(more), "%u.%zu", snap->id, to);
	text = malloc(size);
	/* On even snapshots the metadata comes last, which JSON allows. */
	at = (size_t)snprintf(text, size, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",",
			      k->kind, k->api);
	if (snap->id % 2)
		at += (size_t)snprintf(text + at, size - at,
				       "\"metadata\":{\"resourceVersion\":\"%llu\","
				       "\"continue\":\"%s\"},",
				       (unsigned long long)snap->version, more);
	at += (size_t)snprintf(text + at, size - at, "\"items\":[");
	for (size_t i = from; i < to; i++) {
		memcpy(text + at, snap->objects[i]->text, snap->objects[i]->len);
		at += snap->objects[i]->len;
		text[at++] = ',';
	}
	at -= to > from;
	at += (size_t)snprintf(text + at, size - at, "]");
	if (snap->id % 2 == 0)
		at += (size_t)snprintf(text + at, size - at,
				       ",\"metadata\":{\"resourceVersion\":\"%llu\","
				       "\"continue\":\"%s\"}",
				       (unsigned long long)snap->version, more);
	snprintf(text + at, size - at, "}\n");
	return text;
}

void sim_list(struct api_sim *s, const struct sim_target *t, struct sim_reply *r)
{
	struct sim_snapshot *snap;
	size_t from = 0, to;
	unsigned id = 0;

	if (t->has_version) {
		refuse(r, 400, "BadRequest", "lists here are consistent ones");
		return;
	}
	if (*t->next) {
		if (sscanf(t->next, "%u.%zu", &id, &from) != 2) {
			refuse(r, 400, "BadRequest", "no continue token of mine");
			return;
		}
		snap = &s->snapshots[id % SIM_SNAPSHOTS];
		if (snap->id != id || snap->is_expired || from > snap->n) {
			refuse(r, 410, "Expired", "the continue token is too old");
			return;
		}
	} else {
		snap = snapshot(s, t);
	}
	to = t->limit && from + t->limit < snap->n ? from + t->limit : snap->n;
	r->status = 200;
	r->body = page_text(t, snap, from, to);
}

/* ---- changes ---- */

static const char *member(const json_t *v, const char *a, const char *b)
{
	const char *s = json_string_value(json_object_get(json_object_get(v, a), b));

	return s ? s : "";
}

/* The uid and the version that the request wants, where it does. */
static bool is_fitting(const json_t *pre, const json_t *now)
{
	static const char *const keys[] = { "uid", "resourceVersion" };

	for (int i = 0; i < 2; i++) {
		const char *want = json_string_value(json_object_get(pre, keys[i]));

		if (want && strcmp(want, member(now, "metadata", keys[i])) != 0)
			return false;
	}
	return true;
}

static void reply_object(struct sim_reply *r, unsigned status, const struct sim_object *o)
{
	r->status = status;
	r->body = strdup(o->text);
}

static void create(struct api_sim *s, const struct sim_target *t, json_t *body,
		   struct sim_reply *r)
{
	const char *name = member(body, "metadata", "name");
	const char *ns = member(body, "metadata", "namespace");
	const char *kind = json_string_value(json_object_get(body, "kind"));
	char key[400];

	if (*t->name || !*name || strcmp(ns, t->ns) != 0) {
		refuse(r, 400, "BadRequest", "name or namespace");
		return;
	}
	if (!kind || strcmp(kind, sim_kinds[t->kind].kind) != 0 ||
	    !json_object_get(body, "apiVersion")) {
		refuse(r, 400, "BadRequest", "kind or apiVersion");
		return;
	}
	if (json_object_get(json_object_get(body, "metadata"), "resourceVersion")) {
		refuse(r, 422, "Invalid", "resourceVersion at creation");
		return;
	}
	snprintf(key, sizeof(key), "%s/%s", t->ns, name);
	if (sim_find(s, t->kind, key))
		refuse(r, 409, "AlreadyExists", name);
	else
		reply_object(r, 201, sim_store_take(s, t->kind, key, json_incref(body)));
}

/* Status is changed by its subresource alone, and nothing else by it. */
static json_t *guard_status(const struct sim_target *t, json_t *now, json_t *wanted)
{
	const char *kept = "status";
	json_t *ret = wanted, *status;

	if (!sim_kinds[t->kind].has_status)
		return ret;
	if (strcmp(t->sub, "status") == 0) {
		status = json_incref(json_object_get(wanted, "status"));
		json_decref(wanted);
		ret = json_deep_copy(now);
	} else {
		status = json_incref(json_object_get(now, "status"));
	}
	if (status)
		json_object_set_new(ret, kept, status);
	else
		json_object_del(ret, kept);
	return ret;
}

static void update(struct api_sim *s, const struct sim_target *t, json_t *now,
		   json_t *body, struct sim_reply *r)
{
	char key[400];
	json_t *v = json_deep_copy(body), *meta = json_object_get(v, "metadata");

	snprintf(key, sizeof(key), "%s/%s", t->ns, t->name);
	if (!*member(body, "metadata", "resourceVersion")) {
		refuse(r, 422, "Invalid", "no resourceVersion");
		json_decref(v);
		return;
	}
	json_object_set(meta, "uid",
			json_object_get(json_object_get(now, "metadata"), "uid"));
	reply_object(r, 200, sim_store_take(s, t->kind, key, guard_status(t, now, v)));
}

static void patch(struct api_sim *s, const struct sim_target *t, json_t *now,
		  json_t *body, struct sim_reply *r)
{
	char key[400];
	json_t *merged = sim_merge(now, body), *v = json_deep_copy(merged);

	json_decref(merged);
	snprintf(key, sizeof(key), "%s/%s", t->ns, t->name);
	reply_object(r, 200, sim_store_take(s, t->kind, key, guard_status(t, now, v)));
}

static void remove_object(struct api_sim *s, const struct sim_target *t,
			  struct sim_reply *r)
{
	char key[400];

	snprintf(key, sizeof(key), "%s/%s", t->ns, t->name);
	sim_delete(s, t->kind, key);
	r->status = 200;
	r->body = strdup("{\"kind\":\"Status\",\"status\":\"Success\"}");
}

void sim_change(struct api_sim *s, const char *method, const struct sim_target *t,
		json_t *body, struct sim_reply *r)
{
	bool is_delete = strcmp(method, "DELETE") == 0;
	const struct sim_object *o;
	const json_t *pre;
	json_t *now;
	char key[400];

	if (strcmp(method, "POST") == 0) {
		create(s, t, body, r);
		return;
	}
	snprintf(key, sizeof(key), "%s/%s", t->ns, t->name);
	o = *t->name ? sim_find(s, t->kind, key) : NULL;
	if (!o || (*t->sub &&
		   (strcmp(t->sub, "status") != 0 || !sim_kinds[t->kind].has_status))) {
		refuse(r, 404, "NotFound", t->name);
		return;
	}
	now = json_loads(o->text, JSON_ALLOW_NUL, NULL);
	pre = json_object_get(body, is_delete ? "preconditions" : "metadata");
	if (strcmp(method, "GET") == 0)
		reply_object(r, 200, o);
	else if (!is_fitting(pre, now))
		refuse(r, 409, "Conflict", "the object has been modified");
	else if (is_delete)
		remove_object(s, t, r);
	else if (strcmp(method, "PUT") == 0)
		update(s, t, now, body, r);
	else if (strcmp(method, "PATCH") == 0)
		patch(s, t, now, body, r);
	else
		refuse(r, 405, "MethodNotAllowed", method);
	json_decref(now);
}
