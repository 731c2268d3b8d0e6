#include "rds/lane.h"

#include <string.h>

static struct lane_item *item_of(struct list *node)
{
	return CONTAINER_OF(node, struct lane_item, node);
}

static struct lane_item *first_of(const struct list *queue, enum lane lane)
{
	LIST_FOREACH (it, queue)
		if (item_of(it)->lane == lane)
			return item_of(it);
	return NULL;
}

static unsigned bulk_room(const struct lane_load *load)
{
	unsigned limit = load->max_sessions > 1 ? load->max_sessions - 1 : 1;

	return limit > load->busy_bulk ? limit - load->busy_bulk : 0;
}

static unsigned count_joinable(const struct list *queue, const struct ros_args *first)
{
	unsigned n = 0;

	LIST_FOREACH (it, queue)
		if (item_of(it)->create && ros_may_join(first, item_of(it)->create))
			n++;
	return n;
}

/* The waiting creates are spread over the sessions that may take them. */
static unsigned take_creates(struct list *queue, struct lane_item *first,
			     const struct lane_load *load,
			     struct lane_item *ret[LANE_JOIN_MAX])
{
	unsigned waiting = count_joinable(queue, first->create);
	unsigned places = bulk_room(load), share = (waiting + places - 1) / places, n = 0;
	size_t bytes = strlen(first->create->nqn);

	if (share > LANE_JOIN_MAX)
		share = LANE_JOIN_MAX;
	LIST_FOREACH (it, queue) {
		struct lane_item *item = item_of(it);

		if (n && n >= share)
			break;
		if (!item->create || !ros_may_join(first->create, item->create))
			continue;
		bytes += ros_join_bytes(item->create);
		if (n && bytes > load->join_room)
			break;
		list_remove(&item->node);
		ret[n++] = item;
	}
	return n;
}

/* What else may go has been looked for already. */
static struct lane_item *idle_item(const struct list *queue, const struct lane_load *load)
{
	return load->idle > 1 || !load->busy ? first_of(queue, LANE_IDLE) : NULL;
}

static unsigned take_one(struct lane_item *item, struct lane_item *ret[LANE_JOIN_MAX])
{
	list_remove(&item->node);
	ret[0] = item;
	return 1;
}

unsigned lane_take(struct list *queue, const struct lane_load *load,
		   struct lane_item *ret[LANE_JOIN_MAX])
{
	struct lane_item *fast = first_of(queue, LANE_FAST), *last;
	unsigned room = bulk_room(load);

	if (!load->idle)
		return 0;
	if (fast)
		return take_one(fast, ret);
	LIST_FOREACH (it, queue) {
		struct lane_item *item = item_of(it);

		if (item->lane == LANE_READ)
			return take_one(item, ret);
		if (!room || item->lane == LANE_IDLE)
			continue;
		if (item->create && ros_may_join(item->create, item->create))
			return take_creates(queue, item, load, ret);
		return take_one(item, ret);
	}
	last = idle_item(queue, load);
	return last ? take_one(last, ret) : 0;
}

unsigned lane_wanted(const struct list *queue, const struct lane_load *load)
{
	/* No session is opened for figures beside one that there is. */
	bool has_session = load->idle || load->busy;
	unsigned others = 0, bulk = 0, room = bulk_room(load), wanted;

	LIST_FOREACH (it, queue)
		if (item_of(it)->lane == LANE_BULK)
			bulk++;
		else if (item_of(it)->lane != LANE_IDLE || !has_session)
			others++;
	wanted = others + (bulk < room ? bulk : room);
	return wanted > load->idle ? wanted - load->idle : 0;
}
