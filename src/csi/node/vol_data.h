#ifndef NODE_VOL_DATA_H
#define NODE_VOL_DATA_H
#include <stddef.h>

#include "core/err.h"
#include "csi/ids.h"

/* vol_data.json, which the kubelet writes beside what it stages: one object of strings,
 * of which "driverName" and "volumeHandle" matter here (Kubernetes, pkg/volume/csi,
 * csi_attacher.go and csi_block.go). Pure. */
enum { VOL_DATA_MAX = 64 * 1024 };

/* 1 and the volume's id when it is the driver's; 0 when it is another driver's; -1 when
 * it cannot be understood or names no volume of ours. */
int vol_data_parse(const char *text, size_t n, const char *driver, char ret_id[ID_VOLUME],
		   struct err *err);
#endif
