#ifndef NODE_KUBELET_DIRS_H
#define NODE_KUBELET_DIRS_H
#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "csi/ids.h"

/* The volumes of one driver that the kubelet has staged, or was about to stage, by the
 * directories it keeps (Kubernetes, pkg/volume/csi: csi_attacher.go makeDeviceMountPath,
 * csi_block.go getStagingPath, csi_util.go). Below <kubelet>/plugins/kubernetes.io/csi:
 *
 *   <driver>/<sha256 of the handle>/{vol_data.json,globalmount}      from 1.24 on
 *   pv/<PV's name>/{vol_data.json,globalmount}                       before
 *   volumeDevices/<PV's name>/data/vol_data.json                     raw block, staged at
 *   volumeDevices/staging/<PV's name>
 *
 * Reads small files of the host's own disk only: never a path that is or may be mounted.
 */
enum { KUBELET_MAX_VOLUMES = 4096 };

struct kubelet_volume {
	char id[ID_VOLUME];
	bool is_block;
	char *staging; /* owned; canonical, as mountinfo has it */
};

struct kubelet_volumes {
	struct kubelet_volume *at; /* owned */
	size_t n, cap;
};

/* A file that cannot be understood is logged and left out. 0, also when there is no such
 * directory; -1 with UNAVAILABLE, or RESOURCE_EXHAUSTED: what was found until then is
 * there. */
int kubelet_volumes_read(struct kubelet_volumes *v, const char *kubelet_dir,
			 const char *driver, struct err *err);
void kubelet_volumes_fini(struct kubelet_volumes *v); /* accepts a zeroed struct */
bool kubelet_volumes_have(const struct kubelet_volumes *v, const char *id);
#endif
