#ifndef SLOW_K8S_H
#define SLOW_K8S_H
#include "core/list.h"
#include "fakes/fake_k8s.h"

/* One controller's view of a fake cluster: stores of its own, each filled by a watch that
 * runs behind by a time of its own, in order. Requests go to the cluster at once; nobody
 * hears its Events. The clock must be held. */
struct slow_k8s {
	struct k8s k8s; /* first */
	struct fake_k8s *api;
	bool is_leader;
	uint64_t delay_ms[K8S_WATCHED]; /* of what happens from now on */
	uint64_t last_due_ms[K8S_WATCHED];
	struct list events[K8S_WATCHED]; /* of struct slow_event, soonest first */
	struct k8s_listener listeners[K8S_WATCHED];
};

void slow_k8s_open(struct slow_k8s *s, struct fake_k8s *api);
void slow_k8s_close(struct slow_k8s *s);
/* Delivers what is due. */
void slow_k8s_turn(struct slow_k8s *s);
/* As a new process sees it: whole lists of now, nothing under way. */
void slow_k8s_restart(struct slow_k8s *s);
bool slow_k8s_is_even(const struct slow_k8s *s); /* nothing is under way */
#endif
