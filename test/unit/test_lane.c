#include "support/t.h"

#include <string.h>

#include "rds/lane.h"

enum { MANY = 60 };

static struct lane_item items[MANY], *got[LANE_JOIN_MAX];
static struct ros_args args[MANY];
static char ids[MANY][16], nqns[MANY][64];
static struct list queue;

/* f r b i, c for a create, p for a publish. */
static void fill(const char *lanes)
{
	list_init(&queue);
	memset(items, 0, sizeof(items));
	for (unsigned i = 0; lanes[i]; i++) {
		snprintf(ids[i], 16, "pvc-%u", i);
		snprintf(nqns[i], 64, "nqn.x:pvc-%u.g0-%08x", i, i);
		args[i] = (struct ros_args){
			.id = ids[i],
			.nqn = nqns[i],
			.record = "rds-csi:1 aaaaaaaa c=p g=0 s=ok h=- b=0 q=-",
			.nonce = "aaaaaaaa",
			.expect_nonce = "bbbbbbbb",
		};
		items[i].lane = strchr("fp", lanes[i]) ? LANE_FAST
				: lanes[i] == 'r'      ? LANE_READ
				: lanes[i] == 'i'      ? LANE_IDLE
						       : LANE_BULK;
		items[i].step = lanes[i] == 'c'	  ? ROS_CREATE
				: lanes[i] == 'p' ? ROS_PUBLISH
				: lanes[i] == 'f' ? ROS_UNPUBLISH
						  : ROS_DELETE;
		items[i].joint = &args[i];
		list_append(&queue, &items[i].node);
	}
}

static unsigned take(unsigned max, unsigned idle, unsigned busy_bulk)
{
	struct lane_load load = { max, idle, busy_bulk, busy_bulk, 2000, 2000 };

	return lane_take(&queue, &load, got);
}

Test(lane, fast_goes_first_and_alone)
{
	fill("bcrff");
	cr_assert_eq(take(4, 1, 0), 1);
	cr_assert_eq(got[0], &items[3]);
	cr_assert_eq(take(4, 1, 3), 1);
	cr_assert_eq(got[0], &items[4]);
	cr_assert_eq(take(4, 0, 0), 0);
}

Test(lane, bulk_leaves_one_session_free)
{
	fill("bb");
	cr_assert_eq(take(4, 1, 3), 0);
	cr_assert_eq(take(4, 2, 2), 1);
	cr_assert_eq(take(1, 1, 0), 1, "with one session it must do");
	fill("br");
	cr_assert_eq(take(4, 1, 3), 1);
	cr_assert_eq(got[0], &items[1], "a read need not wait for bulk");
}

Test(lane, creates_are_spread_and_joined)
{
	char lanes[MANY + 1];

	memset(lanes, 'c', MANY);
	lanes[MANY] = '\0';
	fill(lanes);
	cr_assert_eq(take(4, 1, 0), LANE_JOIN_MAX);
	cr_assert_eq(got[0], &items[0]);
	cr_assert_eq(got[LANE_JOIN_MAX - 1], &items[LANE_JOIN_MAX - 1]);
	fill(lanes);
	struct lane_load small = { 4, 1, 0, 0, 200, 2000 };
	unsigned n = lane_take(&queue, &small, got);
	cr_assert(n > 1 && n < 6, "%u in 200 bytes", n);
	lanes[4] = '\0';
	fill(lanes);
	cr_assert_eq(take(4, 3, 0), 2, "four over three sessions");
	fill("c");
	cr_assert_eq(take(4, 1, 0), 1);
}

Test(lane, only_what_is_alike_is_joined)
{
	fill("cbcc");
	args[2].port = 1;
	cr_assert_eq(take(2, 1, 0), 2);
	cr_assert(got[0] == &items[0] && got[1] == &items[3]);
	cr_assert_eq(take(2, 1, 0), 1);
	cr_assert_eq(got[0], &items[1]);
	cr_assert_eq(take(2, 1, 0), 1);
	cr_assert_eq(got[0], &items[2]);
}

Test(lane, publishes_are_spread_over_what_is_idle_and_joined)
{
	struct lane_load small = { 4, 1, 0, 0, 2000, 300 };
	char lanes[MANY + 1];
	unsigned n;

	fill("pppp");
	cr_assert_eq(take(4, 1, 3), 4);
	fill("pppp");
	cr_assert_eq(take(4, 3, 0), 2);
	fill("pppp");
	items[2].joint = NULL;
	cr_assert_eq(take(4, 1, 3), 3);
	cr_assert_eq(take(4, 1, 3), 1, "one that was tried before goes alone");
	memset(lanes, 'p', MANY);
	lanes[MANY] = '\0';
	fill(lanes);
	n = lane_take(&queue, &small, got);
	cr_assert(n > 1 && n < 5, "%u in 300 bytes", n);
}

Test(lane, a_publish_is_joined_with_publishes_alone)
{
	fill("cpfpcp");
	args[5].expect_nonce = NULL;
	cr_assert_eq(take(4, 1, 0), 2);
	cr_assert(got[0] == &items[1] && got[1] == &items[3]);
	cr_assert_eq(take(4, 1, 0), 1);
	cr_assert_eq(got[0], &items[2], "in the order of the lane");
	cr_assert_eq(take(4, 1, 0), 1);
	cr_assert_eq(got[0], &items[5], "a first record is written alone");
	cr_assert_eq(take(4, 1, 0), 1);
	cr_assert_eq(got[0], &items[0]);
}

Test(lane, wants_the_sessions_that_could_work)
{
	struct lane_load load = { .max_sessions = 4 };

	fill("");
	cr_assert_eq(lane_wanted(&queue, &load), 0);
	fill("bbbbbb");
	cr_assert_eq(lane_wanted(&queue, &load), 3);
	load.idle = 1;
	cr_assert_eq(lane_wanted(&queue, &load), 2);
	load.busy_bulk = 3;
	cr_assert_eq(lane_wanted(&queue, &load), 0);
	fill("bff");
	cr_assert_eq(lane_wanted(&queue, &load), 1);
}

Test(lane, figures_go_where_nothing_else_could_and_leave_a_session)
{
	struct lane_load load = { .max_sessions = 4, .idle = 2, .create_room = 2000 };

	fill("ib");
	cr_assert_eq(lane_take(&queue, &load, got), 1);
	cr_assert_eq(got[0], &items[1], "bulk goes before");
	fill("ir");
	cr_assert_eq(lane_take(&queue, &load, got), 1);
	cr_assert_eq(got[0], &items[1], "a read goes before");
	fill("if");
	cr_assert_eq(lane_take(&queue, &load, got), 1);
	cr_assert_eq(got[0], &items[1], "a publish goes before");
	load.busy = 2;
	fill("i");
	cr_assert_eq(lane_take(&queue, &load, got), 1, "another session stays free");
	load.idle = 1;
	fill("i");
	cr_assert_eq(lane_take(&queue, &load, got), 0, "not the last free one");
	load.busy = 0;
	cr_assert_eq(lane_take(&queue, &load, got), 1, "nothing is at work");
	load.busy = load.busy_bulk = 3;
	fill("bi");
	cr_assert_eq(lane_take(&queue, &load, got), 0);
}

Test(lane, figures_open_a_session_only_where_there_is_none)
{
	struct lane_load load = { .max_sessions = 4 };

	fill("i");
	cr_assert_eq(lane_wanted(&queue, &load), 1);
	load.busy = 1;
	cr_assert_eq(lane_wanted(&queue, &load), 0);
	load.idle = 1;
	load.busy = 0;
	cr_assert_eq(lane_wanted(&queue, &load), 0);
}
