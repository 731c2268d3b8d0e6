#ifndef API_LAB_H
#define API_LAB_H
#include "k8s/api.h"
#include "support/api_sim.h"
#include "support/t.h"

/* The real client against the simulated API server, on held time. A listener on every
 * store checks with each change that it may be: what is told as deleted is deleted, and
 * no object goes back in time. */
struct api_lab {
	struct t_loop l;
	struct api_sim sim;
	struct k8s_api *api;
	struct k8s *k;
	char dir[128], path[256];
	struct api_lab_ear {
		struct k8s_listener l;
		struct api_lab *lab;
		unsigned n_added, n_changed, n_deleted;
	} ears[K8S_WATCHED];
	bool is_stopped;
};

void api_lab_open(struct api_lab *x);
/* Makes and starts the client; after api_lab_stop again, as after a restart. */
void api_lab_start(struct api_lab *x);
void api_lab_stop(struct api_lab *x);
void api_lab_close(struct api_lab *x);

void api_lab_turn(struct api_lab *x, uint64_t ms);
void api_lab_pass(struct api_lab *x, uint64_t ms); /* in steps of 50 ms */
/* Time goes on until every store is current, at most so long; false = they are not. */
bool api_lab_settle(struct api_lab *x, uint64_t ms);
/* Every store has what the API server has, object by object and version by version. */
bool api_lab_is_same(const struct api_lab *x);
#endif
