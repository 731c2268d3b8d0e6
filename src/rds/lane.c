#include "rds/lane.h"

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

static bool may_join(const struct lane_item *a, const struct lane_item *b)
{
	return a->joint && b->joint && a->step == b->step &&
	       ros_may_join(a->step, a->joint, b->joint);
}

static unsigned count_joinable(const struct list *queue, const struct lane_item *first)
{
	unsigned n = 0;

	LIST_FOREACH (it, queue)
		n += may_join(first, item_of(it));
	return n;
}

/* Those that wait are spread over the sessions that may take them. */
static unsigned take_joined(struct list *queue, struct lane_item *first, unsigned places,
			    const struct lane_load *load,
			    struct lane_item *ret[LANE_JOIN_MAX])
{
	unsigned waiting = count_joinable(queue, first), n = 0;
	unsigned share = (waiting + places - 1) / places;
	unsigned room =
		first->step == ROS_CREATE ? load->create_room : load->publish_room;
	size_t bytes = ros_join_head(first->step, first->joint);

	if (share > LANE_JOIN_MAX)
		share = LANE_JOIN_MAX;
	LIST_FOREACH (it, queue) {
		struct lane_item *item = item_of(it);

		if (n && n >= share)
			break;
		if (!may_join(first, item))
			continue;
		bytes += ros_join_bytes(item->step, item->joint);
		if (n && bytes > room)
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
	if (fast && may_join(fast, fast))
		return take_joined(queue, fast, load->idle, load, ret);
	if (fast)
		return take_one(fast, ret);
	LIST_FOREACH (it, queue) {
		struct lane_item *item = item_of(it);

		if (item->lane == LANE_READ)
			return take_one(item, ret);
		if (!room || item->lane == LANE_IDLE)
			continue;
		if (may_join(item, item))
			return take_joined(queue, item, room, load, ret);
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
