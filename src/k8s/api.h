#ifndef K8S_API_H
#define K8S_API_H
#include "k8s/client.h"
#include "k8s/k8s.h"

/* The port k8s.h over a real API server: one client, one store and one watch per watched
 * kind, requests under one rate limit. Made by main, which wires in who leads and who
 * posts Events, and ends it last of all that uses it. */
struct k8s_api;

struct k8s_api_hooks {
	bool (*is_leader)(void *ctx);
	void (*emit)(void *ctx, const struct k8s_event *e);
	void *ctx;
};

/* For the metrics; counted since the start. */
struct k8s_api_stats {
	uint64_t n_requests, n_failed;
	struct {
		uint64_t lists;		      /* whole ones */
		uint64_t streams;	      /* begun: each but the first is a restart */
		uint64_t events;	      /* changes that streams told */
		uint64_t failures;	      /* of lists and streams */
		uint64_t unreadable, objects; /* now */
		uint64_t age_ms; /* since it was heard of last; UINT64_MAX = never */
	} kinds[K8S_WATCHED];
};

/* NULL with err. driver_name is copied. Once made it must be started, stopped and freed.
 */
struct k8s_api *k8s_api_new(uv_loop_t *loop, const struct k8s_client_conf *conf,
			    const char *driver_name, struct err *err);
struct k8s *k8s_api_port(struct k8s_api *api);
/* Until they are set nobody leads and Events are dropped. */
void k8s_api_set(struct k8s_api *api, const struct k8s_api_hooks *hooks);
/* Requests may be started from then on; the stores fill. */
void k8s_api_start(struct k8s_api *api, void (*done)(void *arg), void *arg);
/* No request may be under way. done() comes later; then k8s_api_free(). */
void k8s_api_stop(struct k8s_api *api);
void k8s_api_free(struct k8s_api *api);
const char *k8s_api_namespace(const struct k8s_api *api); /* of our pod */
void k8s_api_stats(const struct k8s_api *api, struct k8s_api_stats *ret);
#endif
