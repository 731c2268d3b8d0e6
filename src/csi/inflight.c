#include "csi/inflight.h"

#include "core/list.h"

int inflight_enter(struct map *map, struct inflight *in, const char *key,
		   const char *what, struct err *err)
{
	struct map_node *other = map_find(map, key);

	if (other)
		return err_set(err, ERR_ABORTED, "%s of this volume is still running",
			       CONTAINER_OF(other, struct inflight, node)->what);
	if (map_add(map, &in->node, key))
		return err_nomem(err);
	in->what = what;
	in->map = map;
	return 0;
}

void inflight_leave(struct inflight *in)
{
	if (in->map)
		map_remove(in->map, &in->node);
	in->map = NULL;
}
