#ifndef VM_KUBELET_H
#define VM_KUBELET_H
#include "e2e/vol.h"

/* The directories of a kubelet, under the test's own: where it has volumes staged and
 * published, and the data file by which it knows a staged one (Kubernetes,
 * pkg/volume/csi: csi_attacher.go, csi_block.go, csi_util.go; 1.24 and later). */
char *kubelet_dir(char out[E2E_PATH]); /* for --kubelet-dir */
/* The volume's staging and target path are there from now on, and what the kubelet makes
 * before it calls: directories, the data file. */
bool kubelet_place(struct vol *v);
/* Another pod's target path, its parent made. */
bool kubelet_second_target(const struct vol *v, char out[E2E_PATH]);
/* All of it is gone, as on a node that was installed anew; mounts must be elsewhere. */
bool kubelet_forget(const struct vol *v);
#endif
