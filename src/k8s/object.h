#ifndef K8S_OBJECT_H
#define K8S_OBJECT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/map.h"

/* The few fields of API objects that this driver uses. An object is one heap block, its
 * texts behind the struct; absent texts are "". Never changed after it was decoded. */
enum k8s_kind {
	/* Watched, cluster scoped, kept in stores. */
	K8S_VA, /* VolumeAttachment of our driver */
	K8S_PV, /* PersistentVolume of our driver */
	K8S_NODE,
	K8S_CSINODE,
	K8S_WATCHED, /* how many are watched */
	/* Asked for when needed. */
	K8S_POD = K8S_WATCHED,
	K8S_PVC,
	K8S_LEASE,
	K8S_EVENT,
	K8S_NAMESPACE,
	K8S_KINDS
};

struct k8s_object {
	struct map_node node; /* in its store; the key is name */
	enum k8s_kind kind;
	bool is_deleting; /* metadata.deletionTimestamp is set */
	uint8_t round;	  /* the store's: of the list that showed it last */
	const char *name, *ns, *uid, *version; /* version: metadata.resourceVersion */
};

/* Each kind's struct begins with the object: CONTAINER_OF is a cast. */
struct k8s_va {
	struct k8s_object o;
	const char *node;   /* spec.nodeName */
	const char *pv;	    /* spec.source.persistentVolumeName; "" when inline */
	const char *handle; /* inlineVolumeSpec.csi.volumeHandle, or "" */
	bool is_attached;   /* status.attached */
};

enum k8s_pv_mode {
	K8S_PV_RWO = 1,
	K8S_PV_ROX = 2,
	K8S_PV_RWX = 4,
	K8S_PV_RWOP = 8,
};

struct k8s_pv {
	struct k8s_object o;
	const char *handle; /* spec.csi.volumeHandle */
	const char *claim_ns, *claim_name, *claim_uid;
	const char *attached_node; /* annotation <driver name>/attached-node */
	const char *phase;	   /* Available, Bound, Released, Failed, … */
	const char *volume_path;   /* spec.csi.volumeAttributes.volumePath */
	uint8_t modes;		   /* of enum k8s_pv_mode */
	bool is_block, is_retained;
};

struct k8s_node {
	struct k8s_object o;
	bool is_ready;		/* condition Ready is True */
	bool is_out_of_service; /* taint node.kubernetes.io/out-of-service */
	unsigned n_in_use;
	const char
		*in_use; /* handles of ours in status.volumesInUse, each with its NUL */
};

struct k8s_csinode {
	struct k8s_object o;
	bool has_driver;     /* our driver is registered there */
	const char *node_id; /* what it calls the node; "" without has_driver */
	unsigned n_keys;
	const char *keys; /* its topologyKeys, each with its NUL */
};

struct k8s_pod {
	struct k8s_object o;
	const char *node, *phase;
	const char *vmi; /* owning VirtualMachineInstance: ownerReference, else label
			  * kubevirt.io/vmi or vm.kubevirt.io/name; or "" */
	const char *owner_pod; /* ownerReference of kind Pod (a hot-plug pod's is the
				* virt-launcher); or "" */
	unsigned n_claims;
	const char *claims; /* claim names of its volumes, ephemeral ones too, NULs */
};

struct k8s_pvc {
	struct k8s_object o;
	const char *volume; /* spec.volumeName */
};

struct k8s_lease {
	struct k8s_object o;
	const char *holder;	/* spec.holderIdentity */
	const char *renew_time; /* spec.renewTime as it stands: only compared */
	uint32_t duration_s, transitions;
};

/* The handle in an object's NUL-separated list. */
bool k8s_list_has(const char *list, unsigned n, const char *text);
/* A copy in one heap block of its own, texts and lists with it, in no store; a NULL text
 * becomes "". So a struct on the stack whose texts are borrowed makes an object. NULL: no
 * memory. */
struct k8s_object *k8s_object_copy(const struct k8s_object *o);
void k8s_object_free(struct k8s_object *o); /* accepts NULL */
#endif
