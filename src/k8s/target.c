#include "k8s/target.h"

#include <string.h>

static const struct {
	const char *root, *name;
	bool has_ns;
} kinds[K8S_KINDS] = {
	[K8S_VA] = { "/apis/storage.k8s.io/v1", "volumeattachments", false },
	[K8S_PV] = { "/api/v1", "persistentvolumes", false },
	[K8S_NODE] = { "/api/v1", "nodes", false },
	[K8S_CSINODE] = { "/apis/storage.k8s.io/v1", "csinodes", false },
	[K8S_POD] = { "/api/v1", "pods", true },
	[K8S_PVC] = { "/api/v1", "persistentvolumeclaims", true },
	[K8S_LEASE] = { "/apis/coordination.k8s.io/v1", "leases", true },
	[K8S_EVENT] = { "/api/v1", "events", true },
	[K8S_NAMESPACE] = { "/api/v1", "namespaces", false },
};

const char *k8s_kind_name(enum k8s_kind kind)
{
	return kinds[kind].name;
}

/* RFC 3986 2.3: all but the unreserved characters are escaped. */
static void escape(struct buf *out, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *s; s++)
		if (strchr(plain, *s))
			(void)buf_putc(out, *s);
		else
			(void)buf_printf(out, "%%%02X", (unsigned char)*s);
}

/* "." and ".." would be taken for steps in the path. */
static int add_segment(struct buf *out, const char *s, const char *what, struct err *err)
{
	if (!*s || strlen(s) > 253 || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return err_set(err, ERR_INVALID, "%s: not a name", what);
	(void)buf_putc(out, '/');
	escape(out, s);
	return 0;
}

static void add_query(struct buf *out, char *sep, const char *key, const char *value)
{
	(void)buf_printf(out, "%c%s=", *sep, key);
	escape(out, value);
	*sep = '&';
}

static void build_query(const struct k8s_target *t, struct buf *out)
{
	char sep = '?';

	if (t->query && *t->query) {
		(void)buf_printf(out, "?%s", t->query);
		sep = '&';
	}
	if (t->limit) {
		(void)buf_printf(out, "%climit=%u", sep, t->limit);
		sep = '&';
	}
	if (t->next && *t->next)
		add_query(out, &sep, "continue", t->next);
	if (t->watch_from) {
		add_query(out, &sep, "watch", "1");
		add_query(out, &sep, "allowWatchBookmarks", "true");
		add_query(out, &sep, "resourceVersion", t->watch_from);
		(void)buf_printf(out, "&timeoutSeconds=%u", t->timeout_s);
	}
}

int k8s_target_build(const struct k8s_target *t, struct buf *out, struct err *err)
{
	(void)buf_puts(out, kinds[t->kind].root);
	if (kinds[t->kind].has_ns && t->ns) {
		(void)buf_puts(out, "/namespaces");
		if (add_segment(out, t->ns, "namespace", err))
			return -1;
	}
	(void)buf_printf(out, "/%s", kinds[t->kind].name);
	if (t->name && add_segment(out, t->name, "name", err))
		return -1;
	if (t->subresource && add_segment(out, t->subresource, "subresource", err))
		return -1;
	build_query(t, out);
	if (!buf_failed(out))
		return 0;
	if (out->len + 3 * 254 > out->max)
		return err_set(err, ERR_INVALID, "the request's path is too long");
	return err_nomem(err);
}
