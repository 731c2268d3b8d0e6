#ifndef FAKE_NVME_LOOK_H
#define FAKE_NVME_LOOK_H
#include "fakes/fake_nvme.h"

/* Between the files of the fake: what it shows of its world. */
static inline struct fake_nvme *fake_nvme_of(struct nvme *nvme)
{
	return CONTAINER_OF(nvme, struct fake_nvme, nvme);
}

void fake_nvme_fill_device(const struct fake_nvme *f, struct nvme_device *dev);
int fake_nvme_look(struct nvme *nvme, const struct nvme_query *q, struct nvme_view *ret,
		   struct err *err);
bool fake_nvme_is_mounted(struct nvme *nvme, const char *path,
			  const struct nvme_device *dev, const char *nqn);
#endif
