#ifndef K8S_K8S_H
#define K8S_K8S_H
#include "core/op.h"
#include "k8s/object.h"
#include "k8s/store.h"

/* The port to the Kubernetes API, and the only header of this module that others
 * include. Two halves: stores that are kept current by watches, and requests. */
enum k8s_verb {
	K8S_GET,
	K8S_LIST, /* page by page, each object told to each() */
	K8S_CREATE,
	K8S_PATCH, /* merge patch (RFC 7386) */
	K8S_UPDATE,
	K8S_DELETE,
};

struct k8s;

/* One request. The caller embeds it, zeroed, fills in the arguments and starts it; texts
 * are borrowed until done(). Retried on transport errors, 401 (with a token read anew),
 * 429 and 5xx where that cannot do a thing twice, until its deadline (30 s; an earlier
 * one by op_set_deadline after the start wins).
 * Errors: NOT_FOUND 404 with that reason, which a server that does not know the path does
 * not give; EXISTS 409 AlreadyExists; ABORTED 409 Conflict (a uid or version that does
 * not fit too); PERMISSION 403; INVALID 400, 422; EXHAUSTED an answer too large;
 * DEADLINE; else UNAVAILABLE. */
struct k8s_request {
	struct op op; /* type and states are the implementation's */
	void *impl;   /* the implementation's, gone at done() */
	/* Arguments. */
	enum k8s_verb verb;
	enum k8s_kind kind;
	const char *ns, *name;	 /* NULL where the kind or the verb has none */
	const char *subresource; /* "status", or NULL */
	const char *query;	 /* LIST: more of the query, escaped; or NULL */
	const char *body;	 /* JSON; DELETE: NULL or DeleteOptions */
	void (*each)(struct k8s_request *r, const struct k8s_object *o); /* LIST */
	/* Results. */
	struct k8s_object *object; /* GET, CREATE, PATCH, UPDATE: the answer decoded; the
				    * caller frees it, or takes it, in done() or later */
	bool is_foreign; /* NOT_FOUND: there is one, another driver's (VA, PV) */
};

/* An Event on a claim (a PersistentVolumeClaim). Texts are copied. */
struct k8s_event {
	const char *ns, *claim;
	const char *uid;     /* of the claim; "" when unknown: it is looked up */
	const char *reason;  /* CamelCase, at most 128 bytes (API convention) */
	const char *message; /* cut at 1,024 bytes (events.k8s.io/v1) */
	bool is_warning;
};

struct k8s_ops {
	void (*request)(struct k8s *k, struct k8s_request *r,
			void (*done)(struct op *op));
	/* This process holds the driver's Lease now, with time to spare for one mutation
	 * on the box. Ask right before each. */
	bool (*is_leader)(const struct k8s *k);
	/* Best effort, never waits: deduplicated, rate limited, dropped when too many. */
	void (*emit)(struct k8s *k, const struct k8s_event *e);
};

/* An implementation embeds this as its first member; main makes and ends it. */
struct k8s {
	const struct k8s_ops *ops;
	uv_loop_t *loop;
	struct k8s_store stores[K8S_WATCHED];
};

static inline void k8s_request_start(struct k8s *k, struct k8s_request *r,
				     void (*done)(struct op *op))
{
	k->ops->request(k, r, done);
}

static inline bool k8s_is_leader(const struct k8s *k)
{
	return k->ops->is_leader(k);
}

static inline void k8s_emit(struct k8s *k, const struct k8s_event *e)
{
	k->ops->emit(k, e);
}

/* Every store is current: what they say may be acted upon. */
bool k8s_is_current(const struct k8s *k);

#define K8S_VA_OF(o) ((const struct k8s_va *)(const void *)(o))
#define K8S_PV_OF(o) ((const struct k8s_pv *)(const void *)(o))
#define K8S_NODE_OF(o) ((const struct k8s_node *)(const void *)(o))
#define K8S_CSINODE_OF(o) ((const struct k8s_csinode *)(const void *)(o))
#define K8S_POD_OF(o) ((const struct k8s_pod *)(const void *)(o))
#define K8S_PVC_OF(o) ((const struct k8s_pvc *)(const void *)(o))
#define K8S_LEASE_OF(o) ((const struct k8s_lease *)(const void *)(o))
#endif
