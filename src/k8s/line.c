#include "k8s/line.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"

/* The member's text where it is one and fits whole; else "". */
static const char *text(const json_t *in, const char *key, size_t max)
{
	const json_t *v = json_object_get(in, key);
	const char *s = json_string_value(v);

	return s && strlen(s) == json_string_length(v) && strlen(s) <= max ? s : "";
}

static void read_error(const json_t *status, struct k8s_line *ret)
{
	const json_t *code = json_object_get(status, "code");
	json_int_t i = json_is_integer(code) ? json_integer_value(code) : 0;
	struct k8s_decoded *d = &ret->decoded;

	ret->change = K8S_ERROR;
	ret->code = i > 0 && i < 1000 ? (unsigned)i : 0;
	(void)err_set(&d->err, ERR_UNAVAILABLE,
		      "watch ended with status %u: %.60s %.120s", ret->code,
		      text(status, "reason", K8S_TEXT_MAX),
		      text(status, "message", K8S_TEXT_MAX));
}

static void read_bookmark(const json_t *object, struct k8s_line *ret)
{
	const char *version = text(json_object_get(object, "metadata"), "resourceVersion",
				   K8S_VERSION_MAX);

	if (!*version) {
		(void)err_set(&ret->decoded.err, ERR_INVALID, "a bookmark of no version");
		return;
	}
	ret->change = K8S_BOOKMARK;
	(void)snprintf(ret->decoded.version, sizeof(ret->decoded.version), "%s", version);
}

static void read_line(enum k8s_kind kind, const char *driver, const json_t *root,
		      struct k8s_line *ret)
{
	const char *type = text(root, "type", K8S_NS_MAX);
	const json_t *object = json_object_get(root, "object");
	bool is_put = strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0;

	if (!json_is_object(object)) {
		(void)err_set(&ret->decoded.err, ERR_INVALID, "an event of no object");
	} else if (is_put || strcmp(type, "DELETED") == 0) {
		ret->change = is_put ? K8S_PUT : K8S_GONE;
		k8s_decode_json(kind, driver, object, &ret->decoded);
	} else if (strcmp(type, "BOOKMARK") == 0) {
		read_bookmark(object, ret);
	} else if (strcmp(type, "ERROR") == 0) {
		read_error(object, ret);
	} else {
		(void)err_set(&ret->decoded.err, ERR_INVALID, "an event of no type");
	}
}

void k8s_line_read(enum k8s_kind kind, const char *driver, const char *json, size_t n,
		   struct k8s_line *ret)
{
	json_t *root;

	*ret = (struct k8s_line){ .change = K8S_JUNK };
	ret->decoded.reading = K8S_UNREADABLE;
	root = json_parse_foreign(json, n, &ret->decoded.err);
	if (root)
		read_line(kind, driver, root, ret);
	json_decref(root);
}

int k8s_list_meta_read(const char *json, size_t n, struct k8s_list_meta *ret,
		       struct err *err)
{
	json_t *root = json_parse_foreign(json, n, err);
	const json_t *more = json_object_get(root, "continue");
	struct k8s_list_meta meta;
	int rc = 0;

	if (!root)
		return -1;
	(void)snprintf(meta.version, sizeof(meta.version), "%s",
		       text(root, "resourceVersion", K8S_VERSION_MAX));
	(void)snprintf(meta.next, sizeof(meta.next), "%s",
		       text(root, "continue", K8S_TEXT_MAX));
	if (!*meta.version)
		rc = err_set(err, ERR_INVALID, "a list of no version");
	else if (!*meta.next && more && !json_is_null(more) &&
		 !(json_is_string(more) && json_string_length(more) == 0))
		rc = err_set(err, ERR_INVALID, "a continue token that cannot be used");
	else
		*ret = meta;
	json_decref(root);
	return rc;
}

void k8s_status_read(const char *json, size_t n, struct k8s_status *ret)
{
	struct err err = { .code = ERR_OK };
	json_t *root = json_parse_foreign(json, n, &err);

	(void)snprintf(ret->reason, sizeof(ret->reason), "%s",
		       text(root, "reason", sizeof(ret->reason) - 1));
	(void)snprintf(ret->message, sizeof(ret->message), "%.159s",
		       text(root, "message", K8S_OBJECT_MAX));
	json_decref(root);
}
