#ifndef CSI_CSI_H
#define CSI_CSI_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/map.h"

struct rds;
struct nvme;
struct k8s;
struct vmi;
struct attachments;

/* The pool as GetCapacity last read it. */
struct csi_capacity {
	bool is_known;
	uint64_t read_ms; /* of clock_now_ms */
	uint64_t free_bytes, total_bytes;
	char base[256]; /* directory asked for; "" = the default */
};

/* With Kubernetes. */
struct csi_attach {
	/* --attachment-grace-period: for so long after a clean detach a hand-over before
	 * the objects show it is counted as one within the window. */
	uint64_t grace_ms;
	/* Between two sightings of a holder in the record that has no VolumeAttachment,
	 * before the record gives way. More than K8S_STALE_MS. */
	uint64_t interval_ms;
};

/* What the handlers of one driver process share. Made and owned by main; texts live as
 * long. */
struct csi {
	uv_loop_t *loop;
	const char
		*driver_name; /* rds.csi.srvlab.io unless --driver-name says otherwise */
	const char *vendor_version;
	bool is_controller, is_node;
	const char *node_id; /* "" when none */
	const char *cluster_id;
	/* Controller. */
	struct rds *rds; /* NULL on a node plugin */
	struct k8s *k8s; /* NULL with --kubernetes=off */
	struct attachments *attachments;
	struct vmi *vmi; /* NULL without --enable-vmi-serialization */
	struct csi_attach attach;
	const char *volume_base;  /* default directory of flat files */
	const char *rds_address;  /* management address, as written to volume_context */
	uint16_t nvme_port;	  /* default of StorageClass nvmePort */
	uint64_t fence_settle_ms; /* between the two scripts of a fence */
	bool is_export_kept;	  /* --export-policy=always */
	bool may_adopt_unmarked;  /* volumes without a record are taken as ours */
	struct csi_capacity capacity;
	/* Node. */
	struct nvme *nvme;	/* NULL on a controller */
	const char *nqn_prefix; /* CSI_MANAGED_NQN_PREFIX */
	int64_t max_volumes;	/* 0 = no limit told */
	struct map inflight;	/* of struct inflight by volume id */
};
#endif
