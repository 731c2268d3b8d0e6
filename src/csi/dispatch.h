#ifndef CSI_DISPATCH_H
#define CSI_DISPATCH_H
#include <protobuf-c/protobuf-c.h>

#include "core/arena.h"
#include "core/list.h"
#include "core/op.h"
#include "csi/csi.h"
#include "csi/grpc/call.h"
#include "csi/inflight.h"

/* /service/method -> handler. One struct rpc per call: decoded request, answer, and the
 * work. dispatch decodes into the arena, checks that strings are UTF-8 and that no other
 * operation of the same volume is in flight (else ABORTED), starts the work, encodes its
 * answer, logs one line and frees the rpc. The work op outlives its call: when the client
 * goes away the answer is dropped, not the work. */
struct rpc;

struct rpc_method {
	const char *path; /* "/csi.v1.Controller/CreateVolume" */
	const ProtobufCMessageDescriptor *request, *response;
	/* Pure check of the request's fields: 0, or -1 with the status. May be NULL. */
	int (*check)(const struct rpc *rpc, struct err *err);
	/* The key of the in-flight table and the log's volume= field; NULL = none. */
	const char *(*volume_id)(const struct rpc *rpc);
	bool is_exclusive; /* one at a time per volume_id */
	/* Exactly one of the two: answer from memory at once, or an op. */
	int (*answer)(struct rpc *rpc, struct err *err);
	const struct op_type *work;
	size_t size; /* of the struct whose first member is struct rpc; 0 = sizeof(struct
			rpc) */
	uint64_t work_timeout_ms; /* deadline of the work op, whatever the call's; 0 = 10
				     min */
	unsigned operation; /* for the metrics: 1 + enum metric_operation; 0 = none */
	/* Releases what the work still owns (not the arena); may be NULL. */
	void (*fini)(struct rpc *rpc);
};

struct rpc {
	struct op op; /* the work; unused by methods that answer at once */
	const struct rpc_method *method;
	struct csi *csi;
	struct arena arena;	     /* request, response and their strings */
	const ProtobufCMessage *req; /* of method->request */
	ProtobufCMessage *resp;	     /* set by the handler on success, from the arena */
	struct grpc_call *call;	     /* unanswered */
	struct inflight inflight;    /* linked while the work runs */
	uint64_t number, started_us;
	struct dispatch *dispatch;
	struct list node; /* in dispatch->running while the work runs */
};

struct dispatch {
	struct csi *csi;
	const struct rpc_method *const *tables; /* each ended by a row without path */
	unsigned n_tables;
	uint64_t n_calls;
	struct list running; /* of struct rpc: work not ended */
	unsigned n_running;
	/* Since memory was given back: begun, and the most that ran at once. */
	unsigned n_works, n_at_once;
	void (*on_idle)(struct dispatch *d); /* the last work has ended; may be NULL */
};

enum { RPC_ARENA_MAX = 16 * 1024 * 1024 }; /* request and answer, decoded */

/* Tables are borrowed for the life of the dispatch. */
void dispatch_init(struct dispatch *d, struct csi *csi,
		   const struct rpc_method *const *tables, unsigned n_tables);
grpc_call_fn dispatch_call; /* ctx is the struct dispatch */
/* Cancels every work that runs, for the end of the process; each still answers its call,
 * and on_idle comes when the last one is done. */
void dispatch_cancel(struct dispatch *d);
static inline bool dispatch_is_idle(const struct dispatch *d)
{
	return list_is_empty(&d->running);
}

extern const struct rpc_method identity_methods[];
extern const struct rpc_method controller_methods[];
extern const struct rpc_method node_methods[];

/* A zeroed response of the method's type from the arena, initialised by its descriptor.
 */
void *rpc_new_response(struct rpc *rpc);
#endif
