#ifndef K8S_RATE_H
#define K8S_RATE_H
#include "core/clock.h"

/* The client's own limit on requests: a bucket of K8S_RATE_BURST that refills by
 * K8S_RATE_PER_S, first come first served. Whatever goes wrong above, the API server
 * never sees more. Owned by the k8s implementation. */
enum {
	K8S_RATE_PER_S = 20,
	K8S_RATE_BURST = 40,
};

struct k8s_rate {
	uv_loop_t *loop;
	uint64_t full_at_ms; /* when the bucket is full again */
	struct list waiting;
	struct clock_timer timer;
};

/* A place in the queue, embedded by who waits. Zeroed = not waiting. */
struct k8s_turn {
	struct list node;
	void (*granted)(struct k8s_turn *t);
};

void k8s_rate_init(struct k8s_rate *r, uv_loop_t *loop);
void k8s_rate_fini(struct k8s_rate *r); /* nobody may wait */
/* granted() is called once, from the loop, never from inside; unless it leaves before. */
void k8s_rate_wait(struct k8s_rate *r, struct k8s_turn *t,
		   void (*granted)(struct k8s_turn *t));
void k8s_rate_leave(struct k8s_turn *t); /* harmless when it does not wait */
#endif
