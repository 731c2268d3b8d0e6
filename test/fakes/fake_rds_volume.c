#include <stdio.h>

#include "core/mem.h"
#include "fakes/fake_rds.h"

struct rds_volume *fake_rds_find(struct fake_rds *f, const char *id)
{
	struct map_node *n = map_find(&f->volumes, id);

	return n ? &CONTAINER_OF(n, struct fake_volume, node)->v : NULL;
}

struct rds_volume *fake_rds_add(struct fake_rds *f, const char *id, uint64_t size_bytes)
{
	struct fake_volume *fv = mem_calloc(1, sizeof(*fv));

	if (!fv)
		return NULL;
	snprintf(fv->v.id, sizeof(fv->v.id), "%s", id);
	snprintf(fv->v.path, sizeof(fv->v.path), "/pool/csi/%s.img", id);
	snprintf(fv->v.nqn, sizeof(fv->v.nqn), "nqn.2000-02.com.mikrotik:%s", id);
	fv->v.size_bytes = size_bytes;
	fv->v.layout = RDS_LAYOUT_FILE;
	fv->v.is_file_disk = true;
	fv->v.port = 4420;
	if (map_add(&f->volumes, &fv->node, fv->v.id)) {
		mem_free(fv);
		return NULL;
	}
	return &fv->v;
}
