#include "core/clock.h"

#include <time.h>

#include "core/mem.h"

static struct clock *clock_of(uv_loop_t *loop)
{
	bug_on(!loop->data);
	return loop->data;
}

uint64_t clock_now_ms(uv_loop_t *loop)
{
	struct clock *c = clock_of(loop);

	return c->is_fake ? c->fake_now_ms : uv_now(loop);
}

static uint64_t read_us(clockid_t id)
{
	struct timespec ts = { .tv_sec = 0 };

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_boot_ms(uv_loop_t *loop)
{
	struct clock *c = clock_of(loop);

	return c->is_fake ? c->fake_now_ms + c->fake_slept_ms
			  : read_us(CLOCK_BOOTTIME) / 1000;
}

uint64_t clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

static void fire_due(struct clock *c, uint64_t now_ms)
{
	while (!list_is_empty(&c->timers)) {
		struct clock_timer *t =
			CONTAINER_OF(c->timers.next, struct clock_timer, node);

		if (t->due_ms > now_ms)
			return;
		list_remove(&t->node);
		t->fire(t);
	}
}

static void on_timer(uv_timer_t *timer);

/* The one uv_timer follows the soonest timer; without any it is stopped, so that it does
 * not keep the loop alive. */
static void arm(struct clock *c)
{
	uv_loop_t *loop = c->timer.loop;

	if (c->is_fake || list_is_empty(&c->timers)) {
		(void)uv_timer_stop(&c->timer);
		return;
	}
	struct clock_timer *t = CONTAINER_OF(c->timers.next, struct clock_timer, node);
	uint64_t now = uv_now(loop);

	(void)uv_timer_start(&c->timer, on_timer, t->due_ms > now ? t->due_ms - now : 0,
			     0);
}

static void on_timer(uv_timer_t *timer)
{
	struct clock *c = CONTAINER_OF(timer, struct clock, timer);

	fire_due(c, uv_now(timer->loop));
	arm(c);
}

void clock_open(struct clock *c, uv_loop_t *loop)
{
	*c = (struct clock){ .is_fake = false };
	list_init(&c->timers);
	(void)uv_timer_init(loop, &c->timer);
	loop->data = c;
}

void clock_close(uv_loop_t *loop)
{
	struct clock *c = clock_of(loop);

	bug_on(!list_is_empty(&c->timers));
	uv_close((uv_handle_t *)&c->timer, NULL);
}

void clock_timer_start(uv_loop_t *loop, struct clock_timer *t, uint64_t delay_ms,
		       void (*fire)(struct clock_timer *t))
{
	struct clock *c = clock_of(loop);
	struct list *pos;

	/* Loop time is cached: after a long callback a short timer would fire at once. */
	if (!c->is_fake)
		uv_update_time(loop);
	list_remove(&t->node);
	t->fire = fire;
	t->due_ms = clock_now_ms(loop) + delay_ms;
	for (pos = c->timers.prev; pos != &c->timers; pos = pos->prev)
		if (CONTAINER_OF(pos, struct clock_timer, node)->due_ms <= t->due_ms)
			break;
	list_insert(pos->next, &t->node);
	if (c->timers.next == &t->node)
		arm(c);
}

/* A lone node has the list head on both sides: that is how the clock is found. When
 * others remain, the uv_timer may fire once for nothing and re-arms itself. */
void clock_timer_stop(struct clock_timer *t)
{
	struct list *head = t->node.next;
	bool is_last = head && head == t->node.prev;

	list_remove(&t->node);
	if (is_last)
		arm(CONTAINER_OF(head, struct clock, timers));
}

void clock_hold(uv_loop_t *loop)
{
	struct clock *c = clock_of(loop);

	c->fake_now_ms = clock_now_ms(loop);
	c->is_fake = true;
	arm(c);
}

void clock_advance(uv_loop_t *loop, uint64_t ms)
{
	struct clock *c = clock_of(loop);
	uint64_t until = c->fake_now_ms + ms;

	bug_on(!c->is_fake);
	while (!list_is_empty(&c->timers)) {
		struct clock_timer *t =
			CONTAINER_OF(c->timers.next, struct clock_timer, node);

		if (t->due_ms > until)
			break;
		if (t->due_ms > c->fake_now_ms)
			c->fake_now_ms = t->due_ms;
		list_remove(&t->node);
		t->fire(t);
	}
	c->fake_now_ms = until;
}

void clock_pause(uv_loop_t *loop, uint64_t ms)
{
	struct clock *c = clock_of(loop);

	bug_on(!c->is_fake);
	c->fake_slept_ms += ms;
}
