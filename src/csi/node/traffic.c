#include "csi/node/traffic.h"

#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

enum { STEP = 16 };

bool node_traffic_id(const char *nqn, const char *prefix, char ret[ID_VOLUME])
{
	const char *id = nqn + strlen(prefix), *dot;
	size_t n;

	if (!str_starts_with(nqn, prefix))
		return false;
	dot = strchr(id, '.');
	n = dot ? (size_t)(dot - id) : strlen(id);
	if (!n || n >= ID_VOLUME)
		return false;
	memcpy(ret, id, n);
	ret[n] = '\0';
	return id_is_volume(ret);
}

static struct node_traffic_volume *place_for(struct node_traffic *n, const char *id)
{
	unsigned room = n->room + STEP;
	void *more;

	for (unsigned i = 0; i < n->n; i++)
		if (strcmp(n->at[i].id, id) == 0)
			return &n->at[i];
	if (n->n == n->room) {
		more = room > NODE_TRAFFIC_MAX
			       ? NULL
			       : mem_realloc(n->at, room * sizeof(n->at[0]));
		if (!more)
			return NULL;
		n->at = more;
		n->room = room;
	}
	n->at[n->n] = (struct node_traffic_volume){ .id = "" };
	memcpy(n->at[n->n].id, id, strlen(id) + 1);
	return &n->at[n->n++];
}

struct look {
	struct node_traffic *n;
	const char *prefix;
};

/* Of several sessions of one volume one has its device, or both have the same. */
static bool on_session(void *arg, const struct nvme_traffic *t)
{
	const struct look *k = arg;
	struct node_traffic *n = k->n;
	struct node_traffic_volume *v;
	char id[ID_VOLUME];

	if (!node_traffic_id(t->nqn, k->prefix, id))
		return true;
	n->n_live += t->state == NVME_LIVE;
	n->n_connecting += t->state == NVME_RECOVERING;
	n->n_deleting += t->state == NVME_GOING;
	v = place_for(n, id);
	if (v && t->has_device) {
		v->t = *t;
		v->t.nqn = v->id;
	}
	return true;
}

void node_traffic_look(struct node_traffic *n, const struct csi *csi)
{
	const struct nvme_ops *ops = csi->nvme->ops;
	struct look k = { n, csi->nqn_prefix };
	uint64_t now_ms = clock_now_ms(csi->loop);
	struct err ignored;

	if (!ops->traffic || (n->is_known && now_ms - n->read_ms < NODE_TRAFFIC_MS))
		return;
	n->n = n->n_live = n->n_connecting = n->n_deleting = 0;
	n->read_ms = now_ms;
	n->is_known = ops->traffic(csi->nvme, on_session, &k, &ignored) == 0;
}

void node_traffic_fini(struct node_traffic *n)
{
	mem_free(n->at);
	*n = (struct node_traffic){ .at = NULL };
}
