#ifndef K8S_DECODE_H
#define K8S_DECODE_H
#include "core/err.h"
#include "core/json.h"
#include "k8s/object.h"

/* JSON of one API object -> its struct, of the fields in object.h only; all others are
 * skipped. Pure. What others wrote is never trusted: texts are bounded, wrong types make
 * the object unreadable as a whole, never half read. */
enum {
	K8S_NAME_MAX = 253,    /* DNS subdomain, RFC 1123 */
	K8S_NS_MAX = 63,       /* DNS label */
	K8S_UID_MAX = 128,     /* opaque; a UUID today */
	K8S_VERSION_MAX = 128, /* opaque; decimal today */
	K8S_HANDLE_MAX = 256,
	K8S_TEXT_MAX = 1024,
	K8S_LIST_MAX = 64 * 1024,	  /* of all texts of a list together */
	K8S_OBJECT_MAX = 2 * 1024 * 1024, /* JSON of one; etcd's limit is 1.5 MiB */
};

enum k8s_reading {
	K8S_READ,	/* object is set, the caller's to free */
	K8S_FOREIGN,	/* readable, but another driver's (VA, PV) */
	K8S_UNREADABLE, /* err says why */
	K8S_NO_MEMORY,
};

struct k8s_decoded {
	enum k8s_reading reading;
	struct k8s_object *object;
	/* Whatever the reading; "" where they could not be read. */
	char name[K8S_NAME_MAX + 1], version[K8S_VERSION_MAX + 1];
	struct err err;
};

/* driver: the driver's name; a VolumeAttachment's attacher, a PersistentVolume's
 * csi.driver, the prefix of annotations. */
void k8s_decode(enum k8s_kind kind, const char *driver, const char *json, size_t n,
		struct k8s_decoded *ret);

/* The same of JSON that was parsed already, by json_parse_foreign. *ret is set whole. */
void k8s_decode_json(enum k8s_kind kind, const char *driver, const json_t *root,
		     struct k8s_decoded *ret);
#endif
