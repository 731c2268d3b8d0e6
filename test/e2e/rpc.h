#ifndef E2E_RPC_H
#define E2E_RPC_H
#include "csi/grpc/client.h"
#include "csi.pb-c.h"
#include "e2e/driver.h"

/* gRPC calls to a driver. Several may be under way at once on the driver's loop. */
struct rpc_call {
	struct grpc_client client;
	const ProtobufCMethodDescriptor *method;
	bool is_done;
	uint8_t *packed;
	char path[96];
	ProtobufCMessage *answer; /* after rpc_wait, when the call succeeded */
};

/* The method by its plain name, such as "CreateVolume". */
const ProtobufCMethodDescriptor *rpc_method(const char *name);
/* A zeroed request of the method in memory that lasts until the next rpc_reset; rpc_text
 * and rpc_alloc are of the same kind. The request is encoded when the call starts. */
void *rpc_request(const char *name);
void *rpc_alloc(size_t size);
char *rpc_text(const char *text);
void rpc_reset(void);
/* Sets a map<string, string> field of the message: n pairs, key, value, key, value … */
void rpc_map(ProtobufCMessage *m, const char *field, const char *const *pairs, size_t n);
/* The n-th pair of such a field; false when there are fewer. */
bool rpc_pair(const ProtobufCMessage *m, const char *field, size_t n,
	      const char **ret_key, const char **ret_value);

void rpc_start(struct driver *d, struct rpc_call *c, const char *name,
	       const void *request, uint64_t timeout_ms);
void rpc_start_raw(struct driver *d, struct rpc_call *c, const char *name,
		   const uint8_t *message, size_t len);
/* Turns the loop until the call has ended; its code. rpc_free must follow. */
enum err_code rpc_wait(struct driver *d, struct rpc_call *c);
void rpc_free(struct rpc_call *c);
/* Turns the loop once, for ms at most, so that calls under way can end. */
void rpc_turn(struct driver *d, unsigned ms);

/* Start, wait, free; the answer is dropped. rpc_message is its status message. */
enum err_code rpc_do(struct driver *d, const char *name, const void *request);
const char *rpc_message(void);
bool rpc_probe(struct driver *d); /* Probe says ready */
#endif
