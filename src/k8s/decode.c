#include "k8s/decode.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/str.h"

/* Reads members; the first thing that does not fit is kept in err, and what comes after
 * may go on reading. */
struct reader {
	const char *driver;
	struct err *err;
};

static void refuse(struct reader *rd, const char *key, const char *why)
{
	if (rd->err->code == ERR_OK)
		(void)err_set(rd->err, ERR_INVALID, "%s: %s", key, why);
}

/* A member of the type, or NULL: absent, null, or refused. */
static const json_t *member(struct reader *rd, const json_t *in, const char *key,
			    json_type type)
{
	const json_t *v = json_object_get(in, key);

	if (!v || json_is_null(v))
		return NULL;
	if (json_typeof(v) == type)
		return v;
	refuse(rd, key, "wrong type");
	return NULL;
}

static const json_t *object(struct reader *rd, const json_t *in, const char *key)
{
	return member(rd, in, key, JSON_OBJECT);
}

static const json_t *array(struct reader *rd, const json_t *in, const char *key)
{
	return member(rd, in, key, JSON_ARRAY);
}

/* "" when absent or refused. */
static const char *text(struct reader *rd, const json_t *in, const char *key, size_t max)
{
	const json_t *v = member(rd, in, key, JSON_STRING);
	const char *s = v ? json_string_value(v) : "";

	if (v && json_string_length(v) > max) {
		refuse(rd, key, "too long");
		return "";
	}
	if (v && strlen(s) != json_string_length(v)) {
		refuse(rd, key, "has a NUL character");
		return "";
	}
	return s;
}

/* What anybody may write and nothing depends upon: whatever does not fit is absent. */
static const char *free_text(const json_t *in, const char *key, size_t max)
{
	const json_t *v = json_object_get(in, key);
	const char *s = json_string_value(v);

	return s && strlen(s) == json_string_length(v) && strlen(s) <= max ? s : "";
}

static const char *needed(struct reader *rd, const json_t *in, const char *key,
			  size_t max)
{
	const char *s = text(rd, in, key, max);

	if (!*s)
		refuse(rd, key, "missing");
	return s;
}

static bool is_true(struct reader *rd, const json_t *in, const char *key)
{
	const json_t *v = json_object_get(in, key);

	if (v && !json_is_null(v) && !json_is_boolean(v))
		refuse(rd, key, "wrong type");
	return json_is_true(v);
}

static uint32_t number(struct reader *rd, const json_t *in, const char *key)
{
	const json_t *v = member(rd, in, key, JSON_INTEGER);
	json_int_t i = v ? json_integer_value(v) : 0;

	if (i < 0 || i > INT32_MAX) {
		refuse(rd, key, "out of range");
		return 0;
	}
	return (uint32_t)i;
}

static bool is_text(const json_t *v, const char *s)
{
	const char *t = json_string_value(v);

	return t && strcmp(t, s) == 0;
}

static bool has_text(const json_t *in, const char *key, const char *s)
{
	return is_text(json_object_get(in, key), s);
}

static void read_meta(struct reader *rd, const json_t *root, struct k8s_object *o)
{
	const json_t *meta = object(rd, root, "metadata");
	const json_t *gone = json_object_get(meta, "deletionTimestamp");

	o->name = needed(rd, meta, "name", K8S_NAME_MAX);
	o->ns = text(rd, meta, "namespace", K8S_NS_MAX);
	o->uid = needed(rd, meta, "uid", K8S_UID_MAX);
	o->version = needed(rd, meta, "resourceVersion", K8S_VERSION_MAX);
	o->is_deleting = gone && !json_is_null(gone);
}

/* The readers of kinds: false when the object is another driver's. Texts are borrowed
 * from the JSON; list is filled where the kind has one. */
union any {
	struct k8s_object o;
	struct k8s_va va;
	struct k8s_pv pv;
	struct k8s_node node;
	struct k8s_csinode csinode;
	struct k8s_pod pod;
	struct k8s_pvc pvc;
	struct k8s_lease lease;
};

static bool read_va(struct reader *rd, const json_t *root, union any *ret,
		    struct buf *list)
{
	const json_t *spec = object(rd, root, "spec"), *source, *csi;
	const char *attacher = needed(rd, spec, "attacher", K8S_TEXT_MAX);

	(void)list;
	if (*attacher && strcmp(attacher, rd->driver) != 0)
		return false;
	source = object(rd, spec, "source");
	csi = object(rd, object(rd, source, "inlineVolumeSpec"), "csi");
	ret->va.node = needed(rd, spec, "nodeName", K8S_NAME_MAX);
	ret->va.pv = text(rd, source, "persistentVolumeName", K8S_NAME_MAX);
	ret->va.handle = text(rd, csi, "volumeHandle", K8S_HANDLE_MAX);
	ret->va.is_attached = is_true(rd, object(rd, root, "status"), "attached");
	if (!*ret->va.pv && !*ret->va.handle)
		refuse(rd, "source", "names no volume");
	return true;
}

static uint8_t mode_of(const json_t *v)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} modes[] = {
		{ "ReadWriteOnce", K8S_PV_RWO },
		{ "ReadOnlyMany", K8S_PV_ROX },
		{ "ReadWriteMany", K8S_PV_RWX },
		{ "ReadWriteOncePod", K8S_PV_RWOP },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (is_text(v, modes[i].name))
			return modes[i].bit;
	return 0;
}

static bool read_pv(struct reader *rd, const json_t *root, union any *ret,
		    struct buf *list)
{
	const json_t *spec = object(rd, root, "spec"), *csi = object(rd, spec, "csi");
	const json_t *claim, *modes, *meta = json_object_get(root, "metadata");
	struct k8s_pv *pv = &ret->pv;
	char key[K8S_NAME_MAX + 32];

	(void)list;
	if (!spec)
		refuse(rd, "spec", "missing");
	if (!csi && rd->err->code == ERR_OK)
		return false;
	if (strcmp(needed(rd, csi, "driver", K8S_TEXT_MAX), rd->driver) != 0 &&
	    rd->err->code == ERR_OK)
		return false;
	pv->handle = needed(rd, csi, "volumeHandle", K8S_HANDLE_MAX);
	pv->volume_path =
		text(rd, object(rd, csi, "volumeAttributes"), "volumePath", K8S_TEXT_MAX);
	claim = object(rd, spec, "claimRef");
	pv->claim_ns = text(rd, claim, "namespace", K8S_NS_MAX);
	pv->claim_name = text(rd, claim, "name", K8S_NAME_MAX);
	pv->claim_uid = text(rd, claim, "uid", K8S_UID_MAX);
	(void)snprintf(key, sizeof(key), "%.253s/attached-node", rd->driver);
	pv->attached_node =
		free_text(json_object_get(meta, "annotations"), key, K8S_NAME_MAX);
	pv->phase = text(rd, object(rd, root, "status"), "phase", K8S_NS_MAX);
	modes = array(rd, spec, "accessModes");
	for (size_t i = 0; i < json_array_size(modes); i++)
		pv->modes |= mode_of(json_array_get(modes, i));
	pv->is_block = strcmp(text(rd, spec, "volumeMode", K8S_NS_MAX), "Block") == 0;
	pv->is_retained =
		strcmp(text(rd, spec, "persistentVolumeReclaimPolicy", K8S_NS_MAX),
		       "Retain") == 0;
	return true;
}

static void list_add(struct reader *rd, struct buf *list, unsigned *n, const char *s)
{
	if (buf_append(list, s, strlen(s) + 1) == 0)
		++*n;
	else if (list->len + strlen(s) + 1 > list->max)
		refuse(rd, "list", "too long");
	else if (rd->err->code == ERR_OK)
		(void)err_nomem(rd->err);
}

/* "kubernetes.io/csi/<driver>^<handle>" (kubelet, GetUniqueVolumeName of a CSI volume).
 */
static void read_in_use(struct reader *rd, const json_t *status, struct k8s_node *ret,
			struct buf *list)
{
	const json_t *in_use = array(rd, status, "volumesInUse");
	char prefix[K8S_NAME_MAX + 32];

	(void)snprintf(prefix, sizeof(prefix), "kubernetes.io/csi/%.253s^", rd->driver);
	for (size_t i = 0; i < json_array_size(in_use); i++) {
		const json_t *v = json_array_get(in_use, i);
		const char *s = json_string_value(v);

		if (!s)
			refuse(rd, "volumesInUse", "wrong type");
		else if (!str_starts_with(s, prefix))
			continue;
		else if (strlen(s) != json_string_length(v) ||
			 strlen(s) - strlen(prefix) > K8S_HANDLE_MAX)
			refuse(rd, "volumesInUse", "is no handle");
		else
			list_add(rd, list, &ret->n_in_use, s + strlen(prefix));
	}
}

static bool read_node(struct reader *rd, const json_t *root, union any *ret,
		      struct buf *list)
{
	const json_t *spec = object(rd, root, "spec");
	const json_t *status = object(rd, root, "status");
	const json_t *taints = array(rd, spec, "taints");
	const json_t *conditions = array(rd, status, "conditions");

	for (size_t i = 0; i < json_array_size(taints); i++)
		ret->node.is_out_of_service |=
			has_text(json_array_get(taints, i), "key",
				 "node.kubernetes.io/out-of-service");
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		const json_t *c = json_array_get(conditions, i);

		ret->node.is_ready |=
			has_text(c, "type", "Ready") && has_text(c, "status", "True");
	}
	read_in_use(rd, status, &ret->node, list);
	return true;
}

static void read_keys(struct reader *rd, const json_t *driver, struct k8s_csinode *ret,
		      struct buf *list)
{
	const json_t *keys = array(rd, driver, "topologyKeys");

	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *s = json_string_value(json_array_get(keys, i));

		if (!s)
			refuse(rd, "topologyKeys", "is no text");
		else
			list_add(rd, list, &ret->n_keys, s);
	}
}

static bool read_csinode(struct reader *rd, const json_t *root, union any *ret,
			 struct buf *list)
{
	const json_t *drivers = array(rd, object(rd, root, "spec"), "drivers");

	for (size_t i = 0; i < json_array_size(drivers); i++) {
		const json_t *d = json_array_get(drivers, i);

		if (!has_text(d, "name", rd->driver))
			continue;
		ret->csinode.has_driver = true;
		ret->csinode.node_id = needed(rd, d, "nodeID", K8S_HANDLE_MAX);
		read_keys(rd, d, &ret->csinode, list);
	}
	return true;
}

static const char *owner_of(struct reader *rd, const json_t *meta, const char *kind)
{
	const json_t *owners = array(rd, meta, "ownerReferences");

	for (size_t i = 0; i < json_array_size(owners); i++) {
		const json_t *owner = json_array_get(owners, i);

		if (has_text(owner, "kind", kind))
			return text(rd, owner, "name", K8S_NAME_MAX);
	}
	return "";
}

/* KubeVirt's launcher pod is owned by its VirtualMachineInstance, which bears the name
 * of its VirtualMachine. */
static const char *vmi_of(struct reader *rd, const json_t *meta)
{
	const json_t *labels = json_object_get(meta, "labels");
	const char *s = owner_of(rd, meta, "VirtualMachineInstance");

	s = *s ? s : free_text(labels, "kubevirt.io/vmi", K8S_NAME_MAX);
	return *s ? s : free_text(labels, "vm.kubevirt.io/name", K8S_NAME_MAX);
}

/* A generic ephemeral volume's claim is named "<pod>-<volume>". */
static void read_claim(struct reader *rd, const json_t *volume, struct k8s_pod *pod,
		       struct buf *list)
{
	const json_t *claim = object(rd, volume, "persistentVolumeClaim");
	char name[2 * K8S_NAME_MAX + 2];

	if (claim) {
		list_add(rd, list, &pod->n_claims,
			 needed(rd, claim, "claimName", K8S_NAME_MAX));
	} else if (object(rd, volume, "ephemeral")) {
		(void)snprintf(name, sizeof(name), "%.253s-%.253s", pod->o.name,
			       needed(rd, volume, "name", K8S_NAME_MAX));
		list_add(rd, list, &pod->n_claims, name);
	}
}

static bool read_pod(struct reader *rd, const json_t *root, union any *ret,
		     struct buf *list)
{
	const json_t *spec = object(rd, root, "spec");
	const json_t *volumes = array(rd, spec, "volumes");
	struct k8s_pod *pod = &ret->pod;

	pod->node = text(rd, spec, "nodeName", K8S_NAME_MAX);
	pod->phase = text(rd, object(rd, root, "status"), "phase", K8S_NS_MAX);
	pod->vmi = vmi_of(rd, json_object_get(root, "metadata"));
	pod->owner_pod = owner_of(rd, json_object_get(root, "metadata"), "Pod");
	for (size_t i = 0; i < json_array_size(volumes); i++)
		read_claim(rd, json_array_get(volumes, i), pod, list);
	return true;
}

static bool read_pvc(struct reader *rd, const json_t *root, union any *ret,
		     struct buf *list)
{
	(void)list;
	ret->pvc.volume = text(rd, object(rd, root, "spec"), "volumeName", K8S_NAME_MAX);
	return true;
}

static bool read_lease(struct reader *rd, const json_t *root, union any *ret,
		       struct buf *list)
{
	const json_t *spec = object(rd, root, "spec");

	(void)list;
	ret->lease.holder = text(rd, spec, "holderIdentity", K8S_TEXT_MAX);
	ret->lease.renew_time = text(rd, spec, "renewTime", K8S_NS_MAX);
	ret->lease.duration_s = number(rd, spec, "leaseDurationSeconds");
	ret->lease.transitions = number(rd, spec, "leaseTransitions");
	return true;
}

static bool read_nothing(struct reader *rd, const json_t *root, union any *ret,
			 struct buf *list)
{
	(void)rd, (void)root, (void)ret, (void)list;
	return true;
}

static bool (*const readers[K8S_KINDS])(struct reader *rd, const json_t *root,
					union any *ret, struct buf *list) = {
	[K8S_VA] = read_va,
	[K8S_PV] = read_pv,
	[K8S_NODE] = read_node,
	[K8S_CSINODE] = read_csinode,
	[K8S_POD] = read_pod,
	[K8S_PVC] = read_pvc,
	[K8S_LEASE] = read_lease,
	[K8S_EVENT] = read_nothing,
	[K8S_NAMESPACE] = read_nothing,
};

static void pack(union any *any, struct buf *list, struct k8s_decoded *ret)
{
	if (any->o.kind == K8S_NODE)
		any->node.in_use = list->data;
	else if (any->o.kind == K8S_CSINODE)
		any->csinode.keys = list->data;
	else if (any->o.kind == K8S_POD)
		any->pod.claims = list->data;
	ret->object = k8s_object_copy(&any->o);
	ret->reading = ret->object ? K8S_READ : K8S_NO_MEMORY;
	if (!ret->object)
		(void)err_nomem(&ret->err);
}

void k8s_decode_json(enum k8s_kind kind, const char *driver, const json_t *root,
		     struct k8s_decoded *ret)
{
	struct reader rd = { .driver = driver, .err = &ret->err };
	union any any;
	struct buf list;
	bool is_ours;

	*ret = (struct k8s_decoded){ .reading = K8S_UNREADABLE };
	memset(&any, 0, sizeof(any));
	any.o.kind = kind;
	buf_init(&list, K8S_LIST_MAX);
	read_meta(&rd, root, &any.o);
	(void)snprintf(ret->name, sizeof(ret->name), "%s", any.o.name);
	(void)snprintf(ret->version, sizeof(ret->version), "%s", any.o.version);
	is_ours = readers[kind](&rd, root, &any, &list);
	if (ret->err.code == ERR_EXHAUSTED)
		ret->reading = K8S_NO_MEMORY;
	else if (ret->err.code != ERR_OK)
		ret->reading = K8S_UNREADABLE;
	else if (!is_ours)
		ret->reading = K8S_FOREIGN;
	else
		pack(&any, &list, ret);
	buf_fini(&list);
}

void k8s_decode(enum k8s_kind kind, const char *driver, const char *json, size_t n,
		struct k8s_decoded *ret)
{
	json_t *root;

	*ret = (struct k8s_decoded){ .reading = K8S_UNREADABLE };
	root = json_parse_foreign(json, n, &ret->err);
	if (root)
		k8s_decode_json(kind, driver, root, ret);
	else if (ret->err.code == ERR_EXHAUSTED)
		ret->reading = K8S_NO_MEMORY;
	json_decref(root);
}
