#ifndef CSI_GRPC_CALL_H
#define CSI_GRPC_CALL_H
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "core/err.h"

/* One unary call, as its handler sees it. The grpc layer owns it; the handler must answer
 * it exactly once with grpc_call_reply or grpc_call_fail and not touch it afterwards.
 * When the client has gone or its deadline has passed in between, the grpc layer has
 * already ended the stream and the answer is dropped: a call may end, the work behind it
 * runs on (CSI spec.md, "Timeouts": the only way to undo a call is its negation). */
struct grpc_call;
struct h2_user; /* csi/grpc/h2.h */

typedef void grpc_call_fn(void *ctx, struct grpc_call *call);

const char *grpc_call_path(const struct grpc_call *call); /* "/csi.v1.Identity/Probe" */
/* The request message without its 5-byte prefix; valid until the answer. */
const uint8_t *grpc_call_message(const struct grpc_call *call, size_t *ret_len);
uint64_t grpc_call_deadline_ms(
	const struct grpc_call *call); /* of clock_now_ms; 0 = none */

/* Copies the message. Falls back to RESOURCE_EXHAUSTED when memory is short or the
 * message is larger than GRPC_MAX_MESSAGE. */
void grpc_call_reply(struct grpc_call *call, const void *message, size_t len);
void grpc_call_fail(struct grpc_call *call,
		    const struct err *err); /* err->code != ERR_OK */

enum { GRPC_MAX_MESSAGE = 4 * 1024 * 1024 }; /* the sidecars' own receive limit */

/* Who takes the calls of a connection: its h2.ctx, when h2.user is grpc_call_user.
 * Borrowed by the connections. */
struct grpc_service {
	uv_loop_t *loop; /* carries the clock of the deadlines */
	grpc_call_fn *on_call;
	void *ctx;
};
extern const struct h2_user grpc_call_user;
#endif
