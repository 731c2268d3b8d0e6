#include "k8s/rate.h"

#include "core/mem.h"

enum { STEP_MS = 1000 / K8S_RATE_PER_S };

void k8s_rate_init(struct k8s_rate *r, uv_loop_t *loop)
{
	*r = (struct k8s_rate){ .loop = loop };
	list_init(&r->waiting);
}

void k8s_rate_fini(struct k8s_rate *r)
{
	bug_on(r->loop && !list_is_empty(&r->waiting));
	clock_timer_stop(&r->timer);
}

/* Time until one more may go: the bucket holds a full burst less one step for each
 * request since. */
static uint64_t delay(const struct k8s_rate *r, uint64_t now_ms)
{
	uint64_t slack = (uint64_t)(K8S_RATE_BURST - 1) * STEP_MS;

	return r->full_at_ms > now_ms + slack ? r->full_at_ms - now_ms - slack : 0;
}

static void on_timer(struct clock_timer *t)
{
	struct k8s_rate *r = CONTAINER_OF(t, struct k8s_rate, timer);
	uint64_t now = clock_now_ms(r->loop);

	while (!list_is_empty(&r->waiting) && delay(r, now) == 0) {
		struct k8s_turn *turn =
			CONTAINER_OF(r->waiting.next, struct k8s_turn, node);

		r->full_at_ms = (r->full_at_ms > now ? r->full_at_ms : now) + STEP_MS;
		list_remove(&turn->node);
		turn->granted(turn);
	}
	if (!list_is_empty(&r->waiting))
		clock_timer_start(r->loop, &r->timer, delay(r, now), on_timer);
}

void k8s_rate_wait(struct k8s_rate *r, struct k8s_turn *t,
		   void (*granted)(struct k8s_turn *t))
{
	t->granted = granted;
	list_append(&r->waiting, &t->node);
	if (!clock_timer_is_running(&r->timer))
		clock_timer_start(r->loop, &r->timer, delay(r, clock_now_ms(r->loop)),
				  on_timer);
}

void k8s_rate_leave(struct k8s_turn *t)
{
	list_remove(&t->node);
}
