#ifndef FAKE_K8S_H
#define FAKE_K8S_H
#include "core/map.h"
#include "k8s/k8s.h"

/* A cluster in memory behind the port k8s.h. What the "API server" has is kept apart from
 * the stores, which follow it at once unless a kind is held (a slow watch). Requests are
 * real ops on the loop: each takes its effect on one turn and answers on a later one.
 * The stores are complete and current from the start; fake_k8s_incomplete and
 * fake_k8s_stale say otherwise. */
enum fake_k8s_what {
	FAKE_K8S_FINE,
	FAKE_K8S_REFUSE, /* nothing done, answered with code */
	FAKE_K8S_LOSE,	 /* done, but answered with code */
	FAKE_K8S_HANG,	 /* neither done nor answered until it is cancelled */
};

struct fake_k8s_fault {
	enum fake_k8s_what what;
	enum err_code code; /* ERR_OK = UNAVAILABLE */
};

/* One request, as it was started; code when it is over. */
struct fake_k8s_request {
	enum k8s_verb verb;
	enum k8s_kind kind;
	char ns[64], name[254], subresource[32], query[256];
	char *body; /* "" when none */
	bool is_over;
	enum err_code code;
};

struct fake_k8s_event {
	char ns[64], claim[254], uid[64], reason[129], message[1025];
	bool is_warning;
};

struct fake_k8s_item {
	struct map_node node;
	struct k8s_object *o;
	char key[360]; /* "ns/name" */
};

enum { FAKE_K8S_KEPT = 4096 }; /* requests and events kept; more fails the test */

struct fake_k8s {
	struct k8s k8s; /* first */
	const char *driver_name;
	bool is_leader;		/* true from the start */
	bool has_finalizers;	/* DELETE only sets is_deleting, as for attached VAs */
	const char *foreign_pv; /* the name of one that is another driver's, or NULL */
	uint32_t delay_ms;	/* each request waits so long before its effect */
	/* One fault, for the request after `skip` others; or one chosen per request. */
	struct fake_k8s_fault fault;
	unsigned skip;
	struct fake_k8s_fault (*choose)(struct fake_k8s *f, const struct k8s_request *r);
	void *arg;
	struct map server[K8S_KINDS]; /* of struct fake_k8s_item */
	bool is_held[K8S_WATCHED];
	uint64_t last_version, last_uid;
	struct fake_k8s_request *requests; /* FAKE_K8S_KEPT of each */
	struct fake_k8s_event *events;
	unsigned n_requests, n_events;
};

void fake_k8s_open(struct fake_k8s *f, uv_loop_t *loop, const char *driver_name);
/* No request may be under way. Forgets the listeners. */
void fake_k8s_close(struct fake_k8s *f);

/* The API server has this object from now on; a copy is made, with a new version. uid ""
 * or NULL: a new one where the name is new, else that of the name. */
void fake_k8s_put(struct fake_k8s *f, const struct k8s_object *o);
void fake_k8s_remove(struct fake_k8s *f, enum k8s_kind kind, const char *ns,
		     const char *name);
/* What the API server has, whatever the stores say; NULL = nothing. */
const struct k8s_object *fake_k8s_find(const struct fake_k8s *f, enum k8s_kind kind,
				       const char *ns, const char *name);

/* Short forms of fake_k8s_put; the rest of the struct is empty. uid NULL as above. */
void fake_k8s_va(struct fake_k8s *f, const char *name, const char *uid, const char *node,
		 const char *pv, bool is_attached);
/* RWO, phase Bound, claim "default/claim-<name>" with uid "uid-claim-<name>". */
void fake_k8s_pv(struct fake_k8s *f, const char *name, const char *handle);
/* in_use: one handle of ours in status.volumesInUse, or NULL. */
void fake_k8s_node(struct fake_k8s *f, const char *name, bool is_ready,
		   bool is_out_of_service, const char *in_use);
void fake_k8s_csinode(struct fake_k8s *f, const char *name, bool has_driver);
void fake_k8s_pod(struct fake_k8s *f, const char *ns, const char *name, const char *node,
		  const char *claim, const char *vmi);

/* The watch of the kind delivers nothing until it is released; then what the API server
 * has is delivered as by a relist. */
void fake_k8s_hold(struct fake_k8s *f, enum k8s_kind kind);
void fake_k8s_release(struct fake_k8s *f, enum k8s_kind kind);
/* As after a restart: stores empty, nothing complete; listeners stay. fake_k8s_relist
 * fills and completes them. */
void fake_k8s_incomplete(struct fake_k8s *f);
void fake_k8s_relist(struct fake_k8s *f);
/* Nothing heard for longer than K8S_STALE_MS, or (false) heard of just now and from then
 * on. */
void fake_k8s_stale(struct fake_k8s *f, bool is_stale);

/* The port's request, for those who wrap it. */
void fake_k8s_request(struct k8s *k, struct k8s_request *r, void (*done)(struct op *op));

/* How many requests of the verb and kind were started; the last event with the reason. */
unsigned fake_k8s_count(const struct fake_k8s *f, enum k8s_verb verb, enum k8s_kind kind);
unsigned fake_k8s_count_events(const struct fake_k8s *f, const char *reason);
const struct fake_k8s_event *fake_k8s_last_event(const struct fake_k8s *f,
						 const char *reason);
#endif
