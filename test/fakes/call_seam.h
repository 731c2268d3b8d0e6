#ifndef CALL_SEAM_H
#define CALL_SEAM_H
#include <stdlib.h>
#include <string.h>

#include "fakes/ctl_drive.h"

/* What dispatch asks of the grpc layer, without one. Included by one file of a test
 * binary, which then has these definitions instead of those of grpc/call.c. */
const char *grpc_call_path(const struct grpc_call *call)
{
	return call->path;
}

const uint8_t *grpc_call_message(const struct grpc_call *call, size_t *ret_len)
{
	*ret_len = call->len;
	return call->message;
}

void grpc_call_reply(struct grpc_call *call, const void *message, size_t len)
{
	call->n_answers++;
	call->reply_len = len;
	call->reply = malloc(len + 1);
	memcpy(call->reply, message, len);
}

void grpc_call_fail(struct grpc_call *call, const struct err *err)
{
	cr_assert_neq(err->code, ERR_OK);
	call->n_answers++;
	call->err = *err;
}
#endif
