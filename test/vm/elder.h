#ifndef VM_ELDER_H
#define VM_ELDER_H
#include "vm/hand.h"
#include "vm/lab.h"

/* A volume as the driver written in Go leaves it: made on the box, connected by nvme-cli
 * under the host's own name, formatted, mounted, or as a device node at the pod's path
 * (its version 0.11.0; the tools' defaults). */

/* The name that nvme-cli uses on this host, from /etc/nvme. */
extern const char elder_hostnqn[], elder_hostid[];

/* The disk on the box, always exported, and the volume's two contexts: the publish
 * context has a wrong port and file system, as that driver's has. */
bool elder_create(struct sim *box, struct vol *v);
void elder_put(struct vol_context *c, const char *key, const char *value);
/* Connects, formats a file system, mounts or makes the node: staged and published at the
 * volume's paths, which must be the kubelet's (kubelet_place). */
bool elder_stage(const struct vol *v);
#endif
