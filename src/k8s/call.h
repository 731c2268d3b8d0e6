#ifndef K8S_CALL_H
#define K8S_CALL_H
#include "k8s/k8s.h"
#include "k8s/rate.h"

/* The op behind k8s_request_start(): builds the request, waits for its turn, asks, and
 * asks again where retry.h allows, with back-off, until its deadline.
 *
 * LIST goes page by page. Its objects are collected (at most K8S_COLLECT_MAX) and told to
 * each() only when the list is whole, so that none is told twice when a page is asked for
 * again or the list begins anew, and none at all when it fails. Other drivers' objects
 * are left out; one that cannot be read fails the list.
 *
 * A DELETE that is asked for again after its first answer was lost says NOT_FOUND when
 * the first one did it. */
struct k8s_client;

enum {
	K8S_REQUEST_MS = 30 * 1000,
	K8S_ATTEMPT_MS = 10 * 1000, /* then another connection is tried */
	K8S_PAGE = 500,
	K8S_COLLECT_MAX = 50 * 1000,
	K8S_RETRY_MS = 200,
	K8S_RETRY_MAX_MS = 5 * 1000,
};

/* What all requests and watches of one implementation share. */
struct k8s_calls {
	uv_loop_t *loop;
	struct k8s_client *client;
	const char *driver;
	struct k8s_rate rate;
	/* Counters: since the start. */
	uint64_t n_asked, n_failed;
};

void k8s_calls_init(struct k8s_calls *c, uv_loop_t *loop, struct k8s_client *client,
		    const char *driver);
void k8s_calls_fini(struct k8s_calls *c); /* nothing may be under way */
void k8s_call_start(struct k8s_calls *c, struct k8s_request *r,
		    void (*done)(struct op *op));
#endif
