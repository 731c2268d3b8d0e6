#ifndef CSI_NODE_HEALTH_H
#define CSI_NODE_HEALTH_H
#include "nvme/nvme.h"

/* A volume's condition, as NodeGetVolumeStats tells it. Pure. */
struct health_facts {
	const struct nvme_view *view;  /* at the volume's path */
	const struct nvme_record *rec; /* NULL = none */
	const char *stuck;	       /* what a stuck child was to do, "" = none */
	bool is_other_node;	       /* a device node there leads elsewhere */
};
/* True: abnormal. message: for people, never empty. */
bool health_judge(const struct health_facts *f, char message[200]);
#endif
